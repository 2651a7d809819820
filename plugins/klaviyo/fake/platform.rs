//! Klaviyo's `POST /api/events` and `POST /api/profile-import`, of one account.
//!
//! Sources: Klaviyo's OpenAPI description (required fields, types, limits, the schema of errors) and "Rate limits, status
//! codes, and errors" on developers.klaviyo.com. The texts of errors are from memory and kept here alone. An event or a
//! profile is taken or refused whole. What Klaviyo takes and then cannot use is a problem.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};
use check::Fault;

/// An account with the key of `destination.toml`.
pub(crate) fn platform() -> Klaviyo {
    Klaviyo { authorization: "Klaviyo-API-Key pk_0123456789abcdef-of-the-fake".to_owned() }
}

/// An account at Klaviyo.
#[derive(Debug, Clone)]
pub(crate) struct Klaviyo {
    authorization: String,
}

const BODY_BYTES_MAX: usize = 5_000_000;
const PROFILE_BYTES_MAX: usize = 100_000;
/// Revisions before this one are retired, as each is two years after its release.
const OLDEST_REVISION: &str = "2024-10-15";

impl Klaviyo {
    /// The attributes of what a request creates; otherwise the answer and the problem.
    fn attributes(&self, request: &Received) -> Result<Value, (Answer, String)> {
        let (kind, bytes_max) = match request.path.as_str() {
            "/api/events" => ("event", BODY_BYTES_MAX),
            "/api/profile-import" => ("profile", PROFILE_BYTES_MAX),
            _ => return Err(refusal(404, "not_found", "Not found.", "The path does not exist.", None)),
        };
        if request.method != "POST" {
            return Err(refusal(405, "method_not_allowed", "Method not allowed.", "Only POST is allowed.", None));
        }
        if request.header("authorization") != Some(&self.authorization) {
            return Err(unauthorized());
        }
        match request.header("revision") {
            None => return Err(invalid("A revision header is required.", "revision")),
            Some(revision) if !is_date(revision) => {
                return Err(invalid("The revision is not valid.", "revision"));
            }
            Some(revision) if revision < OLDEST_REVISION => {
                return Err(refusal(410, "gone", "Gone.", "This revision of the API is retired.", None));
            }
            Some(_) => {}
        }
        if request.body.len() > bytes_max {
            return Err(refusal(413, "payload_too_large", "Payload too large.", "The payload is too large.", None));
        }
        let Some(body) = &request.json else { return Err(invalid("The payload is no JSON.", "/data")) };
        if body["data"]["type"] != kind {
            return Err(invalid(&format!("The type must be {kind}."), "/data/type"));
        }
        let attributes = &body["data"]["attributes"];
        if attributes.is_object() {
            Ok(attributes.clone())
        } else {
            Err(invalid("It is required.", "/data/attributes"))
        }
    }
}

impl Platform for Klaviyo {
    fn name(&self) -> &'static str {
        "klaviyo"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        let refused =
            |(answer, problem): (Answer, String)| Judgement { answer, events: Vec::new(), problems: vec![problem] };
        let attributes = match self.attributes(request) {
            Ok(attributes) => attributes,
            Err(refusal) => return refused(refusal),
        };
        let is_event = request.path == "/api/events";
        let found = if is_event { check::event(&attributes, now_ms) } else { check::profile(&attributes) };
        let mut problems = match found {
            Ok(problems) => problems,
            Err(Fault { detail, pointer }) => return refused(invalid(&detail, &pointer)),
        };
        if request.header("content-type") != Some("application/vnd.api+json") {
            problems.push("the content type is not application/vnd.api+json".to_owned());
        }
        let answer = if is_event {
            Answer::empty(202)
        } else {
            let profile = json!({ "type": "profile", "id": "01GDDKASAP8TKDDA2GRZDSVP4H", "attributes": attributes });
            Answer::json(201, &json!({ "data": profile }))
        };
        Judgement { answer: limits(answer), events: vec![attributes], problems }
    }

    fn trouble(&self, trouble: Trouble, _request: &Received, _now_ms: i64) -> Option<Judgement> {
        let (answer, _) = match trouble {
            Trouble::Throttled => {
                let detail = "Request was throttled. Expected available in 1 second.";
                let (answer, problem) = refusal(429, "throttled", "Request was throttled.", detail, None);
                (answer.header("retry-after", "1"), problem)
            }
            Trouble::CredentialsRefused => unauthorized(),
            Trouble::Unavailable => {
                refusal(503, "service_unavailable", "Service unavailable.", "Try again later.", None)
            }
            Trouble::FirstRefused => invalid("Invalid email address", "/data/attributes/profile/data/attributes/email"),
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }
}

/// "All non-rate-limited responses will contain the following HTTP response headers".
fn limits(answer: Answer) -> Answer {
    answer.header("ratelimit-limit", "3500").header("ratelimit-remaining", "3499").header("ratelimit-reset", "59")
}

fn unauthorized() -> (Answer, String) {
    let title = "Authentication credentials were not provided.";
    refusal(401, "not_authenticated", title, "Missing or invalid private key.", Some("/data/"))
}

fn invalid(detail: &str, pointer: &str) -> (Answer, String) {
    refusal(400, "invalid", "Invalid input.", detail, Some(pointer))
}

fn refusal(status: u16, code: &str, title: &str, detail: &str, pointer: Option<&str>) -> (Answer, String) {
    let mut error = json!({
        "id": "5ff2c2e4-1f0c-4f0a-8d1c-0a5e5a1d7f00", "status": status, "code": code, "title": title, "detail": detail,
        "source": {}, "links": {}, "meta": {},
    });
    if let Some(pointer) = pointer {
        error["source"]["pointer"] = json!(pointer);
    }
    let answer = Answer::text(status, json!({ "errors": [error] }).to_string());
    let problem = format!("{status} {code}: {detail} {}", pointer.unwrap_or_default());
    (answer.header("content-type", "application/vnd.api+json"), problem)
}

fn is_date(revision: &str) -> bool {
    let date = revision.split('.').next().unwrap_or_default();
    date.len() == 10
        && date.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() })
}
