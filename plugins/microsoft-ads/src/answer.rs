//! What Microsoft's answers mean.
//!
//! Source: the guide, "Errors". A request that says `continueOnValidationError` is answered with `eventsReceived` and with
//! what is wrong, each detail naming the event's index; a request with nothing to take is a 400 with the same details. A
//! detail can also be a warning about an optional field that was dropped: `isWarning`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Outcome, Response, Verdict, classify};

/// A body of Microsoft's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Answer<'a> {
    events_received: Option<u32>,
    #[serde(borrow)]
    error: Option<Error<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error<'a> {
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    details: Vec<Detail<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    property_name: Cow<'a, str>,
    #[serde(borrow)]
    error_message: Cow<'a, str>,
    is_warning: bool,
}

/// The most faults of one event that a reason names.
const FAULTS_MAX: usize = 3;

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    let answer: Answer<'_> = serde_json::from_slice(&response.body).unwrap_or_default();
    match response.status {
        200..=299 | 400 => by_events(&answer, response, count, ctx),
        401 | 403 => Verdict::Credentials(
            ["the token is refused; copy a new one from the UET tag's settings (", &told(&answer, response), ")"]
                .concat(),
        ),
        // Tags that do not exist and versions that are no more are not documented to be told apart.
        404 | 410 => Verdict::Credentials(not_found(response, ctx)),
        _ => classify::by_status(response, count, ctx),
    }
}

fn by_events(answer: &Answer<'_>, response: &Response, count: u32, ctx: &Context) -> Verdict {
    let is_success = response.status != 400;
    if is_success && answer.events_received.is_some_and(|received| received >= count) {
        return Verdict::Delivered;
    }
    let Some(faults) = faults(answer, count) else {
        return if is_success { by_count(answer, response, count) } else { classify::by_status(response, count, ctx) };
    };
    let refused = u32::try_from(faults.len()).unwrap_or(u32::MAX);
    let taken = if is_success { answer.events_received.unwrap_or(count - refused) } else { 0 };
    if taken > 0 && taken + refused != count {
        return split_or_reject(count, || told(answer, response));
    }
    // What was not named is taken, or, where nothing is taken, was only kept back by the bad ones.
    let unnamed = if taken > 0 { Outcome::Delivered } else { Outcome::Retry(None) };
    let outcomes = (0..count).map(|index| match faults.get(&index) {
        Some(reason) => Outcome::Reject(["Microsoft: ", reason].concat()),
        None => unnamed.clone(),
    });
    one_or_each(outcomes.collect())
}

/// What is wrong, by the event's index. Nothing where no event is named, or one that was not sent.
fn faults(answer: &Answer<'_>, count: u32) -> Option<BTreeMap<u32, String>> {
    let mut faults: BTreeMap<u32, (usize, String)> = BTreeMap::new();
    for detail in answer.error.iter().flat_map(|error| &error.details).filter(|detail| !detail.is_warning) {
        let index = detail.index.filter(|index| *index < count)?;
        let (known, reason) = faults.entry(index).or_default();
        *known += 1;
        if *known <= FAULTS_MAX {
            let separator = if *known > 1 { "; " } else { "" };
            let property = classify::excerpt(detail.property_name.as_bytes());
            let message = classify::excerpt(detail.error_message.as_bytes());
            reason.push_str(&[separator, &property, ": ", &message].concat());
        }
    }
    (!faults.is_empty()).then(|| faults.into_iter().map(|(index, (_, reason))| (index, reason)).collect())
}

/// A success that names nothing wrong: only `eventsReceived` proves that Microsoft took the events, and an `eventId` that
/// comes twice is counted once.
fn by_count(answer: &Answer<'_>, response: &Response, count: u32) -> Verdict {
    match answer.events_received {
        None => Verdict::Retry(None),
        Some(_) => split_or_reject(count, || told(answer, response)),
    }
}

fn split_or_reject(count: u32, reason: impl FnOnce() -> String) -> Verdict {
    if count > 1 { Verdict::Split } else { Verdict::Reject(reason()) }
}

fn one_or_each(mut outcomes: Vec<Outcome>) -> Verdict {
    match outcomes.pop() {
        Some(Outcome::Reject(reason)) if outcomes.is_empty() => Verdict::Reject(reason),
        Some(last) => {
            outcomes.push(last);
            Verdict::Each(outcomes)
        }
        None => Verdict::Delivered,
    }
}

/// `Unauthorized: You are not authorized to access this resource.`, or the status with the beginning of the body.
fn told(answer: &Answer<'_>, response: &Response) -> String {
    match answer.error.as_ref().and_then(|error| error.code.as_ref().zip(error.message.as_ref())) {
        Some((code, message)) => {
            [&*classify::excerpt(code.as_bytes()), ": ", &classify::excerpt(message.as_bytes())].concat()
        }
        None => classify::reason(response),
    }
}

fn not_found(response: &Response, ctx: &Context) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Path<'a> {
        #[serde(borrow)]
        api_version: Cow<'a, str>,
    }
    let path: Path<'_> = serde_json::from_str(&ctx.config).unwrap_or_default();
    let reason = classify::reason(response);
    ["version `", &path.api_version, "` of the API, or this UET tag, is not known (", &reason, ")"].concat()
}
