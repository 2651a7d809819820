//! The stored formats: what the journal keeps of an event, what a delivery carries, what an attempt leaves.
//!
//! Owns their versions. Every record is JSON with a version `v`, so that a person can read it with any tool; a reader
//! here understands every version that was ever written.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidegate_event::{Consent, Event};
use tidegate_sandbox::contract;

use crate::withdrawal::Who;

/// The version that is written today, of every record.
pub const VERSION: u32 = 1;

/// Why a stored record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was written by a newer Tidegate.
    #[error("was written in format {0}; this Tidegate reads up to {VERSION}")]
    Newer(u32),
    /// It is not what was written.
    #[error("is damaged")]
    Damaged(#[from] serde_json::Error),
}

/// What the journal keeps of an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventRecord {
    pub v: u32,
    pub site: String,
    /// Why the event was refused, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The name, as it was sent where the event was refused.
    pub name: String,
    /// The event as far as its consent allows; absent when it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// The destinations that it does not go to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Dropped>,
}

/// A destination that an event does not go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    pub destination: String,
    pub reason: String,
}

/// What a delivery carries: all that explains it, and all that sending it needs but the secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryRecord {
    pub v: u32,
    /// The plugin's name and version.
    pub plugin: String,
    /// SHA-256 of the component that ran.
    pub digest: String,
    /// The consent that the delivery relies on.
    pub consent: Consent,
    /// When the event happened.
    pub at_ms: u64,
    /// Which of the event's requests to this destination this is, from 0.
    pub index: u32,
    /// The granted fields that the plugin was given of this event, as its manifest names them, with a `#` before those
    /// that it was given a digest of. Absent in what was stored before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Vec<String>>,
    /// What the plugin saw: a [`contract::Event`].
    pub saw: Box<RawValue>,
    /// What else it was told: a [`contract::Context`]. With it the transform can be run again, to the byte. Absent in
    /// records of before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Box<RawValue>>,
    /// What it produced; absent when the transform failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestRecord>,
    /// Whose it is, so that a later withdrawal of consent finds it. Absent where nobody's profile has to do with it, and
    /// in records of before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
}

/// The part of a [`DeliveryRecord`] that sending needs; what the plugin saw is passed over unread.
#[derive(Debug, Clone, Deserialize)]
pub struct ToSend<'a> {
    #[serde(borrow)]
    pub plugin: Cow<'a, str>,
    #[serde(borrow)]
    pub digest: Cow<'a, str>,
    pub consent: Consent,
    pub at_ms: u64,
    pub index: u32,
    /// As it is written.
    #[serde(default, borrow)]
    pub given: Option<&'a RawValue>,
    #[serde(default)]
    pub request: Option<RequestRecord>,
    #[serde(default)]
    pub who: Option<Who>,
}

/// A request as its plugin produced it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    pub endpoint: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

/// Bytes, as text where they are UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    Text(String),
    Base64(String),
}

/// What one attempt leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    pub v: u32,
    pub at_ms: u64,
    pub duration_ms: u64,
    /// The HTTP status; absent when no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What it was taken for: `delivered`, `retry: …`, `rejected: …`, `credentials: …`, `split`, `not sent: …`.
    pub verdict: String,
    /// The answer's beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// How many events the request carried.
    pub events: u32,
}

impl Body {
    /// Keeps bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Body {
        match String::from_utf8(bytes) {
            Ok(text) => Body::Text(text),
            Err(e) => Body::Base64(BASE64_STANDARD.encode(e.as_bytes())),
        }
    }

    /// The bytes that were kept.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Body::Text(text) => text.into_bytes(),
            // A damaged encoding cannot be sent; an empty body makes the platform's refusal visible.
            Body::Base64(text) => BASE64_STANDARD.decode(text).unwrap_or_default(),
        }
    }
}

impl From<contract::Request> for RequestRecord {
    fn from(request: contract::Request) -> RequestRecord {
        let contract::Request { endpoint, path, query, headers, body } = request;
        RequestRecord { endpoint, path, query, headers, body: Body::from_bytes(body) }
    }
}

/// Writes a record.
pub fn write(record: &impl Serialize) -> Vec<u8> {
    // None of the records has a key that is not text, or a serializer that fails.
    serde_json::to_vec(record).unwrap_or_default()
}

/// Reads a record of any version that was ever written.
///
/// # Errors
/// When a newer Tidegate wrote it, or it is damaged.
pub fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    match serde_json::from_slice(bytes) {
        Ok(record) => Ok(record),
        Err(damage) => match serde_json::from_slice::<Versioned>(bytes) {
            Ok(Versioned { v }) if v > VERSION => Err(Error::Newer(v)),
            _ => Err(Error::Damaged(damage)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attempt_that_version_1_wrote_is_read() {
        let stored = br#"{"v":1,"at_ms":5,"duration_ms":7,"status":500,"verdict":"retry: HTTP 500","events":1}"#;
        let record: AttemptRecord = read(stored).unwrap();
        assert_eq!((record.status, record.verdict.as_str()), (Some(500), "retry: HTTP 500"));
    }

    const DELIVERY: &str = r#"{"v":1,"plugin":"meta-capi 0.1.0","digest":"ab12","consent":{"level":"marketing",
        "granted":["analytics"],"denied":[],"gpc":false,"limited_data_use":false,"signal":"event"},"at_ms":7,"index":1,
        "saw":{"id":"e"},"request":{"endpoint":"events","body":{"text":"{}"}}}"#;

    #[test]
    fn the_delivery_that_was_stored_before_what_was_given_was_kept_is_read() {
        let record: DeliveryRecord = read(DELIVERY.as_bytes()).unwrap();
        assert_eq!((record.plugin.as_str(), record.index, record.given), ("meta-capi 0.1.0", 1, None));
        let to_send: ToSend<'_> = read(DELIVERY.as_bytes()).unwrap();
        assert_eq!((&*to_send.digest, to_send.at_ms, to_send.given.is_none()), ("ab12", 7, true));
        assert_eq!((to_send.request.unwrap().endpoint.as_str(), to_send.who, record.who), ("events", None, None));
    }

    #[test]
    fn whose_a_delivery_is_is_read_by_who_sends_it() {
        let who = Some(Who { received_ms: 9, profiles: vec!["shop/anonymous/ü\"".into()] });
        let record = DeliveryRecord { who, ..read(DELIVERY.as_bytes()).unwrap() };
        let stored = write(&record);
        assert!(std::str::from_utf8(&stored).unwrap().contains(r#""who":{"received_ms":9,"profiles":["#));
        assert_eq!(read::<ToSend<'_>>(&stored).unwrap().who, record.who);
    }

    #[test]
    fn what_a_delivery_was_given_is_read_as_it_was_written() {
        let given = Some(vec!["client.ip".to_owned(), "#user.email".to_owned()]);
        let record = DeliveryRecord { given, ..read(DELIVERY.as_bytes()).unwrap() };
        let stored = write(&record);
        assert_eq!(read::<ToSend<'_>>(&stored).unwrap().given.unwrap().get(), r##"["client.ip","#user.email"]"##);
        assert_eq!(read::<DeliveryRecord>(&stored).unwrap().given, record.given);
    }

    #[test]
    fn a_newer_record_is_named_as_such() {
        let error = read::<AttemptRecord>(br#"{"v":2,"something":"else"}"#).unwrap_err();
        assert_eq!(error.to_string(), "was written in format 2; this Tidegate reads up to 1");
    }

    #[test]
    fn bytes_that_are_no_text_survive() {
        let body = Body::from_bytes(vec![0xff, 0x00]);
        assert_eq!(body.into_bytes(), [0xff, 0x00]);
    }
}
