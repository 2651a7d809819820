//! What the event is about: `metadata`, for the id that de-duplicates, the worth, and products.
//!
//! Source: "About event metadata" of business.reddithelp.com: a currency goes with a value only, neither goes with
//! every type, and a product needs an id.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Item, items};

use crate::names::Kind;

/// `metadata`.
#[derive(Debug, Serialize)]
pub(crate) struct Metadata<'a> {
    /// Required for all events, and the same as the pixel's.
    conversion_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_count: Option<u64>,
    #[serde(skip_serializing_if = "Products::is_empty")]
    products: Products<'a>,
}

/// Collects what is known of the event, as far as Reddit takes it for this type.
pub(crate) fn collect<'a>(event: &'a Event, kind: Kind<'_>) -> Metadata<'a> {
    let worth = money::of(event).filter(|money| money.value.is_finite() && kind.has_value());
    Metadata {
        conversion_id: &event.id,
        value: worth.map(|money| money.amount()),
        currency: worth.map(|money| money.currency),
        item_count: (kind.has_item_count() && !event.items.is_empty()).then(|| whole(items::count(&event.items))),
        products: Products { items: &event.items, currency: event.currency.as_deref() },
    }
}

/// `products`: the items that have an id.
#[derive(Debug)]
struct Products<'a> {
    items: &'a [Item],
    currency: Option<&'a str>,
}

#[derive(Serialize)]
struct Product<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    quantity: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_price: Option<Number>,
}

impl Products<'_> {
    fn is_empty(&self) -> bool {
        self.items.iter().all(|item| item.id.is_none())
    }
}

impl Serialize for Products<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for item in self.items {
            let Some(id) = item.id.as_deref() else { continue };
            let price = item.price.filter(|price| price.is_finite()).zip(self.currency);
            list.serialize_element(&Product {
                id,
                name: item.name.as_deref(),
                category: item.category.as_deref(),
                quantity: whole(items::quantity(item).ceil() as u64),
                item_price: price.map(|(price, currency)| money::round(price, currency)),
            })?;
        }
        list.end()
    }
}

/// A number of pieces as an int32, which is what Reddit counts in.
fn whole(pieces: u64) -> u64 {
    pieces.min(i32::MAX as u64)
}
