//! What TikTok's answers mean. The code in the body decides: the HTTP status is 200 for nearly all of them.
//!
//! Source: "Appendix, Return codes" of TikTok API for Business. Of the table below, 0, 20001, 40001, 40002, 40100 and
//! 40105 have been seen described; the others are from memory, and all of them are in `class`.

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Response, Verdict, classify};

/// A body of TikTok's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    code: Option<i64>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
}

/// What a code asks for.
#[derive(Debug, PartialEq, Eq)]
enum Class {
    Done,
    /// Too many calls.
    Throttled,
    /// A fault of TikTok's.
    Transient,
    /// The access token, or what it may do: nothing gets through until somebody mends it.
    Operator(&'static str),
    /// An event is bad, and the answer may not tell which.
    Event,
}

fn class(code: i64) -> Class {
    match code {
        // 20001 is "partial success" elsewhere in the API; the Events API takes all events of a request or none.
        0 | 20_001 => Class::Done,
        40_016 | 40_100 | 40_132 | 40_133 => Class::Throttled,
        40_001 => {
            Class::Operator("the access token may not write to this pixel; correct `pixel_id`, or make a token for it")
        }
        40_101..=40_105 | 40_107 => {
            Class::Operator("the access token is refused; make a new one in Events Manager, Settings, Events API")
        }
        40_200..=40_202 | 50_000..=59_999 | 60_001 => Class::Transient,
        _ => Class::Event,
    }
}

/// How long to wait when TikTok throttles and does not say for how long.
const THROTTLED_MS: u64 = 60_000;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Answer<'_> = serde_json::from_slice(&response.body).unwrap_or_default();
    // What has no such path knows none of the codes below, whatever it writes.
    let code = answer.code.filter(|_| !matches!(response.status, 404 | 410));
    let Some(code) = code else { return without_code(response, count, ctx) };
    match class(code) {
        Class::Done if (200..300).contains(&response.status) => Verdict::Delivered,
        Class::Done => without_code(response, count, ctx),
        Class::Throttled => Verdict::Retry(Some(throttled_ms(response, ctx))),
        Class::Transient => Verdict::Retry(classify::retry_after_ms(response, ctx.now_ms)),
        Class::Operator(hint) => Verdict::Credentials([hint, " (", &reason(code, &answer), ")"].concat()),
        Class::Event if matches!(response.status, 429 | 500..=599) => without_code(response, count, ctx),
        Class::Event if count > 1 => Verdict::Split,
        Class::Event => Verdict::Reject(reason(code, &answer)),
    }
}

/// An answer that is not the Events API's: a proxy's page, an empty body, half a body, or a path that TikTok has not.
fn without_code(response: &Response, count: u32, ctx: &Context) -> Verdict {
    match response.status {
        // Only code 0 proves that TikTok took the events, and one that comes twice within 48 hours is counted once.
        200..=299 => Verdict::Retry(None),
        404 | 410 => {
            let what = "TikTok has no such endpoint (any more): correct `api_version`";
            Verdict::Credentials([what, " (", &classify::reason(response), ")"].concat())
        }
        429 => Verdict::Retry(Some(throttled_ms(response, ctx))),
        _ => classify::by_status(response, count, ctx),
    }
}

fn throttled_ms(response: &Response, ctx: &Context) -> u64 {
    classify::retry_after_ms(response, ctx.now_ms).unwrap_or(THROTTLED_MS)
}

/// `TikTok error 40002: Invalid value for event_id: not a valid string. (request 202303141300390EF6F5D96D1798201C51)`.
fn reason(code: i64, answer: &Answer<'_>) -> String {
    let mut text = ["TikTok error ", &code.to_string()].concat();
    if let Some(message) = &answer.message {
        text.push_str(": ");
        text.push_str(&classify::excerpt(message.as_bytes()));
    }
    if let Some(request_id) = &answer.request_id {
        text.push_str(" (request ");
        text.push_str(&classify::excerpt(request_id.as_bytes()));
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_described_code_has_its_class() {
        assert_eq!(class(0), Class::Done);
        assert_eq!(class(20_001), Class::Done);
        assert_eq!(class(40_002), Class::Event);
        assert_eq!(class(40_100), Class::Throttled);
        assert!(matches!(class(40_001), Class::Operator(_)));
        assert!(matches!(class(40_105), Class::Operator(_)));
        assert_eq!(class(50_000), Class::Transient);
        assert_eq!(class(12_345), Class::Event);
    }
}
