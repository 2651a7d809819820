//! Checks a key and an event as the capture service does, and finds what goes wrong afterwards without a word.
//!
//! Sources: `rust/capture/src/token.rs`, `rust/common/types/src/event.rs` and `timestamp.rs` of
//! github.com/PostHog/posthog; "Ingestion warnings", "Identifying users" and "Historical migrations" on
//! posthog.com/docs.

use serde_json::Value;

use crate::form::{is_uuid, iso8601_ms};

const EVENT_BYTES_MAX: usize = 1_000_000;
const AHEAD_MAX_MS: i64 = 23 * 3_600_000;
const HISTORICAL_MS: i64 = 48 * 3_600_000;
const ILLEGAL_IN_ANY_CASE: [&str; 10] = [
    "anonymous",
    "guest",
    "distinctid",
    "distinct_id",
    "id",
    "not_authenticated",
    "email",
    "undefined",
    "true",
    "false",
];
const ILLEGAL: [&str; 6] = ["[object Object]", "NaN", "None", "none", "null", "0"];
/// Events that cannot do without a person.
const ABOUT_PERSONS: [&str; 4] = ["$identify", "$create_alias", "$merge_dangerously", "$groupidentify"];

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: u16, text: &str) -> Refusal {
        Refusal { status, text: text.to_owned() }
    }
}

/// A key of the right shape; whether it is anybody's is found out later.
pub(super) fn key(key: &str) -> Result<&str, Refusal> {
    let key = key.trim();
    let reason = match key {
        "" => "empty",
        key if key.len() > 64 => "too_long",
        key if !key.is_ascii() => "not_ascii",
        key if key.starts_with("phx_") => "personal_api_key",
        key if key.contains('\0') => "null_byte",
        key => return Ok(key),
    };
    Err(Refusal::new(401, &format!("API key is not valid: {reason}")))
}

/// What makes an event refuse its whole request.
pub(super) fn event(event: &Value) -> Result<(), Refusal> {
    let bad = |text: &str| Err(Refusal::new(400, text));
    match event["event"].as_str() {
        None => return bad("failed to parse request: missing field `event`"),
        Some("") => return bad("event submitted with an empty event name"),
        Some(_) => {}
    }
    if distinct_id(event).is_none_or(str::is_empty) {
        return bad("event submitted without a distinct_id");
    }
    if event.get("uuid").is_some_and(|uuid| !uuid.as_str().is_some_and(is_uuid)) {
        return bad("failed to parse request: UUID parsing failed");
    }
    if event.get("properties").is_some_and(|properties| !properties.is_object()) {
        return bad("failed to parse request: properties is no map");
    }
    if event.to_string().len() > EVENT_BYTES_MAX {
        return bad("maximum event size exceeded");
    }
    Ok(())
}

/// What goes wrong with an event that was taken.
pub(super) fn doubts(event: &Value, historical: bool, now_ms: i64) -> Vec<String> {
    let mut doubts = Vec::new();
    let properties = &event["properties"];
    let mut ids = vec![("distinct_id", distinct_id(event))];
    ids.extend(["$anon_distinct_id", "alias"].map(|name| (name, properties[name].as_str())));
    for (name, id) in ids.into_iter().filter_map(|(name, id)| Some((name, id?))) {
        if is_illegal(id) {
            doubts.push(format!("{name}: refused to merge with an illegal distinct ID"));
        }
        if id.chars().count() > 200 {
            doubts.push(format!("{name}: cut to 200 characters"));
        }
    }
    if event.get("uuid").is_none() {
        doubts.push("uuid: without one the event counts twice when it is sent twice".to_owned());
    }
    match event["timestamp"].as_str().and_then(iso8601_ms) {
        None => doubts.push("timestamp: ignored an invalid timestamp".to_owned()),
        Some(at_ms) if at_ms > now_ms + AHEAD_MAX_MS => {
            doubts.push("timestamp: more than 23 hours in the future".to_owned());
        }
        // The other way round an old event is taken too, and may trigger the alarm of a spike.
        Some(at_ms) if historical && now_ms - at_ms < HISTORICAL_MS => {
            doubts.push("historical_migration: only for events of at least 48 hours before".to_owned());
        }
        Some(_) => {}
    }
    let name = event["event"].as_str().unwrap_or_default();
    let profile = &properties["$process_person_profile"];
    if !profile.is_null() && !profile.is_boolean() {
        doubts.push("$process_person_profile: must be a boolean".to_owned());
    }
    if ABOUT_PERSONS.contains(&name) && profile == false {
        doubts.push("$process_person_profile: this event is dropped where it is false".to_owned());
    }
    if properties["$ip"].as_str().is_none() && properties["$geoip_disable"] != true {
        doubts.push("$ip: without it the sender's own place is taken for the visitor's".to_owned());
    }
    let missing: &[&str] = match name {
        "$groupidentify" => &["$group_type", "$group_key"],
        "$create_alias" => &["alias"],
        _ => &[],
    };
    let absent = missing.iter().filter(|name| properties[**name].as_str().is_none_or(str::is_empty));
    doubts.extend(absent.map(|name| format!("{name}: missing")));
    doubts
}

fn distinct_id(event: &Value) -> Option<&str> {
    event["distinct_id"].as_str().or_else(|| event["properties"]["distinct_id"].as_str())
}

fn is_illegal(id: &str) -> bool {
    let bare = id.trim().trim_matches(['"', '\'']);
    bare.is_empty()
        || ILLEGAL_IN_ANY_CASE.iter().any(|known| bare.eq_ignore_ascii_case(known))
        || ILLEGAL.contains(&bare)
}
