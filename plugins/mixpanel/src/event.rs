//! One event of `/import` and its properties.
//!
//! Sources: "Import Events"; "Reserved Properties" and "Default Properties" for the names that Mixpanel's own SDKs use.

use serde::Serialize;
use tidegate_plugin_sdk::fields::{Field, Fields};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Context, Event, EventKind, RawPairs, Rejection, Request, commerce, names, time, url};

use crate::config::Config;
use crate::identity::{Identity, insert_id};
use crate::{items, limits, request};

/// "We will reject events with time values that are before 1971-01-01 or more than 1 hour in the future".
const FIRST_MS: u64 = 31_536_000_000;
const AHEAD_MAX_MS: u64 = 3_600_000;

/// Properties that steer Mixpanel itself: an event's own ones of these names are left out.
const RESERVED: &[&str] = &[
    "$anon_id",
    "$bucket",
    "$device_id",
    "$distinct_id",
    "$distinct_ids",
    "$event_name",
    "$identified_id",
    "$insert_id",
    "$time",
    "$user_id",
    "bucket",
    "distinct_id",
    "ip",
    "time",
    "token",
];

const CAMPAIGN: [&str; 5] = ["utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"];

/// All that an entry is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) own: &'a RawPairs<'a>,
    pub(crate) config: &'a Config<'a>,
    pub(crate) identity: &'a Identity<'a>,
    pub(crate) ctx: &'a Context,
}

/// One entry of the body.
#[derive(Serialize)]
struct Entry<'a> {
    event: &'a str,
    properties: Fields<'a>,
}

/// The request that reports an event by a name.
///
/// # Errors
/// Whatever Mixpanel would refuse.
pub(crate) fn request(name: &str, source: Source<'_>) -> Result<Request, Rejection> {
    let Source { event, own, config, ctx, .. } = source;
    let mut properties = envelope(source)?;
    page(event, &mut properties);
    worth(event, &mut properties);
    for click in &event.clicks {
        properties.text(click.kind.as_str(), Some(click.value.as_str()));
    }
    if ctx.test_mode {
        properties.put("test", Field::Flag(true));
    }
    let without_amounts = names_money(event) && event.currency.is_none();
    for (name, value) in own.iter() {
        if RESERVED.contains(&name) || (without_amounts && commerce::AMOUNTS.contains(&name)) {
            continue;
        }
        limits::value(name, value.get())?;
        properties.put(name, Field::Raw(value));
    }
    limits::count(properties.len())?;
    request::import(&Entry { event: name, properties }, config)
}

/// A request that says something of ids alone: `$identify`, `$create_alias`.
pub(crate) fn about_ids(name: &str, ids: &[(&'static str, &str)], source: Source<'_>) -> Result<Request, Rejection> {
    let mut properties = envelope(source)?;
    for (key, id) in ids {
        properties.text(*key, Some(*id));
    }
    request::import(&Entry { event: name, properties }, source.config)
}

/// What every event has: when, whose, which, and where from.
fn envelope<'a>(source: Source<'a>) -> Result<Fields<'a>, Rejection> {
    let Source { event, config, identity, ctx, .. } = source;
    if event.at_ms < FIRST_MS {
        return Err(Rejection::invalid("before 1971: Mixpanel refuses it"));
    }
    time::not_ahead(event.at_ms, ctx.now_ms, AHEAD_MAX_MS)?;
    let mut properties = Fields::default();
    properties.put("time", Field::Integer(event.at_ms));
    properties.put("distinct_id", Field::Text(identity.distinct_id(config.id_merge)));
    properties.text("$device_id", identity.device);
    properties.text("$user_id", identity.user);
    properties.put("$insert_id", Field::Text(insert_id(&event.id)));
    match event.ip() {
        Some(ip) => properties.text("ip", Some(ip)),
        None => {
            // Without it Mixpanel would place the visitor where the gateway is.
            properties.put("ip", Field::Integer(0));
            properties.text("mp_country_code", country(event));
        }
    }
    properties.text("mp_lib", Some("tidegate"));
    Ok(properties)
}

/// The country of `AT`, or of `US-CA`.
pub(crate) fn country(event: &Event) -> Option<&str> {
    let region = event.client.as_ref()?.region.as_deref()?;
    Some(region.split_once('-').map_or(region, |(country, _)| country))
}

fn page<'a>(event: &'a Event, properties: &mut Fields<'a>) {
    let Some(page) = &event.page else { return };
    if let Some(url) = page.url.as_deref() {
        properties.text("$current_url", Some(url));
        if event.kind == EventKind::Page || event.name == names::PAGE_VIEW {
            properties.text("current_domain", url::domain(url));
            properties.text("current_url_path", url::path(url));
            properties.text("current_url_search", url::search(url));
            properties.text("current_page_title", page.title.as_deref());
        }
        for name in CAMPAIGN {
            properties.text(name, url::parameter(url, name));
        }
    }
    if let Some(referrer) = page.referrer.as_deref() {
        properties.text("$referrer", Some(referrer));
        properties.text("$referring_domain", url::domain(referrer));
    }
}

fn worth<'a>(event: &'a Event, properties: &mut Fields<'a>) {
    let value = match money::of(event) {
        Some(money) => Some(money.amount()),
        // The value of an event of the site's own may be points, or minutes.
        None => event.value.filter(|_| !names_money(event)).map(Number),
    };
    properties.number("value", value);
    properties.text("currency", event.currency.as_deref());
    properties.text("order_id", event.order_id.as_deref());
    let items = items::list(event);
    if !items.is_empty() {
        properties.put("items", Field::List(items));
    }
}

fn names_money(event: &Event) -> bool {
    crate::names::is_canonical(&event.name)
}
