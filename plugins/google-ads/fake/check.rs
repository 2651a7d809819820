//! What conversions and adjustments have in common: which fields there are, times, identifiers, and duplicates.

use serde_json::Value;

use super::errors::{Fault, fault};
use super::moment;
use crate::form::{is_currency, is_sha256};

/// What a look at one entry gives.
pub(super) enum Checked {
    /// Google takes it. What it takes in silence and then fails to use is told.
    Sound(Vec<String>),
    /// Google refuses it, and takes the others.
    Faulty(Fault),
    /// It has a field that Google does not know: all of the request is refused.
    Unreadable(String),
}

impl From<Result<Vec<String>, Fault>> for Checked {
    fn from(result: Result<Vec<String>, Fault>) -> Checked {
        result.map_or_else(Checked::Faulty, Checked::Sound)
    }
}

/// A field that is not among these.
pub(super) fn unknown(entry: &Value, known: &[&str]) -> Option<String> {
    let Some(map) = entry.as_object() else { return Some(entry.to_string()) };
    map.keys().find(|key| !known.contains(&key.as_str())).cloned()
}

pub(super) fn required(field: &str) -> Fault {
    fault("fieldError", "REQUIRED", format!("The required field {field} was not present."))
}

pub(super) fn action(entry: &Value) -> Result<(), Fault> {
    let name = entry["conversionAction"].as_str().ok_or_else(|| required("conversion_action"))?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = name.split('/').collect();
    match parts[..] {
        ["customers", customer, "conversionActions", id] if is_number(customer) && is_number(id) => Ok(()),
        _ => Err(fault("requestError", "RESOURCE_NAME_MALFORMED", format!("'{name}' is no resource name."))),
    }
}

/// The time of a field, in Unix milliseconds; one of the future is refused.
pub(super) fn time(value: &Value, field: &str, now_ms: i64) -> Result<i64, Fault> {
    let text = value.as_str().ok_or_else(|| required(field))?;
    let at_ms = moment::parse(text).ok_or_else(|| {
        fault("dateError", "INVALID_STRING_DATE_TIME_SECONDS_WITH_OFFSET", format!("'{text}' is no time."))
    })?;
    if at_ms > now_ms + 60_000 {
        return Err(fault("dateError", "LATER_THAN_MAXIMUM_DATE", format!("'{text}' is in the future.")));
    }
    Ok(at_ms)
}

pub(super) fn order_id(entry: &Value, family: &'static str) -> Result<(), Fault> {
    match entry["orderId"].as_str() {
        Some(id) if id.contains('@') => {
            Err(fault(family, "ORDER_ID_CONTAINS_PII", "The order ID holds personal data."))
        }
        Some(id) if !id.is_empty() => Ok(()),
        _ if entry.get("orderId").is_none() => Ok(()),
        _ => Err(fault("stringFormatError", "INVALID_FORMAT", "The order ID is no text.")),
    }
}

pub(super) fn currency(code: Option<&Value>) -> Result<(), Fault> {
    match code {
        Some(code) if !is_currency(code) => Err(fault("currencyCodeError", "UNSUPPORTED", "No currency code.")),
        _ => Ok(()),
    }
}

/// The identifiers, of which these kinds are taken.
pub(super) fn identifiers(entry: &Value, family: &'static str, kinds: &[&str]) -> Result<usize, Fault> {
    let list = entry["userIdentifiers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if list.len() > 5 {
        return Err(fault("collectionSizeError", "TOO_MANY", "At most 5 user identifiers."));
    }
    for identifier in list {
        let mut given = identifier.as_object().into_iter().flatten().filter(|(key, _)| *key != "userIdentifierSource");
        let (Some((kind, value)), None) = (given.next(), given.next()) else {
            return Err(fault(family, "INVALID_USER_IDENTIFIER", "A user identifier is exactly one thing."));
        };
        if !kinds.contains(&kind.as_str()) {
            return Err(fault(family, "UNSUPPORTED_USER_IDENTIFIER", format!("{kind} is not supported.")));
        }
        let sound = if kind == "addressInfo" { is_address(value) } else { is_digest(value) };
        if !sound {
            return Err(fault(
                family,
                "INVALID_USER_IDENTIFIER",
                "Make sure you hash user provided data using SHA-256.",
            ));
        }
    }
    Ok(list.len())
}

fn is_address(address: &Value) -> bool {
    let text = |field: &str| address[field].as_str().is_some_and(|text| !text.is_empty());
    let country = address["countryCode"].as_str().unwrap_or_default();
    let street = address.get("hashedStreetAddress").is_none_or(is_digest);
    is_digest(&address["hashedFirstName"])
        && is_digest(&address["hashedLastName"])
        && street
        && text("postalCode")
        && country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_digest(value: &Value) -> bool {
    value.as_str().is_some_and(is_sha256)
}

/// Entries that are one to Google: it takes neither.
pub(super) fn twice(entries: &[Value], list: &str, faults: &mut [Option<Fault>]) {
    let key = |entry: &Value| {
        let fields = ["conversionAction", "orderId", "adjustmentType", "adjustmentDateTime"];
        fields.map(|field| entry[field].as_str().unwrap_or_default().to_owned())
    };
    let duplicate = match list {
        "conversions" => {
            fault("conversionUploadError", "DUPLICATE_ORDER_ID", "Several conversions have this order ID.")
        }
        _ => fault(
            "conversionAdjustmentUploadError",
            "DUPLICATE_ADJUSTMENT_IN_REQUEST",
            "Several adjustments have this order ID and time.",
        ),
    };
    for (index, entry) in entries.iter().enumerate() {
        let same = entries.iter().enumerate().any(|(other, entry_)| other != index && key(entry_) == key(entry));
        if same && entry.get("orderId").is_some() && faults[index].is_none() {
            faults[index] = Some(duplicate.clone());
        }
    }
}
