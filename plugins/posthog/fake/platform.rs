//! PostHog's capture service: `POST /batch/`, with the project API key as `api_key` in the body.
//!
//! Sources: github.com/PostHog/posthog, `rust/capture` (`CaptureError`, `CaptureResponse`, `BatchedRequest`,
//! `RawEvent`, `validate_token`), whose texts these are, and "Capture and batch API endpoints" on posthog.com/docs. A
//! request is taken or refused as a whole. That a key is nobody's, or a merge is refused, is told to no sender: it is a
//! problem here.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};
use check::Refusal;

/// "The entire request body must be less than 20MB by default."
const BODY_BYTES_MAX: usize = 20_000_000;

/// A project with the key of `destination.toml`.
pub(crate) fn platform() -> Posthog {
    Posthog { project_api_key: "phc_TheProjectApiKeyOfTheFakePostHogInstance" }
}

#[derive(Debug, Clone)]
pub(crate) struct Posthog {
    project_api_key: &'static str,
}

impl Platform for Posthog {
    fn name(&self) -> &'static str {
        "posthog"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        if request.method != "POST" || !matches!(request.path.as_str(), "/batch" | "/batch/") {
            return refused(404, "no such path");
        }
        match self.batch(request) {
            Ok((key, body, batch)) => self.taken(key, body, batch, now_ms),
            Err(Refusal { status, text }) => refused(status, &text),
        }
    }

    fn trouble(&self, trouble: Trouble, _request: &Received, _now_ms: i64) -> Option<Judgement> {
        let (status, text) = match trouble {
            Trouble::Throttled => (429, "rate limited"),
            Trouble::CredentialsRefused => (401, "API key is not valid: personal_api_key"),
            Trouble::Unavailable => (503, "transient error, please retry"),
            // All or nothing.
            Trouble::FirstRefused => (400, "event submitted without a distinct_id"),
        };
        Some(Judgement { answer: Answer::text(status, text), events: Vec::new(), problems: Vec::new() })
    }
}

impl Posthog {
    /// The key, the body and the events of a request, unless it is refused.
    fn batch<'a>(&self, request: &'a Received) -> Result<(&'a str, &'a Value, &'a [Value]), Refusal> {
        if request.body.len() > BODY_BYTES_MAX {
            return Err(Refusal::new(413, "maximum event size exceeded"));
        }
        let body = request.json.as_ref().filter(|body| body.is_object());
        let body = body.ok_or_else(|| Refusal::new(400, "failed to parse request: expected value"))?;
        let key = body.get("api_key").or_else(|| body.get("token")).and_then(Value::as_str);
        let key = check::key(key.ok_or_else(|| Refusal::new(401, "event submitted without an api_key"))?)?;
        let batch = body.get("batch").and_then(Value::as_array);
        let batch = batch.ok_or_else(|| Refusal::new(400, "failed to parse request: missing field `batch`"))?;
        if batch.is_empty() {
            return Err(Refusal::new(400, "request holds no event"));
        }
        if body.get("historical_migration").is_some_and(|value| !value.is_boolean()) {
            return Err(Refusal::new(400, "failed to parse request: historical_migration is no boolean"));
        }
        for event in batch {
            check::event(event)?;
        }
        Ok((key, body, batch))
    }

    fn taken(&self, key: &str, body: &Value, batch: &[Value], now_ms: i64) -> Judgement {
        let answer = Answer::json(200, &json!({ "status": "Ok" }));
        if key != self.project_api_key {
            return Judgement { answer, events: Vec::new(), problems: vec!["api_key: nobody's".to_owned()] };
        }
        let historical = body["historical_migration"] == true;
        let doubts = batch.iter().enumerate().flat_map(|(index, event)| {
            let doubts = check::doubts(event, historical, now_ms);
            doubts.into_iter().map(move |doubt| format!("batch[{index}]: {doubt}"))
        });
        Judgement { answer, problems: doubts.collect(), events: batch.to_vec() }
    }
}

fn refused(status: u16, text: &str) -> Judgement {
    Judgement { answer: Answer::text(status, text.to_owned()), events: Vec::new(), problems: vec![text.to_owned()] }
}
