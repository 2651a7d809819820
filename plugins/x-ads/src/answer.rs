//! What X's answers mean.
//!
//! Sources: the document, "Troubleshooting and Support for Conversion API"; "Error codes and responses" and "Rate limiting"
//! of the Ads API. "A single request will only be successful when there are zero errors for all conversions contained
//! within it", and the errors do not say which conversion they are about.

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Response, Verdict, classify};

/// A body of X's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    data: Option<Data>,
    #[serde(borrow)]
    errors: Vec<Error<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    conversions_processed: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error<'a> {
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    parameter: Option<Cow<'a, str>>,
}

/// How long to wait when X throttles and does not say for how long.
const THROTTLED_MS: u64 = 60_000;
/// Until when, in Unix seconds: the account's limit counts before the user's.
const RESET_HEADERS: [&str; 2] = ["x-account-rate-limit-reset", "x-rate-limit-reset"];
/// The most errors that a reason names.
const ERRORS_MAX: usize = 3;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Answer<'_> = serde_json::from_slice(&response.body).unwrap_or_default();
    match response.status {
        200..=299 => by_count(&answer, response, count),
        429 => Verdict::Retry(Some(throttled_ms(response, ctx.now_ms))),
        401 | 403 => {
            let hint = "the credentials are refused: check the four keys, and that their app may use the Ads API";
            Verdict::Credentials([hint, " (", &reason(&answer, response), ")"].concat())
        }
        // "event_id does not belong to provided account": one id in the configuration is wrong, the rest of it is not.
        404 if !answer.errors.iter().any(is_about_the_event) => Verdict::Credentials(not_found(&answer, response, ctx)),
        400 | 404 if count > 1 => Verdict::Split,
        400 | 404 => Verdict::Reject(reason(&answer, response)),
        // LOCK_ACQUISITION_TIMEOUT.
        423 => Verdict::Retry(None),
        _ => classify::by_status(response, count, ctx),
    }
}

/// Sending again what X already took does no harm: a `conversion_id` counts once for an event within 48 hours.
fn by_count(answer: &Answer<'_>, response: &Response, count: u32) -> Verdict {
    match answer.data.as_ref().and_then(|data| data.conversions_processed) {
        // Only this number proves that X took the conversions.
        None => Verdict::Retry(None),
        Some(processed) if processed >= count => Verdict::Delivered,
        Some(_) if count > 1 => Verdict::Split,
        Some(_) => Verdict::Reject(reason(answer, response)),
    }
}

fn is_about_the_event(error: &Error<'_>) -> bool {
    error.parameter.as_deref() == Some("event_id")
}

/// A version that is no more has no route, and answers with HTML or `ROUTE_NOT_FOUND`; a pixel of somebody else's account
/// is `NOT_FOUND`.
fn not_found(answer: &Answer<'_>, response: &Response, ctx: &Context) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Path<'a> {
        #[serde(borrow)]
        api_version: Cow<'a, str>,
    }
    let reason = reason(answer, response);
    if answer.errors.iter().any(|error| error.code.as_deref() == Some("NOT_FOUND")) {
        return ["the pixel is not this user's: correct `pixel_id`, or the user's access (", &reason, ")"].concat();
    }
    let path: Path<'_> = serde_json::from_str(&ctx.config).unwrap_or_default();
    ["version `", &path.api_version, "` of the API is not known: correct `api_version` (", &reason, ")"].concat()
}

/// `Retry-After`, or what X says instead, or a minute.
fn throttled_ms(response: &Response, now_ms: u64) -> u64 {
    let reset_ms = || {
        let header = RESET_HEADERS.iter().find_map(|name| classify::header(response, name))?;
        let at_ms = header.trim().parse::<u64>().ok()?.checked_mul(1_000)?;
        Some(at_ms.saturating_sub(now_ms))
    };
    classify::retry_after_ms(response, now_ms).or_else(reset_ms).unwrap_or(THROTTLED_MS)
}

/// `X: INVALID_PARAMETER: At least one user identifier must be provided; …`, or the status with the beginning of the body.
fn reason(answer: &Answer<'_>, response: &Response) -> String {
    let told = answer.errors.iter().take(ERRORS_MAX).map(|error| {
        let part = |text: &Option<Cow<'_, str>>| classify::excerpt(text.as_deref().unwrap_or_default().as_bytes());
        [&*part(&error.code), ": ", &part(&error.message)].concat()
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { classify::reason(response) } else { ["X: ", &told.join("; ")].concat() }
}
