//! One entry of `conversions`, and the request around it.
//!
//! Source: the document, "conversions object"; `event_source_url` is in its text and in the guide's table of fields.

use serde::Serialize;
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::time::{self, Window};
use tidegate_plugin_sdk::{Event, Rejection, Request, items};

use crate::config::Config;
use crate::contents::Contents;
use crate::identifiers::{self, Identifier};

/// The request's body.
#[derive(Debug, Serialize)]
struct Body<'a> {
    conversions: [Conversion<'a>; 1],
}

#[derive(Debug, Serialize)]
struct Conversion<'a> {
    /// "yyyy-MM-ddTHH:mm:ss.SSSZ".
    conversion_time: String,
    event_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_source_url: Option<&'a str>,
    identifiers: Vec<Identifier<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    /// De-duplicates with the pixel, for the same `event_id` within 48 hours.
    conversion_id: &'a str,
    #[serde(skip_serializing_if = "Contents::is_empty")]
    contents: Contents<'a>,
}

/// A conversion older than the longest attribution window belongs to no ad.
const TAKEN: Window = Window {
    age_max_ms: 90 * time::DAY_MS,
    ahead_max_ms: time::AHEAD_MAX_MS,
    too_old: "older than 90 days: X attributes it to no ad",
};

/// The POST that reports the event as this conversion event of X's.
///
/// # Errors
/// Whatever would make X refuse the event, and with it the whole batch, or match nobody by it.
pub(crate) fn request(event_id: &str, event: &Event, config: &Config, now_ms: u64) -> Result<Request, Rejection> {
    // "filter out conversion events of users that have … opted out of tracking or the sale of their personal information".
    if event.consent.gpc || event.consent.limited_data_use {
        return Err(Rejection::skip("the visitor opted out of sale or sharing: X has no flag for a limited use"));
    }
    let identifiers = identifiers::collect(event, config)?;
    Request::json("conversions", &Body { conversions: [conversion(event_id, event, identifiers, now_ms)?] })
}

fn conversion<'a>(
    event_id: &'a str,
    event: &'a Event,
    identifiers: Vec<Identifier<'a>>,
    now_ms: u64,
) -> Result<Conversion<'a>, Rejection> {
    let at_ms = TAKEN.check(event.at_ms, now_ms)?;
    let currency = event.currency.as_deref();
    let money = money::of(event).filter(|money| money.value.is_finite());
    let contents = Contents::of(&event.items, currency);
    Ok(Conversion {
        conversion_time: time::iso8601(at_ms),
        event_id,
        event_source_url: event.web_page_url(),
        identifiers,
        // "Must be a positive number greater than zero."
        number_items: Some(items::count(&event.items)).filter(|count| *count > 0),
        // Where it is missing X takes US dollars.
        price_currency: currency.filter(|_| money.is_some() || contents.has_price()),
        value: money.map(|money| money.amount()),
        conversion_id: &event.id,
        contents,
    })
}
