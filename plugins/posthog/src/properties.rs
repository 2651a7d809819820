//! An event's properties, under the names that PostHog's own SDKs and its e-commerce specification use.
//!
//! Sources: "Properties" of the posthog-js reference; "Ecommerce events specification"; "GeoIP enrichment"; "Sessions".

use tidegate_plugin_sdk::fields::{Field, Fields};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, commerce, names, url};

use crate::entry::Source;
use crate::identity::{self, Identity};
use crate::names::is_canonical;

/// Properties that steer PostHog itself: an event's own ones of these names are left out.
const RESERVED: &[&str] = &[
    "$anon_distinct_id",
    "$cookieless_mode",
    "$device_id",
    "$distinct_id",
    "$geoip_disable",
    "$ignore_sent_at",
    "$ip",
    "$process_person_profile",
    "$session_id",
    "$user_id",
    "api_key",
    "capture_internal",
    "distinct_id",
    "token",
];

/// What GA4's vocabulary calls a property of an event, and what the e-commerce specification does.
const RENAMED: &[(&str, &str, &str)] = &[
    (names::SEARCH, "search_term", "query"),
    (names::VIEW_ITEM_LIST, "item_list_id", "list_id"),
    (names::SELECT_ITEM, "item_list_id", "list_id"),
    (names::ADD_PAYMENT_INFO, "payment_type", "payment_method"),
    ("screen_view", "screen_name", "$screen_name"),
    ("view_promotion", "promotion_name", "name"),
    ("view_promotion", "creative_name", "creative"),
    ("view_promotion", "creative_slot", "position"),
    ("select_promotion", "promotion_name", "name"),
    ("select_promotion", "creative_name", "creative"),
    ("select_promotion", "creative_slot", "position"),
];

const CAMPAIGN: [&str; 5] = ["utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"];

/// All properties of an event.
pub(crate) fn collect<'a>(source: Source<'a>, identity: &Identity<'a>) -> Fields<'a> {
    let Source { event, own, config, ctx } = source;
    let mut properties = envelope(source);
    properties.text("$device_id", identity.device);
    if !identity.is_known && !config.anonymous_profiles {
        properties.put("$process_person_profile", Field::Flag(false));
    }
    page(event, &mut properties);
    properties.text("order_id", event.order_id.as_deref());
    let canonical = is_canonical(&event.name);
    let worth = match money::of(event) {
        Some(money) => Some(money.amount()),
        // The value of an event of the site's own may be points, or minutes.
        None => event.value.filter(|_| !canonical).map(Number),
    };
    // A client that gives the property itself, beside the value, means another amount by it.
    let key = config.value_property(&event.name);
    properties.number(if own.has(key) { "value" } else { key }, worth);
    properties.text("currency", event.currency.as_deref());
    commerce::put_products(event, own, &mut properties);
    for click in &event.clicks {
        properties.text(click.kind.as_str(), Some(click.value.as_str()));
    }
    if ctx.test_mode {
        properties.put("test", Field::Flag(true));
    }
    let without_amounts = canonical && event.currency.is_none();
    for (name, value) in own.iter() {
        if RESERVED.contains(&name) || (without_amounts && commerce::AMOUNTS.contains(&name)) {
            continue;
        }
        let renamed = RENAMED.iter().find(|(known, from, to)| *known == event.name && *from == name && !own.has(to));
        properties.put(renamed.map_or(name, |(_, _, to)| to), Field::Raw(value));
    }
    properties
}

/// What every event has: the visit, the client, and where it was.
pub(crate) fn envelope(source: Source<'_>) -> Fields<'_> {
    let event = source.event;
    let mut properties = Fields::default();
    // "It MUST be … a valid UUID v7": any other would be a session of no time.
    let session = event.session.as_ref().map(|session| session.id.as_str());
    properties.text("$session_id", session.filter(|id| identity::is_uuid(id) && id.as_bytes().get(14) == Some(&b'7')));
    match event.ip() {
        Some(ip) => properties.text("$ip", Some(ip)),
        None => {
            // Without it PostHog would place the visitor where the gateway is.
            properties.put("$geoip_disable", Field::Flag(true));
            let region = event.client.as_ref().and_then(|client| client.region.as_deref());
            let country = region.map(|region| region.split_once('-').map_or(region, |(country, _)| country));
            properties.text("$geoip_country_code", country);
        }
    }
    properties.text("$raw_user_agent", event.user_agent());
    properties.text("$browser_language", event.client.as_ref().and_then(|client| client.locale.as_deref()));
    properties.text("$lib", Some("tidegate"));
    properties.text("$lib_version", Some(env!("CARGO_PKG_VERSION")));
    properties
}

fn page<'a>(event: &'a Event, properties: &mut Fields<'a>) {
    let Some(page) = &event.page else { return };
    if let Some(url) = page.url.as_deref() {
        properties.text("$current_url", Some(url));
        properties.text("$host", url::domain(url));
        properties.text("$pathname", url::path(url));
        for name in CAMPAIGN {
            properties.text(name, url::parameter(url, name));
        }
    }
    properties.text("title", page.title.as_deref());
    if let Some(referrer) = page.referrer.as_deref() {
        properties.text("$referrer", Some(referrer));
        properties.text("$referring_domain", url::domain(referrer));
    }
}
