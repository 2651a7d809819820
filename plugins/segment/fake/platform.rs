//! Segment's HTTP Tracking API: `POST /v1/batch`, the write key as the user of Basic authentication.
//!
//! Segment answers 200 to nearly everything and discards what is wrong afterwards, so that most of it shows only in the
//! fake's problems. Sources: "HTTP API Source" (sections "Authentication", "Rate limits", "Max request size" and
//! "Errors") and the ingest errors of "Delivery Overview" on segment.com/docs; that a key which nobody has is answered
//! with 200, and one which is no key with 400, is from segmentio/analytics-go, issue 205. The texts of errors are from
//! memory: no document gives them.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};

/// "The batch API endpoint accepts a maximum of 500KB per request, with a limit of 32KB per event in the batch."
const BODY_BYTES_MAX: usize = 500_000;
const EVENT_BYTES_MAX: usize = 32 << 10;
/// "Each batch request can only have up to 2500 events": more are answered with 200, and rejected.
const EVENTS_MAX: usize = 2_500;
/// Every write key has 32 characters; what is far shorter is refused as none.
const KEY_CHARS_MIN: usize = 16;

/// A source with the write key of `destination.toml`.
pub(crate) fn platform() -> Segment {
    Segment { write_key: "WriteKeyOfTheFakeSegmentSource01" }
}

#[derive(Debug, Clone)]
pub(crate) struct Segment {
    write_key: &'static str,
}

impl Platform for Segment {
    fn name(&self) -> &'static str {
        "segment"
    }

    fn judge(&self, request: &Received, _now_ms: i64) -> Judgement {
        if request.method != "POST" || request.path != "/v1/batch" {
            return refused(Answer::text(404, "Not Found"), "no such path");
        }
        let key = write_key(request).unwrap_or_default();
        if key.len() < KEY_CHARS_MIN {
            return refused(error(400, "invalid writeKey"), "the write key is none");
        }
        let batch = match batch(request) {
            Ok(batch) => batch,
            Err(message) => return refused(error(400, message), message),
        };
        if key != self.write_key {
            return discarded("project_not_found: nobody has this write key");
        }
        if batch.is_empty() || batch.len() > EVENTS_MAX {
            return discarded("the batch is empty, or has more than 2500 events");
        }
        let mut judgement = Judgement { answer: taken(), events: Vec::new(), problems: Vec::new() };
        for (index, event) in batch.iter().enumerate() {
            match check::event(event) {
                Ok(()) => judgement.events.push(event.clone()),
                Err(problem) => judgement.problems.push(format!("batch[{index}]: {problem}")),
            }
        }
        judgement
    }

    fn trouble(&self, trouble: Trouble, _request: &Received, _now_ms: i64) -> Option<Judgement> {
        let answer = match trouble {
            Trouble::Throttled => {
                error(429, "rate limit exceeded").header("retry-after", "1").header("x-ratelimit-reset", "1")
            }
            // What a source answers that asks for OAuth; a wrong write key alone is never told.
            Trouble::CredentialsRefused => error(401, "Unauthorized"),
            Trouble::Unavailable => error(503, "service unavailable"),
            // "If these limits are exceeded, Segment returns a 400": the whole request is refused for one event.
            Trouble::FirstRefused => error(400, "event exceeds the maximum size of 32KB"),
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

fn taken() -> Answer {
    Answer::json(200, &json!({ "success": true }))
}

fn error(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({ "success": false, "message": message }))
}

fn refused(answer: Answer, problem: &str) -> Judgement {
    Judgement { answer, events: Vec::new(), problems: vec![problem.to_owned()] }
}

/// Answered as if it had been taken.
fn discarded(problem: &str) -> Judgement {
    refused(taken(), problem)
}

/// The user of Basic authentication. "Include a colon before encoding."
fn write_key(request: &Received) -> Option<String> {
    request.basic().filter(|(_, password)| password.is_empty()).map(|(user, _)| user)
}

/// The calls of a batch, unless the request as a whole is refused.
fn batch(request: &Received) -> Result<&Vec<Value>, &'static str> {
    if request.body.len() > BODY_BYTES_MAX {
        return Err("request exceeds the maximum size of 500KB");
    }
    let batch = request.json.as_ref().and_then(|body| body["batch"].as_array()).ok_or("malformed JSON")?;
    if batch.iter().any(|event| event.to_string().len() > EVENT_BYTES_MAX) {
        return Err("event exceeds the maximum size of 32KB");
    }
    Ok(batch)
}
