//! What an event says: `event_properties`, with its page, its money, its products and the site's own properties.
//!
//! Sources: "HTTP V2 API"; the names of page properties are those of Amplitude's Browser SDK, which its ready-made
//! reports look for.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, EventKind, Item, names};

use crate::entry::Source;
use crate::properties::{self, Bounded, cut};

/// Properties that are written from the event itself; the site's own of these names give way.
const OWN: &[&str] = &["currency", "limited_data_use", "order_id", "products", "referrer", "test", "value"];
/// The same for a product.
const PRODUCT: &[&str] = &["brand", "category", "name", "price", "product_id", "quantity", "variant"];

/// `event_properties`.
pub(crate) struct EventProperties<'a> {
    source: Source<'a>,
    /// The one product that the event is about, instead of everything.
    product: Option<&'a Item>,
}

impl<'a> EventProperties<'a> {
    /// All that the event says.
    pub(crate) fn of(source: Source<'a>) -> EventProperties<'a> {
        EventProperties { source, product: None }
    }

    /// What is said of one product of an order.
    pub(crate) fn of_product(item: &'a Item, source: Source<'a>) -> EventProperties<'a> {
        EventProperties { source, product: Some(item) }
    }
}

impl Serialize for EventProperties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Source { event, ctx, .. } = self.source;
        let mut map = serializer.serialize_map(None)?;
        match self.product {
            Some(item) => {
                entry(&mut map, "order_id", event.order_id.as_deref().map(cut))?;
                product(&mut map, item, event.currency.as_deref())?;
            }
            None => whole(&mut map, self.source)?,
        }
        let consent = &event.consent;
        if consent.limited_data_use || consent.gpc {
            map.serialize_entry("limited_data_use", &true)?;
        }
        if ctx.test_mode {
            map.serialize_entry("test", &true)?;
        }
        map.end()
    }
}

fn whole<M: SerializeMap>(map: &mut M, source: Source<'_>) -> Result<(), M::Error> {
    let Source { event, properties, .. } = source;
    page(map, event)?;
    if event.kind == EventKind::Screen || event.name == names::SCREEN_VIEW {
        let name = properties::id(properties, "screen_name").or_else(|| properties::id(properties, "name"));
        entry(map, "[Amplitude] Screen Name", name.as_deref().map(cut))?;
    }
    entry(map, "order_id", event.order_id.as_deref().map(cut))?;
    let money = money::of(event).filter(|money| money.value.is_finite());
    entry(map, "value", money.map(|money| money.amount()))?;
    entry(map, "currency", event.currency.as_deref())?;
    if !event.items.is_empty() {
        map.serialize_entry("products", &Products { items: &event.items, currency: event.currency.as_deref() })?;
    }
    for (name, value) in properties.iter().filter(|(name, _)| !OWN.contains(name)) {
        map.serialize_entry(name, &Bounded(value))?;
    }
    Ok(())
}

/// Whether the event happened on a page.
pub(crate) fn is_web(event: &Event) -> bool {
    event.page_url().is_some_and(|url| address(url).is_some())
}

fn page<M: SerializeMap>(map: &mut M, event: &Event) -> Result<(), M::Error> {
    let Some(page) = &event.page else { return Ok(()) };
    if let Some((url, parts)) = page.url.as_deref().and_then(|url| Some((url, address(url)?))) {
        map.serialize_entry("[Amplitude] Page Domain", cut(parts.domain))?;
        map.serialize_entry("[Amplitude] Page Location", cut(url))?;
        map.serialize_entry("[Amplitude] Page Path", cut(parts.path))?;
        map.serialize_entry("[Amplitude] Page URL", cut(parts.without_query))?;
    }
    entry(map, "[Amplitude] Page Title", page.title.as_deref().map(cut))?;
    if event.kind == EventKind::Page || event.name == names::PAGE_VIEW {
        entry(map, "referrer", page.referrer.as_deref().map(cut))?;
    }
    Ok(())
}

/// The parts of a page's address.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    domain: &'a str,
    path: &'a str,
    without_query: &'a str,
}

fn address(url: &str) -> Option<Address<'_>> {
    let without_query = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    let rest = without_query.strip_prefix("https://").or_else(|| without_query.strip_prefix("http://"))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let domain = host.split(':').next().filter(|domain| !domain.is_empty())?;
    Some(Address { domain, path: if path.is_empty() { "/" } else { path }, without_query })
}

/// `products`: "Cart analysis" takes a list of objects.
struct Products<'a> {
    items: &'a [Item],
    currency: Option<&'a str>,
}

impl Serialize for Products<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.items.iter().map(|item| Product { item, currency: self.currency }))
    }
}

struct Product<'a> {
    item: &'a Item,
    currency: Option<&'a str>,
}

impl Serialize for Product<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        product(&mut map, self.item, self.currency)?;
        map.end()
    }
}

fn product<M: SerializeMap>(map: &mut M, item: &Item, currency: Option<&str>) -> Result<(), M::Error> {
    let texts = [
        ("product_id", &item.id),
        ("name", &item.name),
        ("brand", &item.brand),
        ("category", &item.category),
        ("variant", &item.variant),
    ];
    for (name, text) in texts {
        entry(map, name, text.as_deref().map(cut))?;
    }
    let price = item.price.filter(|price| price.is_finite()).zip(currency);
    entry(map, "price", price.map(|(price, currency)| money::round(price, currency)))?;
    entry(map, "quantity", item.quantity.filter(|quantity| quantity.is_finite()).map(Number))?;
    for (name, value) in properties::parse(&item.properties).iter().filter(|(name, _)| !PRODUCT.contains(name)) {
        map.serialize_entry(name, &Bounded(value))?;
    }
    Ok(())
}

fn entry<M: SerializeMap, T: Serialize>(map: &mut M, name: &str, value: Option<T>) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, &value),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let parts = address("https://u:p@shop.example:8443/a/b?c=/d#e");
        let expected = ("shop.example", "/a/b", "https://u:p@shop.example:8443/a/b");
        assert_eq!(parts.map(|parts| (parts.domain, parts.path, parts.without_query)), Some(expected));
        assert_eq!(address("http://shop.example?x").map(|parts| parts.path), Some("/"));
        for other in ["", "shop.example/a", "https:///a", "about:blank"] {
            assert_eq!(address(other), None, "{other}");
        }
    }
}
