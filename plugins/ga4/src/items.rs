//! The event's products as GA4's `items`.
//!
//! Source: "Measurement Protocol: Events reference", the table of item parameters.

use std::borrow::Cow;

use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Item, Scalar, json, personal};

use crate::params::{VALUE_CHARS_MAX, cut};

/// The most items of one event.
const ITEMS_MAX: usize = 200;

/// The items that have an id or a name, which GA4 requires of each.
#[derive(Debug)]
pub(crate) struct Items<'a> {
    items: &'a [Item],
    currency: Option<&'a str>,
}

impl<'a> Items<'a> {
    /// Nothing when no item can be sent.
    pub(crate) fn of(items: &'a [Item], currency: Option<&'a str>) -> Option<Items<'a>> {
        items.iter().any(is_named).then_some(Items { items, currency })
    }
}

fn is_named(item: &Item) -> bool {
    [&item.id, &item.name].into_iter().flatten().any(|text| !text.is_empty())
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for item in self.items.iter().filter(|item| is_named(item)).take(ITEMS_MAX) {
            let more: More<'_> = json::properties(&item.properties);
            list.serialize_element(&entry(item, &more, self.currency))?;
        }
        list.end()
    }
}

/// What GA4 knows of an item beyond what the contract types. Other properties of a product are not sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct More<'a> {
    #[serde(borrow)]
    affiliation: Option<Scalar<'a>>,
    #[serde(borrow)]
    coupon: Option<Scalar<'a>>,
    discount: Option<Scalar<'a>>,
    index: Option<Scalar<'a>>,
    /// Segment's name for the index.
    position: Option<Scalar<'a>>,
    #[serde(borrow)]
    item_category2: Option<Scalar<'a>>,
    #[serde(borrow)]
    item_category3: Option<Scalar<'a>>,
    #[serde(borrow)]
    item_category4: Option<Scalar<'a>>,
    #[serde(borrow)]
    item_category5: Option<Scalar<'a>>,
    #[serde(borrow)]
    item_list_id: Option<Scalar<'a>>,
    #[serde(borrow)]
    item_list_name: Option<Scalar<'a>>,
    #[serde(borrow)]
    location_id: Option<Scalar<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_brand: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_category: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_category2: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_category3: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_category4: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_category5: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_variant: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_list_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_list_name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    affiliation: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discount: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<u64>,
}

fn entry<'a>(item: &'a Item, more: &'a More<'a>, currency: Option<&str>) -> Entry<'a> {
    let money = |amount: Option<f64>| {
        let (amount, currency) = amount.filter(|amount| amount.is_finite()).zip(currency)?;
        Some(money::round(amount, currency))
    };
    let index = [&more.index, &more.position].into_iter().flatten().find_map(|index| match index {
        Scalar::Integer(index) => Some(*index),
        _ => None,
    });
    Entry {
        item_id: text(item.id.as_deref()),
        item_name: text(item.name.as_deref()),
        item_brand: text(item.brand.as_deref()),
        item_category: text(item.category.as_deref()),
        item_category2: text(Scalar::text_of(&more.item_category2)),
        item_category3: text(Scalar::text_of(&more.item_category3)),
        item_category4: text(Scalar::text_of(&more.item_category4)),
        item_category5: text(Scalar::text_of(&more.item_category5)),
        item_variant: text(item.variant.as_deref()),
        item_list_id: text(Scalar::text_of(&more.item_list_id)),
        item_list_name: text(Scalar::text_of(&more.item_list_name)),
        affiliation: text(Scalar::text_of(&more.affiliation)),
        coupon: text(Scalar::text_of(&more.coupon)),
        location_id: text(Scalar::text_of(&more.location_id)),
        index,
        discount: money(more.discount.as_ref().and_then(Scalar::number)),
        price: money(item.price),
        // GA4 takes whole pieces only, and one where it is told nothing.
        quantity: item.quantity.filter(|quantity| *quantity >= 0.0).map(|quantity| quantity.ceil() as u64),
    }
}

fn text(value: Option<&str>) -> Option<Cow<'_, str>> {
    let value = value.filter(|value| !value.is_empty() && !personal::is_email(value))?;
    Some(cut(Cow::Borrowed(value), VALUE_CHARS_MAX))
}
