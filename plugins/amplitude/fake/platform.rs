//! Amplitude's HTTP V2 API: `POST /2/httpapi`, the key in the body.
//!
//! Sources: "HTTP V2 API" and "Batch and retry HTTP V2 API requests" on amplitude.com/docs: the limits, the keys of an
//! event, and the bodies of its answers, word for word. One bad event refuses the whole request, and is named by its
//! place. What Amplitude takes and then cannot use is a problem.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};
use check::Faults;

/// A project with the key of `destination.toml`.
pub(crate) fn platform() -> Amplitude {
    Amplitude { api_key: "0123456789abcdef-key-of-the-fake".to_owned() }
}

/// A project at Amplitude.
#[derive(Debug, Clone)]
pub(crate) struct Amplitude {
    api_key: String,
}

const BODY_BYTES_MAX: usize = 1 << 20;
/// "Fewer than 2000 events per request."
const EVENTS_MAX: usize = 1_999;
const EPS_THRESHOLD: u32 = 30;

impl Amplitude {
    /// The events of a request that may be looked at; otherwise the answer and the problem.
    fn events(&self, request: &Received) -> Result<Vec<Value>, (Answer, String)> {
        if request.path != "/2/httpapi" {
            return Err(refusal(404, "Invalid request path"));
        }
        if request.method != "POST" {
            return Err(refusal(405, "Method not allowed"));
        }
        if request.body.len() >= BODY_BYTES_MAX {
            return Err(refusal(413, "Payload too large"));
        }
        let is_json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let Some(body) = request.json.as_ref().filter(|body| is_json && body.is_object()) else {
            return Err(refusal(400, "Invalid JSON request body"));
        };
        match body["api_key"].as_str() {
            None => return Err(missing("api_key")),
            Some(key) if key != self.api_key => {
                return Err(refusal(400, &format!("Invalid API key: {key}")));
            }
            Some(_) => {}
        }
        match body["events"].as_array() {
            None => Err(missing("events")),
            Some(events) if events.is_empty() => Err(missing("events")),
            Some(events) if events.len() > EVENTS_MAX => Err(refusal(413, "Payload too large")),
            Some(events) => Ok(events.clone()),
        }
    }
}

impl Platform for Amplitude {
    fn name(&self) -> &'static str {
        "amplitude"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        let events = match self.events(request) {
            Ok(events) => events,
            Err((answer, problem)) => return Judgement { answer, events: Vec::new(), problems: vec![problem] },
        };
        let options = request.json.as_ref().map(|body| &body["options"]).filter(|options| !options.is_null());
        let Faults { invalid, missing, silent } = check::events(&events, options, now_ms);
        if !invalid.is_empty() || !missing.is_empty() {
            let body = json!({
                "code": 400,
                "error": "Invalid field values on some events",
                "events_with_invalid_fields": invalid,
                "events_with_missing_fields": missing,
            });
            let problem = format!("invalid {invalid:?}, missing {missing:?}");
            return Judgement { answer: Answer::json(400, &body), events: Vec::new(), problems: vec![problem] };
        }
        let answer = json!({
            "code": 200,
            "events_ingested": events.len(),
            "payload_size_bytes": request.body.len(),
            "server_upload_time": now_ms,
        });
        Judgement { answer: Answer::json(200, &answer), events, problems: silent }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, _now_ms: i64) -> Option<Judgement> {
        let events = self.events(request).ok()?;
        let answer = match trouble {
            Trouble::Throttled => {
                let mut body = json!({
                    "code": 429,
                    "error": "Too many requests for some devices and users",
                    "eps_threshold": EPS_THRESHOLD,
                    "throttled_devices": {},
                    "throttled_users": {},
                    "throttled_events": (0..events.len()).collect::<Vec<_>>(),
                });
                for event in &events {
                    for (key, list) in [("device_id", "throttled_devices"), ("user_id", "throttled_users")] {
                        if let Some(id) = event[key].as_str() {
                            body[list][id] = json!(EPS_THRESHOLD + 1);
                        }
                    }
                }
                Answer::json(429, &body)
            }
            Trouble::CredentialsRefused => refusal(400, &format!("Invalid API key: {}", self.api_key)).0,
            Trouble::Unavailable => Answer::json(503, &json!({ "code": 503, "error": "Service unavailable" })),
            Trouble::FirstRefused => Answer::json(
                400,
                &json!({
                    "code": 400,
                    "error": "Invalid field values on some events",
                    "events_with_invalid_fields": { "time": [0] },
                    "events_with_missing_fields": {},
                }),
            ),
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

fn refusal(status: u16, error: &str) -> (Answer, String) {
    (Answer::json(status, &json!({ "code": status, "error": error })), error.to_owned())
}

fn missing(field: &str) -> (Answer, String) {
    let body = json!({ "code": 400, "error": "Request missing required field", "missing_field": field });
    (Answer::json(400, &body), format!("{field} is missing"))
}
