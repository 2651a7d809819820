//! What the event is about: `custom_data`, for value, products, and how the data may be processed.
//!
//! Source: `ConversionEvents` of the OpenAPI description, which takes no property but its own. A value without a
//! currency is never sent: "If not provided, we will default to the advertiser's currency", which would be a guess.

use serde::Serialize;
use tidegate_plugin_sdk::money::Decimal;
use tidegate_plugin_sdk::{Event, Item, Scalar, items, money, names};

use crate::contents::{self, Contents, Ids, whole};
use crate::properties::Properties;

/// `custom_data`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CustomData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Ids::is_empty")]
    content_ids: Ids<'a>,
    #[serde(skip_serializing_if = "Contents::is_empty")]
    contents: Contents<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_brand: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_string: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opt_out_type: Option<&'static str>,
}

/// Whether the platform is told to limit what it does with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processing {
    Full,
    Limited,
}

/// Collects what is known of the event; nothing where nothing is.
pub(crate) fn collect<'a>(
    event: &'a Event,
    properties: &'a Properties<'a>,
    processing: Processing,
) -> Option<CustomData<'a>> {
    let currency = event.currency.as_deref();
    let mut data = CustomData {
        value: money::of(event).and_then(|money| contents::amount(money.value, money.currency)),
        currency,
        content_ids: Ids(&event.items),
        contents: Contents { items: &event.items, currency },
        content_name: Scalar::text_of(&properties.content_name).or_else(|| content_name(event, properties)),
        content_category: Scalar::text_of(&properties.content_category)
            .or_else(|| common(&event.items, |i| &i.category)),
        content_brand: common(&event.items, |item| &item.brand),
        num_items: num_items(event, properties),
        order_id: event.order_id.as_deref(),
        search_string: None,
        opt_out_type: (processing == Processing::Limited).then_some("LDP"),
    };
    if event.name == names::SEARCH {
        data.search_string = Scalar::text_of(&properties.search_term).or_else(|| Scalar::text_of(&properties.query));
    }
    data.is_something().then_some(data)
}

impl CustomData<'_> {
    /// A currency alone says nothing.
    fn is_something(&self) -> bool {
        self.value.is_some()
            || !self.content_ids.is_empty()
            || !self.contents.is_empty()
            || self.content_name.is_some()
            || self.content_category.is_some()
            || self.num_items.is_some()
            || self.order_id.is_some()
            || self.search_string.is_some()
            || self.opt_out_type.is_some()
    }
}

fn content_name<'a>(event: &'a Event, properties: &'a Properties<'a>) -> Option<&'a str> {
    match event.items.as_slice() {
        [item] => item.name.as_deref(),
        _ => Scalar::text_of(&properties.item_list_name),
    }
}

/// What all products have in common: their category, their brand.
fn common<'a>(items: &'a [Item], field: impl Fn(&'a Item) -> &'a Option<String>) -> Option<&'a str> {
    let first = field(items.first()?).as_deref()?;
    items.iter().all(|item| field(item).as_deref() == Some(first)).then_some(first)
}

fn num_items(event: &Event, properties: &Properties<'_>) -> Option<u64> {
    let said = properties.num_items.as_ref().and_then(Scalar::number).filter(|number| *number >= 0.0);
    // A list of products is no number of pieces that anybody wants.
    let counted = !event.items.is_empty() && event.name != names::VIEW_ITEM_LIST;
    said.map(whole).or_else(|| counted.then(|| items::count(&event.items).min(i64::MAX as u64)))
}
