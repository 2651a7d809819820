//! What Klaviyo's answers mean: JSON:API errors with a code and a detail.
//!
//! Sources: "Rate limits, status codes, and errors" and "API versioning and deprecation policy" on developers.klaviyo.com;
//! the error schema of the OpenAPI description.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tidegate_plugin_sdk::{Context, Response, Verdict, classify};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    /// What was created, in an answer that is Klaviyo's own.
    data: Option<IgnoredAny>,
    #[serde(borrow)]
    errors: Vec<Error<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error<'a> {
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow)]
    detail: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Place<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place<'a> {
    #[serde(borrow)]
    pointer: Option<Cow<'a, str>>,
    #[serde(borrow)]
    parameter: Option<Cow<'a, str>>,
}

/// The longer of Klaviyo's two windows, for an answer that does not say how long to wait.
const STEADY_WINDOW_MS: u64 = 60_000;
const REASON_CHARS: usize = 300;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Answer<'_> = serde_json::from_slice(&response.body).unwrap_or_default();
    let error = answer.errors.first();
    match (response.status, error) {
        // Events are taken with 202 and nothing more, profiles with what they are now. Anything else is not from Klaviyo,
        // and what comes twice is recorded once.
        (200 | 201, _) if answer.data.is_none() => Verdict::Retry(None),
        (429, _) => Verdict::Retry(Some(classify::retry_after_ms(response, ctx.now_ms).unwrap_or(STEADY_WINDOW_MS))),
        (401, _) => Verdict::Credentials(
            [
                "Klaviyo refuses the API key; the secret is `Klaviyo-API-Key pk_…`, its prefix included (",
                &told(response, error),
                ")",
            ]
            .concat(),
        ),
        (403, _) => Verdict::Credentials(
            ["the API key needs the scopes events:write and profiles:write (", &told(response, error), ")"].concat(),
        ),
        // "API calls made to retired endpoints return a 410 GONE error".
        (410, _) => Verdict::Credentials(dead_revision(response, error)),
        (400..=499, Some(refused)) if refused.is_of_revision() => Verdict::Credentials(dead_revision(response, error)),
        (400..=499, Some(_)) if !matches!(response.status, 408 | 425) => Verdict::Reject(told(response, error)),
        _ => classify::by_status(response, count, ctx),
    }
}

impl Error<'_> {
    /// Whether it is about the header `revision`. How exactly Klaviyo says so is not documented.
    fn is_of_revision(&self) -> bool {
        let place = self.source.as_ref();
        if place.and_then(|place| place.pointer.as_deref()).is_some_and(|at| at.starts_with("/data/")) {
            return false;
        }
        place.and_then(|place| place.parameter.as_deref()) == Some("revision")
            || [&self.code, &self.title, &self.detail].into_iter().flatten().any(|text| text.contains("revision"))
    }
}

fn dead_revision(response: &Response, error: Option<&Error<'_>>) -> String {
    ["Klaviyo refuses this revision of its API: correct `revision` (", &told(response, error), ")"].concat()
}

/// `Klaviyo 400 invalid: Invalid phone number format at /data/attributes/phone_number`.
fn told(response: &Response, error: Option<&Error<'_>>) -> String {
    let Some(error) = error else { return classify::reason(response) };
    let mut text = ["Klaviyo ", &response.status.to_string()].concat();
    let place = error.source.as_ref().and_then(|place| place.pointer.as_deref());
    let said = error.detail.as_deref().or(error.title.as_deref());
    for (before, part) in [(" ", error.code.as_deref()), (": ", said), (" at ", place)] {
        if let Some(part) = part {
            text.push_str(before);
            text.push_str(&classify::excerpt(part.as_bytes()));
        }
    }
    text.chars().take(REASON_CHARS).collect()
}
