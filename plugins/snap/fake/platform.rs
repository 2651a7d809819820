//! Snap's Conversions API: `POST /v3/{pixel}/events?access_token=…`, and `/events/validate`, which only checks.
//!
//! Sources: "Parameters", "Using the API" and "Verify Set Up" on developers.snap.com, and the bodies of the OpenAPI file in
//! github.com/Snapchat/business-sdk-v3-java. No document lists the codes of a refusal: they are made up here, in `check`.
//! One bad event refuses all of a request.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};
use check::Fault;

/// Any pixel, and the access token of `destination.toml`.
pub(crate) fn platform() -> Snap {
    Snap { access_token: "token-of-the-fake" }
}

/// A Snap that knows one access token.
#[derive(Debug, Clone)]
pub(crate) struct Snap {
    access_token: &'static str,
}

/// What a request is for.
#[derive(Clone, Copy, PartialEq)]
enum Aim {
    Report,
    Validate,
}

impl Platform for Snap {
    fn name(&self) -> &'static str {
        "snap"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        let Some(aim) = aim(&request.path) else { return refused(404, "Not Found") };
        if request.method != "POST" {
            return refused(405, "Method Not Allowed");
        }
        if request.query_value("access_token") != Some(self.access_token) {
            return refused(401, "Invalid access token.");
        }
        let body = request.json.as_ref().unwrap_or(&Value::Null);
        match check::request(body, now_ms) {
            Err(fault) => Judgement {
                answer: Answer::json(400, &invalid(aim, &fault)),
                events: Vec::new(),
                problems: vec![fault.to_string()],
            },
            Ok(problems) => {
                let events = body["data"].as_array().cloned().unwrap_or_default();
                let answer = Answer::json(200, &valid(aim, events.len()));
                let events = if aim == Aim::Report { events } else { Vec::new() };
                Judgement { answer, events, problems }
            }
        }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, _now_ms: i64) -> Option<Judgement> {
        let answer = match trouble {
            Trouble::Throttled => Answer::json(429, &plain("Too Many Requests")),
            Trouble::CredentialsRefused => Answer::json(401, &plain("Invalid access token.")),
            Trouble::Unavailable => Answer::json(503, &plain("Service Unavailable")),
            Trouble::FirstRefused => {
                let fault = Fault::new(0, "TIMESTAMP_OUT_OF_RANGE", "event_time is invalid or out of range");
                Answer::json(400, &invalid(aim(&request.path).unwrap_or(Aim::Report), &fault))
            }
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

fn refused(status: u16, reason: &str) -> Judgement {
    let problems = vec![format!("{status}: {reason}")];
    Judgement { answer: Answer::json(status, &plain(reason)), events: Vec::new(), problems }
}

fn plain(reason: &str) -> Value {
    json!({ "status": "INVALID", "reason": reason })
}

fn valid(aim: Aim, events: usize) -> Value {
    match aim {
        Aim::Report => json!({ "status": "VALID", "reason": "Events have been processed successfully." }),
        Aim::Validate => {
            let logs: Value = (0..events).map(|event| json!({ "event": event, "status": "VALID" })).collect();
            let reason = "Test events have been processed successfully.";
            json!({ "status": "VALID", "test_event": true, "reason": reason, "event_logs": logs })
        }
    }
}

fn invalid(aim: Aim, fault: &Fault) -> Value {
    let errors = json!({ "codes": [fault.code], "error_msgs": [fault.message] });
    match aim {
        Aim::Report => {
            json!({ "status": "INVALID", "event": fault.event, "reason": "Invalid event in the request.", "errors": errors })
        }
        Aim::Validate => json!({
            "status": "INVALID",
            "test_event": true,
            "reason": "Invalid event in the request.",
            "event_logs": [{ "event": fault.event, "status": "INVALID", "errors": errors, "warnings": [] }],
        }),
    }
}

/// What `/v3/{pixel}/events` or `/v3/{pixel}/events/validate` is for.
fn aim(path: &str) -> Option<Aim> {
    let mut parts = path.strip_prefix("/v3/")?.split('/');
    let pixel_id = parts.next()?;
    let is_id = pixel_id.len() == 36 && pixel_id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    match (is_id, parts.next(), parts.next(), parts.next()) {
        (true, Some("events"), None, None) => Some(Aim::Report),
        (true, Some("events"), Some("validate"), None) => Some(Aim::Validate),
        _ => None,
    }
}
