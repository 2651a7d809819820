//! The schemes that put a secret somewhere as it is: a header, the query, the path, a field of the body.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use serde_json::Value;
use tidegate_plugin_sdk::manifest::Auth;

use super::{Error, Secrets, reveal, set};
use crate::delivery::egress::Outgoing;

/// Puts the secrets of such a scheme where they belong; of any other scheme, nothing.
pub(super) fn place(scheme: &Auth, secrets: &Secrets, outgoing: &mut Outgoing) -> Result<(), Error> {
    let secret = |name: &str| reveal(secrets, name);
    match scheme {
        Auth::Bearer { secret: name } => {
            let value = format!("Bearer {}", secret(name)?);
            set(&mut outgoing.headers, AUTHORIZATION, &value, name)
        }
        Auth::Header { header: to, secret: name } => header(to, name, secrets, &mut outgoing.headers),
        Auth::Basic { user, optional: true, .. } if !secrets.contains_key(user) => Ok(()),
        Auth::Basic { user, password, .. } => {
            let password = password.as_deref().map_or(Ok(""), secret)?;
            let pair = BASE64_STANDARD.encode(format!("{}:{password}", secret(user)?));
            set(&mut outgoing.headers, AUTHORIZATION, &format!("Basic {pair}"), user)
        }
        Auth::Path { secret: name } => {
            let rest: Vec<&str> = secret(name)?.trim_matches('/').split('/').collect();
            if rest.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
                return Err(Error::Path(name.clone()));
            }
            // A URL with a host has segments.
            if let Ok(mut segments) = outgoing.url.path_segments_mut() {
                segments.pop_if_empty().extend(rest);
            }
            Ok(())
        }
        Auth::Query { parameter, secret: name } => {
            outgoing.url.query_pairs_mut().append_pair(parameter, secret(name)?);
            Ok(())
        }
        Auth::JsonField { pointer, secret: name } => {
            let value = Value::String(secret(name)?.to_owned());
            let changed = insert(&outgoing.body, pointer, value).ok_or_else(|| Error::Pointer(pointer.clone()))?;
            outgoing.body = changed.into();
            Ok(())
        }
        Auth::Oauth1 { .. }
        | Auth::Oauth2Refresh { .. }
        | Auth::Oauth2ServiceAccount { .. }
        | Auth::StandardWebhooks { .. } => Ok(()),
    }
}

/// Puts a secret into a header of its own.
pub(super) fn header(to: &str, name: &str, secrets: &Secrets, headers: &mut HeaderMap) -> Result<(), Error> {
    let to = HeaderName::try_from(to).map_err(|_| Error::Header(name.into()))?;
    set(headers, to, reveal(secrets, name)?, name)
}

fn insert(body: &[u8], pointer: &str, value: Value) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(body).ok()?;
    let (parent, field) = pointer.rsplit_once('/')?;
    document.pointer_mut(parent)?.as_object_mut()?.insert(field.to_owned(), value);
    serde_json::to_vec(&document).ok()
}
