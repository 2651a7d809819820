//! Pinterest's API for Conversions: `POST /{version}/ad_accounts/{ad_account_id}/events`.
//!
//! Sources: `events/create` of the OpenAPI description in github.com/pinterest/api-description, with its answers and
//! their examples; "Additional properties are not allowed" as seen in github.com/woocommerce/pinterest-for-woocommerce,
//! issue 967. Code 4195, and that the list of a 422 lies in its `details`, are from memory. Stricter than Pinterest: an
//! event with a hash or an address that is none fails, where Pinterest may take it and match nobody.

mod check;

use serde_json::{Value, json};

use crate::{Answer, Judgement, Platform, Received, Trouble};

const EVENTS_MAX: usize = 1000;

/// Any ad account, and the conversion token of `destination.toml`.
pub(crate) fn platform() -> Pinterest {
    Pinterest { token: "pina_token-of-the-fake" }
}

/// A Pinterest that knows one conversion token.
#[derive(Debug, Clone)]
pub(crate) struct Pinterest {
    token: &'static str,
}

impl Platform for Pinterest {
    fn name(&self) -> &'static str {
        "pinterest"
    }

    fn judge(&self, request: &Received, now_ms: i64) -> Judgement {
        match self.events(request) {
            Ok(events) => processed(request, events, |_, event| check::event(event, now_ms)),
            Err(refusal) => refusal.judgement(),
        }
    }

    fn trouble(&self, trouble: Trouble, request: &Received, now_ms: i64) -> Option<Judgement> {
        let refuse = |status, code, message: &str| Some(Refusal::new(status, code, message).without_problem());
        match trouble {
            Trouble::Throttled => refuse(
                429,
                8,
                "This request exceeded a rate limit. This can happen if the client exceeds one of the published rate \
                 limits within a short time window.",
            )
            .map(|mut judgement| {
                judgement.answer = judgement.answer.header("x-ratelimit-reset", "1");
                judgement
            }),
            Trouble::CredentialsRefused => refuse(401, 2, "Authentication failed."),
            Trouble::Unavailable => {
                refuse(503, 4197, "The endpoint has been ramped down and is currently not accepting any traffic.")
            }
            Trouble::FirstRefused => {
                let events = self.events(request).ok()?;
                let mut judgement = processed(request, events, |index, event| match index {
                    0 => Err("'event_id' is refused by this test".to_owned()),
                    _ => check::event(event, now_ms),
                });
                judgement.problems.clear();
                Some(judgement)
            }
        }
    }
}

impl Pinterest {
    /// The request's events, where it is one that Pinterest looks into.
    fn events<'a>(&self, request: &'a Received) -> Result<&'a [Value], Refusal> {
        if request.method != "POST" || !is_events_path(&request.path) {
            return Err(Refusal::new(404, 0, "No API found at this path."));
        }
        if request.header("authorization") != Some(format!("Bearer {}", self.token).as_str()) {
            return Err(Refusal::new(401, 2, "Authentication failed."));
        }
        let invalid = |why: &str| Refusal::new(400, 4196, &format!("Invalid request: {why}"));
        if !request.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            return Err(invalid("the content type must be application/json"));
        }
        if !matches!(request.query_value("test"), None | Some("true" | "false")) {
            return Err(invalid("'test' is not a boolean"));
        }
        let events = request.json.as_ref().and_then(|body| body["data"].as_array());
        let events = events.ok_or_else(|| invalid("'data' is a required property"))?;
        if events.is_empty() || events.len() > EVENTS_MAX {
            return Err(invalid("'data' must hold 1 to 1000 events"));
        }
        match events.iter().map(check::schema).find_map(Result::err) {
            Some(why) => Err(invalid(&why)),
            None => Ok(events),
        }
    }
}

/// Looks at each event by itself: what is bad fails, and the rest is processed.
fn processed(request: &Received, events: &[Value], check: impl Fn(usize, &Value) -> Result<(), String>) -> Judgement {
    let (mut taken, mut problems, mut said) = (Vec::new(), Vec::new(), Vec::new());
    for (index, event) in events.iter().enumerate() {
        let error = check(index, event).err();
        said.push(match &error {
            Some(why) => json!({ "status": "failed", "error_message": why, "warning_message": "" }),
            None => json!({ "status": "processed", "error_message": "", "warning_message": "" }),
        });
        match error {
            Some(why) => problems.push(format!("data[{index}]: {why}")),
            None => taken.push(event.clone()),
        }
    }
    let counts = json!({
        "num_events_received": events.len(),
        "num_events_processed": taken.len(),
        "events": said,
    });
    let answer = if taken.len() == events.len() {
        Answer::json(200, &counts)
    } else {
        let message = "Not all events were successfully processed.";
        Answer::json(422, &json!({ "code": 4195, "message": message, "details": counts }))
    };
    // "The events will not be recorded but the API will still return the same response messages."
    if request.query_value("test") == Some("true") {
        taken.clear();
    }
    Judgement { answer, events: taken, problems }
}

/// What Pinterest says instead of looking into a request.
struct Refusal {
    status: u16,
    code: i64,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: i64, message: &str) -> Refusal {
        Refusal { status, code, message: message.to_owned() }
    }

    fn judgement(self) -> Judgement {
        let problem = format!("{}: {}", self.code, self.message);
        Judgement { problems: vec![problem], ..self.without_problem() }
    }

    fn without_problem(self) -> Judgement {
        let answer = Answer::json(self.status, &json!({ "code": self.code, "message": self.message }));
        Judgement { answer, events: Vec::new(), problems: Vec::new() }
    }
}

/// `/v5/ad_accounts/{digits}/events`
fn is_events_path(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let is_number = |text: &str| (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts[..], ["", "v5", "ad_accounts", account, "events"] if is_number(account))
}
