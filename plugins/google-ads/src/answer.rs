//! What Google's answers mean. A 200 may hold errors by index, because `partialFailure` is always on; anything else is about
//! the whole request, and then Google has taken nothing.
//!
//! Sources: the guides "Partial failures", "Error types" and "API call structure" of the Google Ads API, `errors.proto`,
//! and `google/rpc/status.proto`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Outcome, Response, Text, Verdict, classify};

use crate::codes::{self, Class};

/// A body of Google's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    error: Option<Status<'a>>,
    #[serde(borrow)]
    partial_failure_error: Option<Status<'a>>,
}

/// `google.rpc.Status`; `status` is its code's name, and only in an `error`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    details: Vec<Failure<'a>>,
}

/// `GoogleAdsFailure`; other details have no `errors`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Failure<'a> {
    #[serde(borrow)]
    errors: Vec<Error<'a>>,
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Error<'a> {
    /// One entry: the code's family, and the code.
    #[serde(borrow)]
    error_code: BTreeMap<Text<'a>, Text<'a>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    location: Location,
    details: Details,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Location {
    field_path_elements: Vec<PathElement>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PathElement {
    index: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    quota_error_details: QuotaDetails,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct QuotaDetails {
    /// `30s`, as JSON writes a `google.protobuf.Duration`.
    retry_delay: String,
}

/// How long to wait when Google throttles and does not say for how long.
const THROTTLED_MS: u64 = 60_000;
const REASON_CHARS: usize = 300;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Option<Answer<'_>> = serde_json::from_slice(&response.body).ok();
    let is_success = (200..300).contains(&response.status);
    match answer {
        Some(Answer { error: Some(error), .. }) => whole(&error, response, count, ctx),
        Some(Answer { partial_failure_error: Some(failure), .. }) if is_success => {
            by_index(&failure, response, count, ctx)
        }
        Some(_) if is_success => Verdict::Delivered,
        // Not from Google: what it takes, it says in JSON. Conversions that come twice are counted once.
        None if is_success => Verdict::Retry(None),
        _ => without_json(response, count, ctx),
    }
}

/// Errors of single entries, the others having been taken.
fn by_index(failure: &Status<'_>, response: &Response, count: u32, ctx: &Context) -> Verdict {
    let mut outcomes: Vec<Outcome> = (0..count).map(|_| Outcome::Delivered).collect();
    let errors = failure.details.iter().flat_map(|failure| failure.errors.iter().map(move |error| (failure, error)));
    let mut seen = false;
    for (failure, error) in errors {
        seen = true;
        let class = error.class();
        let index = error.index().or((count == 1).then_some(0));
        // Which one it is about is not said, or it is one of two: singly, what Google took before is done.
        let Some(known) =
            index.and_then(|index| outcomes.get_mut(index)).filter(|_| class != Class::Twice || count == 1)
        else {
            return if count > 1 { Verdict::Split } else { Verdict::Reject(error.reason(failure)) };
        };
        let outcome = match class {
            Class::Done => Outcome::Delivered,
            Class::Later(ms) => Outcome::Retry(Some(ms)),
            Class::Throttled => Outcome::Retry(Some(throttled_ms(failure, response, ctx.now_ms))),
            Class::Transient => Outcome::Retry(None),
            Class::Twice | Class::Never => Outcome::Reject(error.reason(failure)),
            Class::Operator(hint) => Outcome::Reject([hint, " (", &error.reason(failure), ")"].concat()),
        };
        // An entry may have several errors; the one that mends least is the one that counts.
        if weight(&outcome) > weight(known) {
            *known = outcome;
        }
    }
    match (seen, count) {
        (true, _) => Verdict::Each(outcomes),
        (false, 1) => Verdict::Reject(reason("partial failure", failure)),
        (false, _) => Verdict::Split,
    }
}

fn weight(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Delivered => 0,
        Outcome::Retry(_) => 1,
        Outcome::Reject(_) => 2,
    }
}

/// An error of the whole request.
fn whole(status: &Status<'_>, response: &Response, count: u32, ctx: &Context) -> Verdict {
    let failures =
        || status.details.iter().flat_map(|failure| failure.errors.iter().map(move |error| (failure, error)));
    for (failure, error) in failures() {
        match error.class() {
            Class::Operator(hint) => {
                return Verdict::Credentials([hint, " (", &error.reason(failure), ")"].concat());
            }
            Class::Throttled => return Verdict::Retry(Some(throttled_ms(failure, response, ctx.now_ms))),
            Class::Transient => return Verdict::Retry(classify::retry_after_ms(response, ctx.now_ms)),
            Class::Later(ms) => return Verdict::Retry(Some(ms)),
            Class::Done | Class::Twice | Class::Never => {}
        }
    }
    match (failures().next(), status.status.as_deref()) {
        (Some(_), _) if count > 1 => Verdict::Split,
        (Some((failure, error)), _) => Verdict::Reject(error.reason(failure)),
        (None, Some("UNAUTHENTICATED" | "PERMISSION_DENIED")) => Verdict::Credentials(reason("refused", status)),
        (None, Some("NOT_FOUND" | "UNIMPLEMENTED")) => Verdict::Credentials(unknown_path(&reason("refused", status))),
        (None, Some("RESOURCE_EXHAUSTED")) => {
            Verdict::Retry(Some(classify::retry_after_ms(response, ctx.now_ms).unwrap_or(THROTTLED_MS)))
        }
        (None, Some("ABORTED" | "DEADLINE_EXCEEDED" | "INTERNAL" | "UNAVAILABLE" | "UNKNOWN")) => {
            Verdict::Retry(classify::retry_after_ms(response, ctx.now_ms))
        }
        (None, _) => without_json(response, count, ctx),
    }
}

/// An answer without a word of the Google Ads API: of Google's front end, or of a proxy.
fn without_json(response: &Response, count: u32, ctx: &Context) -> Verdict {
    match response.status {
        // "The requested URL … was not found on this server": so Google answers for versions that are long gone.
        404 => Verdict::Credentials(unknown_path(&classify::reason(response))),
        429 => Verdict::Retry(Some(classify::retry_after_ms(response, ctx.now_ms).unwrap_or(THROTTLED_MS))),
        _ => classify::by_status(response, count, ctx),
    }
}

fn unknown_path(reason: &str) -> String {
    ["Google knows no such path: correct `api_version` or `customer_id` (", reason, ")"].concat()
}

/// The longest delay that the failure asks for, or `Retry-After`, or a minute.
fn throttled_ms(failure: &Failure<'_>, response: &Response, now_ms: u64) -> u64 {
    let asked =
        failure.errors.iter().filter_map(|error| duration_ms(&error.details.quota_error_details.retry_delay)).max();
    asked.or_else(|| classify::retry_after_ms(response, now_ms)).unwrap_or(THROTTLED_MS)
}

/// A duration such as `30s` or `1.500s`, in milliseconds.
fn duration_ms(text: &str) -> Option<u64> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    (seconds.is_finite() && seconds > 0.0).then(|| (seconds * 1_000.0).ceil() as u64)
}

impl Error<'_> {
    fn code(&self) -> (&str, &str) {
        self.error_code.iter().next().map_or(("", ""), |(family, code)| (family, code))
    }

    fn class(&self) -> Class {
        let (family, code) = self.code();
        codes::class(family, code)
    }

    /// Which entry it is about: the first index on the way to the field.
    fn index(&self) -> Option<usize> {
        self.location.field_path_elements.iter().find_map(|element| element.index)
    }

    /// `Google Ads conversionUploadError UNPARSEABLE_GCLID: The imported gclid could not be decoded. (request AbC)`
    fn reason(&self, failure: &Failure<'_>) -> String {
        let (family, code) = self.code();
        told(["Google Ads ", family, " ", code].concat(), self.message.as_deref(), failure.request_id.as_deref())
    }
}

fn reason(what: &str, status: &Status<'_>) -> String {
    let code = status.status.as_deref().unwrap_or(what);
    told(["Google Ads ", code].concat(), status.message.as_deref(), None)
}

fn told(mut text: String, message: Option<&str>, request_id: Option<&str>) -> String {
    if let Some(message) = message {
        text.push_str(": ");
        text.push_str(&classify::excerpt(message.as_bytes()));
    }
    let mut text: String = text.chars().take(REASON_CHARS).collect();
    if let Some(id) = request_id {
        text.push_str(" (request ");
        text.push_str(&classify::excerpt(id.as_bytes()));
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_seconds_with_or_without_a_fraction() {
        assert_eq!(duration_ms("30s"), Some(30_000));
        assert_eq!(duration_ms("0.0015s"), Some(2));
        for wrong in ["", "s", "30", "-1s", "NaNs"] {
            assert_eq!(duration_ms(wrong), None, "{wrong}");
        }
    }
}
