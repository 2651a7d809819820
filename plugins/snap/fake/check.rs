//! What Snap requires of the events in a request. The first fault is the one named; what Snap takes and cannot use is a
//! problem.

use std::fmt;

use serde_json::{Map, Value};

use crate::form::is_sha256;

const EVENTS_MAX: usize = 2000;
const AGE_MAX_MS: i64 = 37 * 24 * 60 * 60 * 1000;
/// How far ahead of Snap's clock a sender's may be. Not documented.
const AHEAD_MAX_MS: i64 = 60_000;
/// A time that is smaller is in seconds: in milliseconds it would be in 1973.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// What has to arrive as SHA-256, one value or a list.
const HASHED: [&str; 9] = ["em", "ph", "fn", "ln", "ge", "ct", "st", "zp", "country"];
/// What has to arrive as it is, or may be either.
const PLAIN: [&str; 9] = [
    "client_ip_address",
    "client_user_agent",
    "external_id",
    "idfv",
    "lead_id",
    "madid",
    "sc_click_id",
    "sc_cookie1",
    "subscription_id",
];

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    /// Which event of the request.
    pub(super) event: usize,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(event: usize, code: &'static str, message: impl Into<String>) -> Fault {
        Fault { event, code, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data[{}]: {}: {}", self.event, self.code, self.message)
    }
}

/// A code and a message; which event it is of is added outside.
type Refusal = (&'static str, String);

/// Checks a request's body; `now_ms` is Unix time. Gives the problems of what is taken, or else the refusal.
pub(super) fn request(body: &Value, now_ms: i64) -> Result<Vec<String>, Fault> {
    let events = body.get("data").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if events.is_empty() || events.len() > EVENTS_MAX {
        return Err(Fault::new(0, "BATCH_SIZE", format!("data must be a list of 1 to {EVENTS_MAX} events")));
    }
    let mut problems = Vec::new();
    for (index, value) in events.iter().enumerate() {
        let found = object(value, "an event").and_then(|entry| event(entry, now_ms));
        let found = found.map_err(|(code, message)| Fault::new(index, code, message))?;
        problems.extend(found.into_iter().map(|problem| format!("data[{index}]: {problem}")));
    }
    Ok(problems)
}

fn event(event: &Map<String, Value>, now_ms: i64) -> Result<Vec<String>, Refusal> {
    let name = need_text(event, "event_name")?;
    time(event, now_ms)?;
    let source = need_text(event, "action_source")?;
    if !["WEB", "MOBILE_APP", "OFFLINE"].iter().any(|known| source.eq_ignore_ascii_case(known)) {
        return Err(malformed("action_source", "must be WEB, MOBILE_APP or OFFLINE"));
    }
    if source.eq_ignore_ascii_case("WEB") {
        let url = need_text(event, "event_source_url")?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(malformed("event_source_url", "must be a URL"));
        }
    }
    if event.get("opt_out").is_some_and(|flag| !flag.is_boolean()) {
        return Err(malformed("opt_out", "must be a boolean"));
    }
    let mut problems = Vec::new();
    if need_text(event, "event_id").is_err() {
        problems.push("event_id: without it nothing is counted once".to_owned());
    }
    if let Some(options) = event.get("data_processing_options") {
        let options = options.as_array().ok_or_else(|| malformed("data_processing_options", "must be a list"))?;
        let odd = options.iter().filter(|option| *option != "LMU" && *option != "LDU");
        problems.extend(odd.map(|option| format!("data_processing_options: {option} is no option")));
    }
    let user_data = object(event.get("user_data").ok_or_else(|| missing("user_data"))?, "user_data")?;
    problems.extend(person(user_data)?);
    match event.get("custom_data") {
        Some(data) => custom_data(object(data, "custom_data")?, name)?,
        None if name == "PURCHASE" => return Err(missing("custom_data.currency")),
        None => {}
    }
    Ok(problems)
}

fn time(event: &Map<String, Value>, now_ms: i64) -> Result<(), Refusal> {
    let at = event.get("event_time").ok_or_else(|| missing("event_time"))?;
    let at = at.as_i64().ok_or_else(|| malformed("event_time", "must be a Unix timestamp"))?;
    let at_ms = if at < SECONDS_BELOW { at * 1000 } else { at };
    if at_ms > now_ms + AHEAD_MAX_MS || now_ms - at_ms > AGE_MAX_MS {
        return Err(("TIMESTAMP_OUT_OF_RANGE", "event_time is invalid or out of range".to_owned()));
    }
    Ok(())
}

/// Checks `user_data`: who the event is about.
fn person(user_data: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let mut problems = Vec::new();
    for (key, value) in user_data {
        let hashed = HASHED.contains(&key.as_str());
        if !hashed && !PLAIN.contains(&key.as_str()) {
            problems.push(format!("user_data.{key}: is no parameter of Snap's"));
            continue;
        }
        let values: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |values| values.iter().collect());
        for value in values {
            let text = value.as_str().ok_or_else(|| malformed(key, "must be a string"))?;
            if text.is_empty() {
                problems.push(format!("user_data.{key}: is empty"));
            } else if hashed && !is_sha256(text) {
                return Err(("UNHASHED_PII", format!("user_data.{key} is not hashed")));
            }
        }
    }
    let has = |key: &str| user_data.contains_key(key);
    let address = has("client_ip_address") && has("client_user_agent");
    if has("em") || has("ph") || has("madid") || address {
        return Ok(problems);
    }
    Err(("INSUFFICIENT_PII", "user_data has too little to match anybody".to_owned()))
}

fn custom_data(data: &Map<String, Value>, name: &str) -> Result<(), Refusal> {
    for key in ["value", "currency"] {
        if name == "PURCHASE" && !data.contains_key(key) {
            return Err(missing(&format!("custom_data.{key}")));
        }
    }
    if data.get("value").is_some_and(|value| !value.is_number()) {
        return Err(malformed("custom_data.value", "must be a number"));
    }
    let is_currency = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if data.get("currency").is_some_and(|code| !code.as_str().is_some_and(is_currency)) {
        return Err(malformed("custom_data.currency", "must be an ISO 4217 code"));
    }
    if data.get("num_items").is_some_and(|count| count.as_u64().is_none()) {
        return Err(malformed("custom_data.num_items", "must be a whole number"));
    }
    for key in ["content_category", "content_type", "delivery_category", "event_tag", "order_id", "search_string"] {
        if data.get(key).is_some_and(|value| !value.is_string()) {
            return Err(malformed(&format!("custom_data.{key}"), "must be a string"));
        }
    }
    let is_texts = |ids: &Value| ids.as_array().is_some_and(|ids| ids.iter().all(Value::is_string));
    if data.get("content_ids").is_some_and(|ids| !is_texts(ids)) {
        return Err(malformed("custom_data.content_ids", "must be a list of strings"));
    }
    let Some(contents) = data.get("contents") else { return Ok(()) };
    let contents = contents.as_array().ok_or_else(|| malformed("custom_data.contents", "must be a list"))?;
    for item in contents {
        let item = object(item, "custom_data.contents")?;
        need_text(item, "id")?;
        for key in ["quantity", "item_price", "brand"] {
            if item.get(key).is_some_and(|value| !value.is_string()) {
                return Err(malformed(&format!("custom_data.contents.{key}"), "must be a string"));
            }
        }
    }
    Ok(())
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, Refusal> {
    value.as_object().ok_or_else(|| malformed(what, "must be a JSON object"))
}

fn need_text<'a>(map: &'a Map<String, Value>, key: &str) -> Result<&'a str, Refusal> {
    let value = map.get(key).ok_or_else(|| missing(key))?;
    value.as_str().filter(|text| !text.is_empty()).ok_or_else(|| malformed(key, "must be a string that is not empty"))
}

fn missing(key: &str) -> Refusal {
    ("MISSING_REQUIRED_FIELD", format!("{key} is required"))
}

fn malformed(key: &str, why: &str) -> Refusal {
    ("MALFORMED_FIELD", format!("{key} {why}"))
}
