//! An event's `properties`: what the contract types of it, and then everything else as it came.

use tidegate_plugin_sdk::fields::{Field, Fields};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, RawPairs, commerce, names, url};

use crate::config::Config;
use crate::names::{Call, is_canonical};

/// What GA4's vocabulary calls a property of an event, and what Segment's specification does.
const RENAMED: &[(&str, &str, &str)] = &[
    (names::SEARCH, "search_term", "query"),
    (names::VIEW_ITEM_LIST, "item_list_id", "list_id"),
    (names::SELECT_ITEM, "item_list_id", "list_id"),
    (names::ADD_PAYMENT_INFO, "payment_type", "payment_method"),
    (names::ADD_SHIPPING_INFO, "shipping_tier", "shipping_method"),
    ("view_promotion", "promotion_name", "name"),
    ("view_promotion", "creative_name", "creative"),
    ("view_promotion", "creative_slot", "position"),
    ("select_promotion", "promotion_name", "name"),
    ("select_promotion", "creative_name", "creative"),
    ("select_promotion", "creative_slot", "position"),
];

/// The properties of a track, page or screen call.
pub(crate) fn collect<'a>(
    call: Call<'_>,
    event: &'a Event,
    own: &'a RawPairs<'a>,
    config: &'a Config<'_>,
) -> Fields<'a> {
    let mut properties = Fields::default();
    if call == Call::Page {
        page(event, &mut properties);
    }
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
    for (name, value) in own.iter() {
        if canonical && event.currency.is_none() && commerce::AMOUNTS.contains(&name) {
            continue;
        }
        let renamed = RENAMED.iter().find(|(known, from, to)| *known == event.name && *from == name && !own.has(to));
        properties.put(renamed.map_or(name, |(_, _, to)| to), Field::Raw(value));
    }
    // Where the advertising destinations of Segment look for them.
    for click in &event.clicks {
        properties.text(click.kind.as_str(), Some(click.value.as_str()));
    }
    properties
}

/// "Spec: Page": url, path, search, title and referrer.
pub(crate) fn page<'a>(event: &'a Event, fields: &mut Fields<'a>) {
    let Some(page) = &event.page else { return };
    if let Some(url) = page.url.as_deref() {
        fields.text("url", Some(url));
        fields.text("path", url::path(url));
        fields.text("search", url::search(url));
    }
    fields.text("title", page.title.as_deref());
    fields.text("referrer", page.referrer.as_deref());
}
