//! One event as one row, for warehouses and logs: a flat schema, versioned, and without people in the clear.
//!
//! The columns' names and types are a promise to other people's queries: columns may be added, which makes no new
//! [`SCHEMA_VERSION`]; one that changes or goes does. The built-in plugins for ClickHouse, BigQuery and Kafka write it, and
//! their folders say it in SQL (`plugins/clickhouse/table.sql`), in BigQuery's form and in JSON Schema.
//!
//! What is personal is left out: ids that are e-mail addresses, addresses within addresses of pages, properties that
//! [`personal`] knows. `email_sha256` and `phone_sha256` hold what the manifest was granted, so grant `user.email` and
//! `user.phone` as `sha256` or not at all.

mod names;

use std::borrow::Cow;
use std::{fmt, io};

use serde::{Serialize, Serializer};

pub use names::names;

use crate::money::{self, Number};
use crate::{ClickId, Context, Event, Item, Purposes, RawPairs, Rejection, personal, time};

/// The version of the columns, in the column `schema_version`.
pub const SCHEMA_VERSION: u32 = 1;

/// How a row holds the objects in it, the columns `properties` and `items.properties`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Json {
    /// As objects.
    Object,
    /// As text that has an object in it, which is how BigQuery takes the value of a JSON column.
    Text,
}

/// A row; a column that has nothing to say is left out.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    schema_version: u32,
    event_id: &'a str,
    event_name: &'a str,
    event_kind: &'static str,
    event_time: String,
    received_time: String,
    is_test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    anonymous_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engagement_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_url: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_title: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_referrer: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    consent_granted: &'a Purposes,
    consent_denied: &'a Purposes,
    gpc: bool,
    limited_data_use: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    clicks: Vec<ClickRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<ItemRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Kept<'a>>,
}

#[derive(Debug, Serialize)]
struct ClickRow<'a> {
    kind: &'a str,
    value: &'a str,
    seen_time: String,
}

#[derive(Debug, Serialize)]
struct ItemRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Kept<'a>>,
}

/// The row that records an event under a name.
///
/// # Errors
/// When the properties are no object, which the gateway never hands over.
pub fn of<'a>(event: &'a Event, name: &'a str, ctx: &Context, json: Json) -> Result<Row<'a>, Rejection> {
    let (session, page, client) = (event.session.as_ref(), event.page.as_ref(), event.client.as_ref());
    let consent = &event.consent;
    let currency = event.currency.as_deref();
    Ok(Row {
        schema_version: SCHEMA_VERSION,
        event_id: &event.id,
        event_name: name,
        event_kind: event.kind.as_str(),
        event_time: time::iso8601(event.at_ms),
        received_time: time::iso8601(event.received_ms),
        is_test: ctx.test_mode,
        anonymous_id: id(event.anonymous_id.as_deref()),
        user_id: id(event.user_id.as_deref()),
        email_sha256: event.identifier("email"),
        phone_sha256: event.identifier("phone"),
        session_id: session.map(|session| session.id.as_str()),
        session_number: session.and_then(|session| session.number),
        engagement_ms: session.and_then(|session| session.engagement_ms),
        page_url: page.and_then(|page| page.url.as_deref()).map(personal::redact),
        page_title: page.and_then(|page| page.title.as_deref()).map(personal::redact),
        page_referrer: page.and_then(|page| page.referrer.as_deref()).map(personal::redact),
        user_agent: client.and_then(|client| client.user_agent.as_deref()),
        locale: client.and_then(|client| client.locale.as_deref()),
        region: client.and_then(|client| client.region.as_deref()),
        consent_granted: &consent.granted,
        consent_denied: &consent.denied,
        gpc: consent.gpc,
        limited_data_use: consent.limited_data_use,
        clicks: event.clicks.iter().map(click).collect(),
        value: money::of(event).map(|money| money.amount()),
        currency,
        order_id: event.order_id.as_deref(),
        items: event.items.iter().map(|one| item(one, currency, json)).collect::<Result<_, _>>()?,
        properties: kept(&event.properties, json)?,
    })
}

/// Some sites take the e-mail address for an id, and a row holds no person in the clear.
fn id(id: Option<&str>) -> Option<&str> {
    id.filter(|id| !personal::is_email(id))
}

fn click(click: &ClickId) -> ClickRow<'_> {
    ClickRow { kind: &click.kind, value: &click.value, seen_time: time::iso8601(click.seen_ms) }
}

fn item<'a>(item: &'a Item, currency: Option<&str>, json: Json) -> Result<ItemRow<'a>, Rejection> {
    Ok(ItemRow {
        id: item.id.as_deref(),
        name: item.name.as_deref(),
        brand: item.brand.as_deref(),
        category: item.category.as_deref(),
        variant: item.variant.as_deref(),
        quantity: item.quantity.map(millionths),
        // The price of one piece may have more decimals than its currency.
        price: currency.and(item.price).map(millionths),
        properties: kept(&item.properties, json)?,
    })
}

/// The properties that may be kept; nothing when none of them may.
fn kept(text: &str, json: Json) -> Result<Option<Kept<'_>>, Rejection> {
    let may_be_kept = |name: &str, value: &str| !personal::is_name(name) && !personal::is_email(value);
    let pairs = RawPairs::try_parse(text)?.only(|name, value| may_be_kept(name, value.get()));
    Ok((!pairs.is_empty()).then_some(Kept { pairs, json }))
}

#[derive(Debug)]
struct Kept<'a> {
    pairs: RawPairs<'a>,
    json: Json,
}

impl Serialize for Kept<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.json {
            Json::Object => self.pairs.serialize(serializer),
            Json::Text => serializer.collect_str(&AsText(&self.pairs)),
        }
    }
}

/// An object's JSON, which goes into the row's piece by piece: a text of its own for each would take the memory of an
/// instance, which frees nothing.
struct AsText<'a>(&'a RawPairs<'a>);

impl fmt::Display for AsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        serde_json::to_writer(Pieces(f), self.0).map_err(|_| fmt::Error)
    }
}

struct Pieces<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl io::Write for Pieces<'_, '_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(piece).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Without what floating point adds (`33.300000000000004`), which decimal columns refuse or cut off.
fn millionths(value: f64) -> Number {
    let scaled = value * 1e6;
    // Past 2^53 every value is whole already, and scaling would only lose digits.
    Number(if scaled.abs() < 9.0e15 { scaled.round() / 1e6 } else { value })
}

#[cfg(test)]
mod tests;
