//! Reddit's Conversions API: `POST /api/{version}/pixels/{pixel_id}/conversion_events`.
//!
//! Sources: "Post Conversion Events" of ads-api.reddit.com/docs/v3; "About event metadata" and the help on match keys
//! of business.reddithelp.com; the bodies that github.com/rudderlabs/rudder-transformer has recorded
//! (`test/integrations/destinations/reddit/network.ts`): `invalid_events`, with nothing taken, and 401. Stricter than
//! Reddit: a hash, an address or an id that is none makes an event invalid, where Reddit may take it and match nobody.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};

const EVENTS_MAX: usize = 1000;

/// Any pixel, and the conversion access token of `destination.toml`.
pub(crate) fn platform() -> Reddit {
    Reddit { token: "reddit-token-of-the-fake" }
}

/// A Reddit that knows one conversion access token.
#[derive(Debug, Clone)]
pub(crate) struct Reddit {
    token: &'static str,
}

impl Platform for Reddit {
    fn name(&self) -> &'static str {
        "reddit"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        let events = match self.events(request) {
            Ok(events) => events,
            Err(refusal) => return refusal.judgement(),
        };
        let invalid: Vec<(&Value, String)> =
            events.iter().filter_map(|event| Some((event, check::event(event, now_ms).err()?))).collect();
        if !invalid.is_empty() {
            let problems = invalid.iter().map(|(_, why)| why.clone()).collect();
            return Judgement { answer: invalid_events(&invalid), events: Vec::new(), problems };
        }
        let message = format!("Successfully processed {} conversion events.", events.len());
        // What is a test is shown, and counted nowhere.
        let is_test = request.json.as_ref().is_some_and(|body| body["data"]["test_id"].is_string());
        Judgement {
            answer: Answer::json(200, &json!({ "data": { "message": message } })),
            events: if is_test { Vec::new() } else { events.to_vec() },
            problems: Vec::new(),
        }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, _now_ms: i64) -> Option<Judgement> {
        let answer = match trouble {
            Trouble::Throttled => Refusal::new(429, "Too Many Requests").answer().header("x-ratelimit-reset", "1"),
            Trouble::CredentialsRefused => Answer::json(
                401,
                &json!({
                    "success": false,
                    "error": {
                        "reason": "UNAUTHORIZED",
                        "explanation": "This server could not verify that you are authorized to access the document \
                                        you requested.",
                    },
                }),
            ),
            Trouble::Unavailable => Refusal::new(503, "Service Unavailable").answer(),
            // All or nothing.
            Trouble::FirstRefused => {
                let first = self.events(request).ok()?.first()?;
                invalid_events(&[(first, "event is refused by this test".to_owned())])
            }
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

impl Reddit {
    /// The request's events, where it is one that Reddit looks into.
    fn events<'a>(&self, request: &'a Received) -> Result<&'a [Value], Refusal> {
        if request.method != "POST" || !is_events_path(&request.path) {
            return Err(Refusal::new(404, "Not Found"));
        }
        if request.header("authorization") != Some(format!("Bearer {}", self.token).as_str()) {
            return Err(Refusal::new(401, "Unauthorized"));
        }
        let data = request.json.as_ref().map(|body| &body["data"]).filter(|data| data.is_object());
        let data = data.ok_or_else(|| Refusal::new(400, "data is required"))?;
        if data.get("test_id").is_some_and(|id| !id.is_string()) {
            return Err(Refusal::new(400, "JSON error unexpected type on field data test_id"));
        }
        match data["events"].as_array() {
            Some(events) if (1..=EVENTS_MAX).contains(&events.len()) => Ok(events),
            _ => Err(Refusal::new(400, "data.events must hold 1 to 1000 events")),
        }
    }
}

/// "There were 1 invalid conversion events. None were processed."
fn invalid_events(invalid: &[(&Value, String)]) -> Answer {
    let quoted: Vec<Value> =
        invalid.iter().map(|(event, why)| json!({ "error_message": why, "event": event })).collect();
    let message = format!("There were {} invalid conversion events. None were processed.", invalid.len());
    Answer::json(400, &json!({ "message": message, "invalid_events": quoted }))
}

/// What Reddit says instead of looking into a request.
struct Refusal {
    status: u16,
    message: &'static str,
}

impl Refusal {
    fn new(status: u16, message: &'static str) -> Refusal {
        Refusal { status, message }
    }

    fn answer(&self) -> Answer {
        Answer::json(self.status, &json!({ "error": { "code": self.status, "message": self.message } }))
    }

    fn judgement(&self) -> Judgement {
        let problems = vec![format!("{}: {}", self.status, self.message)];
        Judgement { answer: self.answer(), events: Vec::new(), problems }
    }
}

/// `/api/v3/pixels/{id}/conversion_events`
fn is_events_path(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    matches!(parts[..], ["", "api", "v3", "pixels", pixel, "conversion_events"] if is_id(pixel))
}
