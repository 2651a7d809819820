//! What an event was worth and which products it was about, under any of the names that clients use.

use serde_json::{Map, Value};
use tidegate_event::Item;

use super::Draft;
use super::field::{FieldError, Fields, wrong};

/// Worth, the most specific name first.
const VALUE: &[&str] = &["value", "revenue", "total", "order_value"];
const ORDER_ID: &[&str] = &["order_id", "orderId", "transaction_id"];
const LISTS: &[&str] = &["items", "products"];
const ITEM_ID: &[&str] = &["product_id", "item_id", "id", "sku", "productId"];
/// What makes an event's own properties a product, where it has no list.
const SINGLE_ID: &[&str] = &["product_id", "item_id", "sku", "productId"];
const ITEM_NAME: &[&str] = &["name", "item_name", "product_name"];
const BRAND: &[&str] = &["brand", "item_brand"];
const CATEGORY: &[&str] = &["category", "item_category"];
const VARIANT: &[&str] = &["variant", "item_variant"];
/// The most products that one event may list.
const ITEMS_MAX: usize = 500;

/// Moves worth, currency, order id and products out of the properties.
pub(super) fn read(properties: Fields<'_>, draft: &mut Draft) -> Result<(), FieldError> {
    let Some(object) = properties.object() else { return Ok(()) };
    draft.value = properties.number(VALUE)?;
    draft.order_id = properties.id(ORDER_ID)?;
    draft.currency = properties.text(&["currency"])?;
    if let Some(code) = &mut draft.currency {
        code.make_ascii_uppercase();
        if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
            let found = Value::String(code.clone());
            return Err(wrong(properties.path_of("currency"), "an ISO 4217 code such as \"EUR\"", &found));
        }
    }
    let mut moved: Vec<&str> = vec!["currency"];
    moved.extend(properties.first(VALUE).map(|(name, _)| name));
    moved.extend(properties.first(ORDER_ID).map(|(name, _)| name));
    match properties.first(LISTS) {
        Some((name, Value::Array(list))) => {
            if list.len() > ITEMS_MAX {
                return Err(wrong(properties.path_of(name), "at most 500 products", &object[name]));
            }
            for (index, entry) in list.iter().enumerate() {
                let path = format!("{}[{index}]", properties.path_of(name));
                draft.items.push(item(entry, &path, ITEM_ID)?);
            }
            moved.push(name);
        }
        Some((name, other)) => return Err(wrong(properties.path_of(name), "a list of products", other)),
        None if properties.first(SINGLE_ID).is_some() => draft.items.push(single(properties)?),
        None => {}
    }
    draft.properties = object
        .iter()
        .filter(|(name, _)| !moved.contains(&name.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    Ok(())
}

fn item(entry: &Value, path: &str, id: &'static [&'static str]) -> Result<Item, FieldError> {
    let object = entry.as_object().ok_or_else(|| wrong(path, "an object", entry))?;
    let fields = Fields::root(object);
    let found = (|| {
        Ok(Item {
            id: fields.id(id)?,
            name: fields.text(ITEM_NAME)?,
            quantity: fields.number(&["quantity"])?,
            price: fields.number(&["price"])?,
            brand: fields.text(BRAND)?,
            category: fields.text(CATEGORY)?,
            variant: fields.id(VARIANT)?,
            properties: Map::new(),
        })
    })();
    let mut item = found.map_err(|e: FieldError| FieldError { field: format!("{path}.{}", e.field), ..e })?;
    let known = [id, ITEM_NAME, &["quantity"], &["price"], BRAND, CATEGORY, VARIANT];
    let used: Vec<&str> = known.iter().filter_map(|names| fields.first(names).map(|(name, _)| name)).collect();
    item.properties =
        object.iter().filter(|(name, _)| !used.contains(&name.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect();
    Ok(item)
}

/// An event that is about one product carries the product's fields among its own properties (Segment's v2 e-commerce
/// specification); they stay there too, for they may also be the event's.
fn single(properties: Fields<'_>) -> Result<Item, FieldError> {
    Ok(Item {
        id: properties.id(SINGLE_ID)?,
        name: properties.text(ITEM_NAME)?,
        quantity: properties.number(&["quantity"])?,
        price: properties.number(&["price"])?,
        brand: properties.text(BRAND)?,
        category: properties.text(CATEGORY)?,
        variant: properties.id(VARIANT)?,
        properties: Map::new(),
    })
}
