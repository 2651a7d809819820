//! What the Data Manager API requires of a request and of each event in it. All that is wrong is named at once.

use serde_json::Value;

use super::errors::{Violation, violation};
use crate::form::{is_currency, is_sha256, unix_s};

const EVENTS_MAX: usize = 2000;
const DESTINATIONS_MAX: usize = 10;
const IDENTIFIERS_MAX: usize = 10;

const REQUEST: [&str; 6] = ["consent", "destinations", "encoding", "encryptionInfo", "events", "validateOnly"];
const EVENT: [&str; 15] = [
    "adIdentifiers",
    "cartData",
    "consent",
    "conversionValue",
    "currency",
    "customVariables",
    "destinationReferences",
    "eventDeviceInfo",
    "eventSource",
    "eventTimestamp",
    "experimentalFields",
    "lastUpdatedTimestamp",
    "transactionId",
    "userData",
    "userProperties",
];
const SOURCES: [&str; 5] = ["WEB", "APP", "IN_STORE", "PHONE", "OTHER"];

/// What a look at a request gives.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) violations: Vec<Violation>,
    /// What Google takes in silence and then fails to use.
    pub(super) silent: Vec<String>,
}

/// A field that the API does not know, and where.
pub(super) fn unknown(body: &Value) -> Option<(String, String)> {
    let stranger = |value: &Value, known: &[&str]| {
        let map = value.as_object()?;
        map.keys().find(|key| !known.contains(&key.as_str())).cloned()
    };
    if !body.is_object() {
        return Some((body.to_string(), String::new()));
    }
    if let Some(name) = stranger(body, &REQUEST) {
        return Some((name, String::new()));
    }
    let events = body["events"].as_array().into_iter().flatten().enumerate();
    events.filter_map(|(index, event)| Some((stranger(event, &EVENT)?, format!("events[{index}]")))).next()
}

pub(super) fn request(body: &Value, now_ms: i64) -> Checked {
    let mut checked = Checked::default();
    let destinations = body["destinations"].as_array().map(Vec::as_slice).unwrap_or_default();
    match destinations.len() {
        0 => checked.missing("destinations"),
        count if count > DESTINATIONS_MAX => checked.wrong("destinations", "TOO_MANY_DESTINATIONS", "At most 10."),
        _ => {}
    }
    for (index, destination) in destinations.iter().enumerate() {
        checked.destination(destination, &format!("destinations[{index}]"));
    }
    let events = body["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    match events.len() {
        0 => checked.missing("events"),
        count if count > EVENTS_MAX => checked.wrong("events", "TOO_MANY_EVENTS", "At most 2000."),
        _ => {}
    }
    let has_users = events.iter().any(|event| event.get("userData").is_some());
    if has_users && body["encoding"] != "HEX" && body["encoding"] != "BASE64" {
        checked.missing("encoding");
    }
    for (index, event) in events.iter().enumerate() {
        checked.event(event, &format!("events[{index}]"), now_ms);
    }
    checked
}

impl Checked {
    fn wrong(&mut self, field: &str, reason: &'static str, description: &str) {
        self.violations.push(violation(field, reason, description));
    }

    fn missing(&mut self, field: &str) {
        self.wrong(field, "REQUIRED_FIELD_MISSING", "Required field is missing.");
    }

    fn destination(&mut self, destination: &Value, at: &str) {
        for (account, field) in [
            ("operatingAccount", "operating_account"),
            ("loginAccount", "login_account"),
            ("linkedAccount", "linked_account"),
        ] {
            let Some(account) = destination.get(account) else {
                if field == "operating_account" {
                    self.missing(&format!("{at}.{field}"));
                }
                continue;
            };
            let text = |key: &str| account[key].as_str().unwrap_or_default();
            let is_type = !text("accountType").is_empty()
                && text("accountType").bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            if !is_type || text("accountId").is_empty() || !text("accountId").bytes().all(|b| b.is_ascii_digit()) {
                self.wrong(&format!("{at}.{field}"), "INVALID_DESTINATION", "This Destination is not valid.");
            }
        }
        if destination["productDestinationId"].as_str().is_none_or(str::is_empty) {
            self.missing(&format!("{at}.product_destination_id"));
        }
    }

    fn event(&mut self, event: &Value, at: &str, now_ms: i64) {
        match event["eventTimestamp"].as_str().map(unix_ms) {
            None => self.missing(&format!("{at}.event_timestamp")),
            Some(None) => self.wrong(&format!("{at}.event_timestamp"), "INVALID_FORMAT", "Format is invalid."),
            Some(Some(at_ms)) if at_ms > now_ms + 60_000 => {
                self.wrong(&format!("{at}.event_timestamp"), "INVALID_EVENT", "The event is in the future.");
            }
            Some(Some(at_ms)) if now_ms - at_ms > 90 * 86_400_000 => self.silent.push(format!("{at}: EVENT_TOO_OLD")),
            Some(Some(_)) => {}
        }
        let clicks = self.clicks(event, at);
        let identifiers = self.identifiers(&event["userData"], at);
        if clicks + identifiers == 0 {
            self.wrong(at, "NO_IDENTIFIERS_PROVIDED", "Events data contains no user identifiers or ad identifiers.");
        }
        if event.get("transactionId").is_none_or(|id| id.as_str().is_none_or(str::is_empty)) {
            self.silent.push(format!("{at}: without a transaction id Google cannot tell duplicates"));
        }
        if event["consent"].is_null() {
            self.silent.push(format!("{at}: UNKNOWN_CONSENT"));
        }
        for field in ["adUserData", "adPersonalization"] {
            let status = &event["consent"][field];
            if !status.is_null() && status != "CONSENT_GRANTED" && status != "CONSENT_DENIED" {
                self.wrong(&format!("{at}.consent"), "INVALID_ENUM_VALUE", "Enum value cannot be used.");
            }
        }
        if event["eventSource"].as_str().is_none_or(|source| !SOURCES.contains(&source)) {
            self.wrong(&format!("{at}.event_source"), "INVALID_ENUM_VALUE", "Enum value cannot be used.");
        }
        self.money(event, at);
        self.cart(event, at);
    }

    fn clicks(&mut self, event: &Value, at: &str) -> usize {
        let clicks = event["adIdentifiers"].as_object().into_iter().flatten();
        let clicks: Vec<_> = clicks.filter(|(key, _)| ["gclid", "gbraid", "wbraid"].contains(&key.as_str())).collect();
        if clicks.len() > 1 {
            self.silent.push(format!("{at}: several click IDs, of which Google Ads takes one"));
        }
        for (key, value) in &clicks {
            if value.as_str().is_none_or(str::is_empty) {
                self.wrong(&format!("{at}.ad_identifiers.{key}"), "INVALID_FORMAT", "Format is invalid.");
            }
        }
        clicks.len()
    }

    fn identifiers(&mut self, user_data: &Value, at: &str) -> usize {
        let at = format!("{at}.user_data.user_identifiers");
        let list = user_data["userIdentifiers"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !user_data.is_null() && list.is_empty() {
            self.missing(&at);
        }
        if list.len() > IDENTIFIERS_MAX {
            self.wrong(&at, "TOO_MANY_USER_IDENTIFIERS", "At most 10.");
        }
        for (index, identifier) in list.iter().enumerate() {
            let at = format!("{at}[{index}]");
            let mut given = identifier.as_object().into_iter().flatten();
            match (given.next(), given.next()) {
                (Some((key, value)), None) if key == "emailAddress" || key == "phoneNumber" => self.sha256(value, &at),
                (Some((key, address)), None) if key == "address" => self.address(address, &at),
                _ => self.wrong(&at, "INVALID_FORMAT", "Exactly one must be specified."),
            }
        }
        list.len()
    }

    fn address(&mut self, address: &Value, at: &str) {
        self.sha256(&address["givenName"], &format!("{at}.address.given_name"));
        self.sha256(&address["familyName"], &format!("{at}.address.family_name"));
        let region = address["regionCode"].as_str().unwrap_or_default();
        if region.len() != 2 || !region.bytes().all(|byte| byte.is_ascii_uppercase()) {
            self.wrong(&format!("{at}.address.region_code"), "INVALID_COUNTRY_CODE", "Country code is not valid.");
        }
        if address["postalCode"].as_str().is_none_or(str::is_empty) {
            self.wrong(&format!("{at}.address.postal_code"), "INVALID_POSTAL_CODE", "Postal code is not valid.");
        }
    }

    fn sha256(&mut self, value: &Value, at: &str) {
        if !value.as_str().is_some_and(is_sha256) {
            self.wrong(at, "INVALID_SHA256_FORMAT", "The SHA256 encoded value is malformed.");
        }
    }

    fn money(&mut self, event: &Value, at: &str) {
        if event.get("conversionValue").is_some_and(|value| !value.is_number()) {
            self.wrong(&format!("{at}.conversion_value"), "INVALID_NUMBER_FORMAT", "Invalid number format.");
        }
        if event.get("currency").is_some_and(|code| !is_currency(code)) {
            self.wrong(&format!("{at}.currency"), "INVALID_CURRENCY_CODE", "The currency code is not supported.");
        }
        if event.get("conversionValue").is_some() != event.get("currency").is_some() {
            self.silent.push(format!("{at}: a value without a currency is taken for one in the account's currency"));
        }
    }

    fn cart(&mut self, event: &Value, at: &str) {
        let Some(cart) = event.get("cartData") else { return };
        let is_whole = |item: &Value| {
            let quantity =
                item["quantity"].as_str().and_then(|text| text.parse::<u64>().ok()).or(item["quantity"].as_u64());
            item["merchantProductId"].is_string() && quantity.is_some() && item["unitPrice"].is_number()
        };
        if !cart["items"].as_array().is_some_and(|items| !items.is_empty() && items.iter().all(is_whole)) {
            self.wrong(&format!("{at}.cart_data.items"), "INVALID_FORMAT", "Format is invalid.");
        }
    }
}

/// RFC 3339 in UTC, as `2026-01-15T14:32:00.000Z`, in Unix milliseconds.
fn unix_ms(text: &str) -> Option<i64> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(unix_s(date, clock)? * 1_000 + millis)
}
