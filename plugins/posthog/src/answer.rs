//! What PostHog's answers mean.
//!
//! Sources: `CaptureError` and `CaptureResponse` of the capture service, and "Capture and batch API endpoints", section
//! "Responses", for older instances, which answer errors in JSON. One bad event refuses the whole request. A key that
//! nobody has, an event of a project that is past its billing limit, and some more, are answered with 200 and dropped.

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Response, Scalar, Text, Verdict, classify};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow)]
    status: Option<Scalar<'a>>,
    #[serde(borrow)]
    quota_limited: Option<Vec<Text<'a>>>,
}

/// What a 400 of an older instance says of the key.
const KEY_CODES: [&str; 2] = ["invalid_project", "invalid_api_key"];
const BILLING_LIMIT: &str = "billing limit reached";

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    match response.status {
        204 => Verdict::Delivered,
        200..=299 => taken(response),
        400 if mentions(response, &KEY_CODES) => credentials(KEY, response),
        401 | 403 => credentials(KEY, response),
        429 if mentions(response, &[BILLING_LIMIT]) => credentials(BILLING, response),
        _ => classify::by_status(response, count, ctx),
    }
}

const KEY: &str =
    "the project API key is refused: take the one that begins with `phc_` from PostHog, Settings, Project";
const BILLING: &str = "the project is past its billing limit: PostHog drops events until it is raised";

fn taken(response: &Response) -> Verdict {
    match serde_json::from_slice::<Answer<'_>>(&response.body) {
        // Named for recordings and flags today, and for events by the day they are: they would be lost.
        Ok(answer) if answer.quota_limited.as_ref().is_some_and(|what| !what.is_empty()) => {
            credentials(BILLING, response)
        }
        // `{"status":"Ok"}`, or `{"status":1}` of older instances.
        Ok(Answer { status: Some(Scalar::Text(_) | Scalar::Integer(1)), .. }) => Verdict::Delivered,
        // Not PostHog's. Sending again does little harm, for an event keeps its `uuid`.
        _ => Verdict::Retry(None),
    }
}

fn mentions(response: &Response, texts: &[&str]) -> bool {
    let body = classify::excerpt(&response.body);
    texts.iter().any(|text| body.contains(text))
}

fn credentials(hint: &str, response: &Response) -> Verdict {
    Verdict::Credentials([hint, " (", &classify::reason(response), ")"].concat())
}
