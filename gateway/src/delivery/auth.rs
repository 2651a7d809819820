//! Authenticates a request after its plugin has returned: the only place where a platform's secret is used.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use sha2::Sha256;
use tidegate_plugin_sdk::manifest::Auth;
use url::Url;

use crate::config::Secret;

/// Why a request cannot be authenticated. Never says anything of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("secret `{0}` is missing")]
    Missing(String),
    #[error("secret `{0}` has characters that no header takes")]
    Header(String),
    #[error("secret `{0}` is no Standard Webhooks secret: base64 behind `whsec_`")]
    Webhook(String),
    #[error("secret `{0}` is no path of a URL")]
    Path(String),
    #[error("this gateway cannot authenticate by the scheme of the plugin's manifest")]
    Unsupported,
    #[error("the body has no place for a secret at `{0}`")]
    Pointer(String),
}

/// The parts of a request that authenticating changes.
#[derive(Debug)]
pub struct Parts<'a> {
    pub url: &'a mut Url,
    pub headers: &'a mut HeaderMap,
    pub body: &'a mut Vec<u8>,
    /// What a signature's message id is: the same for every attempt.
    pub message_id: &'a str,
    pub now_s: u64,
}

/// Applies a scheme to a request.
///
/// # Errors
/// When a secret is missing, or is not of the form that the scheme needs.
pub fn apply(auth: &Auth, secrets: &BTreeMap<String, Secret>, parts: Parts<'_>) -> Result<(), Error> {
    let secret = |name: &str| secrets.get(name).map(Secret::reveal).ok_or_else(|| Error::Missing(name.into()));
    match auth {
        Auth::Bearer { secret: name } => {
            let value = format!("Bearer {}", secret(name)?);
            set(parts.headers, http::header::AUTHORIZATION, &value, name)
        }
        Auth::Header { header, secret: name } => {
            let header = HeaderName::try_from(header.as_str()).map_err(|_| Error::Header(name.clone()))?;
            set(parts.headers, header, secret(name)?, name)
        }
        Auth::Basic { user, optional: true, .. } if !secrets.contains_key(user) => Ok(()),
        Auth::Basic { user, password, .. } => {
            let password = password.as_deref().map_or(Ok(""), secret)?;
            let pair = BASE64_STANDARD.encode(format!("{}:{password}", secret(user)?));
            set(parts.headers, http::header::AUTHORIZATION, &format!("Basic {pair}"), user)
        }
        Auth::Path { secret: name } => {
            let rest: Vec<&str> = secret(name)?.trim_matches('/').split('/').collect();
            if rest.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
                return Err(Error::Path(name.clone()));
            }
            // A URL with a host has segments.
            if let Ok(mut segments) = parts.url.path_segments_mut() {
                segments.pop_if_empty().extend(rest);
            }
            Ok(())
        }
        Auth::Query { parameter, secret: name } => {
            parts.url.query_pairs_mut().append_pair(parameter, secret(name)?);
            Ok(())
        }
        Auth::JsonField { pointer, secret: name } => {
            let value = Value::String(secret(name)?.to_owned());
            let changed = insert(parts.body, pointer, value).ok_or_else(|| Error::Pointer(pointer.clone()))?;
            *parts.body = changed;
            Ok(())
        }
        Auth::StandardWebhooks { secret: name } => sign(secret(name)?, name, parts),
        Auth::Oauth2Refresh { .. } | Auth::Oauth2ServiceAccount { .. } | Auth::Oauth1 { .. } => Err(Error::Unsupported),
    }
}

fn set(headers: &mut HeaderMap, header: HeaderName, value: &str, name: &str) -> Result<(), Error> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::Header(name.into()))?;
    value.set_sensitive(true);
    headers.insert(header, value);
    Ok(())
}

fn insert(body: &[u8], pointer: &str, value: Value) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(body).ok()?;
    let (parent, field) = pointer.rsplit_once('/')?;
    document.pointer_mut(parent)?.as_object_mut()?.insert(field.to_owned(), value);
    serde_json::to_vec(&document).ok()
}

/// Signs as <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md> says: every
/// secret gives a signature, so that a receiver may know either of two while a key is rotated.
fn sign(secrets: &str, name: &str, parts: Parts<'_>) -> Result<(), Error> {
    let malformed = || Error::Webhook(name.into());
    let mut signatures = Vec::new();
    for secret in secrets.split_whitespace() {
        let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
        let key = BASE64_STANDARD.decode(encoded).or_else(|_| BASE64_URL_SAFE.decode(encoded));
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.map_err(|_| malformed())?).map_err(|_| malformed())?;
        mac.update(format!("{}.{}.", parts.message_id, parts.now_s).as_bytes());
        mac.update(parts.body);
        signatures.push(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())));
    }
    if signatures.is_empty() {
        return Err(malformed());
    }
    set(parts.headers, HeaderName::from_static("webhook-id"), parts.message_id, name)?;
    set(parts.headers, HeaderName::from_static("webhook-timestamp"), &parts.now_s.to_string(), name)?;
    set(parts.headers, HeaderName::from_static("webhook-signature"), &signatures.join(" "), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(auth: Auth, secret: &str, body: &str) -> Result<(Url, HeaderMap, String), Error> {
        let mut url = Url::parse("https://p.example/x?a=1").unwrap();
        let (mut headers, mut bytes) = (HeaderMap::new(), body.as_bytes().to_vec());
        let secrets = [("s".to_owned(), Secret::new(secret))].into();
        let parts = Parts {
            url: &mut url,
            headers: &mut headers,
            body: &mut bytes,
            message_id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            now_s: 1_614_265_330,
        };
        apply(&auth, &secrets, parts)?;
        Ok((url, headers, String::from_utf8(bytes).unwrap()))
    }

    #[test]
    fn the_standard_webhooks_example_is_signed_as_published() {
        let auth = Auth::StandardWebhooks { secret: "s".into() };
        let (_, headers, _) =
            applied(auth, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", r#"{"test": 2432232314}"#).unwrap();
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
    }

    #[test]
    fn two_secrets_sign_both_while_a_key_is_rotated() {
        let auth = Auth::StandardWebhooks { secret: "s".into() };
        let both = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_AAAA";
        let (_, headers, _) = applied(auth, both, r#"{"test": 2432232314}"#).unwrap();
        let signature = headers["webhook-signature"].to_str().unwrap();
        assert!(signature.starts_with("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,"), "{signature}");
    }

    #[test]
    fn each_scheme_puts_the_secret_where_it_belongs() {
        let (url, _, _) = applied(Auth::Query { parameter: "key".into(), secret: "s".into() }, "a&b", "").unwrap();
        assert_eq!(url.as_str(), "https://p.example/x?a=1&key=a%26b");
        let (_, headers, _) = applied(Auth::Bearer { secret: "s".into() }, "t", "").unwrap();
        assert_eq!(headers["authorization"], "Bearer t");
        let (_, headers, _) =
            applied(Auth::Basic { user: "s".into(), password: None, optional: false }, "u", "").unwrap();
        assert_eq!(headers["authorization"], "Basic dTo=");
        let (url, _, _) = applied(Auth::Path { secret: "s".into() }, "T0/B0/a b", "").unwrap();
        assert_eq!(url.as_str(), "https://p.example/x/T0/B0/a%20b?a=1");
        let json = Auth::JsonField { pointer: "/api_key".into(), secret: "s".into() };
        assert_eq!(applied(json, "k", r#"{"a":1}"#).unwrap().2, r#"{"a":1,"api_key":"k"}"#);
    }

    #[test]
    fn a_secret_that_cannot_be_sent_is_refused_without_being_shown() {
        let error = applied(Auth::Bearer { secret: "s".into() }, "a\nb", "").unwrap_err();
        assert_eq!(error.to_string(), "secret `s` has characters that no header takes");
        assert!(applied(Auth::Path { secret: "s".into() }, "T0/../admin", "").is_err());
        assert!(applied(Auth::StandardWebhooks { secret: "s".into() }, "not base64!", "").is_err());
    }
}
