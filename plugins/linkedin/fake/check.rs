//! What LinkedIn requires of the events in a batch, and its words where one lacks it.

use serde_json::{Map, Value, json};

use crate::form::{is_currency, is_sha256};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const AGE_MAX_MS: i64 = 90 * DAY_MS;
/// How far ahead of LinkedIn's clock a sender's may be. Not documented.
const AHEAD_MAX_MS: i64 = 60_000;
/// Versions are of 2023 at the earliest, and live about a year. By which month one is retired is not documented.
const VERSION_MONTHS: i64 = 24;

/// "Conversions API Schema", as of 2026.
const ID_TYPES: [&str; 5] =
    ["SHA256_EMAIL", "LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID", "ACXIOM_ID", "PLAINTEXT_IP_ADDRESS", "GOOGLE_AID"];

/// What LinkedIn says instead of taking a batch.
pub(super) struct Refusal {
    pub(super) status: u16,
    code: Option<String>,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn plain(status: u16, message: String) -> Refusal {
        Refusal { status, code: None, message }
    }

    pub(super) fn coded(status: u16, code: &str, message: &str) -> Refusal {
        Refusal { status, code: Some(code.to_owned()), message: message.to_owned() }
    }

    pub(super) fn body(&self) -> Value {
        match &self.code {
            Some(code) => json!({ "status": self.status, "code": code, "message": self.message }),
            None => json!({ "message": self.message, "status": self.status }),
        }
    }
}

/// Whether a version, `YYYYMM`, is still served.
pub(super) fn is_served(version: &str, now_ms: i64) -> bool {
    let (Ok(number), 6) = (version.parse::<i64>(), version.len()) else { return false };
    let (year, month) = (number / 100, number % 100);
    // By the average month, which is near enough for a limit that nobody knows.
    let now_months = 1970 * 12 + now_ms / (DAY_MS * 30_437 / 1000);
    let age = now_months - (year * 12 + month - 1);
    // A version may be newer than the clock of a test.
    (1..=12).contains(&month) && year >= 2023 && age < VERSION_MONTHS
}

/// Checks every event by the schema: 422, with what is wrong with each.
pub(super) fn schemas(elements: &[Value]) -> Result<(), Refusal> {
    let mut message = String::new();
    for (index, element) in elements.iter().enumerate() {
        let faults = faults(element);
        if !faults.is_empty() {
            message += &format!("Index: {index}, ");
            for fault in faults {
                message += &format!("ERROR :: {fault}\n");
            }
        }
    }
    if message.is_empty() { Ok(()) } else { Err(Refusal::plain(422, message)) }
}

/// Checks when the events happened: 400, with a list of those that are out of time.
pub(super) fn times(elements: &[Value], now_ms: i64) -> Result<(), Refusal> {
    let is_out = |element: &Value| {
        let at_ms = element["conversionHappenedAt"].as_i64().unwrap_or_default();
        at_ms > now_ms + AHEAD_MAX_MS || now_ms - at_ms > AGE_MAX_MS
    };
    let out = elements.iter().enumerate().filter(|(_, element)| is_out(element));
    let out: Vec<String> = out.map(|(index, _)| index.to_string()).collect();
    if out.is_empty() {
        return Ok(());
    }
    let message = format!(
        "Conversion time should be within 90 days and not exceed current time, indices [{}] (0-indexed).",
        out.join(", ")
    );
    Err(Refusal::plain(400, message))
}

/// What LinkedIn takes in silence and makes nothing of.
pub(super) fn silent(element: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let ids = element["user"]["userIds"].as_array().into_iter().flatten();
    for id in ids {
        let value = id["idValue"].as_str().unwrap_or_default();
        let fits = match id["idType"].as_str() {
            Some("SHA256_EMAIL") => is_sha256(value),
            Some("PLAINTEXT_IP_ADDRESS") => value.parse::<std::net::Ipv4Addr>().is_ok(),
            _ => !value.is_empty(),
        };
        if !fits {
            problems.push(format!("{}: `{value}` is none", id["idType"]));
        }
    }
    let currency = &element["conversionValue"]["currencyCode"];
    if currency.is_string() && !is_currency(currency) {
        problems.push("conversionValue.currencyCode: no ISO 4217 code".to_owned());
    }
    if element["eventId"].as_str().is_none_or(str::is_empty) {
        problems.push("eventId: without one, nothing is de-duplicated".to_owned());
    }
    problems
}

fn faults(element: &Value) -> Vec<String> {
    let mut fields = Fields { faults: Vec::new() };
    let Some(map) = element.as_object() else { return vec![" :: is not a record".to_owned()] };
    fields.known("", map, &["conversion", "conversionHappenedAt", "conversionValue", "eventId", "user"]);
    let conversion = fields.text("", map, "conversion").unwrap_or_default();
    let id = conversion.strip_prefix("urn:lla:llaPartnerConversion:");
    if !id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())) {
        fields.add("/conversion", "Invalid Urn format. Invalid prefix.");
    }
    if map.get("conversionHappenedAt").is_none_or(|at| !at.is_i64()) {
        fields.add("/conversionHappenedAt", "field is required but not found and has no default value");
    }
    if let Some(value) = map.get("conversionValue") {
        let empty = Map::new();
        let value = value.as_object().unwrap_or(&empty);
        fields.known("/conversionValue", value, &["currencyCode", "amount"]);
        fields.text("/conversionValue", value, "currencyCode");
        if fields.text("/conversionValue", value, "amount").is_some_and(|amount| amount.parse::<f64>().is_err()) {
            fields.add("/conversionValue/amount", "is not a decimal");
        }
    }
    match map.get("user").and_then(Value::as_object) {
        Some(user) => user_faults(&mut fields, user),
        None => fields.add("/user", "field is required but not found and has no default value"),
    }
    fields.faults
}

fn user_faults(fields: &mut Fields, user: &Map<String, Value>) {
    fields.known("/user", user, &["userIds", "userInfo", "externalIds", "lead"]);
    let Some(ids) = user.get("userIds").and_then(Value::as_array) else {
        fields.add("/user/userIds", "field is required but not found and has no default value");
        return;
    };
    for (index, id) in ids.iter().enumerate() {
        let at = format!("/user/userIds/{index}");
        let empty = Map::new();
        let id = id.as_object().unwrap_or(&empty);
        fields.known(&at, id, &["idType", "idValue"]);
        fields.text(&at, id, "idValue");
        if let Some(kind) = fields.text(&at, id, "idType").filter(|kind| !ID_TYPES.contains(kind)) {
            fields.add(&format!("{at}/idType"), &format!("\"{kind}\" is not an enum symbol"));
        }
    }
    if let Some(info) = user.get("userInfo").and_then(Value::as_object) {
        let known = ["firstName", "lastName", "title", "companyName", "countryCode"];
        fields.known("/user/userInfo", info, &known);
        fields.text("/user/userInfo", info, "firstName");
        fields.text("/user/userInfo", info, "lastName");
    }
    if ids.is_empty() && !["userInfo", "externalIds", "lead"].iter().any(|key| user.contains_key(*key)) {
        fields.add("/user", "no identifier");
    }
}

/// Collects what is wrong, as LinkedIn's validator does, which does not end at the first fault.
struct Fields {
    faults: Vec<String>,
}

impl Fields {
    fn add(&mut self, at: &str, why: &str) {
        self.faults.push(format!("{at} :: {why}"));
    }

    fn known(&mut self, at: &str, map: &Map<String, Value>, known: &[&str]) {
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            self.add(&format!("{at}/{key}"), "unrecognized field found but not allowed");
        }
    }

    fn text<'a>(&mut self, at: &str, map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
        let at = format!("{at}/{key}");
        match map.get(key) {
            None => self.add(&at, "field is required but not found and has no default value"),
            Some(Value::String(text)) => return Some(text),
            Some(other) => self.add(&at, &format!("{other} cannot be coerced to String")),
        }
        None
    }
}
