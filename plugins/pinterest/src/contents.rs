//! The products of an event, `content_ids` and `contents`, and amounts in Pinterest's form: text.
//!
//! Source: `ConversionEvents` of the OpenAPI description. "Accepted as a string in the request; it will be parsed into
//! a double." A price without a currency is never sent: Pinterest would take it for the ad account's own currency.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Decimal};
use tidegate_plugin_sdk::{Item, items};

/// An amount as text, rounded to what its currency has; none where it is no number.
pub(crate) fn amount(value: f64, currency: &str) -> Option<Decimal> {
    value.is_finite().then(|| Decimal(money::round(value, currency)))
}

/// `content_ids`: the ids of the items that have one.
#[derive(Debug, Default)]
pub(crate) struct Ids<'a>(pub(crate) &'a [Item]);

impl Ids<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|item| item.id.is_none())
    }
}

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().filter_map(|item| item.id.as_deref()))
    }
}

/// `contents`: the items that say which product they are.
#[derive(Debug, Default)]
pub(crate) struct Contents<'a> {
    pub(crate) items: &'a [Item],
    pub(crate) currency: Option<&'a str>,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_brand: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_price: Option<Decimal>,
    quantity: u64,
}

impl Contents<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        !self.items.iter().any(is_known)
    }
}

impl Serialize for Contents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for item in self.items.iter().filter(|item| is_known(item)) {
            list.serialize_element(&Content {
                id: item.id.as_deref(),
                item_name: item.name.as_deref(),
                item_category: item.category.as_deref(),
                item_brand: item.brand.as_deref(),
                item_price: item.price.zip(self.currency).and_then(|(price, currency)| amount(price, currency)),
                quantity: whole(items::quantity(item)),
            })?;
        }
        list.end()
    }
}

/// A number of pieces as Pinterest's int64; a fraction is rounded up, as for the sum of all.
pub(crate) fn whole(number: f64) -> u64 {
    (number.ceil() as u64).min(i64::MAX as u64)
}

fn is_known(item: &Item) -> bool {
    item.id.is_some() || item.name.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64, currency: &str) -> String {
        serde_json::to_string(&amount(value, currency)).unwrap()
    }

    #[test]
    fn an_amount_is_text_with_the_decimals_of_its_currency() {
        assert_eq!(written(149.989_999_999_999_98, "EUR"), r#""149.99""#);
        assert_eq!(written(72.0, "USD"), r#""72""#);
        assert_eq!(written(1999.4, "JPY"), r#""1999""#);
        assert_eq!(written(-0.001, "EUR"), r#""0""#);
        assert_eq!(written(f64::NAN, "EUR"), "null");
    }

    #[test]
    fn pieces_are_whole() {
        assert_eq!((whole(2.0), whole(0.5), whole(1e308)), (2, 1, i64::MAX as u64));
    }
}
