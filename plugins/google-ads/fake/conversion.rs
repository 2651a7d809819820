//! What Google Ads requires of an imported conversion: `ClickConversion`.

use serde_json::Value;

use super::check::{self, Checked};
use super::errors::{Fault, fault};

const FAMILY: &str = "conversionUploadError";
const DAY_MS: i64 = 86_400_000;
/// The longest click-through window of a conversion action.
const AGE_MAX_MS: i64 = 90 * DAY_MS;

const FIELDS: [&str; 13] = [
    "cartData",
    "consent",
    "conversionAction",
    "conversionDateTime",
    "conversionEnvironment",
    "conversionValue",
    "currencyCode",
    "customerType",
    "gbraid",
    "gclid",
    "orderId",
    "userIdentifiers",
    "wbraid",
];

pub(super) fn check(entry: &Value, now_ms: i64) -> Checked {
    match check::unknown(entry, &FIELDS) {
        Some(name) => Checked::Unreadable(name),
        None => sound(entry, now_ms).into(),
    }
}

fn sound(entry: &Value, now_ms: i64) -> Result<Vec<String>, Fault> {
    check::action(entry)?;
    let at_ms = check::time(&entry["conversionDateTime"], "conversion_date_time", now_ms)?;
    if now_ms - at_ms > AGE_MAX_MS {
        return Err(fault(
            FAMILY,
            "EXPIRED_EVENT",
            "The click occurred before this conversion's click-through window.",
        ));
    }
    let identifiers = check::identifiers(entry, FAMILY, &["hashedEmail", "hashedPhoneNumber"])?;
    clicks(entry, identifiers)?;
    check::order_id(entry, FAMILY)?;
    check::currency(entry.get("currencyCode"))?;
    if entry.get("conversionValue").is_some_and(|value| value.as_f64().is_none_or(|value| value < 0.0)) {
        return Err(fault("rangeError", "TOO_LOW", "The conversion value is no amount."));
    }
    for (field, known) in [("adUserData", "consent"), ("adPersonalization", "consent")] {
        let status = &entry[known][field];
        if !status.is_null() && status != "GRANTED" && status != "DENIED" {
            return Err(fault("requestError", "INVALID_ENUM_VALUE", format!("{field}: {status}")));
        }
    }
    if let Some(kind) = entry.get("customerType").filter(|kind| *kind != "NEW" && *kind != "RETURNING") {
        return Err(fault("requestError", "INVALID_ENUM_VALUE", format!("customerType: {kind}")));
    }
    cart(entry)?;
    let mut silent = Vec::new();
    if entry.get("conversionValue").is_some() != entry.get("currencyCode").is_some() {
        silent.push("a value without a currency is taken for one in the account's currency".to_owned());
    }
    if entry["consent"].is_null() {
        silent.push("without consent the conversion of a visitor from the EEA is not used".to_owned());
    }
    if entry.get("orderId").is_none() {
        silent.push("without an order ID the conversion cannot be adjusted".to_owned());
    }
    Ok(silent)
}

/// One click, or none and an identifier. Stricter than Google, which takes a gclid and a gbraid together since 2025.
fn clicks(entry: &Value, identifiers: usize) -> Result<(), Fault> {
    let given = |field: &str| entry.get(field).is_some();
    for field in ["gclid", "gbraid", "wbraid"] {
        if given(field) && entry[field].as_str().is_none_or(str::is_empty) {
            let code = match field {
                "gclid" => "UNPARSEABLE_GCLID",
                "gbraid" => "UNPARSEABLE_GBRAID",
                _ => "UNPARSEABLE_WBRAID",
            };
            return Err(fault(FAMILY, code, format!("The imported {field} could not be decoded.")));
        }
    }
    if given("gbraid") && given("wbraid") {
        return Err(fault(FAMILY, "GBRAID_WBRAID_BOTH_SET", "Can't use both gbraid and wbraid parameters."));
    }
    if given("gclid") && (given("gbraid") || given("wbraid")) {
        return Err(fault("fieldError", "VALUE_MUST_BE_UNSET", "The field's value must be unset: gclid."));
    }
    if !["gclid", "gbraid", "wbraid"].into_iter().any(given) && identifiers == 0 {
        return Err(check::required("gclid"));
    }
    Ok(())
}

fn cart(entry: &Value) -> Result<(), Fault> {
    let Some(cart) = entry.get("cartData") else { return Ok(()) };
    let items = cart["items"].as_array().filter(|items| !items.is_empty()).ok_or_else(|| check::required("items"))?;
    for item in items {
        let sound = item["productId"].as_str().is_some_and(|id| !id.is_empty())
            && item["quantity"].as_u64().is_some_and(|quantity| quantity > 0)
            && item["unitPrice"].is_number();
        if !sound {
            return Err(fault("fieldError", "INVALID_VALUE", "An item needs product_id, quantity and unit_price."));
        }
    }
    Ok(())
}
