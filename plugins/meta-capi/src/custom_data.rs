//! What the event is about: `custom_data`, for value, products and the few properties that Meta knows.
//!
//! Source: "Custom Data Parameters". A value without a currency is never sent, an item's price neither.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Item, Rejection, Scalar, items, names};

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
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_string: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted_ltv: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_category: Option<&'a str>,
}

/// What `delivery_category` may be; anything else is left out.
const DELIVERY: [&str; 3] = ["in_store", "curbside", "home_delivery"];

/// Collects what is known of the event; nothing where nothing is.
///
/// # Errors
/// A purchase without value or currency: Meta requires both.
pub(crate) fn collect<'a>(
    platform: &str,
    event: &'a Event,
    properties: &'a Properties<'a>,
) -> Result<Option<CustomData<'a>>, Rejection> {
    let money = match platform {
        "Purchase" => Some(money::required(event)?),
        _ => money::of(event),
    };
    let money = money.filter(|money| money.value.is_finite());
    if platform == "Purchase" && money.is_none() {
        return Err(Rejection::invalid("purchase whose value is no number"));
    }
    let currency = event.currency.as_deref();
    let mut data = CustomData {
        value: money.map(|money| money.amount()),
        currency,
        order_id: event.order_id.as_deref(),
        content_name: Scalar::text_of(&properties.content_name),
        content_category: Scalar::text_of(&properties.content_category),
        delivery_category: Scalar::text_of(&properties.delivery_category)
            .filter(|category| DELIVERY.contains(category)),
        predicted_ltv: predicted_ltv(properties, currency),
        ..CustomData::default()
    };
    if !event.items.is_empty() {
        data.content_ids = Ids(&event.items);
        data.contents = Contents { items: &event.items, currency };
        data.content_type = (!data.contents.is_empty()).then(|| content_type(event, properties));
        data.content_name = data.content_name.or_else(|| content_name(event, properties));
        data.content_category = data.content_category.or_else(|| common_category(&event.items));
    }
    match platform {
        // "Use only with InitiateCheckout events", and with Purchase by the list of standard events.
        "InitiateCheckout" | "Purchase" => data.num_items = num_items(event, properties),
        "Search" => {
            data.search_string = Scalar::text_of(&properties.search_term).or_else(|| Scalar::text_of(&properties.query))
        }
        "CompleteRegistration" => data.status = Scalar::text_of(&properties.status),
        _ => {}
    }
    Ok(data.is_something().then_some(data))
}

impl CustomData<'_> {
    fn is_something(&self) -> bool {
        self.value.is_some()
            || !self.content_ids.is_empty()
            || !self.contents.is_empty()
            || self.content_name.is_some()
            || self.content_category.is_some()
            || self.num_items.is_some()
            || self.order_id.is_some()
            || self.search_string.is_some()
            || self.status.is_some()
            || self.predicted_ltv.is_some()
            || self.delivery_category.is_some()
    }
}

fn predicted_ltv(properties: &Properties<'_>, currency: Option<&str>) -> Option<Number> {
    let worth = properties.predicted_ltv.as_ref().and_then(Scalar::number)?;
    Some(money::round(worth, currency?))
}

fn content_type<'a>(event: &'a Event, properties: &'a Properties<'a>) -> &'a str {
    match Scalar::text_of(&properties.content_type) {
        Some(known @ ("product" | "product_group")) => known,
        _ if event.name == names::VIEW_ITEM_LIST => "product_group",
        _ => "product",
    }
}

fn content_name<'a>(event: &'a Event, properties: &'a Properties<'a>) -> Option<&'a str> {
    match event.items.as_slice() {
        [item] => item.name.as_deref(),
        _ => Scalar::text_of(&properties.item_list_name),
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

/// `content_ids`: the ids of the items that have one.
#[derive(Debug, Default)]
struct Ids<'a>(&'a [Item]);

impl Ids<'_> {
    fn is_empty(&self) -> bool {
        self.0.iter().all(|item| item.id.is_none())
    }
}

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().filter_map(|item| item.id.as_deref()))
    }
}

/// `contents`: the items that have an id, which Meta requires of each.
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
struct Content<'a> {
    id: &'a str,
    quantity: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_price: Option<Number>,
}

impl Serialize for Contents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for item in self.items {
            let Some(id) = item.id.as_deref() else { continue };
            let price = item.price.filter(|price| price.is_finite()).zip(self.currency);
            let item_price = price.map(|(price, currency)| money::round(price, currency));
            list.serialize_element(&Content { id, quantity: Number(items::quantity(item)), item_price })?;
        }
        list.end()
    }
}
