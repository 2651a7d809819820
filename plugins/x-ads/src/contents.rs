//! What was bought or looked at: `contents`.
//!
//! Source: the document, "contents object". A price without a currency is never sent: X would take it for US dollars.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Item, items};

/// `contents`: the products of which something is known that X has a field for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents<'a> {
    items: &'a [Item],
    currency: Option<&'a str>,
}

impl<'a> Contents<'a> {
    pub(crate) fn of(items: &'a [Item], currency: Option<&'a str>) -> Contents<'a> {
        Contents { items, currency }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.items.iter().any(is_known)
    }

    /// Whether a price is among them, which needs `price_currency`.
    pub(crate) fn has_price(&self) -> bool {
        self.items.iter().any(|item| is_known(item) && self.price(item).is_some())
    }

    fn price(&self, item: &Item) -> Option<Number> {
        let price = item.price.filter(|price| price.is_finite());
        price.zip(self.currency).map(|(price, currency)| money::round(price, currency))
    }
}

fn is_known(item: &Item) -> bool {
    item.id.is_some() || item.name.is_some()
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_name: Option<&'a str>,
    /// "Category for the product that was purchased".
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_price: Option<Number>,
    num_items: u64,
}

impl Serialize for Contents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for item in self.items.iter().filter(|item| is_known(item)) {
            list.serialize_element(&Content {
                content_id: item.id.as_deref(),
                content_name: item.name.as_deref(),
                content_type: item.category.as_deref(),
                content_price: self.price(item),
                num_items: items::count(std::slice::from_ref(item)),
            })?;
        }
        list.end()
    }
}
