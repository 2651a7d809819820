//! What Amplitude's answers mean. A 400 and a 429 name the events that are to blame by their place in the request.
//!
//! Sources: "HTTP V2 API", section "Response format"; "Batch and retry HTTP V2 API requests": "When a 400 response lists
//! rejected events, remove those events and resend the rest"; the response processor of Amplitude's Python SDK.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Outcome, Response, Text, Verdict, classify};

/// A body of Amplitude's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    code: Option<u16>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow)]
    missing_field: Option<Cow<'a, str>>,
    #[serde(borrow)]
    events_with_invalid_fields: Option<Places<'a>>,
    #[serde(borrow)]
    events_with_missing_fields: Option<Places<'a>>,
    /// Not documented, but read by the SDKs.
    #[serde(borrow)]
    events_with_invalid_id_lengths: Option<Places<'a>>,
    silenced_events: Option<Vec<u32>>,
    throttled_events: Option<Vec<u32>>,
}

/// Field names, and the places of the events that they are wrong in.
type Places<'a> = BTreeMap<Text<'a>, Vec<u32>>;

/// "You should pause sending events for that user or device for a period of 30 seconds before retrying".
const THROTTLED_MS: u64 = 30_000;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Option<Answer<'_>> = serde_json::from_slice(&response.body).ok();
    let code = answer.as_ref().and_then(|answer| answer.code);
    match (answer, code.unwrap_or(response.status)) {
        // Only its code proves that Amplitude took the events, and one that comes twice is counted once.
        (_, 200..=299) if code.is_none() => Verdict::Retry(None),
        (Some(answer), 400) => invalid(&answer, response, count),
        (Some(answer), 429) => throttled(&answer, response, count, ctx),
        (_, code) => {
            let response = Response { status: code, ..response.clone() };
            match classify::by_status(&response, count, ctx) {
                Verdict::Retry(None) if code == 429 => Verdict::Retry(Some(THROTTLED_MS)),
                verdict => verdict,
            }
        }
    }
}

fn invalid(answer: &Answer<'_>, response: &Response, count: u32) -> Verdict {
    let error = answer.error.as_deref().unwrap_or_default();
    if error.starts_with("Invalid API key") || answer.missing_field.as_deref() == Some("api_key") {
        // The answer repeats the key, which nobody else is to read.
        return Verdict::Credentials("Amplitude refuses the API key; copy it from Settings, Projects".into());
    }
    let mut outcomes: Vec<Option<Outcome>> = (0..count).map(|_| None).collect();
    for (what, places) in [
        ("invalid", &answer.events_with_invalid_fields),
        ("missing", &answer.events_with_missing_fields),
        ("of a wrong length", &answer.events_with_invalid_id_lengths),
    ] {
        for (field, places) in places.iter().flatten() {
            let reason = || reason(error, &["`", &classify::excerpt(field.as_bytes()), "` is ", what].concat());
            mark(&mut outcomes, places, || Outcome::Reject(reason()));
        }
    }
    let silenced = || Outcome::Reject(reason(error, "the device is silenced"));
    mark(&mut outcomes, answer.silenced_events.as_deref().unwrap_or_default(), silenced);
    mark(&mut outcomes, answer.throttled_events.as_deref().unwrap_or_default(), || Outcome::Retry(Some(THROTTLED_MS)));
    match outcomes.iter().any(Option::is_some) {
        // Nothing of the request was taken: the others are good, and are sent again at once.
        true => each(outcomes),
        false if count > 1 && answer.missing_field.is_none() => Verdict::Split,
        false => Verdict::Reject(classify::reason(response)),
    }
}

fn throttled(answer: &Answer<'_>, response: &Response, count: u32, ctx: &Context) -> Verdict {
    let wait_ms = classify::retry_after_ms(response, ctx.now_ms).unwrap_or(THROTTLED_MS);
    let mut outcomes: Vec<Option<Outcome>> = (0..count).map(|_| None).collect();
    let throttled = answer.throttled_events.as_deref().unwrap_or_default();
    mark(&mut outcomes, throttled, || Outcome::Retry(Some(wait_ms)));
    let marked = outcomes.iter().filter(|outcome| outcome.is_some()).count();
    // Not some devices but the whole project is too fast: everything waits.
    if marked == 0 || marked == outcomes.len() { Verdict::Retry(Some(wait_ms)) } else { each(outcomes) }
}

/// Gives the events at these places their outcome; the first that is found stays.
fn mark(outcomes: &mut [Option<Outcome>], places: &[u32], outcome: impl Fn() -> Outcome) {
    for place in places {
        if let Some(slot) = outcomes.get_mut(*place as usize).filter(|slot| slot.is_none()) {
            *slot = Some(outcome());
        }
    }
}

fn each(outcomes: Vec<Option<Outcome>>) -> Verdict {
    Verdict::Each(outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Retry(Some(0)))).collect())
}

/// `Amplitude: Invalid field values on some events: `time` is invalid`.
fn reason(error: &str, what: &str) -> String {
    ["Amplitude: ", &classify::excerpt(error.as_bytes()), ": ", what].concat()
}
