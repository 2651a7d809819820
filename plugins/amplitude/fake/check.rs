//! What Amplitude requires of the events in a request, and what it takes without a use for it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What is wrong with the events of a request.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Fields, and the places of the events in which they have an invalid value.
    pub(super) invalid: Places,
    /// Fields, and the places of the events that lack them.
    pub(super) missing: Places,
    /// What Amplitude says nothing of.
    pub(super) silent: Vec<String>,
}

type Places = BTreeMap<&'static str, Vec<usize>>;
/// Whether a value is of the type that it has to be of.
type Rule = fn(&Value) -> bool;

const MIN_ID_LENGTH: u64 = 5;
const TEXT_CHARS_MAX: usize = 1_024;
const DAY_MS: i64 = 86_400_000;

const OBJECTS: [&str; 4] = ["event_properties", "group_properties", "groups", "user_properties"];
const NUMBERS: [&str; 4] = ["location_lat", "location_lng", "price", "revenue"];
const INTEGERS: [&str; 4] = ["event_id", "quantity", "session_id", "time"];
const TEXTS: [&str; 18] = [
    "app_version",
    "carrier",
    "city",
    "country",
    "currency",
    "device_id",
    "dma",
    "event_type",
    "insert_id",
    "ip",
    "language",
    "os_name",
    "platform",
    "productId",
    "region",
    "revenueType",
    "user_agent",
    "user_id",
];
const OPERATIONS: [&str; 10] =
    ["$add", "$append", "$clearAll", "$postInsert", "$preInsert", "$prepend", "$remove", "$set", "$setOnce", "$unset"];
/// Of the names that begin so only these may be sent.
const OWN: [&str; 2] = ["[Amplitude] Page Viewed", "[Amplitude] Screen Viewed"];

/// Checks the events; `now_ms` is Unix time.
pub(super) fn events(events: &[Value], options: Option<&Value>, now_ms: i64) -> Faults {
    let mut faults = Faults::default();
    let min_id_length = options.and_then(|options| options["min_id_length"].as_u64()).unwrap_or(MIN_ID_LENGTH);
    if options.is_some_and(|options| options["min_id_length"].as_u64().is_none()) {
        faults.silent.push("options: min_id_length is no integer".to_owned());
    }
    for (place, event) in events.iter().enumerate() {
        match event.as_object() {
            Some(event) => Checked { event, place, faults: &mut faults }.check(min_id_length, now_ms),
            None => faults.invalid.entry("events").or_default().push(place),
        }
    }
    faults
}

struct Checked<'a> {
    event: &'a Map<String, Value>,
    place: usize,
    faults: &'a mut Faults,
}

impl<'a> Checked<'a> {
    fn check(&mut self, min_id_length: u64, now_ms: i64) {
        self.types();
        self.ids(min_id_length);
        self.name();
        self.money();
        match self.event.get("time").and_then(Value::as_i64) {
            None => self.silent("time is missing: the upload's stands for it"),
            Some(time) if time > now_ms + DAY_MS => self.silent("time is in the future"),
            Some(time) if time < 1_000_000_000_000 => self.silent("time is not in milliseconds"),
            Some(_) => {}
        }
        if self.text("insert_id").is_none() {
            self.silent("insert_id is missing: a duplicate would count");
        }
        if let Some(session) = self.event.get("session_id").and_then(Value::as_i64)
            && session != -1
            && session < 1_000_000_000_000
        {
            self.silent("session_id is not in milliseconds");
        }
        if let Some(long) = long_text(self.event) {
            self.silent(&format!("a text is longer than {TEXT_CHARS_MAX} characters: {long}"));
        }
        let key = self.event.keys().find(|key| !is_known(key)).cloned();
        if let Some(key) = key {
            self.silent(&format!("{key} is no key of an event"));
        }
    }

    fn types(&mut self) {
        let rules: [(&[&'static str], Rule); 4] = [
            (&OBJECTS, Value::is_object),
            (&NUMBERS, Value::is_number),
            (&INTEGERS, |value| value.as_i64().is_some()),
            (&TEXTS, Value::is_string),
        ];
        for (keys, is_right) in rules {
            for key in keys.iter().filter(|key| self.event.get(**key).is_some_and(|value| !is_right(value))) {
                self.faults.invalid.entry(key).or_default().push(self.place);
            }
        }
    }

    fn ids(&mut self, min_id_length: u64) {
        let long_enough = |id: &&str| id.chars().count() as u64 >= min_id_length;
        let user_id = self.text("user_id").filter(long_enough).is_some();
        let device_id = self.text("device_id").filter(long_enough);
        if device_id.is_some_and(|id| id.bytes().all(|b| b == b'0' || b == b'-')) {
            self.faults.invalid.entry("device_id").or_default().push(self.place);
        } else if !user_id && device_id.is_none() {
            self.faults.missing.entry("user_id_or_device_id").or_default().push(self.place);
        }
        for key in ["user_id", "device_id"] {
            if self.text(key).is_some_and(|id| !long_enough(&id)) {
                self.silent(&format!("{key} is too short, and dropped"));
            }
        }
    }

    fn name(&mut self) {
        let Some(name) = self.text("event_type") else {
            self.faults.missing.entry("event_type").or_default().push(self.place);
            return;
        };
        if name.starts_with("[Amplitude]") && !OWN.contains(&name) {
            self.faults.invalid.entry("event_type").or_default().push(self.place);
        }
        let event = self.event;
        let keys = |key: &str| event.get(key).and_then(Value::as_object).map(|map| map.keys().map(String::as_str));
        let operates = |key: &str| keys(key).is_some_and(|mut keys| keys.any(|key| OPERATIONS.contains(&key)));
        let only_operates = |key: &str| keys(key).is_some_and(|mut keys| keys.all(|key| OPERATIONS.contains(&key)));
        let problem = match name {
            "$identify" if event.contains_key("user_properties") && !only_operates("user_properties") => {
                Some("user_properties of an $identify are operations")
            }
            "$groupidentify" if !event.contains_key("groups") => Some("$groupidentify without groups"),
            "$groupidentify" if !only_operates("group_properties") => {
                Some("group_properties of a $groupidentify are operations")
            }
            "$identify" | "$groupidentify" => None,
            _ if operates("user_properties") => Some("operations are for an $identify"),
            _ if event.contains_key("group_properties") => Some("group_properties are for a $groupidentify"),
            _ => None,
        };
        if let Some(problem) = problem {
            self.silent(problem);
        }
    }

    fn money(&mut self) {
        let event = self.event;
        let has = |key: &str| event.contains_key(key);
        let earns = has("price") || has("revenue");
        if has("price") && has("revenue") {
            self.silent("revenue gives way to price by quantity");
        }
        for key in ["productId", "revenueType", "quantity"] {
            if has(key) && !earns {
                self.silent(&format!("{key} without price or revenue"));
            }
        }
        if earns && self.text("currency").is_none_or(|code| code.len() != 3) {
            self.silent("revenue without a currency");
        }
        let said = event.get("event_properties");
        if said.is_some_and(|said| !said["value"].is_null() && said["currency"].is_null()) {
            self.silent("a value without a currency");
        }
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.event.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn silent(&mut self, problem: &str) {
        self.faults.silent.push(format!("events[{}]: {problem}", self.place));
    }
}

fn is_known(key: &str) -> bool {
    [&OBJECTS[..], &NUMBERS, &INTEGERS, &TEXTS].iter().any(|keys| keys.contains(&key))
}

/// The first text that is too long, of those that Amplitude would cut.
fn long_text(event: &Map<String, Value>) -> Option<String> {
    let mut waiting: Vec<(&str, &Value)> = event.iter().map(|(key, value)| (key.as_str(), value)).collect();
    while let Some((key, value)) = waiting.pop() {
        match value {
            Value::String(text) if text.chars().count() > TEXT_CHARS_MAX => return Some(key.to_owned()),
            Value::Object(map) => waiting.extend(map.iter().map(|(key, value)| (key.as_str(), value))),
            _ => {}
        }
    }
    None
}
