//! What TikTok requires of the events in a request. The first fault is the one named; what TikTok takes and cannot use is
//! a problem.

use serde_json::{Map, Value};

use crate::form::is_sha256;

const EVENTS_MAX: usize = 1000;
/// Not documented as an error: TikTok's longest attribution window.
const AGE_MAX_S: i64 = 28 * 24 * 60 * 60;
/// How far ahead of TikTok's clock a sender's may be. Not documented.
const AHEAD_MAX_S: i64 = 60;

/// What has to arrive as SHA-256, one value or a list.
const HASHED: [&str; 6] = ["email", "phone", "external_id", "first_name", "last_name", "zip_code"];
/// What has to arrive as it is.
const PLAIN: [&str; 8] = ["ttclid", "ttp", "ip", "user_agent", "city", "state", "country", "locale"];
/// Any of these finds a person; an address with its agent does too.
const SUFFICIENT: [&str; 5] = ["email", "phone", "external_id", "ttclid", "ttp"];

/// Checks a request's body; `now_ms` is Unix time.
///
/// Gives the problems of what is taken, or else the message of the refusal.
pub(super) fn request(body: &Value, now_ms: i64) -> Result<Vec<String>, String> {
    let body = object(body, "body")?;
    let source = need_text(body, "event_source")?;
    if !["web", "app", "offline", "crm"].contains(&source) {
        return Err("event_source: Must be one of: web, app, offline, crm.".to_owned());
    }
    need_text(body, "event_source_id")?;
    optional_text(body, "test_event_code")?;
    let events = body.get("data").and_then(Value::as_array).ok_or_else(|| missing("data"))?;
    if events.is_empty() || events.len() > EVENTS_MAX {
        return Err(format!("data: Length must be between 1 and {EVENTS_MAX}."));
    }
    let mut problems = Vec::new();
    for (index, value) in events.iter().enumerate() {
        let found = object(value, "data").and_then(|entry| event(entry, source, now_ms));
        let found = found.map_err(|fault| format!("data.{index}.{fault}"))?;
        problems.extend(found.into_iter().map(|problem| format!("data.{index}.{problem}")));
    }
    Ok(problems)
}

fn event(event: &Map<String, Value>, source: &str, now_ms: i64) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    need_text(event, "event")?;
    let at_s = event.get("event_time").ok_or_else(|| missing("event_time"))?;
    let at_s = at_s.as_i64().ok_or("event_time: Not a valid integer.")?;
    let now_s = now_ms.div_euclid(1000);
    if at_s > now_s + AHEAD_MAX_S {
        problems.push("event_time: is in the future".to_owned());
    }
    if now_s - at_s > AGE_MAX_S {
        problems.push("event_time: is older than any attribution window".to_owned());
    }
    optional_text(event, "event_id")?;
    if event.get("limited_data_use").is_some_and(|flag| !flag.is_boolean()) {
        return Err("limited_data_use: Not a valid boolean.".to_owned());
    }
    if source == "web" {
        let page = object(event.get("page").ok_or_else(|| missing("page"))?, "page")?;
        let url = need_text(page, "url").map_err(|fault| format!("page.{fault}"))?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err("page.url: Not a valid URL.".to_owned());
        }
    }
    let user = object(event.get("user").ok_or_else(|| missing("user"))?, "user")?;
    problems.extend(person(user)?);
    if let Some(properties) = event.get("properties") {
        content(object(properties, "properties")?).map_err(|fault| format!("properties.{fault}"))?;
    }
    Ok(problems)
}

/// Checks `user`: who the event is about. TikTok takes an event that it can match to nobody.
fn person(user: &Map<String, Value>) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for (key, value) in user {
        let hashed = HASHED.contains(&key.as_str());
        if !hashed && !PLAIN.contains(&key.as_str()) {
            problems.push(format!("user.{key}: is no parameter of TikTok's"));
            continue;
        }
        let values: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |values| values.iter().collect());
        for value in values {
            let text = value.as_str().ok_or_else(|| format!("user.{key}: Not a valid string."))?;
            if hashed && !is_sha256(text) {
                problems.push(format!("user.{key}: is not the lower-case hex SHA-256 of anything"));
            }
            if text.is_empty() {
                problems.push(format!("user.{key}: is empty"));
            }
        }
    }
    let has = |key: &str| user.contains_key(key);
    let suffices = SUFFICIENT.iter().any(|key| has(key)) || (has("ip") && has("user_agent"));
    if !suffices {
        problems.push("user: nobody can be found by it".to_owned());
    }
    Ok(problems)
}

fn content(properties: &Map<String, Value>) -> Result<(), String> {
    for key in ["value", "predicted_ltv", "num_items"] {
        if properties.get(key).is_some_and(|value| !value.is_number()) {
            return Err(format!("{key}: Not a valid number."));
        }
    }
    for key in ["order_id", "query", "search_string", "description", "delivery_category"] {
        optional_text(properties, key)?;
    }
    let is_currency = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    let currency = optional_text(properties, "currency")?;
    if currency.is_some_and(|code| !is_currency(code)) {
        return Err("currency: Not a valid choice.".to_owned());
    }
    if properties.contains_key("value") && currency.is_none() {
        return Err("currency: Missing data for required field.".to_owned());
    }
    let kind = optional_text(properties, "content_type")?;
    if kind.is_some_and(|kind| kind != "product" && kind != "product_group") {
        return Err("content_type: Must be one of: product, product_group.".to_owned());
    }
    let Some(contents) = properties.get("contents") else { return Ok(()) };
    let contents = contents.as_array().ok_or("contents: Not a valid list.")?;
    for (index, item) in contents.iter().enumerate() {
        let item = object(item, "contents")?;
        product(item).map_err(|fault| format!("contents.{index}.{fault}"))?;
    }
    Ok(())
}

fn product(item: &Map<String, Value>) -> Result<(), String> {
    need_text(item, "content_id")?;
    for key in ["content_name", "content_category", "brand"] {
        optional_text(item, key)?;
    }
    if item.get("quantity").is_some_and(|quantity| quantity.as_u64().is_none()) {
        return Err("quantity: Not a valid integer.".to_owned());
    }
    if item.get("price").is_some_and(|price| !price.is_number()) {
        return Err("price: Not a valid number.".to_owned());
    }
    Ok(())
}

fn object<'a>(value: &'a Value, key: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{key}: Not a valid mapping."))
}

fn need_text<'a>(map: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    optional_text(map, key)?.filter(|text| !text.is_empty()).ok_or_else(|| missing(key))
}

fn optional_text<'a>(map: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, String> {
    match map.get(key) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| format!("Invalid value for {key}: not a valid string.")),
    }
}

fn missing(key: &str) -> String {
    format!("{key}: Missing data for required field.")
}
