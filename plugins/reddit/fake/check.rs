//! What Reddit requires of an event. The first fault is the one that is named.

use serde_json::{Map, Value};

use crate::form::{is_sha256, is_uuid};

const HOUR_MS: i64 = 60 * 60 * 1000;
const AGE_MAX_MS: i64 = 168 * HOUR_MS;
const AHEAD_MAX_MS: i64 = 5 * 60 * 1000;
const CUSTOM_NAME_CHARS_MAX: usize = 64;

const ACTION_SOURCES: [&str; 4] = ["APP", "OTHER", "PHYSICAL_STORE", "WEBSITE"];
const TRACKING_TYPES: [&str; 9] =
    ["ADD_TO_CART", "ADD_TO_WISHLIST", "CUSTOM", "LEAD", "PAGE_VISIT", "PURCHASE", "SEARCH", "SIGN_UP", "VIEW_CONTENT"];

const EVENT: [&str; 7] = ["event_at", "action_source", "event_source_url", "click_id", "type", "metadata", "user"];
const METADATA: [&str; 5] = ["conversion_id", "value", "currency", "item_count", "products"];
const PRODUCT: [&str; 5] = ["id", "name", "category", "quantity", "item_price"];
const HASHED: [&str; 5] = ["email", "phone_number", "external_id", "idfa", "aaid"];
const USER: [&str; 10] = [
    "email",
    "phone_number",
    "external_id",
    "idfa",
    "aaid",
    "uuid",
    "ip_address",
    "user_agent",
    "data_processing_options",
    "screen_dimensions",
];

/// Checks an event; `now_ms` is Unix time.
pub(super) fn event(event: &Value, now_ms: i64) -> Result<(), String> {
    let event = object(event, "event", &EVENT)?;
    time(event, now_ms)?;
    let source = text(event, "action_source").ok_or("action_source is required")?;
    if !ACTION_SOURCES.contains(&source) {
        return Err(format!("action_source {source} is not one of {ACTION_SOURCES:?}"));
    }
    if let Some(url) = event.get("event_source_url") {
        if source != "WEBSITE" {
            return Err("event_source_url can only be passed when action_source is WEBSITE".to_owned());
        }
        if !url.as_str().is_some_and(|url| url.starts_with("https://") || url.starts_with("http://")) {
            return Err("event_source_url must be a URL".to_owned());
        }
    }
    let kind = kind(event)?;
    metadata(event, kind)?;
    people(event)
}

fn time(event: &Map<String, Value>, now_ms: i64) -> Result<(), String> {
    let at_ms = event.get("event_at").and_then(Value::as_i64);
    let at_ms = at_ms.ok_or("event_at must be a Unix timestamp in milliseconds")?;
    if now_ms - at_ms >= AGE_MAX_MS {
        return Err("event_at timestamp must be less than 168h0m0s old".to_owned());
    }
    if at_ms - now_ms > AHEAD_MAX_MS {
        return Err("event_at timestamp must be at most 5m0s in the future".to_owned());
    }
    Ok(())
}

fn kind(event: &Map<String, Value>) -> Result<&str, String> {
    let kind = event.get("type").ok_or("type is required")?;
    let kind = object(kind, "type", &["tracking_type", "custom_event_name"])?;
    let tracking_type = text(kind, "tracking_type").ok_or("type.tracking_type is required")?;
    if !TRACKING_TYPES.contains(&tracking_type) {
        return Err(format!("type.tracking_type {tracking_type} is not one of {TRACKING_TYPES:?}"));
    }
    match (tracking_type, text(kind, "custom_event_name")) {
        ("CUSTOM", None) => Err("type.custom_event_name is required for CUSTOM".to_owned()),
        ("CUSTOM", Some(name)) if name.chars().count() > CUSTOM_NAME_CHARS_MAX => {
            Err("type.custom_event_name is too long".to_owned())
        }
        ("CUSTOM", Some(_)) | (_, None) => Ok(tracking_type),
        (_, Some(_)) => Err("type.custom_event_name requires CUSTOM".to_owned()),
    }
}

fn metadata(event: &Map<String, Value>, kind: &str) -> Result<(), String> {
    let data = event.get("metadata").ok_or("metadata is required")?;
    let data = object(data, "metadata", &METADATA)?;
    text(data, "conversion_id").ok_or("metadata.conversion_id is required")?;
    if data.contains_key("value") != data.contains_key("currency") {
        return Err("metadata.value and metadata.currency must be passed together".to_owned());
    }
    if data.get("value").is_some_and(|value| !value.is_number()) {
        return Err("JSON error unexpected type on field events metadata value".to_owned());
    }
    let is_currency = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if data.contains_key("currency") && !text(data, "currency").is_some_and(is_currency) {
        return Err("metadata.currency must be an ISO 4217 code".to_owned());
    }
    let has_no_value = matches!(kind, "PAGE_VISIT" | "VIEW_CONTENT" | "SEARCH");
    if has_no_value && data.contains_key("value") {
        return Err(format!("metadata.value cannot be passed for {kind}"));
    }
    if data.contains_key("item_count") && (has_no_value || matches!(kind, "LEAD" | "SIGN_UP")) {
        return Err(format!("metadata.item_count cannot be passed for {kind}"));
    }
    if data.get("item_count").is_some_and(|count| !is_count(count)) {
        return Err("JSON error unexpected type on field events metadata item_count".to_owned());
    }
    for product in data.get("products").and_then(Value::as_array).into_iter().flatten() {
        let product = object(product, "metadata.products", &PRODUCT)?;
        text(product, "id").ok_or("metadata.products.id is required")?;
        if product.get("quantity").is_some_and(|count| !is_count(count)) {
            return Err("JSON error unexpected type on field events metadata products quantity".to_owned());
        }
        if product.get("item_price").is_some_and(|price| !price.is_number()) {
            return Err("JSON error unexpected type on field events metadata products item_price".to_owned());
        }
    }
    Ok(())
}

/// At least one match key: a click beside the user, or one in it.
fn people(event: &Map<String, Value>) -> Result<(), String> {
    let has_click = text(event, "click_id").is_some();
    if event.contains_key("click_id") && !has_click {
        return Err("click_id must be a string that is not empty".to_owned());
    }
    let empty = Value::Object(Map::new());
    let user = object(event.get("user").unwrap_or(&empty), "user", &USER)?;
    for key in HASHED {
        if user.contains_key(key) && !text(user, key).is_some_and(is_sha256) {
            return Err(format!("user.{key} must be lower-case hex SHA-256"));
        }
    }
    if user.contains_key("uuid") && !text(user, "uuid").is_some_and(is_uuid) {
        return Err("user.uuid must be a UUID".to_owned());
    }
    let is_address = |ip: &str| ip.parse::<std::net::IpAddr>().is_ok() || is_sha256(ip);
    if user.contains_key("ip_address") && !text(user, "ip_address").is_some_and(is_address) {
        return Err("user.ip_address must be an IP address".to_owned());
    }
    if let Some(options) = user.get("data_processing_options") {
        let options = object(options, "user.data_processing_options", &["modes", "country", "region"])?;
        if options.get("modes") != Some(&serde_json::json!(["LDU"])) {
            return Err("user.data_processing_options.modes knows no mode but LDU".to_owned());
        }
        if options.contains_key("region") && !options.contains_key("country") {
            return Err("user.data_processing_options.region without a country".to_owned());
        }
    }
    let has_key = HASHED.iter().chain(&["uuid", "ip_address"]).any(|key| user.contains_key(*key));
    if has_click || has_key { Ok(()) } else { Err("at least one match key is required".to_owned()) }
}

/// An object that has none but the known keys.
fn object<'a>(value: &'a Value, at: &str, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let map = value.as_object().ok_or_else(|| format!("JSON error unexpected type on field {at}"))?;
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(format!("JSON error unknown field {at} {unknown}")),
        None => Ok(map),
    }
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)?.as_str().filter(|text| !text.is_empty())
}

fn is_count(value: &Value) -> bool {
    value.as_u64().is_some_and(|count| count <= i32::MAX as u64)
}
