//! What an event was about: `products`, or one product's fields among the event's own.
//!
//! Source: "Ecommerce events specification" on posthog.com/docs, the properties of each event.

use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Item, names};

use crate::fields::{self, Field, Fields, Own};

/// Events that are about one product by the specification: its fields stand among the event's.
const SINGLE: &[&str] =
    &[names::VIEW_ITEM, names::SELECT_ITEM, names::ADD_TO_CART, names::REMOVE_FROM_CART, names::ADD_TO_WISHLIST];

/// Properties whose presence says that the client put one product among the event's own properties already.
const PRODUCT_IDS: &[&str] = &["product_id", "item_id", "sku", "productId"];

/// What GA4's vocabulary calls a product's property, and what the specification does.
const RENAMED: &[(&str, &str)] = &[("index", "position")];

/// Puts an event's products among its properties.
pub(crate) fn put<'a>(event: &'a Event, own: &Own<'_>, properties: &mut Fields<'a>) {
    let currency = event.currency.as_deref();
    match event.items.as_slice() {
        [] => {}
        [item] if SINGLE.contains(&event.name.as_str()) || PRODUCT_IDS.iter().any(|id| own.has(id)) => {
            product(item, currency, properties);
        }
        items => {
            let list = items.iter().map(|item| {
                let mut fields = Fields::default();
                product(item, currency, &mut fields);
                fields
            });
            properties.put("products", Field::List(list.collect()));
        }
    }
}

fn product<'a>(item: &'a Item, currency: Option<&str>, fields: &mut Fields<'a>) {
    fields.text("product_id", item.id.as_deref());
    for (name, text) in
        [("name", &item.name), ("brand", &item.brand), ("category", &item.category), ("variant", &item.variant)]
    {
        fields.text(name, text.as_deref());
    }
    // A price without a currency is none.
    fields.number("price", item.price.zip(currency).map(|(price, currency)| money::round(price, currency)));
    fields.number("quantity", item.quantity.map(Number));
    let own = fields::parse(&item.properties);
    for (name, value) in own.iter() {
        let renamed = RENAMED.iter().find(|(from, to)| *from == name && !own.has(to));
        match renamed {
            Some((_, name)) => fields.put(*name, Field::Raw(value)),
            None => fields.put(name.to_owned(), Field::Raw(value)),
        }
    }
}
