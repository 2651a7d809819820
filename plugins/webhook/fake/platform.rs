//! A receiver of Standard Webhooks: `POST` anywhere, signed.
//!
//! The signature is checked by this file's own reading of github.com/standard-webhooks/standard-webhooks (spec,
//! "Verifying webhook authenticity"), so that the gateway's and the fake's mistakes are not the same mistakes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::Sha256;

use crate::{Answer, Judgement, Platform, Received, Tally, Trouble};

/// How far the timestamp may be from the receiver's clock, either way. The specification leaves the number open; its
/// reference libraries use this one.
const TOLERANCE_S: i64 = 5 * 60;

/// A receiver with the secret of `destination.toml`.
pub(crate) fn platform() -> WebhookSink {
    WebhookSink { keys: vec![b"the fake receiver's secret".to_vec()] }
}

/// A receiver that knows one or, while a key is rotated, several secrets.
#[derive(Debug, Clone)]
pub struct WebhookSink {
    keys: Vec<Vec<u8>>,
}

/// The secret is not `whsec_` and base64.
#[derive(Debug, thiserror::Error)]
#[error("a webhook's secret is `whsec_` followed by base64")]
pub struct SecretError(#[source] base64::DecodeError);

impl WebhookSink {
    /// A receiver with this secret, `whsec_…`.
    pub fn new(secret: &str) -> Result<WebhookSink, SecretError> {
        Ok(WebhookSink { keys: vec![key(secret)?] })
    }

    /// Accepts this secret as well.
    pub fn also(mut self, secret: &str) -> Result<WebhookSink, SecretError> {
        self.keys.push(key(secret)?);
        Ok(self)
    }

    fn check(&self, request: &Received, now_ms: i64) -> Result<(), String> {
        let header = |name: &str| request.header(name).ok_or_else(|| format!("the header {name} is missing"));
        let (id, timestamp, signatures) =
            (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
        let at_s: i64 = timestamp.parse().map_err(|_| format!("webhook-timestamp `{timestamp}` is not a number"))?;
        let off_s = now_ms.div_euclid(1000).saturating_sub(at_s);
        if off_s.abs() > TOLERANCE_S {
            return Err(format!("webhook-timestamp is {off_s} s off"));
        }
        let is_ours = |signature: &str| {
            let Some(Ok(signature)) = signature.strip_prefix("v1,").map(|text| STANDARD.decode(text)) else {
                return false;
            };
            self.keys.iter().any(|key| {
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
                mac.update(format!("{id}.{timestamp}.").as_bytes());
                mac.update(&request.body);
                mac.verify_slice(&signature).is_ok()
            })
        };
        if signatures.split(' ').any(is_ours) { Ok(()) } else { Err("no signature matches".to_owned()) }
    }
}

impl Platform for WebhookSink {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        if request.method != "POST" {
            let problems = vec!["a webhook is a POST".to_owned()];
            return Judgement { answer: Answer::empty(405), events: Vec::new(), problems };
        }
        match self.check(request, now_ms) {
            Ok(()) => Judgement {
                answer: Answer::json(200, &json!({ "ok": true })),
                events: request.json.iter().cloned().collect(),
                problems: Vec::new(),
            },
            Err(problem) => Judgement {
                answer: Answer::json(401, &json!({ "error": problem })),
                events: Vec::new(),
                problems: vec![problem],
            },
        }
    }

    fn trouble(&self, trouble: Trouble, _: &Received, _: i64) -> Option<Judgement> {
        let error = |status: u16, why: &str| Answer::json(status, &json!({ "error": why }));
        let answer = match trouble {
            Trouble::Throttled => error(429, "too many events").header("retry-after", "1"),
            Trouble::CredentialsRefused => error(401, "no signature matches"),
            Trouble::Unavailable => error(503, "being deployed"),
            // A request is one event, and what a receiver makes of that is its own affair.
            Trouble::FirstRefused => return None,
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }

    fn tally(&self, request: &Received) -> Tally {
        Tally {
            answer: Answer::empty(200),
            events: 1,
            event_ids: request.header("webhook-id").map(str::to_owned).into_iter().collect(),
        }
    }
}

fn key(secret: &str) -> Result<Vec<u8>, SecretError> {
    STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).map_err(SecretError)
}
