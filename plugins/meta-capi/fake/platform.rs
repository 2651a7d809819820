//! Meta's Conversions API: `POST /{version}/{pixel}/events?access_token=…`.
//!
//! Sources: "Using the API", "Server event parameters", "Customer information parameters" and "fbp and fbc" in
//! developers.facebook.com/docs/marketing-api/conversions-api, and "Handle errors" of the Graph API.
//! Subcodes and titles that no document lists are from memory, in one table each: `check::Fault`.
//! Stricter than Meta: a malformed `fbc`, `fbp` or hash is refused, where Meta may take the event and drop the key.

mod check;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Answer, Behaviour, Judgement, Platform, Received, Tally, Trouble};
use check::Fault;

/// Any pixel, and the access token of `destination.toml`.
pub(crate) fn platform() -> Meta {
    Meta::new("EAAB-token-of-the-fake")
}

/// A Meta that knows one access token.
#[derive(Debug, Clone)]
pub struct Meta {
    access_token: String,
    pixel_id: Option<String>,
    refused_token_status: u16,
}

impl Meta {
    /// Any pixel, this access token.
    pub fn new(access_token: impl Into<String>) -> Meta {
        Meta { access_token: access_token.into(), pixel_id: None, refused_token_status: 400 }
    }

    /// Only this pixel exists.
    #[must_use]
    pub fn pixel(mut self, pixel_id: impl Into<String>) -> Meta {
        self.pixel_id = Some(pixel_id.into());
        self
    }

    /// The status that goes with error 190: documented as 400, seen as 401 and 500.
    #[must_use]
    pub fn refused_token_status(mut self, status: u16) -> Meta {
        self.refused_token_status = status;
        self
    }

    /// An answer with this error code, as a script's behaviour.
    pub fn error(status: u16, code: i64, message: &str) -> Behaviour {
        let transient = matches!(code, 1 | 2 | 4 | 17 | 341);
        Behaviour::json(status, &error_body(code, message, Some(transient), None))
    }

    /// Error 17, throttled, which Meta sends with a 500 or a 400 and without `Retry-After`.
    pub fn throttled(status: u16) -> Behaviour {
        Meta::error(status, 17, "(#17) User request limit reached")
    }

    /// Error 2, worth a retry.
    pub fn unavailable() -> Behaviour {
        Meta::error(500, 2, "(#2) Service temporarily unavailable")
    }

    /// Error 190 whatever the token.
    pub fn token_expired(status: u16) -> Behaviour {
        Meta::error(status, 190, "Error validating access token: Session has expired.")
    }

    fn refusal(&self, request: &Received, now_ms: i64) -> Option<Refusal> {
        let Some(pixel_id) = pixel_of(&request.path) else {
            let message = format!("Unknown path components: {}", request.path);
            return Some(Refusal::plain(400, 2500, message));
        };
        if request.query_value("access_token") != Some(&self.access_token) {
            let message = "Invalid OAuth access token - Cannot parse access token".to_owned();
            return Some(Refusal::plain(self.refused_token_status, 190, message));
        }
        if request.method != "POST" || self.pixel_id.as_deref().is_some_and(|only| only != pixel_id) {
            let method = request.method.to_lowercase();
            let message = format!(
                "Unsupported {method} request. Object with ID '{pixel_id}' does not exist, cannot be loaded due to \
                 missing permissions, or does not support this operation"
            );
            return Some(Refusal { subcode: Some(33), ..Refusal::plain(400, 100, message) });
        }
        check::request(request.json.as_ref(), now_ms).err().map(Refusal::invalid)
    }
}

impl Platform for Meta {
    fn name(&self) -> &'static str {
        "meta"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        if let Some(refusal) = self.refusal(request, now_ms) {
            let problem =
                format!("{}: {}", refusal.code, refusal.told.as_ref().map_or(&refusal.message, |told| &told.1));
            return Judgement { answer: refusal.answer(), events: Vec::new(), problems: vec![problem] };
        }
        let events = request.json.as_ref().and_then(|body| body["data"].as_array()).cloned().unwrap_or_default();
        Judgement { answer: received(events.len()), events, problems: Vec::new() }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, now_ms: i64) -> Option<Judgement> {
        let answer = match trouble {
            Trouble::Throttled => throttled(),
            Trouble::CredentialsRefused => {
                let message = "Error validating access token: Session has expired.".to_owned();
                Refusal::plain(self.refused_token_status, 190, message).answer()
            }
            Trouble::Unavailable => {
                let message = "(#2) Service temporarily unavailable";
                Answer::json(500, &error_body(2, message, Some(true), None))
            }
            // "If any event_time in data is greater than 7 days in the past, we return an error for the entire request".
            Trouble::FirstRefused if self.refusal(request, now_ms).is_none() => {
                Refusal::invalid(Fault::TooOld { at: "$['data'][0]['event_time']".to_owned() }).answer()
            }
            Trouble::FirstRefused => return Some(self.judge(request, now_ms)),
        };
        Some(Judgement { answer, events: Vec::new(), problems: Vec::new() })
    }

    fn tally(&self, request: &Received) -> Tally {
        #[derive(Deserialize)]
        struct Events {
            data: Vec<Event>,
        }
        #[derive(Deserialize)]
        struct Event {
            event_id: Option<String>,
        }
        match serde_json::from_slice::<Events>(&request.body) {
            Ok(events) => Tally {
                answer: received(events.data.len()),
                events: events.data.len() as u64,
                event_ids: events.data.into_iter().filter_map(|event| event.event_id).collect(),
            },
            Err(_) => Tally {
                answer: Refusal::plain(400, 100, "Invalid parameter".to_owned()).answer(),
                events: 0,
                event_ids: Vec::new(),
            },
        }
    }
}

/// What Meta says instead of taking a request.
struct Refusal {
    status: u16,
    code: i64,
    message: String,
    subcode: Option<i64>,
    /// Title and message for the user.
    told: Option<(&'static str, String)>,
}

impl Refusal {
    fn plain(status: u16, code: i64, message: String) -> Refusal {
        Refusal { status, code, message, subcode: None, told: None }
    }

    fn invalid(fault: Fault) -> Refusal {
        let (subcode, title) = fault.code();
        Refusal {
            status: 400,
            code: 100,
            message: "Invalid parameter".to_owned(),
            subcode: Some(subcode),
            told: Some((title, fault.to_string())),
        }
    }

    fn answer(&self) -> Answer {
        let told = self.told.as_ref().zip(self.subcode);
        let mut body = error_body(self.code, &self.message, told.as_ref().map(|_| false), self.subcode);
        if let Some(((title, message), _)) = told {
            body["error"]["error_user_title"] = json!(title);
            body["error"]["error_user_msg"] = json!(message);
        }
        // Meta's own order: the trace id comes last.
        if let Some(error) = body["error"].as_object_mut()
            && let Some(trace) = error.shift_remove("fbtrace_id")
        {
            error.insert("fbtrace_id".to_owned(), trace);
        }
        Answer::json(self.status, &body)
    }
}

/// Error 80004, the limit of an ad account. Meta says when to come back in whole minutes, and in a header of its own; that
/// `Retry-After` says it in a second is for the sake of tests.
fn throttled() -> Answer {
    let message = "(#80004) There have been too many calls to this ad-account. Wait a bit and try again.";
    let usage = json!({ "1234567890": [{
        "type": "ads_management",
        "call_count": 100,
        "total_cputime": 25,
        "total_time": 25,
        "estimated_time_to_regain_access": 1,
    }] });
    let mut body = error_body(80_004, message, Some(false), Some(2_446_079));
    body["error"]["error_user_title"] = json!("Ad-account has too many API calls");
    Answer::json(400, &body).header("x-business-use-case-usage", usage.to_string()).header("retry-after", "1")
}

const TRACE_ID: &str = "AFakeTraceIdForTests012";

fn error_body(code: i64, message: &str, is_transient: Option<bool>, subcode: Option<i64>) -> Value {
    let mut error = json!({ "message": message, "type": "OAuthException", "code": code });
    if let Some(subcode) = subcode {
        error["error_subcode"] = json!(subcode);
    }
    if let Some(is_transient) = is_transient {
        error["is_transient"] = json!(is_transient);
    }
    error["fbtrace_id"] = json!(TRACE_ID);
    json!({ "error": error })
}

fn received(events: usize) -> Answer {
    Answer::json(200, &json!({ "events_received": events, "messages": [], "fbtrace_id": TRACE_ID }))
}

/// The pixel of `/v26.0/{pixel}/events`.
fn pixel_of(path: &str) -> Option<&str> {
    let mut parts = path.strip_prefix("/v")?.split('/');
    let (major, minor) = parts.next()?.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pixel_id = parts.next().filter(|pixel_id| is_number(pixel_id))?;
    (is_number(major) && is_number(minor) && parts.next() == Some("events") && parts.next().is_none())
        .then_some(pixel_id)
}
