//! An event's products in the form of Segment's e-commerce specification ("Spec: V2 Ecommerce Events"), which many
//! platforms have adopted: `products`, or one product's fields among the event's own.

use crate::fields::{Field, Fields};
use crate::money::{self, Number};
use crate::{Event, Item, RawPairs, names};

/// Amounts among the properties of a canonical event: without a currency they say nothing, and some platforms would take
/// them for dollars.
pub const AMOUNTS: &[&str] = &["discount", "price", "revenue", "shipping", "subtotal", "tax", "total", "value"];

/// Events that are about one product by the specification: its fields stand among the event's.
const SINGLE: &[&str] =
    &[names::VIEW_ITEM, names::SELECT_ITEM, names::ADD_TO_CART, names::REMOVE_FROM_CART, names::ADD_TO_WISHLIST];

/// Properties whose presence says that the client put one product among the event's own properties already.
const PRODUCT_IDS: &[&str] = &["product_id", "item_id", "sku", "productId"];

/// What GA4's vocabulary calls a product's property, and what the specification does.
const RENAMED: &[(&str, &str)] = &[("index", "position")];

/// Puts an event's products among its properties. `own` are those that came with the event.
pub fn put_products<'a>(event: &'a Event, own: &RawPairs<'_>, properties: &mut Fields<'a>) {
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
    let own = RawPairs::parse(&item.properties).without_nulls();
    for (name, value) in own.iter() {
        let renamed = RENAMED.iter().find(|(from, to)| *from == name && !own.has(to));
        match renamed {
            Some((_, name)) => fields.put(*name, Field::Raw(value)),
            None => fields.put(name.to_owned(), Field::Raw(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, count: usize) -> Event {
        let item = Item {
            id: Some("sku-1".into()),
            name: Some("Shoe".into()),
            quantity: Some(2.0),
            price: Some(9.999),
            brand: None,
            category: None,
            variant: None,
            properties: r#"{"index":1,"size":"M","name":"other","none":null}"#.into(),
        };
        Event { name: name.into(), items: vec![item; count], ..Event::example() }
    }

    fn written(event: &Event, own: &str) -> String {
        let mut fields = Fields::default();
        put_products(event, &RawPairs::parse(own), &mut fields);
        serde_json::to_string(&fields).unwrap()
    }

    const PRODUCT: &str = r#"{"product_id":"sku-1","name":"Shoe","quantity":2,"position":1,"size":"M"}"#;

    #[test]
    fn an_event_about_one_product_has_its_fields() {
        assert_eq!(written(&event("add_to_cart", 1), ""), PRODUCT);
        assert_eq!(written(&event("my_event", 1), r#"{"sku":"sku-1"}"#), PRODUCT, "the client says so");
        assert_eq!(written(&event("add_to_cart", 0), ""), "{}");
    }

    #[test]
    fn any_other_has_a_list() {
        assert_eq!(written(&event("purchase", 1), ""), format!(r#"{{"products":[{PRODUCT}]}}"#));
        assert_eq!(written(&event("add_to_cart", 2), ""), format!(r#"{{"products":[{PRODUCT},{PRODUCT}]}}"#));
    }

    #[test]
    fn a_price_is_told_with_a_currency_only() {
        let event = Event { currency: Some("EUR".into()), ..event("add_to_cart", 1) };
        assert!(written(&event, "").contains(r#""price":10,"#));
    }
}
