//! What LinkedIn's answers mean. A batch is taken whole or not at all, but an answer mostly tells which events are bad:
//! those are rejected, and the others sent again without them.
//!
//! Sources: "Conversions API", "API error details", and "Error handling" on learn.microsoft.com/linkedin; the bodies
//! that rudderlabs/rudder-transformer has recorded (`test/integrations/destinations/linkedin_ads/network.ts`).

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Outcome, Response, Text, Verdict, classify, json};

use crate::{config, indices};

/// A body of LinkedIn's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow)]
    code: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow)]
    elements: Option<Vec<Created<'a>>>,
}

/// What became of one event, as Rest.li tells of a batch.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Created<'a> {
    status: u16,
    #[serde(borrow)]
    error: Option<Fault<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fault<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

/// How long to wait when LinkedIn throttles and does not say for how long: its limit is one a minute.
const THROTTLED_MS: u64 = 60_000;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Answer<'_> = serde_json::from_slice(&response.body).unwrap_or_default();
    // `VERSION_MISSING` comes with 400, `NONEXISTENT_VERSION` with 426.
    let is_about_version = answer.code.as_deref().is_some_and(|code| code.contains("VERSION"));
    match response.status {
        426 => Verdict::Credentials(dead_version(response, &answer, ctx)),
        400..=499 if is_about_version => Verdict::Credentials(dead_version(response, &answer, ctx)),
        // A single creation is answered by 201 and nothing more.
        201 => Verdict::Delivered,
        200..=299 => by_element(&answer, count),
        401 | 403 => Verdict::Credentials(refused(response, &answer)),
        429 => Verdict::Retry(Some(classify::retry_after_ms(response, ctx.now_ms).unwrap_or(THROTTLED_MS))),
        400 | 422 => by_index(response, &answer, count),
        _ => classify::by_status(response, count, ctx),
    }
}

fn by_element(answer: &Answer<'_>, count: u32) -> Verdict {
    let elements = answer.elements.as_deref().unwrap_or_default();
    if elements.len() != count as usize {
        // Not LinkedIn's, or cut: what it took comes again with the same `eventId`.
        return Verdict::Retry(None);
    }
    if elements.iter().all(|element| matches!(element.status, 200..=299)) {
        return Verdict::Delivered;
    }
    Verdict::Each(elements.iter().map(outcome).collect())
}

fn outcome(element: &Created<'_>) -> Outcome {
    match element.status {
        200..=299 => Outcome::Delivered,
        429 | 500..=599 => Outcome::Retry(None),
        status => {
            let message = element.error.as_ref().and_then(|error| error.message.as_deref()).unwrap_or_default();
            Outcome::Reject(format!("LinkedIn {status}: {}", classify::excerpt(message.as_bytes())))
        }
    }
}

/// Not documented: rudder-transformer notes that one bad event fails the whole batch.
fn by_index(response: &Response, answer: &Answer<'_>, count: u32) -> Verdict {
    if count == 1 {
        return Verdict::Reject(reason(response, answer));
    }
    let Some(faults) = answer.message.as_deref().and_then(|message| indices::faults(message, count)) else {
        return Verdict::Split;
    };
    let outcome = |fault: Option<&str>| match fault {
        Some(what) => Outcome::Reject(format!("LinkedIn {}: {}", response.status, classify::excerpt(what.as_bytes()))),
        None => Outcome::Retry(None),
    };
    Verdict::Each(faults.into_iter().map(outcome).collect())
}

fn refused(response: &Response, answer: &Answer<'_>) -> String {
    let hint = match response.status {
        401 => "the access token is refused; make a new one in Campaign Manager, Measurement, Signals manager",
        // Said of a rule that does not exist, too: "No ad accounts found".
        _ => "the access token may not write to these conversion rules, or one of `conversions` does not exist",
    };
    [hint, " (", &reason(response, answer), ")"].concat()
}

fn dead_version(response: &Response, answer: &Answer<'_>, ctx: &Context) -> String {
    let version = json::config::<config::Config>(ctx).map(|config| config.version).unwrap_or_default();
    format!(
        "LinkedIn does not serve version `{version}` of its API any more: set `version` to a newer one ({})",
        reason(response, answer),
    )
}

/// `LinkedIn 401, REVOKED_ACCESS_TOKEN: The token used in the request has been revoked by the user`
fn reason(response: &Response, answer: &Answer<'_>) -> String {
    let Some(message) = answer.message.as_deref() else { return classify::reason(response) };
    let code = answer.code.as_deref().map(|code| [", ", &*classify::excerpt(code.as_bytes())].concat());
    let code = code.unwrap_or_default();
    format!("LinkedIn {}{code}: {}", response.status, classify::excerpt(message.as_bytes()))
}
