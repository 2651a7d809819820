//! Checks one event, or one update of a profile, as Mixpanel validates it with `strict=1`.
//!
//! Sources: "Import Events", section "High-level requirements"; the schemas of `/engage` and `/groups`.

use serde_json::{Map, Value, json};

const PLACEHOLDERS: [&str; 17] = [
    "00000000-0000-0000-0000-000000000000",
    "anon",
    "anonymous",
    "nil",
    "none",
    "null",
    "n/a",
    "na",
    "undefined",
    "unknown",
    "<nil>",
    "0",
    "-1",
    "true",
    "false",
    "[]",
    "{}",
];
const EVENT_BYTES_MAX: usize = 1_000_000;
const ENTRIES_MAX: usize = 254;
const DEPTH_MAX: usize = 3;
const FIRST_MS: i64 = 31_536_000_000;
const AHEAD_MAX_MS: i64 = 3_600_000;

/// Why an entry is refused.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) field: String,
    pub(super) message: String,
}

impl Fault {
    fn new(field: &str, why: &str) -> Fault {
        Fault { field: field.to_owned(), message: format!("'{field}' is invalid: {why}") }
    }

    /// The entry's line in `failed_records`.
    pub(super) fn record(&self, index: usize, entry: &Value) -> Value {
        let insert_id = &entry["properties"]["$insert_id"];
        json!({ "index": index, "$insert_id": insert_id, "field": self.field, "message": self.message })
    }
}

/// Checks an entry of `/import`.
pub(super) fn event(entry: &Value, now_ms: i64) -> Result<(), Fault> {
    if entry["event"].as_str().is_none_or(str::is_empty) {
        return Err(Fault::new("event", "must not be missing or empty"));
    }
    if entry.to_string().len() >= EVENT_BYTES_MAX {
        return Err(Fault::new("event", "must be smaller than 1MB"));
    }
    if let Some(unknown) = entry.as_object().and_then(|map| map.keys().find(|k| *k != "event" && *k != "properties")) {
        return Err(Fault::new(unknown, "is no field of an event"));
    }
    let properties = entry["properties"].as_object().ok_or_else(|| Fault::new("properties", "must be an object"))?;
    time(properties, now_ms)?;
    let id = properties.get("distinct_id").and_then(Value::as_str);
    let id = id.ok_or_else(|| Fault::new("properties.distinct_id", "must be specified"))?;
    if is_placeholder(id) {
        return Err(Fault::new("properties.distinct_id", "is a placeholder"));
    }
    let insert_id = properties.get("$insert_id").and_then(Value::as_str).unwrap_or_default();
    let fits = (1..=36).contains(&insert_id.len())
        && insert_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !is_placeholder(insert_id);
    if !fits {
        return Err(Fault::new("properties.$insert_id", "must be 1 to 36 alphanumeric characters or '-'"));
    }
    if properties.len() > ENTRIES_MAX {
        return Err(Fault::new("properties", "must have fewer than 255 properties"));
    }
    for (name, value) in properties {
        shape(&format!("properties.{name}"), value)?;
    }
    ids(properties)
}

/// "In seconds or milliseconds since epoch."
fn time(properties: &Map<String, Value>, now_ms: i64) -> Result<(), Fault> {
    let field = "properties.time";
    let time = properties.get("time").and_then(Value::as_i64);
    let time = time.ok_or_else(|| Fault::new(field, "must be specified as seconds since epoch"))?;
    // What would be far in the future as seconds is milliseconds.
    let time_ms = if time < 100_000_000_000 { time * 1_000 } else { time };
    if time_ms < FIRST_MS || time_ms > now_ms + AHEAD_MAX_MS {
        return Err(Fault::new(field, "must be after 1971-01-01 and not more than 1 hour in the future"));
    }
    Ok(())
}

/// "The value of the $user_id will be set as the distinct_id", else that of the $device_id: another one confuses.
fn ids(properties: &Map<String, Value>) -> Result<(), Fault> {
    let text = |name: &str| properties.get(name).and_then(Value::as_str);
    for name in ["$user_id", "$device_id"] {
        if properties.contains_key(name) && text(name).is_none_or(|id| id.is_empty() || is_placeholder(id)) {
            return Err(Fault::new(&format!("properties.{name}"), "must be an id"));
        }
    }
    let distinct_id = text("distinct_id").unwrap_or_default();
    let fits = match (text("$user_id"), text("$device_id")) {
        (Some(user), _) => distinct_id == user,
        (None, Some(device)) => distinct_id.strip_prefix("$device:").unwrap_or(distinct_id) == device,
        (None, None) => true,
    };
    if fits { Ok(()) } else { Err(Fault::new("properties.distinct_id", "contradicts $user_id and $device_id")) }
}

/// "Fewer than 255 keys and a max nesting depth is 3", "fewer than 255 elements".
fn shape(field: &str, value: &Value) -> Result<(), Fault> {
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        let inner: Vec<&Value> = match value {
            Value::Array(list) => list.iter().collect(),
            Value::Object(map) => map.values().collect(),
            _ => continue,
        };
        if inner.len() > ENTRIES_MAX || depth >= DEPTH_MAX {
            return Err(Fault::new(field, "has too many entries, or is nested deeper than 3"));
        }
        open.extend(inner.into_iter().map(|value| (value, depth + 1)));
    }
    Ok(())
}

/// Checks an entry of `/engage` or `/groups`, whose subject has these keys.
pub(super) fn update(entry: &Value, subject: &[&str]) -> Result<(), Fault> {
    for name in ["$token"].iter().chain(subject) {
        if entry[name].as_str().is_none_or(|text| text.is_empty() || is_placeholder(text)) {
            return Err(Fault::new(name, "must not be missing or empty"));
        }
    }
    if entry["$set"].as_object().is_none_or(Map::is_empty) {
        return Err(Fault::new("$set", "must be an object with at least one property"));
    }
    if entry["$set"]["$phone"].as_str().is_some_and(|phone| !phone.starts_with('+')) {
        return Err(Fault::new("$set.$phone", "a '+' needs to precede international phone numbers"));
    }
    Ok(())
}

fn is_placeholder(id: &str) -> bool {
    PLACEHOLDERS.iter().any(|placeholder| id.eq_ignore_ascii_case(placeholder))
}
