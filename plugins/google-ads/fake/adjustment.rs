//! What Google Ads requires of an adjustment: `ConversionAdjustment`.

use serde_json::Value;

use super::check::{self, Checked};
use super::errors::{Fault, fault};

const FAMILY: &str = "conversionAdjustmentUploadError";
const DAY_MS: i64 = 86_400_000;

const FIELDS: [&str; 8] = [
    "adjustmentDateTime",
    "adjustmentType",
    "conversionAction",
    "gclidDateTimePair",
    "orderId",
    "restatementValue",
    "userAgent",
    "userIdentifiers",
];

pub(super) fn check(entry: &Value, now_ms: i64) -> Checked {
    match check::unknown(entry, &FIELDS) {
        Some(name) => Checked::Unreadable(name),
        None => sound(entry, now_ms).map(|()| Vec::new()).into(),
    }
}

fn sound(entry: &Value, now_ms: i64) -> Result<(), Fault> {
    check::action(entry)?;
    check::order_id(entry, FAMILY)?;
    let identifiers = check::identifiers(entry, FAMILY, &["hashedEmail", "hashedPhoneNumber", "addressInfo"])?;
    match entry["adjustmentType"].as_str() {
        Some("ENHANCEMENT") => enhancement(entry, identifiers, now_ms),
        Some(kind @ ("RESTATEMENT" | "RETRACTION")) => adjusted(entry, kind, identifiers, now_ms),
        _ => Err(fault("requestError", "INVALID_ENUM_VALUE", "Enum value is not permitted.")),
    }
}

fn enhancement(entry: &Value, identifiers: usize, now_ms: i64) -> Result<(), Fault> {
    if entry.get("orderId").is_none() {
        return Err(fault(
            FAMILY,
            "MISSING_ORDER_ID_FOR_WEBPAGE",
            "Adjustment for website conversion requires Order ID.",
        ));
    }
    if identifiers == 0 {
        return Err(check::required("user_identifiers"));
    }
    if entry.get("restatementValue").is_some() {
        return Err(fault("fieldError", "VALUE_MUST_BE_UNSET", "restatement_value"));
    }
    if let Some(pair) = entry.get("gclidDateTimePair") {
        let at_ms = check::time(&pair["conversionDateTime"], "conversion_date_time", now_ms)?;
        if now_ms - at_ms > DAY_MS {
            return Err(fault(FAMILY, "CONVERSION_EXPIRED", "Enhancements are taken within 24 hours."));
        }
    }
    Ok(())
}

fn adjusted(entry: &Value, kind: &str, identifiers: usize, now_ms: i64) -> Result<(), Fault> {
    check::time(&entry["adjustmentDateTime"], "adjustment_date_time", now_ms)?;
    if entry.get("orderId").is_some() == entry.get("gclidDateTimePair").is_some() {
        return Err(fault(FAMILY, "GCLID_DATE_TIME_PAIR_AND_ORDER_ID_BOTH_SET", "Use only 1 type and try again."));
    }
    if identifiers > 0 || entry.get("userAgent").is_some() {
        return Err(fault("fieldError", "VALUE_MUST_BE_UNSET", "user_identifiers"));
    }
    match (kind, entry.get("restatementValue")) {
        ("RESTATEMENT", Some(value)) if value["adjustedValue"].as_f64().is_some_and(|value| value >= 0.0) => {
            check::currency(value.get("currencyCode"))
        }
        ("RESTATEMENT", _) => Err(check::required("restatement_value.adjusted_value")),
        (_, Some(_)) => Err(fault("fieldError", "VALUE_MUST_BE_UNSET", "restatement_value")),
        (_, None) => Ok(()),
    }
}
