//! The signature headers of Standard Webhooks.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use hmac::{Hmac, Mac};
use http::{HeaderName, HeaderValue};
use sha2::Sha256;

use super::{Error, set};
use crate::delivery::egress::Outgoing;

/// What is signed beside the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub(super) id: &'a str,
    pub(super) timestamp_s: u64,
}

/// Signs: every secret gives a signature, so that a receiver may know either of two while a key is rotated.
pub(super) fn sign(secrets: &str, name: &str, stamp: Stamp<'_>, outgoing: &mut Outgoing) -> Result<(), Error> {
    let malformed = || Error::Webhook(name.into());
    let mut signatures = Vec::new();
    for secret in secrets.split_whitespace() {
        let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
        let key = BASE64_STANDARD.decode(encoded).or_else(|_| BASE64_URL_SAFE.decode(encoded));
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.map_err(|_| malformed())?).map_err(|_| malformed())?;
        mac.update(format!("{}.{}.", stamp.id, stamp.timestamp_s).as_bytes());
        mac.update(&outgoing.body);
        signatures.push(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())));
    }
    if signatures.is_empty() {
        return Err(malformed());
    }
    let id = HeaderValue::from_str(stamp.id).map_err(|_| Error::Header(name.into()))?;
    outgoing.headers.insert(HeaderName::from_static("webhook-id"), id);
    outgoing.headers.insert(HeaderName::from_static("webhook-timestamp"), HeaderValue::from(stamp.timestamp_s));
    set(&mut outgoing.headers, HeaderName::from_static("webhook-signature"), &signatures.join(" "), name)
}
