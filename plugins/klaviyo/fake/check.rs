//! What Klaviyo requires of an event and of a profile, and what it takes without a use for it.

use serde_json::{Map, Value};

/// Why something is refused.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) detail: String,
    pub(super) pointer: String,
}

const PROPERTIES_MAX: usize = 400;
const TEXT_BYTES_MAX: usize = 100_000;
const ARRAY_MAX: usize = 4_000;

const EVENT_KEYS: [&str; 8] =
    ["backfill", "metric", "profile", "properties", "time", "unique_id", "value", "value_currency"];
const PROFILE_TEXTS: [&str; 10] = [
    "_kx",
    "email",
    "external_id",
    "first_name",
    "image",
    "last_name",
    "locale",
    "organization",
    "phone_number",
    "title",
];
const LOCATION_TEXTS: [&str; 8] = ["address1", "address2", "city", "country", "ip", "region", "timezone", "zip"];

/// Checks an event's attributes; gives what Klaviyo says nothing of.
pub(super) fn event(attributes: &Value, now_ms: i64) -> Result<Vec<String>, Fault> {
    let mut problems = Vec::new();
    let map = object(attributes, "")?;
    if let Some(key) = map.keys().find(|key| !EVENT_KEYS.contains(&key.as_str())) {
        return Err(fault("is not a valid field", key));
    }
    let properties = object(&attributes["properties"], "properties")?;
    if properties.len() > PROPERTIES_MAX {
        return Err(fault("must not exceed 400 properties", "properties"));
    }
    if let Some(key) = too_large(properties) {
        return Err(fault("is larger than Klaviyo takes", &format!("properties/{key}")));
    }
    let name = attributes["metric"]["data"]["attributes"]["name"].as_str().unwrap_or_default();
    if attributes["metric"]["data"]["type"] != "metric" || name.is_empty() || name.chars().count() >= 128 {
        return Err(fault("must have a name of less than 128 characters", "metric"));
    }
    if attributes["profile"]["data"]["type"] != "profile" {
        return Err(fault("must be a profile", "profile/data/type"));
    }
    problems.extend(profile(&attributes["profile"]["data"]["attributes"])?);
    match attributes["time"].as_str() {
        None => problems.push("time is missing: the request's stands for it".to_owned()),
        Some(time) if !is_time(time) => return Err(fault("must be an ISO 8601 time", "time")),
        // The year is enough to tell a wrong unit from a right one.
        Some(time) if time[..4].parse().unwrap_or(0) > year(now_ms) + 1 => {
            return Err(fault("must not be more than a year in the future", "time"));
        }
        Some(_) => {}
    }
    match (map.get("value"), map.get("value_currency")) {
        (Some(value), _) if !value.is_number() => return Err(fault("must be a number", "value")),
        (_, Some(code)) if code.as_str().is_none_or(|code| code.len() != 3) => {
            return Err(fault("must be an ISO 4217 code", "value_currency"));
        }
        (Some(_), None) => problems.push("a value without a currency".to_owned()),
        _ => {}
    }
    match map.get("unique_id") {
        None => problems.push("unique_id is missing: one event a second and profile would be left".to_owned()),
        Some(id) if !id.is_string() => return Err(fault("must be a string", "unique_id")),
        Some(_) => {}
    }
    if map.get("backfill").is_some_and(|backfill| !backfill.is_boolean()) {
        return Err(fault("must be a boolean", "backfill"));
    }
    Ok(problems)
}

/// Checks a profile's attributes; gives what Klaviyo says nothing of.
pub(super) fn profile(attributes: &Value) -> Result<Vec<String>, Fault> {
    let mut problems = Vec::new();
    let map = object(attributes, "profile")?;
    for (key, value) in map {
        match key.as_str() {
            "location" => {
                for (key, value) in object(value, "location")? {
                    if !LOCATION_TEXTS.contains(&key.as_str()) || !value.is_string() {
                        return Err(fault("is not a valid field", &format!("location/{key}")));
                    }
                }
            }
            "properties" => drop(object(value, "properties")?),
            key if PROFILE_TEXTS.contains(&key) && value.is_string() => {}
            _ => return Err(fault("is not a valid field", key)),
        }
    }
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    if !["_kx", "email", "external_id", "phone_number"].iter().any(|key| text(key).is_some_and(|id| !id.is_empty())) {
        return Err(fault("must include at least one profile identifier", "profile"));
    }
    if text("email").is_some_and(|email| !email.split_once('@').is_some_and(|(_, domain)| domain.contains('.'))) {
        return Err(fault("Invalid email address", "email"));
    }
    if text("email").is_some_and(|email| email != email.trim().to_lowercase()) {
        problems.push("the e-mail address is not in lower case".to_owned());
    }
    let is_e164 = |phone: &str| {
        let digits = phone.strip_prefix('+').unwrap_or_default();
        (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if text("phone_number").is_some_and(|phone| !is_e164(phone)) {
        let example = "Invalid phone number format (Example of a valid format: +12345678901)";
        return Err(fault(example, "phone_number"));
    }
    Ok(problems)
}

fn object<'a>(value: &'a Value, pointer: &str) -> Result<&'a Map<String, Value>, Fault> {
    value.as_object().ok_or_else(|| fault("must be an object", pointer))
}

fn fault(detail: &str, pointer: &str) -> Fault {
    Fault { detail: detail.to_owned(), pointer: format!("/data/attributes/{pointer}") }
}

/// The property that holds a text or a list that is too large.
fn too_large(properties: &Map<String, Value>) -> Option<&str> {
    for (key, value) in properties {
        let mut waiting = vec![value];
        while let Some(value) = waiting.pop() {
            match value {
                Value::String(text) if text.len() > TEXT_BYTES_MAX => return Some(key),
                Value::Array(list) if list.len() > ARRAY_MAX => return Some(key),
                Value::Array(list) => waiting.extend(list),
                Value::Object(map) => waiting.extend(map.values()),
                _ => {}
            }
        }
    }
    None
}

/// `2022-11-08T00:00:00…`
fn is_time(text: &str) -> bool {
    let shape = b"0000-00-00T00:00:00";
    let fits = |(b, like): (u8, &u8)| if *like == b'0' { b.is_ascii_digit() } else { b == *like };
    text.len() > shape.len() && text.is_ascii() && text.bytes().zip(shape).all(fits)
}

fn year(now_ms: i64) -> i64 {
    1970 + now_ms / 31_556_952_000
}
