//! What is wrong with one call, though Segment says nothing of it to the sender: its ingest errors by their codes, and
//! what its specification asks for.
//!
//! Sources: "Delivery Overview", table "Failed on Ingest"; "Spec: Common Fields"; "Consent in Segment Connections".

use serde_json::{Map, Value};

use crate::form::{is_currency, is_iso8601};

const KINDS: [&str; 6] = ["track", "page", "screen", "identify", "group", "alias"];
const TOP_LEVEL: [&str; 13] = [
    "anonymousId",
    "category",
    "context",
    "event",
    "groupId",
    "integrations",
    "messageId",
    "name",
    "previousId",
    "properties",
    "timestamp",
    "traits",
    "userId",
];

/// Says why Segment would discard the call.
pub(super) fn event(event: &Value) -> Result<(), String> {
    let event = event.as_object().ok_or("bad_request: a call is an object")?;
    let text = |name: &str| event.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = text("type").filter(|kind| KINDS.contains(kind)).ok_or("bad_request: type is no call's name")?;
    if let Some(unknown) = event.keys().find(|key| *key != "type" && !TOP_LEVEL.contains(&key.as_str())) {
        return Err(format!("`{unknown}` is no field of a call"));
    }
    if text("userId").is_none() && text("anonymousId").is_none() {
        return Err("no_user_anon_id: userId or anonymousId is required".to_owned());
    }
    for name in ["userId", "anonymousId", "groupId", "previousId", "name", "category"] {
        if event.contains_key(name) && text(name).is_none() {
            return Err(format!("{name}_not_string: `{name}` must be text that is not empty"));
        }
    }
    match kind {
        "track" if text("event").is_none() => return Err("event_not_defined: a track call needs `event`".to_owned()),
        "group" if text("groupId").is_none() => return Err("a group call needs `groupId`".to_owned()),
        "alias" if text("previousId").is_none() || text("userId").is_none() => {
            return Err("an alias call needs `previousId` and `userId`".to_owned());
        }
        _ => {}
    }
    for name in ["properties", "traits", "context", "integrations"] {
        if event.get(name).is_some_and(|value| !value.is_object()) {
            return Err(format!("{name}_not_object: `{name}` must be an object"));
        }
    }
    let id = text("messageId").ok_or("messageId: required, so that nothing is counted twice")?;
    if id.chars().count() >= 100 {
        return Err("messageId: must have fewer than 100 characters".to_owned());
    }
    if !text("timestamp").is_some_and(is_iso8601) {
        return Err("timestamp: must be ISO 8601".to_owned());
    }
    if let Some(properties) = event.get("properties").and_then(Value::as_object)
        && matches!(text("event"), Some("Order Completed" | "Order Refunded"))
    {
        order(properties)?;
    }
    consent(event)
}

/// "Spec: V2 Ecommerce Events": amounts are numbers, and `products` is a list of objects.
fn order(properties: &Map<String, Value>) -> Result<(), String> {
    for name in ["revenue", "total", "currency"] {
        let right = |value: &Value| if name == "currency" { is_currency(value) } else { value.is_number() };
        if properties.get(name).is_some_and(|value| !right(value)) {
            return Err(format!("properties.{name}: of the wrong type"));
        }
    }
    if properties.contains_key("revenue") && !properties.contains_key("currency") {
        return Err("properties.revenue: without a currency it is taken for dollars".to_owned());
    }
    let Some(products) = properties.get("products") else { return Ok(()) };
    let products = products.as_array().ok_or("properties.products: must be a list")?;
    let is_product = |product: &Value| {
        let number = |name: &str| product.get(name).is_none_or(Value::is_number);
        product.is_object() && number("price") && number("quantity")
    };
    if products.iter().all(is_product) { Ok(()) } else { Err("properties.products: malformed".to_owned()) }
}

/// `context.consent.categoryPreferences`: category IDs and booleans.
fn consent(event: &Map<String, Value>) -> Result<(), String> {
    let Some(consent) = event.get("context").and_then(|context| context.get("consent")) else { return Ok(()) };
    let preferences = consent.get("categoryPreferences").and_then(Value::as_object);
    let preferences = preferences.ok_or("consent_categoryprefences_should_exist")?;
    if preferences.values().all(Value::is_boolean) {
        Ok(())
    } else {
        Err("consent_categorypreferences_fields_should_be_bool".to_owned())
    }
}
