//! The event's products as a list of objects, which Mixpanel calls a "list of objects" property.

use tidegate_plugin_sdk::fields::{Field, Fields};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Item, RawPairs};

use crate::limits;

/// The list is one level, an item the next: what an item brings along may have one more.
const OWN_DEPTH_MAX: usize = limits::DEPTH_MAX - 2;

/// The items, as many as Mixpanel takes: for one more it would refuse the event.
pub(crate) fn list(event: &Event) -> Vec<Fields<'_>> {
    event.items.iter().take(limits::ENTRIES_MAX).map(|item| entry(item, event.currency.as_deref())).collect()
}

fn entry<'a>(item: &'a Item, currency: Option<&str>) -> Fields<'a> {
    let mut fields = Fields::default();
    for (name, text) in [
        ("id", &item.id),
        ("name", &item.name),
        ("brand", &item.brand),
        ("category", &item.category),
        ("variant", &item.variant),
    ] {
        fields.text(name, text.as_deref());
    }
    // A price without a currency is none.
    fields.number("price", item.price.zip(currency).map(|(price, currency)| money::round(price, currency)));
    fields.number("quantity", item.quantity.map(Number));
    for (name, value) in RawPairs::parse(&item.properties).without_nulls().iter() {
        let fits = |shape: limits::Shape| shape.depth <= OWN_DEPTH_MAX && shape.entries <= limits::ENTRIES_MAX;
        if fields.len() < limits::ENTRIES_MAX && limits::shape(value.get()).is_some_and(fits) {
            fields.put(name.to_owned(), Field::Raw(value));
        }
    }
    fields
}
