//! What Segment's answers mean.
//!
//! Source: "HTTP API Source", sections "Rate limits" and "Errors": "Segment returns a 200 response for all API requests
//! except errors caused by large payloads and JSON errors (which return 400 responses)". Even a write key that nobody
//! has is answered so (segmentio/analytics-go, issue 205), unless it is far too short: then with 400.

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Response, Verdict, classify, time};

#[derive(Deserialize)]
struct Answer {
    success: bool,
}

/// What a 400 for a write key may call it; the body's form is not documented.
const KEY_NAMES: [&str; 3] = ["write key", "write_key", "writekey"];

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    match response.status {
        200..=299 => match serde_json::from_slice(&response.body) {
            Ok(Answer { success: false }) if count > 1 => Verdict::Split,
            Ok(Answer { success: false }) => Verdict::Reject(classify::reason(response)),
            _ => Verdict::Delivered,
        },
        400 if names_the_key(response) => Verdict::Credentials(credentials(response)),
        401 | 403 => Verdict::Credentials(credentials(response)),
        429 => Verdict::Retry(classify::retry_after_ms(response, ctx.now_ms).or_else(|| reset_ms(response))),
        _ => classify::by_status(response, count, ctx),
    }
}

fn names_the_key(response: &Response) -> bool {
    let text = classify::excerpt(&response.body).to_ascii_lowercase();
    KEY_NAMES.iter().any(|name| text.contains(name))
}

fn credentials(response: &Response) -> String {
    ["the write key is refused: take it from Segment, Sources, Settings, API Keys (", &classify::reason(response), ")"]
        .concat()
}

/// "The response header contains Retry-After and X-RateLimit-Reset headers, which contains the number of seconds after
/// which you can retry the request."
fn reset_ms(response: &Response) -> Option<u64> {
    classify::reset_after_ms(response, "x-ratelimit-reset", time::DAY_MS)
}
