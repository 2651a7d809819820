//! One entry of `batch`, and the request around it.
//!
//! Sources: "Capture and batch API endpoints"; "Historical migrations"; `BatchedRequest` and `RawEvent` of the capture
//! service. `sent_at` is left out: PostHog would take its distance from now for a clock that is wrong, where it is but
//! the time in a queue, and move the event's time by it.

use std::borrow::Cow;

use serde::Serialize;
use tidegate_plugin_sdk::fields::Fields;
use tidegate_plugin_sdk::{Context, Event, RawPairs, Rejection, Request, time};

use crate::config::{Config, Region};
use crate::identity::{self, Identity};
use crate::properties;

/// "Discarded event exceeding 1MB limit".
const EVENT_BYTES_MAX: usize = 1_000_000;
/// What is later than this is given the time of its arrival.
const AHEAD_MAX_MS: u64 = 23 * 3_600_000;

/// All that an entry is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) own: &'a RawPairs<'a>,
    pub(crate) config: &'a Config<'a>,
    pub(crate) ctx: &'a Context,
}

/// One event of PostHog's.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) event: &'a str,
    pub(crate) distinct_id: Cow<'a, str>,
    pub(crate) uuid: Cow<'a, str>,
    pub(crate) timestamp: String,
    pub(crate) properties: Fields<'a>,
}

/// The whole body; `api_key` is put in by the gateway. Old and recent events differ outside of the array, and so are
/// not joined with each other.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    historical_migration: Option<bool>,
    batch: [&'a Entry<'a>; 1],
}

/// The requests that report an event by some names.
///
/// # Errors
/// Whatever PostHog would drop in silence.
pub(crate) fn events(names: Vec<&str>, source: Source<'_>) -> Result<Vec<Request>, Rejection> {
    let identity = known(source)?;
    let report = |(index, name)| {
        let properties = properties::collect(source, &identity);
        request(&entry(name, index, Cow::Borrowed(identity.distinct_id), properties, source), source)
    };
    names.into_iter().enumerate().map(report).collect()
}

/// The person's ids, without which PostHog drops an event.
pub(crate) fn known(source: Source<'_>) -> Result<Identity<'_>, Rejection> {
    identity::of(source.event)?.ok_or_else(|| {
        Rejection::invalid(
            [source.event.kind.as_str(), " without a user id or an anonymous id for distinct_id"].concat(),
        )
    })
}

/// An entry of the source's time.
pub(crate) fn entry<'a>(
    event: &'a str,
    index: usize,
    distinct_id: Cow<'a, str>,
    properties: Fields<'a>,
    source: Source<'a>,
) -> Entry<'a> {
    let uuid = identity::uuid(&source.event.id, index);
    Entry { event, distinct_id, uuid, timestamp: time::iso8601(source.event.at_ms), properties }
}

/// The POST that carries an entry.
pub(crate) fn request(entry: &Entry<'_>, source: Source<'_>) -> Result<Request, Rejection> {
    let Source { event, config, ctx, .. } = source;
    time::not_ahead(event.at_ms, ctx.now_ms, AHEAD_MAX_MS)?;
    let after_ms = config.historical_after_h.saturating_mul(3_600_000);
    let is_old = after_ms > 0 && time::is_older(event.at_ms, after_ms, ctx.now_ms);
    let endpoint = match config.region {
        Region::Us => "batch",
        Region::Eu => "batch_eu",
    };
    let request = Request::json(endpoint, &Body { historical_migration: is_old.then_some(true), batch: [entry] })?;
    if request.body.len() > EVENT_BYTES_MAX {
        return Err(Rejection::invalid("larger than 1 MB: PostHog would discard it"));
    }
    Ok(request)
}
