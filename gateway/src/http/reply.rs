//! Answers: what a client is told, always JSON, so that every client's library understands it.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use tidegate_queue::{Appended, Error};

use crate::journey::decode::FieldError;
use crate::journey::{Arrival, Arrivals};

pub(super) type Reply = Response<Full<Bytes>>;

/// `{"success": false, "error": …, "hint": …}`
#[derive(Debug, Serialize)]
struct Failure<'a> {
    success: bool,
    error: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    hint: &'a str,
}

/// `{"success": true, "accepted": 1, "duplicates": 0, "events": […], "errors": […]}`
#[derive(Debug, Serialize)]
struct Taken<'a> {
    success: bool,
    accepted: usize,
    duplicates: usize,
    events: Vec<Event<'a>>,
    /// For links to the site's other domains.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Refused<'a>>,
}

#[derive(Debug, Serialize)]
struct Event<'a> {
    id: &'a str,
    outcome: &'static str,
}

#[derive(Debug, Serialize)]
struct Refused<'a> {
    index: usize,
    id: &'a str,
    field: &'a str,
    expected: &'a str,
    found: &'a str,
    message: String,
}

/// What became of a request's events: 200 when all were taken, 400 when some were not; the others are kept.
pub(super) fn arrivals(arrivals: &Arrivals, link: Option<&str>) -> Reply {
    let mut taken = Taken { success: true, accepted: 0, duplicates: 0, events: Vec::new(), link, errors: Vec::new() };
    for (index, Arrival { id, result }) in arrivals.events.iter().enumerate() {
        let outcome = match result {
            Ok(Appended::Stored) => {
                taken.accepted += 1;
                "accepted"
            }
            Ok(Appended::Duplicate) => {
                taken.duplicates += 1;
                "duplicate"
            }
            Err(error) => {
                let FieldError { field, expected, found } = error;
                let message = error.to_string();
                taken.errors.push(Refused { index, id: id.as_str(), field, expected, found, message });
                "refused"
            }
        };
        taken.events.push(Event { id: id.as_str(), outcome });
    }
    taken.success = taken.errors.is_empty();
    json(if taken.success { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &taken)
}

/// A body whose envelope could not be opened.
pub(super) fn bad_envelope(error: &FieldError) -> Reply {
    #[derive(Serialize)]
    struct Envelope<'a> {
        success: bool,
        error: String,
        field: &'a str,
        expected: &'a str,
        found: &'a str,
    }
    let FieldError { field, expected, found } = error;
    let body = Envelope { success: false, error: error.to_string(), field, expected, found };
    json(StatusCode::BAD_REQUEST, &body)
}

/// A refusal of the whole request.
pub(super) fn failure(status: StatusCode, error: &str, hint: &str) -> Reply {
    json(status, &Failure { success: false, error, hint })
}

/// A refusal for now.
pub(super) fn later(status: StatusCode, error: &str, after_s: u64) -> Reply {
    let mut reply = failure(status, error, "send it again after Retry-After; events with an id count once");
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after_s.max(1)));
    reply
}

/// More requests are worked on than the gateway takes at once.
pub(super) fn crowded() -> Reply {
    later(StatusCode::SERVICE_UNAVAILABLE, "too many requests are under way", 1)
}

/// The store did not take the events: nothing is acknowledged, though some of them may be there.
pub(super) fn not_stored(error: &Error, after_s: u64) -> Reply {
    let why = match error {
        Error::Full { destination: Some(name), .. } => format!("the queue of `{name}` is full"),
        Error::Full { destination: None, .. } => "the queue is full".to_owned(),
        Error::Unavailable { .. } => "the store is busy or away".to_owned(),
        Error::Closed => "the gateway is stopping".to_owned(),
        Error::Fatal { .. } | Error::Corrupt { .. } | Error::Forked { .. } => "the store has failed".to_owned(),
    };
    later(StatusCode::SERVICE_UNAVAILABLE, &format!("the events could not be stored: {why}"), after_s)
}

/// No content.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply
}

fn json(status: StatusCode, body: &impl Serialize) -> Reply {
    // None of the bodies has a key that is not text, or a serializer that fails.
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut reply = Response::new(Full::new(Bytes::from(bytes)));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
