//! One entry of `conversions`, and the request around it.
//!
//! Source: the document, "conversions object"; `event_source_url` is in its text and in the guide's table of fields.

use serde::Serialize;
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Rejection, Request, items, time};

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
const AGE_MAX_MS: u64 = 90 * 86_400_000;
/// A clock may be ahead by this much; what is later than that has a wrong time.
const AHEAD_MAX_MS: u64 = 10 * 60_000;

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
    let at_ms = at_ms(event.at_ms, now_ms)?;
    let currency = event.currency.as_deref();
    let money = money::of(event).filter(|money| money.value.is_finite());
    let contents = Contents::of(&event.items, currency);
    Ok(Conversion {
        conversion_time: time::iso8601(at_ms),
        event_id,
        event_source_url: event.page_url().filter(|url| url.starts_with("https://") || url.starts_with("http://")),
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

/// The time of the conversion. A clock that is a little ahead is taken for now.
fn at_ms(at_ms: u64, now_ms: u64) -> Result<u64, Rejection> {
    if at_ms.saturating_add(AGE_MAX_MS) < now_ms {
        return Err(Rejection::invalid("older than 90 days: X attributes it to no ad"));
    }
    if at_ms > now_ms.saturating_add(AHEAD_MAX_MS) {
        return Err(Rejection::invalid("more than 10 minutes in the future: its clock is wrong"));
    }
    Ok(at_ms.min(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_never_in_the_future() {
        let now = 1_768_487_522_000;
        assert_eq!(at_ms(1_768_487_520_999, now), Ok(1_768_487_520_999));
        assert_eq!(at_ms(now + AHEAD_MAX_MS, now), Ok(now));
        assert!(at_ms(now + AHEAD_MAX_MS + 1, now).is_err());
        assert_eq!(at_ms(now - AGE_MAX_MS, now), Ok(now - AGE_MAX_MS));
        assert!(at_ms(now - AGE_MAX_MS - 1, now).is_err());
        assert!(at_ms(u64::MAX, now).is_err());
    }
}
