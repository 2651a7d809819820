//! What Meta requires of the events in a request. One bad event refuses all of them, and the first fault is the one named.

use std::fmt;

use serde_json::{Map, Value};

use crate::form::{is_currency, is_sha256};

const DAY_S: i64 = 24 * 60 * 60;
const AGE_MAX_S: i64 = 7 * DAY_S;
/// How far ahead of Meta's clock a sender's may be. Not documented.
const AHEAD_MAX_S: i64 = 60;
const EVENTS_MAX: usize = 1000;

const ACTION_SOURCES: [&str; 9] = [
    "app",
    "business_messaging",
    "chat",
    "email",
    "other",
    "phone_call",
    "physical_store",
    "system_generated",
    "website",
];

/// Customer information that has to arrive as SHA-256.
const HASHED_KEYS: [&str; 10] = ["em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country"];

/// Customer information that has to arrive as it is, or may be either.
const PLAIN_KEYS: [&str; 17] = [
    "anon_id",
    "client_ip_address",
    "client_user_agent",
    "ctwa_clid",
    "external_id",
    "fb_login_id",
    "fbc",
    "fbp",
    "ig_account_id",
    "ig_sid",
    "install_id",
    "lead_id",
    "madid",
    "page_id",
    "page_scoped_user_id",
    "partner_id",
    "subscription_id",
];

/// Combinations too broad to match anybody, and any part of them. Source: "Customer information parameters", requirements
/// since v13.0.
const TOO_BROAD: [&[&str]; 4] = [
    &["ct", "country", "st", "zp", "ge", "client_user_agent"],
    &["db", "client_user_agent"],
    &["fn", "ge"],
    &["ln", "ge"],
];

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    Missing(String),
    Malformed { at: String, why: String },
    TooOld { at: String },
    InTheFuture { at: String },
    NobodyToMatch { at: String },
    TooMany(usize),
}

impl Fault {
    /// Meta's `error_subcode` and `error_user_title`. 2804019 has been seen; the others are from memory.
    pub(super) fn code(&self) -> (i64, &'static str) {
        match self {
            Fault::Missing(_) | Fault::Malformed { .. } | Fault::TooMany(_) => {
                (2804019, "Server-side API parameter error")
            }
            Fault::TooOld { .. } => (2804003, "Event Timestamp Too Old"),
            Fault::InTheFuture { .. } => (2804004, "Event Timestamp in the Future"),
            Fault::NobodyToMatch { .. } => (2804050, "Insufficient Customer Information Parameters"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Missing(at) => write!(f, "The parameter {at} is required."),
            Fault::Malformed { at, why } => write!(f, "The parameter {at} {why}."),
            Fault::TooOld { at } => write!(
                f,
                "The timestamp {at} is too far in the past. Events need to be sent from your server within 7 days of \
                 when they occurred."
            ),
            Fault::InTheFuture { at } => write!(f, "The timestamp {at} is in the future."),
            Fault::NobodyToMatch { at } => write!(
                f,
                "The customer information {at} is missing, or too broad to match anybody. Send more of it, or leave \
                 the event out."
            ),
            Fault::TooMany(count) => write!(f, "{count} events were sent; a request takes at most {EVENTS_MAX}."),
        }
    }
}

/// Checks a request's body; `now_ms` is Unix time.
pub(super) fn request(body: Option<&Value>, now_ms: i64) -> Result<(), Fault> {
    let root = Fields { at: "$".to_owned(), map: object(body.unwrap_or(&Value::Null), "$")? };
    let events = root.need("data")?.as_array().ok_or_else(|| root.malformed("data", "must be an array"))?;
    match events.len() {
        0 => return Err(root.malformed("data", "must hold at least one event")),
        count if count > EVENTS_MAX => return Err(Fault::TooMany(count)),
        _ => {}
    }
    if root.map.get("test_event_code").is_some_and(|code| !code.is_string()) {
        return Err(root.malformed("test_event_code", "must be a string"));
    }
    for (index, value) in events.iter().enumerate() {
        let at = format!("$['data'][{index}]");
        let map = object(value, &at)?;
        event(&Fields { at, map }, now_ms)?;
    }
    Ok(())
}

fn event(event: &Fields<'_>, now_ms: i64) -> Result<(), Fault> {
    let name = event.need_text("event_name")?;
    time(event, now_ms)?;
    let action_source = event.need_text("action_source")?;
    if !ACTION_SOURCES.contains(&action_source) {
        return Err(event.malformed("action_source", "must be one of the documented sources"));
    }
    let user_data = event.need_object("user_data")?;
    people(&user_data)?;
    if action_source == "website" {
        let url = event.need_text("event_source_url")?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(event.malformed("event_source_url", "must be a URL"));
        }
        user_data.need_text("client_user_agent")?;
    }
    for (key, is_right, why) in [
        ("event_id", Value::is_string as fn(&Value) -> bool, "must be a string"),
        ("opt_out", Value::is_boolean, "must be a boolean"),
        ("referrer_url", Value::is_string, "must be a string"),
    ] {
        if event.map.get(key).is_some_and(|value| !is_right(value)) {
            return Err(event.malformed(key, why));
        }
    }
    processing(event)?;
    match event.map.get("custom_data") {
        Some(_) => custom_data(&event.need_object("custom_data")?, name),
        None if name == "Purchase" => Err(Fault::Missing(event.path("custom_data"))),
        None => Ok(()),
    }
}

fn time(event: &Fields<'_>, now_ms: i64) -> Result<(), Fault> {
    let at_s = event
        .need("event_time")?
        .as_i64()
        .ok_or_else(|| event.malformed("event_time", "must be a Unix timestamp in seconds"))?;
    let now_s = now_ms.div_euclid(1000);
    let at = event.path("event_time");
    if at_s > now_s + AHEAD_MAX_S {
        return Err(Fault::InTheFuture { at });
    }
    if now_s - at_s > AGE_MAX_S {
        return Err(Fault::TooOld { at });
    }
    Ok(())
}

/// Checks `user_data`: who the event is about.
fn people(user_data: &Fields<'_>) -> Result<(), Fault> {
    for (key, value) in user_data.map {
        let hashed = HASHED_KEYS.contains(&key.as_str());
        if !hashed && !PLAIN_KEYS.contains(&key.as_str()) {
            return Err(user_data.malformed(key, "is not a customer information parameter"));
        }
        let values: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |values| values.iter().collect());
        if values.is_empty() {
            return Err(user_data.malformed(key, "must not be empty"));
        }
        for value in values {
            // Lead ids are integers of 15 to 17 digits, and taken as either.
            if key == "lead_id" && value.is_u64() {
                continue;
            }
            let text = value.as_str().filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| user_data.malformed(key, "must be a string that is not empty"))?;
            if hashed && !is_sha256(text) {
                return Err(user_data.malformed(key, "must be the lower-case hex SHA-256 of the normalised value"));
            }
            if matches!(key.as_str(), "fbc" | "fbp") && !is_browser_id(text, key) {
                return Err(user_data.malformed(key, "must be fb.<subdomain index>.<time in ms>.<id>"));
            }
        }
    }
    let keys: Vec<&str> = user_data.map.keys().map(String::as_str).collect();
    if TOO_BROAD.iter().any(|broad| keys.iter().all(|key| broad.contains(key))) {
        return Err(Fault::NobodyToMatch { at: user_data.at.clone() });
    }
    Ok(())
}

/// Limited data use: `["LDU"]` needs to say where the person is, if only by zeros.
fn processing(event: &Fields<'_>) -> Result<(), Fault> {
    let Some(options) = event.map.get("data_processing_options") else { return Ok(()) };
    let options = options.as_array().ok_or_else(|| event.malformed("data_processing_options", "must be an array"))?;
    if options.iter().any(|option| option != "LDU") {
        return Err(event.malformed("data_processing_options", "knows no option but LDU"));
    }
    for key in ["data_processing_options_country", "data_processing_options_state"] {
        if !options.is_empty() && event.need(key)?.as_i64().is_none() {
            return Err(event.malformed(key, "must be an integer"));
        }
    }
    Ok(())
}

fn custom_data(data: &Fields<'_>, event_name: &str) -> Result<(), Fault> {
    if event_name == "Purchase" {
        data.need("value")?;
        data.need("currency")?;
    }
    if data.map.get("value").is_some_and(|value| !value.is_number()) {
        return Err(data.malformed("value", "must be a number"));
    }
    if data.map.get("currency").is_some_and(|code| !is_currency(code)) {
        return Err(data.malformed("currency", "must be an ISO 4217 code"));
    }
    let is_kind = |kind: &Value| kind == "product" || kind == "product_group";
    if data.map.get("content_type").is_some_and(|kind| !is_kind(kind)) {
        return Err(data.malformed("content_type", "must be product or product_group"));
    }
    if data.map.get("contents").is_some_and(|contents| !contents.is_array()) {
        return Err(data.malformed("contents", "must be an array"));
    }
    for (index, item) in data.map.get("contents").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let at = format!("{}[{index}]", data.path("contents"));
        let item = Fields { map: object(item, &at)?, at };
        item.need_text("id")?;
        if item.map.get("quantity").is_some_and(|quantity| quantity.as_u64().is_none()) {
            return Err(item.malformed("quantity", "must be a whole number"));
        }
        if item.map.get("item_price").is_some_and(|price| !price.is_number()) {
            return Err(item.malformed("item_price", "must be a number"));
        }
    }
    Ok(())
}

/// An object, and where in the request it is.
struct Fields<'a> {
    at: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn path(&self, key: &str) -> String {
        format!("{}['{key}']", self.at)
    }

    fn need(&self, key: &str) -> Result<&'a Value, Fault> {
        self.map.get(key).filter(|value| !value.is_null()).ok_or_else(|| Fault::Missing(self.path(key)))
    }

    fn need_text(&self, key: &str) -> Result<&'a str, Fault> {
        let text = self.need(key)?.as_str().ok_or_else(|| self.malformed(key, "must be a string"))?;
        if text.is_empty() { Err(Fault::Missing(self.path(key))) } else { Ok(text) }
    }

    fn need_object(&self, key: &str) -> Result<Fields<'a>, Fault> {
        let at = self.path(key);
        Ok(Fields { map: object(self.need(key)?, &at)?, at })
    }

    fn malformed(&self, key: &str, why: &str) -> Fault {
        Fault::Malformed { at: self.path(key), why: why.to_owned() }
    }
}

fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, Fault> {
    value.as_object().ok_or_else(|| Fault::Malformed { at: at.to_owned(), why: "must be a JSON object".to_owned() })
}

/// `fb.1.1554763741205.AbCdEf`, possibly with an appendix; `fbp` ends in digits.
fn is_browser_id(text: &str, key: &str) -> bool {
    let parts: Vec<&str> = text.splitn(4, '.').collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let [version, index, time_ms, id] = parts[..] else { return false };
    let id_head = id.split('.').next().unwrap_or_default();
    let id_is_right = if key == "fbp" { is_number(id_head) } else { !id_head.is_empty() };
    version == "fb"
        && matches!(index, "0" | "1" | "2" | "3")
        && is_number(time_ms)
        && time_ms.len() == 13
        && id_is_right
}
