//! What Pinterest's answers mean: an outcome for each event of a batch, in its order.
//!
//! Source: the responses of `events/create` in the OpenAPI description, `ConversionApiResponse` and `DetailedError`.
//! The latter calls its `details` an object and says no more, so that the list is looked for in both places.

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Outcome, Response, Text, Verdict, classify};

/// A body of Pinterest's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    code: Option<i64>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    num_events_processed: Option<u32>,
    #[serde(borrow)]
    events: Option<Vec<Processed<'a>>>,
    #[serde(borrow)]
    details: Option<Details<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details<'a> {
    #[serde(borrow)]
    events: Option<Vec<Processed<'a>>>,
}

/// What became of one event.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Processed<'a> {
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    error_message: Option<Text<'a>>,
}

/// How long to wait when Pinterest throttles and does not say for how long: its limit is one a minute.
const THROTTLED_MS: u64 = 60_000;
/// A wait that a header asks for is believed up to here.
const THROTTLED_MAX_MS: u64 = 3_600_000;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Option<Answer<'_>> = serde_json::from_slice(&response.body).ok();
    match (response.status, answer) {
        (200..=299 | 422, Some(answer)) => by_event(&answer, response, count),
        // Only Pinterest's own body proves that it took the events, and one that comes twice is counted once.
        (200..=299, None) => Verdict::Retry(None),
        (401 | 403, answer) => Verdict::Credentials(refused(response, answer.as_ref())),
        (404 | 410, answer) => Verdict::Credentials(format!(
            "this version of the API, or this path, is refused: correct `api_version` or `ad_account_id` ({})",
            reason(response, answer.as_ref()),
        )),
        (429, _) => Verdict::Retry(Some(throttled_ms(response, ctx.now_ms))),
        // "Invalid request: Additional properties are not allowed": nothing was taken, and one event is to blame.
        (400, answer) if count == 1 => Verdict::Reject(reason(response, answer.as_ref())),
        _ => classify::by_status(response, count, ctx),
    }
}

fn by_event(answer: &Answer<'_>, response: &Response, count: u32) -> Verdict {
    let detailed = || answer.details.as_ref()?.events.as_deref();
    let events = answer.events.as_deref().or_else(detailed).unwrap_or_default();
    let is_processed = |event: &Processed<'_>| event.status.as_deref() == Some("processed");
    let is_success = response.status != 422;
    if events.len() == count as usize {
        if events.iter().all(is_processed) {
            return Verdict::Delivered;
        }
        return Verdict::Each(events.iter().map(|event| outcome(event, is_processed(event))).collect());
    }
    match answer.num_events_processed {
        Some(processed) if is_success && processed >= count => Verdict::Delivered,
        // A body of something else, as an empty object is.
        None if is_success => Verdict::Retry(None),
        _ if count > 1 => Verdict::Split,
        _ => Verdict::Reject(reason(response, Some(answer))),
    }
}

fn outcome(event: &Processed<'_>, is_processed: bool) -> Outcome {
    if is_processed {
        return Outcome::Delivered;
    }
    let why = event.error_message.as_deref().unwrap_or("failed, without a message");
    Outcome::Reject(["Pinterest: ", &classify::excerpt(why.as_bytes())].concat())
}

fn refused(response: &Response, answer: Option<&Answer<'_>>) -> String {
    let hint = match response.status {
        401 => "the conversion token is refused; make a new one in Ads Manager, Conversions",
        _ => "the conversion token may not write to this ad account; make one for it in Ads Manager, Conversions",
    };
    [hint, " (", &reason(response, answer), ")"].concat()
}

/// `Pinterest error 29: You are not permitted to access that resource.`
fn reason(response: &Response, answer: Option<&Answer<'_>>) -> String {
    match answer.and_then(|answer| answer.code.zip(answer.message.as_deref())) {
        Some((code, message)) => format!("Pinterest error {code}: {}", classify::excerpt(message.as_bytes())),
        None => classify::reason(response),
    }
}

/// `Retry-After`, or the seconds in `x-ratelimit-reset`, or a minute.
fn throttled_ms(response: &Response, now_ms: u64) -> u64 {
    let reset = || classify::reset_after_ms(response, "x-ratelimit-reset", THROTTLED_MAX_MS).filter(|ms| *ms > 0);
    classify::retry_after_ms(response, now_ms).or_else(reset).unwrap_or(THROTTLED_MS)
}
