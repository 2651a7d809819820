//! What the event is about: TikTok's `properties`, for value, products and the few things that TikTok documents.
//!
//! Source: "Events API 2.0, Payload, properties". A value without a currency is never sent, an item's price neither.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Item, Scalar, items};

use crate::properties::Properties;

/// `properties`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Contents::is_empty")]
    contents: Contents<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_string: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted_ltv: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_category: Option<&'a str>,
}

/// What `delivery_category` may be; anything else is left out.
const DELIVERY: [&str; 3] = ["in_store", "curbside", "home_delivery"];

/// Collects what is known of the event; nothing where nothing is.
pub(crate) fn collect<'a>(platform: &str, event: &'a Event, properties: &'a Properties<'a>) -> Option<Content<'a>> {
    let currency = event.currency.as_deref();
    let mut content = Content {
        value: money::of(event).filter(|money| money.value.is_finite()).map(|money| money.amount()),
        currency,
        contents: Contents { items: &event.items, currency },
        order_id: event.order_id.as_deref(),
        description: Scalar::text_of(&properties.description),
        predicted_ltv: predicted_ltv(properties, currency),
        delivery_category: Scalar::text_of(&properties.delivery_category)
            .filter(|category| DELIVERY.contains(category)),
        ..Content::default()
    };
    if !content.contents.is_empty() {
        content.content_type = Some(content_type(properties));
    }
    match platform {
        // "Number of items when checkout was initiated"; a purchase says it by its contents.
        "InitiateCheckout" => content.num_items = num_items(event, properties),
        // TikTok's help centre asks for `search_string`, its reference and its own tag for `query`.
        "Search" => {
            content.query = Scalar::text_of(&properties.search_term).or_else(|| Scalar::text_of(&properties.query));
            content.search_string = content.query;
        }
        _ => {}
    }
    content.is_something().then_some(content)
}

impl Content<'_> {
    fn is_something(&self) -> bool {
        self.value.is_some()
            || !self.contents.is_empty()
            || self.num_items.is_some()
            || self.order_id.is_some()
            || self.query.is_some()
            || self.description.is_some()
            || self.predicted_ltv.is_some()
            || self.delivery_category.is_some()
    }
}

fn predicted_ltv(properties: &Properties<'_>, currency: Option<&str>) -> Option<Number> {
    let worth = properties.predicted_ltv.as_ref().and_then(Scalar::number)?;
    Some(money::round(worth, currency?))
}

/// `product` for SKUs, `product_group` for the ids of item groups: only the site knows which of them its ids are.
fn content_type(properties: &Properties<'_>) -> &'static str {
    match Scalar::text_of(&properties.content_type) {
        Some("product_group") => "product_group",
        _ => "product",
    }
}

fn num_items(event: &Event, properties: &Properties<'_>) -> Option<u64> {
    let said = properties.num_items.as_ref().and_then(Scalar::number).filter(|number| *number >= 0.0);
    said.map(|number| number as u64).or_else(|| (!event.items.is_empty()).then(|| items::count(&event.items)))
}

/// `contents`: the items that have an id, by which TikTok finds them in the catalogue.
#[derive(Debug, Default)]
struct Contents<'a> {
    items: &'a [Item],
    currency: Option<&'a str>,
}

impl Contents<'_> {
    fn is_empty(&self) -> bool {
        self.items.iter().all(|item| item.id.is_none())
    }
}

#[derive(Serialize)]
struct Product<'a> {
    content_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<&'a str>,
    quantity: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Number>,
}

impl Serialize for Contents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for item in self.items {
            let Some(content_id) = item.id.as_deref() else { continue };
            let price = item.price.filter(|price| price.is_finite()).zip(self.currency);
            list.serialize_element(&Product {
                content_id,
                content_name: item.name.as_deref(),
                content_category: item.category.as_deref(),
                brand: item.brand.as_deref(),
                quantity: items::quantity(item).ceil() as u64,
                price: price.map(|(price, currency)| money::round(price, currency)),
            })?;
        }
        list.end()
    }
}
