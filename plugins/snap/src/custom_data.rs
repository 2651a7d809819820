//! What the event is about: `custom_data`, for value, products and the few things that Snap documents.
//!
//! Source: "Parameters, Dynamic Ads Parameters", and the types of Snap's OpenAPI file: `value` is a number, a product's
//! quantity and price are text. A value without a currency is never sent, an item's price neither.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Item, Rejection, Scalar, items};

use crate::names;
use crate::properties::Properties;

/// `custom_data`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CustomData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Ids::is_empty")]
    content_ids: Ids<'a>,
    #[serde(skip_serializing_if = "Contents::is_empty")]
    contents: Contents<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_string: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_up_method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_tag: Option<&'a str>,
}

/// What `delivery_category` may be; anything else is left out.
const DELIVERY: [&str; 3] = ["in_store", "curbside", "home_delivery"];

/// Collects what is known of the event; nothing where nothing is.
///
/// # Errors
/// A purchase without value or currency: Snap requires both.
pub(crate) fn collect<'a>(
    platform: &str,
    event: &'a Event,
    properties: &'a Properties<'a>,
) -> Result<Option<CustomData<'a>>, Rejection> {
    let money = match platform {
        "PURCHASE" => Some(money::required(event)?),
        _ => money::of(event),
    };
    let money = money.filter(|money| money.value.is_finite());
    if platform == "PURCHASE" && money.is_none() {
        return Err(Rejection::invalid("purchase whose value is no number"));
    }
    let currency = event.currency.as_deref();
    let products = Products { items: &event.items, currency };
    let mut data = CustomData {
        value: money.map(|money| money.amount()),
        currency,
        content_ids: Ids(products),
        contents: Contents(products),
        content_type: (!products.is_empty()).then(|| content_type(properties)),
        content_category: Scalar::text_of(&properties.content_category).or_else(|| common_category(&event.items)),
        num_items: num_items(event, properties),
        order_id: event.order_id.as_deref(),
        delivery_category: Scalar::text_of(&properties.delivery_category)
            .filter(|category| DELIVERY.contains(category)),
        ..CustomData::default()
    };
    match platform {
        "SEARCH" => {
            data.search_string = Scalar::text_of(&properties.search_term).or_else(|| Scalar::text_of(&properties.query))
        }
        "SIGN_UP" => data.sign_up_method = Scalar::text_of(&properties.method),
        // What the site itself calls one of the five events that only it knows the meaning of.
        _ if names::is_custom(platform) => data.event_tag = Some(&event.name),
        _ => {}
    }
    Ok(data.is_something().then_some(data))
}

impl CustomData<'_> {
    fn is_something(&self) -> bool {
        self.value.is_some()
            || !self.contents.is_empty()
            || self.content_category.is_some()
            || self.num_items.is_some()
            || self.order_id.is_some()
            || self.search_string.is_some()
            || self.sign_up_method.is_some()
            || self.delivery_category.is_some()
            || self.event_tag.is_some()
    }
}

/// `product` for SKUs, `product_group` for the ids of item groups: only the site knows which of them its ids are.
fn content_type(properties: &Properties<'_>) -> &'static str {
    match Scalar::text_of(&properties.content_type) {
        Some("product_group") => "product_group",
        _ => "product",
    }
}

/// The category, where all products are of one.
fn common_category(items: &[Item]) -> Option<&str> {
    let first = items.first()?.category.as_deref()?;
    items.iter().all(|item| item.category.as_deref() == Some(first)).then_some(first)
}

fn num_items(event: &Event, properties: &Properties<'_>) -> Option<u64> {
    let said = properties.num_items.as_ref().and_then(Scalar::number).filter(|number| *number >= 0.0);
    said.map(|number| number as u64).or_else(|| (!event.items.is_empty()).then(|| items::count(&event.items)))
}

/// The items that have an id, by which Snap finds them in the catalogue.
#[derive(Debug, Default, Clone, Copy)]
struct Products<'a> {
    items: &'a [Item],
    currency: Option<&'a str>,
}

impl Products<'_> {
    fn is_empty(&self) -> bool {
        self.items.iter().all(|item| item.id.is_none())
    }
}

/// `content_ids`.
#[derive(Debug, Default)]
struct Ids<'a>(Products<'a>);

/// `contents`.
#[derive(Debug, Default)]
struct Contents<'a>(Products<'a>);

impl Ids<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Contents<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.items.iter().filter_map(|item| item.id.as_deref()))
    }
}

#[derive(Serialize)]
struct Content<'a> {
    id: &'a str,
    quantity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<&'a str>,
}

impl Serialize for Contents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for item in self.0.items {
            let Some(id) = item.id.as_deref() else { continue };
            let price = item.price.filter(|price| price.is_finite()).zip(self.0.currency);
            list.serialize_element(&Content {
                id,
                quantity: digits(Number(items::quantity(item))),
                item_price: price.map(|(price, currency)| digits(money::round(price, currency))),
                brand: item.brand.as_deref(),
            })?;
        }
        list.end()
    }
}

/// A number as text: `2`, `12.5`.
fn digits(number: Number) -> String {
    // A number is always JSON.
    serde_json::to_string(&number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_products_numbers_are_text_without_a_needless_point() {
        assert_eq!(digits(Number(2.0)), "2");
        assert_eq!(digits(money::round(12.5, "EUR")), "12.5");
        assert_eq!(digits(money::round(1999.4, "JPY")), "1999");
    }

    #[test]
    fn a_category_is_named_only_where_it_is_that_of_all_products() {
        let item = |category: Option<&str>| Item {
            id: None,
            name: None,
            quantity: None,
            price: None,
            brand: None,
            category: category.map(Into::into),
            variant: None,
            properties: "{}".into(),
        };
        assert_eq!(common_category(&[item(Some("a")), item(Some("a"))]), Some("a"));
        assert_eq!(common_category(&[item(Some("a")), item(Some("b"))]), None);
        assert_eq!(common_category(&[item(Some("a")), item(None)]), None);
        assert_eq!(common_category(&[]), None);
    }
}
