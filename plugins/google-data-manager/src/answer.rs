//! What Google's answers mean. One bad event fails its whole request ("fail fast"), and the answer names the fields; what
//! Google does with the events later, it does not answer.
//!
//! Sources: the guide "Understand API errors" of the Data Manager API, `error.proto` there, and `error_details.proto` of
//! google/rpc.

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Outcome, Response, Verdict, classify};

/// A body of Google's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<Status<'a>>,
}

/// `google.rpc.Status`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    details: Vec<Detail<'a>>,
}

/// `ErrorInfo`, `BadRequest`, `RetryInfo` and `RequestInfo`, of each what it has.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    field_violations: Vec<Violation<'a>>,
    #[serde(borrow)]
    retry_delay: Option<Cow<'a, str>>,
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Violation<'a> {
    /// `events[3].user_data.user_identifiers[0]`, in the names of the protocol buffers.
    #[serde(borrow)]
    field: Cow<'a, str>,
    #[serde(borrow)]
    description: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
}

/// How long to wait when Google throttles and does not say for how long: its quota is by the minute.
const THROTTLED_MS: u64 = 60_000;
const REASON_CHARS: usize = 300;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Option<Answer<'_>> = serde_json::from_slice(&response.body).ok();
    let is_success = (200..300).contains(&response.status);
    match answer {
        Some(Answer { error: Some(error), .. }) => by_status(&error, response, count, ctx),
        Some(Answer { request_id: Some(_), .. }) if is_success => Verdict::Delivered,
        // "Only errors are returned, not results."
        Some(_) if is_success && ctx.test_mode => Verdict::Delivered,
        // Not from Google. Events that come twice are counted once.
        _ if is_success => Verdict::Retry(None),
        _ => without_json(response, count, ctx),
    }
}

fn by_status(error: &Status<'_>, response: &Response, count: u32, ctx: &Context) -> Verdict {
    match error.status.as_deref() {
        Some("UNAUTHENTICATED") => Verdict::Credentials(
            ["the credentials are refused; make a new refresh token (", &reason(error), ")"].concat(),
        ),
        Some("PERMISSION_DENIED" | "NOT_FOUND") => Verdict::Credentials(
            ["access is refused: correct `operating_account_id` or `login_account_id` (", &reason(error), ")"].concat(),
        ),
        Some("UNIMPLEMENTED") => Verdict::Credentials(unknown_path(&reason(error))),
        Some("RESOURCE_EXHAUSTED") => {
            let asked = error.retry_delay_ms().or_else(|| classify::retry_after_ms(response, ctx.now_ms));
            Verdict::Retry(Some(asked.unwrap_or(THROTTLED_MS)))
        }
        Some("ABORTED" | "CANCELLED" | "DEADLINE_EXCEEDED" | "INTERNAL" | "UNAVAILABLE" | "UNKNOWN") => {
            Verdict::Retry(error.retry_delay_ms().or_else(|| classify::retry_after_ms(response, ctx.now_ms)))
        }
        Some("INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE") => refused(error, count),
        _ => without_json(response, count, ctx),
    }
}

/// Something in the request is wrong, and nothing of it was taken.
fn refused(error: &Status<'_>, count: u32) -> Verdict {
    let violations = || error.details.iter().flat_map(|detail| &detail.field_violations);
    // The destinations are the same for every event of the batch: singly none would fare better.
    if count == 1 || violations().any(|violation| violation.field.starts_with("destinations")) {
        return Verdict::Reject(reason(error));
    }
    let mut outcomes: Vec<Outcome> = (0..count).map(|_| Outcome::Retry(None)).collect();
    for violation in violations() {
        let Some(outcome) = violation.index().and_then(|index| outcomes.get_mut(index)) else { return Verdict::Split };
        *outcome = Outcome::Reject(told(violation, error));
    }
    if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Reject(_))) {
        Verdict::Each(outcomes)
    } else {
        Verdict::Split
    }
}

/// An answer without a word of the API: of Google's front end, or of a proxy.
fn without_json(response: &Response, count: u32, ctx: &Context) -> Verdict {
    match response.status {
        404 => Verdict::Credentials(unknown_path(&classify::reason(response))),
        429 => Verdict::Retry(Some(classify::retry_after_ms(response, ctx.now_ms).unwrap_or(THROTTLED_MS))),
        _ => classify::by_status(response, count, ctx),
    }
}

fn unknown_path(reason: &str) -> String {
    ["Google knows no such path: correct `api_version` (", reason, ")"].concat()
}

impl Violation<'_> {
    /// Which event it is about.
    fn index(&self) -> Option<usize> {
        let (_, rest) = self.field.split_once("events[")?;
        rest.split_once(']')?.0.parse().ok()
    }
}

impl Status<'_> {
    /// `google.rpc.RetryInfo`: `30s`, as JSON writes a `google.protobuf.Duration`.
    fn retry_delay_ms(&self) -> Option<u64> {
        let delay = self.details.iter().find_map(|detail| detail.retry_delay.as_deref())?;
        let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
        (seconds.is_finite() && seconds > 0.0).then(|| (seconds * 1_000.0).ceil() as u64)
    }

    fn request(&self) -> Option<&str> {
        self.details.iter().find_map(|detail| detail.request_id.as_deref())
    }
}

/// `Data Manager INVALID_SHA256_FORMAT at events[3].user_data: Email is not valid (request AbC)`
fn told(violation: &Violation<'_>, error: &Status<'_>) -> String {
    let text = ["Data Manager ", &violation.reason, " at ", &violation.field, ": ", &violation.description].concat();
    finished(&text, error)
}

/// The first violation, or else the message.
fn reason(error: &Status<'_>) -> String {
    if let Some(violation) = error.details.iter().flat_map(|detail| &detail.field_violations).next() {
        return told(violation, error);
    }
    let code = error.details.iter().find_map(|detail| detail.reason.as_deref()).or(error.status.as_deref());
    let text = ["Data Manager ", code.unwrap_or("error"), ": ", error.message.as_deref().unwrap_or_default()].concat();
    finished(&text, error)
}

fn finished(text: &str, error: &Status<'_>) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARS).collect();
    if let Some(id) = error.request() {
        text.push_str(" (request ");
        text.push_str(&classify::excerpt(id.as_bytes()));
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(field: &'static str) -> Option<usize> {
        Violation { field: Cow::Borrowed(field), ..Violation::default() }.index()
    }

    #[test]
    fn a_violation_tells_which_event_it_is_about() {
        assert_eq!(index("events[3].user_data.user_identifiers[0].email_address"), Some(3));
        assert_eq!(index("events.events[12].event_timestamp"), Some(12));
        for field in ["", "events", "events[x]", "destinations[0].product_destination_id"] {
            assert_eq!(index(field), None, "{field}");
        }
    }
}
