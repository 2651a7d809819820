//! Microsoft's Conversions API: `POST /{version}/{tag}/events` with a bearer token.
//!
//! Source: "UET Conversion API Integration (CAPI) Guide", learn.microsoft.com/advertising/guides/uet-conversion-api-integration,
//! sections "API Endpoint", "Data Schema" and "Errors". The bodies of 404, 429 and 503 are in no document: they follow the
//! documented form, and their codes are from memory.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};
use check::Detail;

/// Any tag, and the token of `destination.toml`.
pub(crate) fn platform() -> Microsoft {
    Microsoft { token: "uet-token-of-the-fake" }
}

/// A Microsoft that knows one token.
#[derive(Debug, Clone)]
pub(crate) struct Microsoft {
    token: &'static str,
}

const EVENTS_MAX: usize = 1000;

impl Platform for Microsoft {
    fn name(&self) -> &'static str {
        "microsoft"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        if !is_events_of_a_tag(&request.path) {
            return refuse(404, "NotFound", "The resource is not found.");
        }
        if request.method != "POST" {
            return refuse(405, "MethodNotAllowed", "Only POST is supported.");
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if token != Some(self.token) {
            return unauthorized();
        }
        let Some(events) = request.json.as_ref().and_then(|body| body["data"].as_array()) else {
            return refuse(400, "BadRequest", "The request has no JSON body with a list `data`.");
        };
        if events.is_empty() || events.len() > EVENTS_MAX {
            return refuse(400, "BadRequest", "'data' must hold 1 to 1000 events.");
        }
        let details: Vec<Detail> =
            events.iter().enumerate().flat_map(|(index, event)| check::event(index, event, now_ms)).collect();
        let mut problems: Vec<String> =
            events.iter().enumerate().flat_map(|(index, event)| check::silent(index, event)).collect();
        problems.extend(details.iter().map(ToString::to_string));
        Judgement { problems, ..answer(events, &details, continues(request)) }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, now_ms: i64) -> Option<Judgement> {
        Some(match trouble {
            Trouble::Throttled => {
                let mut refused = refuse(429, "TooManyRequests", "Too many requests, try again later.");
                refused.answer = refused.answer.header("retry-after", "1");
                Judgement { problems: Vec::new(), ..refused }
            }
            Trouble::CredentialsRefused => Judgement { problems: Vec::new(), ..unauthorized() },
            Trouble::Unavailable => Judgement {
                problems: Vec::new(),
                ..refuse(503, "ServiceUnavailable", "The service is temporarily unavailable.")
            },
            Trouble::FirstRefused => {
                let judged = self.judge(request, now_ms);
                if judged.answer.status != 200 {
                    return Some(judged);
                }
                let first = Detail::new(0, "eventTime", "'eventTime' must be within the last 7 days.");
                Judgement { problems: judged.problems, ..answer(&judged.events, &[first], continues(request)) }
            }
        })
    }
}

/// What is answered to these events where these details are wrong: an event with one is not taken, and without
/// `continueOnValidationError` no other is either.
fn answer(events: &[Value], details: &[Detail], continues: bool) -> Judgement {
    let is_bad = |index: usize| details.iter().any(|detail| detail.index == index);
    let mut taken: Vec<Value> =
        events.iter().enumerate().filter(|(index, _)| !is_bad(*index)).map(|(_, event)| event.clone()).collect();
    if !continues && taken.len() < events.len() {
        taken.clear();
    }
    let answer = match (taken.len(), details) {
        (received, []) => Answer::json(200, &json!({ "eventsReceived": received })),
        (0, details) => Answer::json(400, &json!({ "error": validation_error(details) })),
        (received, details) => {
            Answer::json(200, &json!({ "eventsReceived": received, "error": validation_error(details) }))
        }
    };
    Judgement { answer, events: taken, problems: Vec::new() }
}

fn validation_error(details: &[Detail]) -> Value {
    json!({
        "code": "ValidationError",
        "message": "One or multiple parameters did not pass validation checks, see details.",
        "details": details.iter().map(Detail::json).collect::<Vec<_>>(),
    })
}

fn continues(request: &Received) -> bool {
    request.json.as_ref().is_some_and(|body| body["continueOnValidationError"] == true)
}

fn unauthorized() -> Judgement {
    refuse(401, "Unauthorized", "You are not authorized to access this resource.")
}

fn refuse(status: u16, code: &str, message: &str) -> Judgement {
    let answer = Answer::json(status, &json!({ "error": { "code": code, "message": message } }));
    Judgement { answer, events: Vec::new(), problems: vec![format!("{code}: {message}")] }
}

/// `/v1/{tag}/events`.
fn is_events_of_a_tag(path: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(path.split('/').collect::<Vec<_>>()[..], ["", "v1", tag, "events"] if is_number(tag))
}
