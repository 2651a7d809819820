//! What the validation server says about a payload, with recommendations enforced, and one thing it does not say:
//! personal data in parameters, which Google's terms forbid.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::form::{is_currency, is_sha256};

const EVENTS_MAX: usize = 25;
const PARAMS_MAX: usize = 25;
const ITEMS_MAX: usize = 200;
const NAME_CHARS_MAX: usize = 40;
const USER_PROPERTY_NAME_CHARS_MAX: usize = 24;
const USER_PROPERTY_VALUE_CHARS_MAX: usize = 36;
const USER_ID_CHARS_MAX: usize = 256;
const VALUE_CHARS_MAX: usize = 100;
const AGE_MAX_US: i64 = 72 * 60 * 60 * 1_000_000;
/// How far ahead of Google's clock a sender's may be. Not documented.
const AHEAD_MAX_US: i64 = 60 * 1_000_000;

/// Parameters that may be longer than others. Source: "Event collection limits".
const LONG_PARAMS: [(&str, usize); 3] = [("page_location", 1000), ("page_referrer", 420), ("page_title", 300)];

/// Parameters that carry structure, and do not count towards the limit on parameters.
const STRUCTURED_PARAMS: [&str; 1] = ["items"];

const TOP_LEVEL: [&str; 13] = [
    "app_instance_id",
    "client_id",
    "consent",
    "device",
    "events",
    "ip_override",
    "non_personalized_ads",
    "timestamp_micros",
    "user_data",
    "user_id",
    "user_location",
    "user_properties",
    "validation_behavior",
];

/// Names that events may not have. Source: protocol reference, "Reserved event names".
const RESERVED_EVENTS: [&str; 32] = [
    "ad_activeview",
    "ad_click",
    "ad_exposure",
    "ad_query",
    "ad_reward",
    "adunit_exposure",
    "app_clear_data",
    "app_exception",
    "app_install",
    "app_remove",
    "app_store_refund",
    "app_update",
    "app_upgrade",
    "dynamic_link_app_open",
    "dynamic_link_app_update",
    "dynamic_link_first_open",
    "error",
    "firebase_campaign",
    "firebase_in_app_message_action",
    "firebase_in_app_message_dismiss",
    "firebase_in_app_message_impression",
    "first_open",
    "first_visit",
    "in_app_purchase",
    "notification_dismiss",
    "notification_foreground",
    "notification_open",
    "notification_receive",
    "notification_send",
    "os_update",
    "session_start",
    "user_engagement",
];

const RESERVED_PREFIXES: [&str; 5] = ["_", "firebase_", "ga_", "google_", "gtag."];

/// One of the validation server's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    field_path: String,
    description: String,
    code: &'static str,
}

impl Message {
    pub(super) fn json(&self) -> Value {
        json!({ "fieldPath": self.field_path, "description": self.description, "validationCode": self.code })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.field_path, self.description, self.code)
    }
}

/// Checks a payload; `now_ms` is Unix time.
pub(super) fn request(body: Option<&Value>, is_app: bool, now_ms: i64) -> Vec<Message> {
    let mut found = Found::default();
    let Some(body) = body.and_then(Value::as_object) else {
        found.add("", "The body must be a JSON object.", "VALUE_INVALID");
        return found.0;
    };
    for key in body.keys().filter(|key| !TOP_LEVEL.contains(&key.as_str())) {
        found.add(key, "Unknown field.", "VALUE_INVALID");
    }
    identity(body, is_app, &mut found);
    found.time(body.get("timestamp_micros"), "timestamp_micros", now_ms);
    consent(body.get("consent"), &mut found);
    user_data(body.get("user_data"), &mut found);
    user_properties(body.get("user_properties"), &mut found);
    match body.get("events").and_then(Value::as_array) {
        None => found.add("events", "An array of events is required.", "VALUE_REQUIRED"),
        Some(events) if events.is_empty() => found.add("events", "At least one event is required.", "VALUE_REQUIRED"),
        Some(events) => {
            if events.len() > EVENTS_MAX {
                found.add("events", "A request takes at most 25 events.", "EXCEEDED_MAX_ENTITIES");
            }
            for (index, value) in events.iter().enumerate() {
                event(value, index, now_ms, &mut found);
            }
        }
    }
    found.0
}

#[derive(Default)]
struct Found(Vec<Message>);

impl Found {
    fn add(&mut self, field_path: impl Into<String>, description: impl Into<String>, code: &'static str) {
        self.0.push(Message { field_path: field_path.into(), description: description.into(), code });
    }

    fn time(&mut self, value: Option<&Value>, path: &str, now_ms: i64) {
        let Some(value) = value else { return };
        // The reference documents an integer; int64 in JSON may be text, by protobuf's rules.
        let at_us = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        let now_us = now_ms.saturating_mul(1000);
        match at_us {
            None => self.add(path, "Must be an integer.", "VALUE_INVALID"),
            Some(at_us) if now_us.saturating_sub(at_us) > AGE_MAX_US => {
                self.add(path, "Is more than 72 hours in the past.", "VALUE_OUT_OF_BOUNDS");
            }
            Some(at_us) if at_us.saturating_sub(now_us) > AHEAD_MAX_US => {
                self.add(path, "Is in the future.", "VALUE_OUT_OF_BOUNDS");
            }
            Some(_) => {}
        }
    }

    fn name(&mut self, name: &str, path: &str, chars_max: usize) {
        let mut chars = name.chars();
        let starts_well = chars.next().is_some_and(|first| first.is_ascii_alphabetic());
        if !starts_well || !chars.all(|other| other.is_ascii_alphanumeric() || other == '_') {
            let description =
                format!("`{name}` must start with a letter and hold only letters, digits and underscores.");
            self.add(path, description, "NAME_INVALID");
        }
        if name.chars().count() > chars_max {
            self.add(path, format!("`{name}` is longer than {chars_max} characters."), "NAME_INVALID");
        }
        if RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            self.add(path, format!("`{name}` has a reserved prefix."), "NAME_RESERVED");
        }
    }

    fn scalar(&mut self, value: &Value, path: &str, chars_max: usize) {
        match value {
            Value::String(text) if text.chars().count() > chars_max => {
                self.add(path, format!("Is longer than {chars_max} characters."), "VALUE_OUT_OF_BOUNDS");
            }
            Value::String(text) if looks_like_email(text) => {
                self.add(path, "Looks like an e-mail address: personal data is not allowed here.", "VALUE_INVALID");
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) => {}
            _ => self.add(path, "Must be a string or a number.", "VALUE_INVALID"),
        }
    }
}

fn identity(body: &Map<String, Value>, is_app: bool, found: &mut Found) {
    let (needed, other) = if is_app { ("app_instance_id", "client_id") } else { ("client_id", "app_instance_id") };
    match body.get(needed).map(Value::as_str) {
        None | Some(Some("")) => found.add(needed, "Is required.", "VALUE_REQUIRED"),
        Some(None) => found.add(needed, "Must be a string.", "VALUE_INVALID"),
        Some(Some(_)) => {}
    }
    if body.contains_key(other) {
        found.add(other, "Belongs to the other kind of stream.", "VALUE_INVALID");
    }
    if let Some(user_id) = body.get("user_id") {
        match user_id.as_str() {
            None | Some("") => found.add("user_id", "Must be a string that is not empty.", "VALUE_INVALID"),
            Some(user_id) => {
                if user_id.chars().count() > USER_ID_CHARS_MAX {
                    found.add("user_id", "Is longer than 256 characters.", "VALUE_OUT_OF_BOUNDS");
                }
                if looks_like_email(user_id) {
                    found.add("user_id", "Looks like an e-mail address.", "VALUE_INVALID");
                }
            }
        }
    }
}

fn consent(consent: Option<&Value>, found: &mut Found) {
    let Some(consent) = consent else { return };
    let Some(consent) = consent.as_object() else {
        return found.add("consent", "Must be an object.", "VALUE_INVALID");
    };
    for (key, value) in consent {
        let path = format!("consent.{key}");
        if !matches!(key.as_str(), "ad_user_data" | "ad_personalization") {
            found.add(path, "Unknown field.", "VALUE_INVALID");
        } else if value != "GRANTED" && value != "DENIED" {
            found.add(path, "Must be GRANTED or DENIED.", "VALUE_INVALID");
        }
    }
}

fn user_data(user_data: Option<&Value>, found: &mut Found) {
    let Some(user_data) = user_data else { return };
    if user_data.is_null() {
        return;
    }
    let lists = ["sha256_email_address", "sha256_phone_number"];
    for key in lists {
        for value in one_or_many(user_data.get(key)) {
            hash(value, &format!("user_data.{key}"), found);
        }
    }
    for (index, address) in one_or_many(user_data.get("address")).into_iter().enumerate() {
        for key in ["sha256_first_name", "sha256_last_name", "sha256_street"] {
            for value in one_or_many(address.get(key)) {
                hash(value, &format!("user_data.address[{index}].{key}"), found);
            }
        }
    }
}

fn one_or_many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

fn hash(value: &Value, path: &str, found: &mut Found) {
    if !value.as_str().is_some_and(is_sha256) {
        found.add(path, "Must be the lower-case hex SHA-256 of the normalised value.", "VALUE_INVALID");
    }
}

fn user_properties(properties: Option<&Value>, found: &mut Found) {
    let Some(properties) = properties else { return };
    let Some(properties) = properties.as_object() else {
        return found.add("user_properties", "Must be an object.", "VALUE_INVALID");
    };
    if properties.len() > PARAMS_MAX {
        found.add("user_properties", "There are more than 25.", "EXCEEDED_MAX_ENTITIES");
    }
    for (name, property) in properties {
        let path = format!("user_properties.{name}");
        found.name(name, &path, USER_PROPERTY_NAME_CHARS_MAX);
        match property.get("value") {
            Some(value) => found.scalar(value, &path, USER_PROPERTY_VALUE_CHARS_MAX),
            None => found.add(path, "Needs a value.", "VALUE_REQUIRED"),
        }
    }
}

fn event(value: &Value, index: usize, now_ms: i64, found: &mut Found) {
    let path = format!("events[{index}]");
    let Some(event) = value.as_object() else {
        return found.add(path, "Must be an object.", "VALUE_INVALID");
    };
    for key in event.keys().filter(|key| !matches!(key.as_str(), "name" | "params" | "timestamp_micros")) {
        found.add(format!("{path}.{key}"), "Unknown field.", "VALUE_INVALID");
    }
    let Some(name) = event.get("name").and_then(Value::as_str) else {
        return found.add(format!("{path}.name"), "Is required.", "VALUE_REQUIRED");
    };
    found.name(name, &format!("{path}.name"), NAME_CHARS_MAX);
    if RESERVED_EVENTS.contains(&name) {
        found.add(format!("{path}.name"), format!("`{name}` is reserved."), "NAME_RESERVED");
    }
    found.time(event.get("timestamp_micros"), &format!("{path}.timestamp_micros"), now_ms);
    match event.get("params") {
        None => {}
        Some(Value::Object(given)) => params(given, name, &format!("{path}.params"), found),
        Some(_) => found.add(format!("{path}.params"), "Must be an object.", "VALUE_INVALID"),
    }
}

fn params(params: &Map<String, Value>, event_name: &str, path: &str, found: &mut Found) {
    let counted = params.keys().filter(|key| !STRUCTURED_PARAMS.contains(&key.as_str())).count();
    if counted > PARAMS_MAX {
        found.add(path, "There are more than 25.", "EXCEEDED_MAX_ENTITIES");
    }
    for (name, value) in params {
        let path = format!("{path}.{name}");
        found.name(name, &path, NAME_CHARS_MAX);
        if name == "items" {
            items(value, &path, found);
        } else {
            let chars_max = LONG_PARAMS.iter().find(|(long, _)| long == name).map_or(VALUE_CHARS_MAX, |(_, max)| *max);
            found.scalar(value, &path, chars_max);
        }
    }
    if let Some(value) = params.get("value") {
        if !value.is_number() {
            found.add(format!("{path}.value"), "Must be a number.", "VALUE_INVALID");
        }
        if !params.contains_key("currency") {
            found.add(format!("{path}.currency"), "Is required where there is a value.", "VALUE_REQUIRED");
        }
    }
    if params.get("currency").is_some_and(|code| !is_currency(code)) {
        found.add(format!("{path}.currency"), "Must be an ISO 4217 code.", "VALUE_INVALID");
    }
    if event_name == "purchase" && !params.contains_key("transaction_id") {
        found.add(format!("{path}.transaction_id"), "Is required for a purchase.", "VALUE_REQUIRED");
    }
}

fn items(items: &Value, path: &str, found: &mut Found) {
    let Some(items) = items.as_array() else {
        return found.add(path, "Must be an array.", "VALUE_INVALID");
    };
    if items.len() > ITEMS_MAX {
        found.add(path, "There are more than 200.", "EXCEEDED_MAX_ENTITIES");
    }
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Some(item) = item.as_object() else {
            found.add(path, "Must be an object.", "VALUE_INVALID");
            continue;
        };
        if !item.contains_key("item_id") && !item.contains_key("item_name") {
            found.add(&path, "Needs item_id or item_name.", "VALUE_REQUIRED");
        }
        for (key, value) in item {
            found.scalar(value, &format!("{path}.{key}"), VALUE_CHARS_MAX);
        }
        if item.get("price").is_some_and(|price| !price.is_number()) {
            found.add(format!("{path}.price"), "Must be a number.", "VALUE_INVALID");
        }
        if item.get("quantity").is_some_and(|quantity| quantity.as_i64().is_none()) {
            found.add(format!("{path}.quantity"), "Must be a whole number.", "VALUE_INVALID");
        }
    }
}

fn looks_like_email(text: &str) -> bool {
    let mut words = text.split(|c: char| c.is_whitespace() || matches!(c, '?' | '&' | '=' | '/' | ',' | ';'));
    words.any(|word| {
        word.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && domain.split_once('.').is_some_and(|(name, suffix)| !name.is_empty() && suffix.len() >= 2)
        })
    })
}
