//! What Mixpanel's answers mean.
//!
//! Sources: "Import Events", section "Validation" and "Rate Limit"; the responses `StrictReceived`, `StrictInvalid`,
//! `StrictUnauthorized`, `StrictTooLarge`, `RateLimitExceeded` and `Received` of the Ingestion API's OpenAPI
//! description. What `/engage` and `/groups` say with `strict=1` is described only as "a JSON object with per-record
//! error messages", so that all of their forms are read: that of `/import`, `{"status": 1}`, and a bare `1` or `0`.

use serde::Deserialize;
use tidegate_plugin_sdk::{Context, Outcome, Response, Scalar, Verdict, classify};

/// A body of Mixpanel's. Everything may be missing, because something else may have answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    code: Option<u16>,
    #[serde(borrow)]
    status: Option<Scalar<'a>>,
    #[serde(borrow)]
    error: Option<Scalar<'a>>,
    num_records_imported: Option<u64>,
    #[serde(borrow)]
    failed_records: Vec<Failed<'a>>,
}

/// One entry that was refused.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Failed<'a> {
    index: usize,
    #[serde(borrow)]
    field: Option<Scalar<'a>>,
    #[serde(borrow)]
    message: Option<Scalar<'a>>,
}

pub(crate) fn verdict(response: &Response, count: u32, ctx: &Context) -> Verdict {
    match response.status {
        200..=299 => taken(response, count),
        400 => refused(response, count),
        401 | 403 => Verdict::Credentials(
            [
                "the project token is refused: take it from Mixpanel, Settings, Project Settings, Access Keys (",
                &classify::reason(response),
                ")",
            ]
            .concat(),
        ),
        // 429 comes without Retry-After: "Compute your own backoff interval".
        _ => classify::by_status(response, count, ctx),
    }
}

fn taken(response: &Response, count: u32) -> Verdict {
    match serde_json::from_slice::<u8>(&response.body) {
        Ok(1) => return Verdict::Delivered,
        // "No data objects in the body are valid."
        Ok(0) => return unspecified(response, count),
        _ => {}
    }
    let Ok(answer) = serde_json::from_slice::<Answer<'_>>(&response.body) else { return Verdict::Retry(None) };
    let said_no = matches!(answer.status, Some(Scalar::Integer(0))) || error(&answer).is_some();
    if !answer.failed_records.is_empty() {
        each(&answer, response, count)
    } else if said_no {
        unspecified(response, count)
    } else if answer.code.is_some() || answer.status.is_some() || answer.num_records_imported.is_some() {
        Verdict::Delivered
    } else {
        // Not Mixpanel's. Sending again does no harm: an `$insert_id` is counted once, and a profile is set to the
        // same.
        Verdict::Retry(None)
    }
}

/// "If some events pass validation and others fail, Mixpanel will ingest the events that pass validation."
fn refused(response: &Response, count: u32) -> Verdict {
    match serde_json::from_slice::<Answer<'_>>(&response.body) {
        Ok(answer) if !answer.failed_records.is_empty() => each(&answer, response, count),
        _ => unspecified(response, count),
    }
}

fn each(answer: &Answer<'_>, response: &Response, count: u32) -> Verdict {
    let mut outcomes = vec![Outcome::Delivered; count as usize];
    for failed in &answer.failed_records {
        match outcomes.get_mut(failed.index) {
            Some(outcome) => *outcome = Outcome::Reject(reason(failed)),
            None => return unspecified(response, count),
        }
    }
    let delivered = outcomes.iter().filter(|outcome| **outcome == Outcome::Delivered).count() as u64;
    match answer.num_records_imported {
        // Something is neither imported nor named: what was imported is not counted again.
        Some(imported) if imported < delivered => unspecified(response, count),
        _ => Verdict::Each(outcomes),
    }
}

/// Something is wrong, and the answer does not tell with what.
fn unspecified(response: &Response, count: u32) -> Verdict {
    if count > 1 { Verdict::Split } else { Verdict::Reject(classify::reason(response)) }
}

fn error<'a>(answer: &'a Answer<'_>) -> Option<&'a str> {
    answer.error.as_ref().and_then(Scalar::text)
}

/// `properties.time: 'properties.time' is invalid: must be specified as seconds since epoch`.
fn reason(failed: &Failed<'_>) -> String {
    let parts = [&failed.field, &failed.message].into_iter().flatten().filter_map(Scalar::text);
    let text = parts.map(|part| classify::excerpt(part.as_bytes())).collect::<Vec<_>>().join(": ");
    if text.is_empty() { "Mixpanel refused it without a reason".to_owned() } else { text }
}
