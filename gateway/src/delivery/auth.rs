//! Authenticates a request after its plugin has returned: the only place where a platform's secret is used.
//!
//! Owns the schemes, one a file, and the access tokens that some of them need. What it says of a failure never contains
//! anything of a secret.

mod grant;
mod oauth1;
mod oauth2;
mod place;
mod redact;
mod service_account;
mod tokens;
mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_plugin_sdk::manifest::Auth;

use self::grant::Grant;
pub use self::redact::Redactor;
pub use self::tokens::Token;
use self::tokens::Tokens;
use super::egress::{Answer, Outgoing, Sender};
use crate::clock::Clock;
use crate::config::Secret;
use crate::destination::Destination;

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
    #[error("the body has no place for a secret at `{0}`")]
    Pointer(String),
    #[error("secret `{secret}` is no key of a service account: {problem}")]
    ServiceAccount { secret: String, problem: &'static str },
    /// A person has to act: the grant is withdrawn, say.
    #[error("no access token: {0}")]
    Refused(String),
    /// It may be otherwise in a while.
    #[error("no access token: {reason}")]
    Unavailable { reason: String, retry_after_ms: Option<u64> },
}

/// The secrets of a destination, by their names.
pub(super) type Secrets = BTreeMap<String, Secret>;

/// What authenticating a request takes beside the request.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// What a signature's message id is: the same for every attempt.
    pub message_id: &'a str,
    /// The access token that the platform has refused this request with.
    pub refused: Option<&'a Token>,
}

/// Authenticates requests, and keeps the access tokens of all destinations meanwhile: one for the whole process.
pub struct Authenticator {
    sender: Arc<dyn Sender>,
    clock: Arc<dyn Clock>,
    tokens: Tokens,
}

impl Authenticator {
    /// One that asks for access tokens through `sender`.
    pub fn new(sender: Arc<dyn Sender>, clock: Arc<dyn Clock>) -> Authenticator {
        Authenticator { sender, clock, tokens: Tokens::default() }
    }

    /// Authenticates a request by its destination's scheme. Gives the access token, where the scheme has one; asks for
    /// it, where there is none that is good still.
    ///
    /// # Errors
    /// When a secret is missing or is not of the form that the scheme needs, or no access token is to be had.
    pub async fn authenticate(
        &self,
        destination: &Destination,
        outgoing: &mut Outgoing,
        occasion: Occasion<'_>,
    ) -> Result<Option<Token>, Error> {
        let secrets = &destination.secrets;
        let now_s = self.clock.now_ms() / 1000;
        match &destination.auth {
            None => Ok(None),
            Some(Auth::StandardWebhooks { secret: name }) => {
                let stamp = webhook::Stamp { id: occasion.message_id, timestamp_s: now_s };
                webhook::sign(reveal(secrets, name)?, name, stamp, outgoing).map(|()| None)
            }
            Some(Auth::Oauth1 { consumer_key, consumer_secret, token, token_secret }) => {
                let credentials = oauth1::Credentials {
                    consumer_key: reveal(secrets, consumer_key)?,
                    consumer_secret: reveal(secrets, consumer_secret)?,
                    token: reveal(secrets, token)?,
                    token_secret: reveal(secrets, token_secret)?,
                };
                let nonce = format!("{:032x}", rand::random::<u128>());
                let stamp = oauth1::Stamp { nonce: &nonce, timestamp_s: now_s };
                let value = oauth1::authorization(&credentials, stamp, outgoing);
                set(&mut outgoing.headers, http::header::AUTHORIZATION, &value, consumer_key).map(|()| None)
            }
            Some(scheme @ (Auth::Oauth2Refresh { headers, .. } | Auth::Oauth2ServiceAccount { headers, .. })) => {
                // Whoever has such a scheme was given its address when the destination was made.
                let url = destination.token_url.as_ref().ok_or_else(|| Error::Refused("no `token_url`".into()))?;
                let grant = Grant::of(scheme, secrets, url, destination.network)?;
                let fetch = oauth2::fetch(&grant, now_s, outgoing, self.sender.as_ref());
                let token = self.tokens.get(&grant, occasion.refused, self.clock.as_ref(), fetch).await?;
                let value = format!("Bearer {}", token.reveal());
                // What a token endpoint gives was found to be fit for a header when it was read.
                set(&mut outgoing.headers, http::header::AUTHORIZATION, &value, "access token")?;
                for (header, name) in headers.iter().filter(|(_, name)| secrets.contains_key(*name)) {
                    place::header(header, name, secrets, &mut outgoing.headers)?;
                }
                Ok(Some(token))
            }
            Some(scheme) => place::place(scheme, secrets, outgoing).map(|()| None),
        }
    }
}

/// What is wrong with the secrets of a scheme, as far as that can be told without sending anything.
///
/// # Errors
/// What is wrong, naming the secret.
pub fn check(scheme: &Auth, secrets: &Secrets) -> Result<(), Error> {
    match scheme {
        Auth::Oauth2ServiceAccount { key, .. } => match secrets.get(key) {
            Some(secret) if !secret.is_unset() => service_account::Key::parse(key, secret).map(drop),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// What a request's headers carry that is not for everybody.
pub(super) fn credentials(headers: &HeaderMap) -> Vec<HeaderValue> {
    headers.values().filter(|value| value.is_sensitive()).cloned().collect()
}

/// Takes out of an answer what it repeats of a destination's secrets and of the credentials that were sent, in every form
/// that they may have taken: neither the plugin nor the journal is to have them.
pub(super) fn conceal(answer: &mut Answer, secrets: &Redactor, sent: &[HeaderValue]) {
    let mut learned = Redactor::default();
    sent.iter().filter(|value| !secrets.knows(value)).for_each(|value| learned.learn(value));
    let without = |text: &str| {
        // A credential may have a secret in it, and is to go whole.
        let own = learned.conceal(text);
        secrets.conceal(own.as_deref().unwrap_or(text)).or(own)
    };
    if let Some(body) = without(&String::from_utf8_lossy(&answer.body)) {
        answer.body = body.into_bytes();
    }
    for (_, value) in &mut answer.headers {
        if let Some(concealed) = without(value) {
            *value = concealed;
        }
    }
}

fn reveal<'a>(secrets: &'a Secrets, name: &str) -> Result<&'a str, Error> {
    secrets.get(name).map(Secret::reveal).ok_or_else(|| Error::Missing(name.into()))
}

/// Sets a header that is not to be shown; `name` is the secret's, for a person.
fn set(headers: &mut HeaderMap, header: HeaderName, value: &str, name: &str) -> Result<(), Error> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::Header(name.into()))?;
    value.set_sensitive(true);
    headers.insert(header, value);
    Ok(())
}

#[cfg(test)]
mod tests;
