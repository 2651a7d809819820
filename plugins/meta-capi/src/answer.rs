//! What Meta's answers mean. The body decides, because the HTTP status is unreliable: 190 and 17 come with 500.
//!
//! Sources: "Handle Errors" of the Graph API, "Error Codes" and "Rate Limiting" of the Marketing API, and the errors of
//! `POST /{ads_pixel_id}/events`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Response, Verdict, classify};

/// A body of Meta's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    events_received: Option<u32>,
    #[serde(borrow)]
    error: Option<Error<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error<'a> {
    code: i64,
    error_subcode: Option<i64>,
    is_transient: bool,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_user_msg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    fbtrace_id: Option<Cow<'a, str>>,
}

/// What an error code asks for.
#[derive(Debug, PartialEq, Eq)]
enum Class {
    /// Too many calls: wait as long as Meta says, or else a minute.
    Throttled,
    /// A fault of Meta's.
    Transient,
    /// The access token, or what it may do, or the version of the API: nothing gets through until somebody mends it.
    Operator(&'static str),
    /// An event is bad, and the answer may not tell which.
    Event,
    /// The whole request is refused for good, whatever its events.
    Never,
}

fn class(error: &Error<'_>) -> Class {
    match (error.code, error.error_subcode) {
        // 32 and 613 and the 80000s are the limits of pages, of ad accounts, and of single use cases.
        (4 | 17 | 32 | 613 | 80_000..=80_014, _) => Class::Throttled,
        (1 | 2 | 341 | 368 | 5000 | 21_009, _) => Class::Transient,
        (102 | 190, _) => Class::Operator("the access token is refused; make a new one in Events Manager, Settings"),
        (2500 | 2635, _) => {
            Class::Operator("this version of the API, or this path, is refused: correct `api_version` or `pixel_id`")
        }
        // "Unsupported post request: Object with ID … does not exist": no event of the batch is to blame.
        (100, Some(33)) | (3 | 200, _) => Class::Never,
        (100, _) => Class::Event,
        // "Negative-value error codes are internal Facebook errors."
        (code, _) if code < 0 || error.is_transient => Class::Transient,
        _ => Class::Event,
    }
}

/// How long to wait when Meta throttles and does not say for how long.
const THROTTLED_MS: u64 = 60_000;
const REASON_CHARS: usize = 300;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Option<Answer<'_>> = serde_json::from_slice(&response.body).ok();
    let Some(answer) = answer else { return without_json(response, count, ctx) };
    match (answer.error, answer.events_received) {
        (Some(error), _) => by_error(&error, response, count, ctx),
        (None, Some(received)) if (200..300).contains(&response.status) => by_count(received, count),
        (None, _) => without_json(response, count, ctx),
    }
}

fn by_error(error: &Error<'_>, response: &Response, count: u32, ctx: &Context) -> Verdict {
    match class(error) {
        Class::Throttled => Verdict::Retry(Some(throttled_ms(response, ctx.now_ms))),
        Class::Transient => Verdict::Retry(classify::retry_after_ms(response, ctx.now_ms)),
        Class::Operator(hint) => Verdict::Credentials([hint, " (", &reason(error), ")"].concat()),
        Class::Never => Verdict::Reject(reason(error)),
        Class::Event if error.code != 100 && matches!(response.status, 429 | 500..=599) => {
            Verdict::Retry(classify::retry_after_ms(response, ctx.now_ms))
        }
        Class::Event if count > 1 => Verdict::Split,
        Class::Event => Verdict::Reject(reason(error)),
    }
}

/// Sending again what Meta already took does no harm: it drops an `event_name` with an `event_id` that it has seen within
/// 48 hours.
fn by_count(received: u32, count: u32) -> Verdict {
    if received >= count {
        Verdict::Delivered
    } else if count > 1 {
        Verdict::Split
    } else {
        Verdict::Reject("Meta answered 200 and took no event (`events_received` is 0)".into())
    }
}

/// An answer that is not Meta's: a proxy's page, an empty body, half a body.
fn without_json(response: &Response, count: u32, ctx: &Context) -> Verdict {
    match response.status {
        // Only `events_received` proves that Meta took the events, and one that comes twice is counted once.
        200..=299 => Verdict::Retry(None),
        429 => Verdict::Retry(Some(throttled_ms(response, ctx.now_ms))),
        _ => classify::by_status(response, count, ctx),
    }
}

/// `Retry-After`, or what Meta says instead in `x-business-use-case-usage`, or a minute.
fn throttled_ms(response: &Response, now_ms: u64) -> u64 {
    classify::retry_after_ms(response, now_ms).or_else(|| regain_access_ms(response)).unwrap_or(THROTTLED_MS)
}

/// `{"<business id>": [{"type": "…", "estimated_time_to_regain_access": <minutes>}]}`.
fn regain_access_ms(response: &Response) -> Option<u64> {
    #[derive(Deserialize)]
    struct Usage {
        #[serde(default)]
        estimated_time_to_regain_access: u64,
    }
    let header = classify::header(response, "x-business-use-case-usage")?;
    let usage: BTreeMap<String, Vec<Usage>> = serde_json::from_str(header).ok()?;
    let minutes = usage.values().flatten().map(|usage| usage.estimated_time_to_regain_access).max()?;
    (minutes > 0).then(|| minutes.saturating_mul(60_000))
}

/// `Meta error 100/2804003: Invalid parameter: The timestamp is too old (trace AbC)`.
fn reason(error: &Error<'_>) -> String {
    let mut text = ["Meta error ", &error.code.to_string()].concat();
    if let Some(subcode) = error.error_subcode {
        text.push('/');
        text.push_str(&subcode.to_string());
    }
    for part in [&error.message, &error.error_user_msg].into_iter().flatten() {
        text.push_str(": ");
        text.push_str(&classify::excerpt(part.as_bytes()));
    }
    let mut text: String = text.chars().take(REASON_CHARS).collect();
    if let Some(trace) = &error.fbtrace_id {
        text.push_str(" (trace ");
        text.push_str(&classify::excerpt(trace.as_bytes()));
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(code: i64) -> Error<'static> {
        Error { code, ..Error::default() }
    }

    #[test]
    fn every_listed_code_has_its_class() {
        for code in [4, 17, 80_003] {
            assert_eq!(class(&coded(code)), Class::Throttled, "{code}");
        }
        for code in [1, 2, 341, 368, 5000, 21_009, -3] {
            assert_eq!(class(&coded(code)), Class::Transient, "{code}");
        }
        for code in [3, 200] {
            assert_eq!(class(&coded(code)), Class::Never, "{code}");
        }
        assert!(matches!(class(&coded(190)), Class::Operator(_)));
        assert!(matches!(class(&coded(2635)), Class::Operator(_)));
        assert_eq!(class(&coded(100)), Class::Event);
        assert_eq!(class(&Error { is_transient: true, ..coded(99_999) }), Class::Transient);
        // What Meta calls invalid stays invalid, even if it calls it transient too.
        assert_eq!(class(&Error { is_transient: true, ..coded(100) }), Class::Event);
    }
}
