//! A grant: what an access token is asked for by. Destinations whose grants are equal share the token.

use tidegate_plugin_sdk::manifest::Auth;
use url::{Url, form_urlencoded};

use super::service_account::Key;
use super::{Error, Secrets};
use crate::config::Secret;
use crate::destination::Network;

/// What a token is asked for by, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Grant {
    /// Where it is asked for: the manifest's address, or its stand-in in a test.
    pub(super) url: Url,
    pub(super) network: Network,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    /// RFC 6749, section 6.
    Refresh { client_id: Secret, client_secret: Secret, refresh_token: Secret },
    /// RFC 7523, section 2.1.
    ServiceAccount {
        /// The name of the secret, for people.
        name: String,
        key: Secret,
        /// Who the token is asked of: the manifest's address itself.
        audience: String,
        scope: String,
    },
}

impl Grant {
    /// The grant of a scheme that needs an access token.
    pub(super) fn of(scheme: &Auth, secrets: &Secrets, url: &Url, network: Network) -> Result<Grant, Error> {
        let kind = match scheme {
            Auth::Oauth2Refresh { client_id, client_secret, refresh_token, .. } => Kind::Refresh {
                client_id: secret(secrets, client_id)?,
                client_secret: secret(secrets, client_secret)?,
                refresh_token: secret(secrets, refresh_token)?,
            },
            Auth::Oauth2ServiceAccount { token_url, scopes, key, .. } => Kind::ServiceAccount {
                name: key.clone(),
                key: secret(secrets, key)?,
                audience: token_url.clone(),
                scope: scopes.join(" "),
            },
            _ => return Err(Error::Refused("the scheme needs none".into())),
        };
        Ok(Grant { url: url.clone(), network, kind })
    }

    /// The form that asks for a token.
    pub(super) fn form(&self, now_s: u64) -> Result<String, Error> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        match &self.kind {
            Kind::Refresh { client_id, client_secret, refresh_token } => {
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("refresh_token", refresh_token.reveal());
                form.append_pair("client_id", client_id.reveal());
                form.append_pair("client_secret", client_secret.reveal());
            }
            Kind::ServiceAccount { name, key, audience, scope } => {
                let assertion = Key::parse(name, key)?.assertion(audience, scope, now_s)?;
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.append_pair("assertion", &assertion);
            }
        }
        Ok(form.finish())
    }

    /// A text of the token endpoint's without any of the secrets that it may have repeated.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        let secrets: &[&Secret] = match &self.kind {
            Kind::Refresh { client_id: _, client_secret, refresh_token } => &[client_secret, refresh_token],
            Kind::ServiceAccount { key, .. } => &[key],
        };
        let shown = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), "…"));
        shown.chars().filter(|c| !c.is_control()).take(200).collect()
    }
}

fn secret(secrets: &Secrets, name: &str) -> Result<Secret, Error> {
    secrets.get(name).cloned().ok_or_else(|| Error::Missing(name.into()))
}
