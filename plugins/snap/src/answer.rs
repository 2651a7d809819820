//! What Snap's answers mean: `status` in the body first, because a refusal may come with 200.
//!
//! Source: `EventResponse` and `ValidateResponse` in the OpenAPI file of github.com/Snapchat/business-sdk-v3-java, and
//! "Verify Set Up, Response fields".

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Response, Verdict, classify};

/// A body of Snap's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    errors: Option<Errors<'a>>,
    /// Of the checking of test events.
    #[serde(borrow)]
    event_logs: Option<Vec<EventLog<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventLog<'a> {
    #[serde(borrow)]
    errors: Option<Errors<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Errors<'a> {
    #[serde(borrow)]
    error_msgs: Option<Vec<Cow<'a, str>>>,
}

/// How long to wait when Snap throttles: its limit is by the second, and it publishes no hint of its own.
const THROTTLED_MS: u64 = 10_000;
const REASON_CHARS: usize = 300;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Answer<'_> = serde_json::from_slice(&response.body).unwrap_or_default();
    let valid = answer.status.as_deref().and_then(is_valid);
    match (response.status, valid) {
        (200..=299, Some(true)) => Verdict::Delivered,
        // Only `status` proves that Snap took the events, and one that comes twice within 48 hours is counted once.
        (200..=299, None) => Verdict::Retry(None),
        // Which event is bad is not told for certain, nor whether the others were taken.
        (200..=299 | 400 | 422, _) if count > 1 => Verdict::Split,
        (200..=299 | 400 | 422, Some(_)) => Verdict::Reject(reason(&answer)),
        (401 | 403, _) => operator(
            "the access token is refused; make one in Business Details, Conversions API Tokens, of the pixel's organisation",
            response,
        ),
        (404 | 410, _) => {
            operator("Snap has no such endpoint (any more): correct `api_version` or `pixel_id`", response)
        }
        (429, _) => Verdict::Retry(Some(classify::retry_after_ms(response, ctx.now_ms).unwrap_or(THROTTLED_MS))),
        _ => classify::by_status(response, count, ctx),
    }
}

/// Version 2 said it in other words, which Snap's older pages still show.
fn is_valid(status: &str) -> Option<bool> {
    match status {
        "VALID" | "SUCCESS" => Some(true),
        "INVALID" | "FAILED" => Some(false),
        _ => None,
    }
}

fn operator(hint: &str, response: &Response) -> Verdict {
    Verdict::Credentials([hint, " (", &classify::reason(response), ")"].concat())
}

/// `Snap refused it: Invalid event in the request: event_time is invalid or out of range`.
fn reason(answer: &Answer<'_>) -> String {
    let mut text = String::from("Snap refused it");
    let logged = answer.event_logs.iter().flatten().filter_map(|log| log.errors.as_ref());
    let messages = answer.errors.iter().chain(logged).filter_map(|errors| errors.error_msgs.as_ref()).flatten();
    for part in answer.reason.iter().chain(messages) {
        text.push_str(": ");
        text.push_str(classify::excerpt(part.as_bytes()).trim_end_matches('.'));
    }
    text.chars().take(REASON_CHARS).collect()
}
