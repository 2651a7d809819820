//! What Pinterest requires of an event: the OpenAPI description's schema, whose violation refuses the whole request,
//! and what makes a single event fail.

use serde_json::{Map, Value};

use crate::form::is_sha256;

const DAY_S: i64 = 24 * 60 * 60;
/// Not in the OpenAPI description: from memory.
const AGE_MAX_S: i64 = 7 * DAY_S;
const AHEAD_MAX_S: i64 = 60;

/// "Conversion overview", and `custom` and `watch_video` of the OpenAPI description.
const EVENT_NAMES: [&str; 22] = [
    "add_payment_info",
    "add_to_cart",
    "add_to_wishlist",
    "app_install",
    "app_open",
    "checkout",
    "contact",
    "custom",
    "customize_product",
    "find_location",
    "initiate_checkout",
    "lead",
    "page_visit",
    "schedule",
    "search",
    "signup",
    "start_trial",
    "submit_application",
    "subscribe",
    "view_category",
    "view_content",
    "watch_video",
];
const ACTION_SOURCES: [&str; 4] = ["app_android", "app_ios", "offline", "web"];

/// Match keys that arrive as lists of SHA-256.
const HASHED_KEYS: [&str; 12] =
    ["em", "hashed_maids", "ph", "ge", "db", "ln", "fn", "ct", "st", "zp", "country", "external_id"];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Bool,
    Texts,
    Object(&'static [Property]),
    Objects(&'static [Property]),
}

/// Name, kind, and whether it is required.
type Property = (&'static str, Kind, bool);

const EVENT: &[Property] = &[
    ("event_name", Kind::Text, true),
    ("action_source", Kind::Text, true),
    ("event_time", Kind::Integer, true),
    ("event_id", Kind::Text, true),
    ("user_data", Kind::Object(USER_DATA), true),
    ("event_source_url", Kind::Text, false),
    ("opt_out", Kind::Bool, false),
    ("partner_name", Kind::Text, false),
    ("custom_data", Kind::Object(CUSTOM_DATA), false),
    ("app_id", Kind::Text, false),
    ("app_name", Kind::Text, false),
    ("app_version", Kind::Text, false),
    ("device_brand", Kind::Text, false),
    ("device_carrier", Kind::Text, false),
    ("device_model", Kind::Text, false),
    ("device_type", Kind::Text, false),
    ("os_version", Kind::Text, false),
    ("wifi", Kind::Bool, false),
    ("language", Kind::Text, false),
];
const USER_DATA: &[Property] = &[
    ("em", Kind::Texts, false),
    ("hashed_maids", Kind::Texts, false),
    ("client_ip_address", Kind::Text, false),
    ("client_user_agent", Kind::Text, false),
    ("ph", Kind::Texts, false),
    ("ge", Kind::Texts, false),
    ("db", Kind::Texts, false),
    ("ln", Kind::Texts, false),
    ("fn", Kind::Texts, false),
    ("ct", Kind::Texts, false),
    ("st", Kind::Texts, false),
    ("zp", Kind::Texts, false),
    ("country", Kind::Texts, false),
    ("external_id", Kind::Texts, false),
    ("click_id", Kind::Text, false),
    ("partner_id", Kind::Text, false),
];
const CUSTOM_DATA: &[Property] = &[
    ("currency", Kind::Text, false),
    ("value", Kind::Text, false),
    ("content_ids", Kind::Texts, false),
    ("content_name", Kind::Text, false),
    ("content_category", Kind::Text, false),
    ("content_brand", Kind::Text, false),
    ("contents", Kind::Objects(CONTENTS), false),
    ("num_items", Kind::Integer, false),
    ("order_id", Kind::Text, false),
    ("search_string", Kind::Text, false),
    ("opt_out_type", Kind::Text, false),
    ("np", Kind::Text, false),
];
const CONTENTS: &[Property] = &[
    ("id", Kind::Text, false),
    ("item_price", Kind::Text, false),
    ("quantity", Kind::Integer, false),
    ("item_name", Kind::Text, false),
    ("item_category", Kind::Text, false),
    ("item_brand", Kind::Text, false),
];

/// Checks an event against the schema, which knows no other properties.
pub(super) fn schema(event: &Value) -> Result<(), String> {
    // Objects that are still to be looked into; the schema is a few levels deep.
    let mut left = vec![("data", event, EVENT)];
    while let Some((name, value, properties)) = left.pop() {
        let map = value.as_object().ok_or_else(|| format!("'{name}' is not of type 'object'"))?;
        if let Some((missing, ..)) = properties.iter().find(|(key, _, required)| *required && !map.contains_key(*key)) {
            return Err(format!("'{missing}' is a required property"));
        }
        for (key, value) in map {
            let Some((known, kind, _)) = properties.iter().find(|(known, ..)| known == key) else {
                return Err(format!("Additional properties are not allowed ('{key}' was unexpected)"));
            };
            let of_type = |fits: bool, kind: &str| {
                if fits { Ok(()) } else { Err(format!("{value} is not of type '{kind}' ('{key}')")) }
            };
            match kind {
                Kind::Text => of_type(value.is_string(), "string")?,
                Kind::Integer => of_type(value.is_i64(), "integer")?,
                Kind::Bool => of_type(value.is_boolean(), "boolean")?,
                Kind::Texts => {
                    let is_texts = value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
                    of_type(is_texts, "array of strings")?;
                }
                Kind::Object(properties) => left.push((known, value, properties)),
                Kind::Objects(properties) => {
                    of_type(value.is_array(), "array")?;
                    left.extend(value.as_array().into_iter().flatten().map(|value| (*known, value, *properties)));
                }
            }
        }
    }
    Ok(())
}

/// Checks what the schema cannot say; `now_ms` is Unix time.
pub(super) fn event(event: &Value, now_ms: i64) -> Result<(), String> {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    if !EVENT_NAMES.contains(&text("event_name")) {
        return Err(format!("'event_name' {} is not a standard event", text("event_name")));
    }
    if !ACTION_SOURCES.contains(&text("action_source")) {
        return Err(format!("'action_source' {} is not known", text("action_source")));
    }
    if text("event_id").is_empty() {
        return Err("'event_id' must not be empty".to_owned());
    }
    let (at_s, now_s) = (event["event_time"].as_i64().unwrap_or_default(), now_ms.div_euclid(1000));
    if at_s > now_s + AHEAD_MAX_S {
        return Err("'event_time' is in the future, or not in seconds".to_owned());
    }
    if now_s - at_s > AGE_MAX_S {
        return Err("'event_time' is too far in the past".to_owned());
    }
    if event["language"].as_str().is_some_and(|code| code.len() != 2) {
        return Err("'language' must be an ISO-639-1 code".to_owned());
    }
    if let Some(people) = event["user_data"].as_object() {
        user_data(people)?;
    }
    match event["custom_data"].as_object() {
        Some(data) => custom_data(data),
        None => Ok(()),
    }
}

fn user_data(people: &Map<String, Value>) -> Result<(), String> {
    for key in HASHED_KEYS {
        let Some(values) = people.get(key).and_then(Value::as_array) else { continue };
        if values.is_empty() || !values.iter().filter_map(Value::as_str).all(is_sha256) {
            return Err(format!("'{key}' must hold lower-case hex SHA-256"));
        }
    }
    let has = |key: &str| people.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if people.contains_key("client_ip_address")
        && people["client_ip_address"].as_str().and_then(|ip| ip.parse::<std::net::IpAddr>().ok()).is_none()
    {
        return Err("'client_ip_address' is no IP address".to_owned());
    }
    let suffices = people.contains_key("em")
        || people.contains_key("hashed_maids")
        || (has("client_ip_address") && has("client_user_agent"));
    if suffices {
        Ok(())
    } else {
        Err("'user_data' needs em, hashed_maids, or client_ip_address and client_user_agent".to_owned())
    }
}

fn custom_data(data: &Map<String, Value>) -> Result<(), String> {
    let is_number = |value: &Value| value.as_str().is_some_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite));
    let contents = data.get("contents").and_then(Value::as_array).into_iter().flatten();
    let mut amounts = contents.filter_map(|item| item.get("item_price")).chain(data.get("value"));
    if !amounts.all(is_number) {
        return Err("'value' and 'item_price' must be numbers in a string".to_owned());
    }
    let is_currency = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match data.get("currency").and_then(Value::as_str) {
        Some(code) if !is_currency(code) => Err("'currency' must be an ISO-4217 code".to_owned()),
        // Pinterest would take the ad account's own: nothing in the request says that this is meant.
        None if data.contains_key("value") => Err("'value' without 'currency'".to_owned()),
        _ => Ok(()),
    }
}
