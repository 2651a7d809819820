//! What a custom event is about: `customData`, for revenue, products and what goals and remarketing ask for.
//!
//! Sources: the guide, "Data Schema", "Variable Revenue", "Items Array" and "Retail (E-commerce)". A value without a
//! currency is never sent, an item's price neither.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Item, Scalar, items, names};

use crate::properties::Properties;

/// `customData`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_term: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Items::is_empty")]
    items: Items<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    item_ids: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ecomm_total_value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ecomm_category: Option<&'a str>,
}

/// What `pageType` may be.
const PAGE_TYPES: [&str; 7] = ["cart", "category", "home", "other", "product", "purchase", "searchresults"];

/// The kind of page that an event happens on, where the guide's examples leave no doubt.
const PAGE_TYPE_OF: &[(&str, &str)] = &[
    (names::VIEW_ITEM, "product"),
    (names::VIEW_ITEM_LIST, "category"),
    (names::SEARCH, "searchresults"),
    (names::VIEW_CART, "cart"),
    (names::ADD_TO_CART, "cart"),
    (names::REMOVE_FROM_CART, "cart"),
    (names::BEGIN_CHECKOUT, "cart"),
    (names::ADD_SHIPPING_INFO, "cart"),
    (names::ADD_PAYMENT_INFO, "cart"),
    (names::PURCHASE, "purchase"),
];

/// Events whose value is that of the whole cart or purchase, as `ecommTotalValue` wants it; that of `add_to_cart` is not.
const WHOLE: [&str; 5] =
    [names::VIEW_CART, names::BEGIN_CHECKOUT, names::ADD_SHIPPING_INFO, names::ADD_PAYMENT_INFO, names::PURCHASE];

/// Collects what is known of the event; nothing where nothing is. A purchase without a value is one all the same: a goal
/// may count conversions, or have a value of its own for each.
pub(crate) fn collect<'a>(event: &'a Event, properties: &'a Properties<'a>) -> Option<CustomData<'a>> {
    let amount = money::of(event).filter(|money| money.value.is_finite()).map(|money| money.amount());
    let currency = event.currency.as_deref();
    let items = Items { items: &event.items, currency };
    let has_priced_item = event.items.iter().any(|item| items.price(item).is_some());
    let data = CustomData {
        event_category: Scalar::text_of(&properties.event_category),
        event_label: Scalar::text_of(&properties.event_label),
        event_value: properties.event_value.as_ref().and_then(Scalar::number).map(Number),
        search_term: Scalar::text_of(&properties.search_term).or_else(|| Scalar::text_of(&properties.query)),
        transaction_id: event.order_id.as_deref(),
        value: amount,
        currency: currency.filter(|_| amount.is_some() || has_priced_item),
        items,
        item_ids: items::ids(&event.items),
        page_type: page_type(event, properties),
        ecomm_total_value: amount.filter(|_| WHOLE.contains(&event.name.as_str())),
        ecomm_category: Scalar::text_of(&properties.item_list_id).filter(|_| event.name == names::VIEW_ITEM_LIST),
    };
    data.is_something().then_some(data)
}

impl CustomData<'_> {
    fn is_something(&self) -> bool {
        let texts = [self.event_category, self.event_label, self.search_term, self.transaction_id, self.page_type];
        texts.iter().any(Option::is_some)
            || self.event_value.is_some()
            || self.value.is_some()
            || self.ecomm_category.is_some()
            || !self.items.is_empty()
            || !self.item_ids.is_empty()
    }
}

fn page_type<'a>(event: &Event, properties: &'a Properties<'a>) -> Option<&'a str> {
    let said = Scalar::text_of(&properties.page_type).filter(|said| PAGE_TYPES.contains(said));
    said.or_else(|| PAGE_TYPE_OF.iter().find(|(name, _)| *name == event.name).map(|(_, of_page)| *of_page))
}

/// `items`: the products that have an id or a name.
#[derive(Debug, Default, Clone, Copy)]
struct Items<'a> {
    items: &'a [Item],
    currency: Option<&'a str>,
}

impl Items<'_> {
    fn is_empty(&self) -> bool {
        !self.items.iter().any(is_named)
    }

    /// The price of one piece; only with a currency is it one.
    fn price(&self, item: &Item) -> Option<Number> {
        let price = item.price.filter(|price| price.is_finite());
        price.zip(self.currency).map(|(price, currency)| money::round(price, currency))
    }
}

fn is_named(item: &Item) -> bool {
    item.id.is_some() || item.name.is_some()
}

#[derive(Serialize)]
struct Product<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    quantity: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for item in self.items.iter().filter(|item| is_named(item)) {
            list.serialize_element(&Product {
                id: item.id.as_deref(),
                // The schema wants a whole number: half a metre is sold as one piece.
                quantity: items::count(std::slice::from_ref(item)),
                price: self.price(item),
                name: item.name.as_deref(),
            })?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_page_is_one_of_microsofts() {
        for (name, of_page) in PAGE_TYPE_OF {
            assert!(PAGE_TYPES.contains(of_page), "{name}: {of_page}");
        }
    }
}
