//! What Reddit's answers mean. A request is taken whole or not at all: `invalid_events[]` says what is wrong with some,
//! and quotes them without their place, so that each is sent singly then.
//!
//! Sources: "Post Conversion Events" and "Errors" of ads-api.reddit.com/docs/v3; the bodies that
//! rudderlabs/rudder-transformer has recorded (`test/integrations/destinations/reddit/network.ts`).

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Response, Text, Verdict, classify};

/// A body of Reddit's: v3 wraps its words in `data` or `error`, v2 and what stands in front of it do not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Option<Said<'a>>,
    #[serde(borrow)]
    error: Option<Fault<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow)]
    invalid_events: Option<Vec<Invalid<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow)]
    invalid_events: Option<Vec<Invalid<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Invalid<'a> {
    #[serde(borrow)]
    error_message: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fault<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow)]
    explanation: Option<Text<'a>>,
    #[serde(borrow)]
    fields: Option<Vec<Field<'a>>>,
    #[serde(borrow)]
    invalid_events: Option<Vec<Invalid<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Field<'a> {
    #[serde(borrow)]
    field: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// How long to wait when Reddit throttles and does not say for how long.
const THROTTLED_MS: u64 = 60_000;
/// A wait that a header asks for is believed up to here.
const THROTTLED_MAX_MS: u64 = 3_600_000;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Option<Answer<'_>> = serde_json::from_slice(&response.body).ok();
    match (response.status, answer) {
        (200..=299, Some(answer)) if answer.invalid().next().is_none() => Verdict::Delivered,
        (200..=299, None) if response.body.is_empty() => Verdict::Delivered,
        // Not Reddit's: what it took comes again with the same `conversion_id`, and is counted once.
        (200..=299, None) => Verdict::Retry(None),
        // "None were processed", whatever the status: one event is to blame for all.
        (200..=299 | 400 | 422, _) if count > 1 => Verdict::Split,
        (200..=299 | 400 | 422, answer) => Verdict::Reject(reason(response, answer.as_ref())),
        // Reddit has been seen to say 403 of a field that it could not read.
        (403, Some(answer)) if answer.is_about_json() && count > 1 => Verdict::Split,
        (403, Some(answer)) if answer.is_about_json() => Verdict::Reject(reason(response, Some(&answer))),
        (401 | 403, answer) => Verdict::Credentials(refused(response, answer.as_ref())),
        (404 | 410, answer) => Verdict::Credentials(format!(
            "this version of the API, or this pixel, is refused: correct `api_version` or `pixel_id` ({})",
            reason(response, answer.as_ref()),
        )),
        (429, _) => Verdict::Retry(Some(throttled_ms(response, ctx.now_ms))),
        _ => classify::by_status(response, count, ctx),
    }
}

impl<'a> Answer<'a> {
    /// What is wrong with each event that Reddit found bad.
    fn invalid(&self) -> impl Iterator<Item = &Invalid<'a>> {
        let in_data = self.data.as_ref().and_then(|data| data.invalid_events.as_deref());
        let in_error = self.error.as_ref().and_then(|error| error.invalid_events.as_deref());
        [self.invalid_events.as_deref(), in_data, in_error].into_iter().flatten().flatten()
    }

    fn is_about_json(&self) -> bool {
        self.words().iter().any(|text| text.starts_with("JSON error"))
    }

    /// Everything that it says, the most particular first.
    fn words(&self) -> Vec<&str> {
        let mut words: Vec<Option<&str>> = self.invalid().map(|event| event.error_message.as_deref()).collect();
        if let Some(error) = &self.error {
            words.extend(error.fields.iter().flatten().flat_map(|f| [f.field.as_deref(), f.message.as_deref()]));
            words.extend([error.message.as_deref(), error.explanation.as_deref()]);
        }
        words.push(self.data.as_ref().and_then(|data| data.message.as_deref()));
        words.push(self.message.as_deref());
        words.into_iter().flatten().filter(|text| !text.is_empty()).take(WORDS_MAX).collect()
    }
}

/// A reason is for a person to read, not for a log of all.
const WORDS_MAX: usize = 4;

fn refused(response: &Response, answer: Option<&Answer<'_>>) -> String {
    let hint = match response.status {
        401 => "the conversion access token is refused; make a new one in Events Manager, Conversions API",
        _ => "the conversion access token is not for this pixel; make one for its account, or correct `pixel_id`",
    };
    [hint, " (", &reason(response, answer), ")"].concat()
}

/// `Reddit 400: event_at timestamp must be less than 168h0m0s old`
fn reason(response: &Response, answer: Option<&Answer<'_>>) -> String {
    let words = answer.map(Answer::words).unwrap_or_default();
    if words.is_empty() {
        return classify::reason(response);
    }
    let words: Vec<String> = words.iter().map(|text| classify::excerpt(text.as_bytes())).collect();
    format!("Reddit {}: {}", response.status, words.join("; "))
}

/// `Retry-After`, or the seconds in `x-ratelimit-reset`, or a minute.
fn throttled_ms(response: &Response, now_ms: u64) -> u64 {
    let reset = || classify::reset_after_ms(response, "x-ratelimit-reset", THROTTLED_MAX_MS).filter(|ms| *ms > 0);
    classify::retry_after_ms(response, now_ms).or_else(reset).unwrap_or(THROTTLED_MS)
}
