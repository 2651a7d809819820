//! Google Consent Mode: its fields by name, and the two codes that Google's tags send, `gcs` and `gcd`.
//!
//! <https://developers.google.com/tag-platform/security/guides/consent>; what the letters of `gcd` mean is not documented
//! and was observed by others, so a letter that nobody has seen is a refusal.

use serde_json::Value;
use tidegate_event::{Purpose, Purposes, Signal};

use crate::FieldError;
use crate::reading::Reading;

/// Google's names, in the order of `gcd`'s letters.
const FIELDS: [(&str, Purpose); 4] = [
    ("ad_storage", Purpose::AdStorage),
    ("analytics_storage", Purpose::Analytics),
    ("ad_user_data", Purpose::AdUserData),
    ("ad_personalization", Purpose::AdPersonalization),
];

/// The letters of `gcd` that grant.
const GRANTED: &str = "trnv";
/// The letter of `gcd` that says that nobody has said anything.
const UNSET: char = 'l';

/// What Consent Mode says of each purpose: granted, denied, or not set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mode {
    granted: Purposes,
    denied: Purposes,
}

/// Reads `gcs`, such as `G101`: the storage of advertising, then that of analytics, as `1`, `0`, or `-` for not set.
/// It cannot speak of user data and personalisation, so they go with the storage of advertising.
///
/// # Errors
/// When it is anything else; `field` is its path.
pub fn from_gcs(text: &str, field: &str) -> Result<Mode, FieldError> {
    let wrong = || FieldError::wrong_text(field, "a code such as `G101`", text);
    let codes = text.strip_prefix("G1").ok_or_else(wrong)?;
    let mut codes = codes.chars();
    let (Some(ads), Some(analytics), None) = (codes.next(), codes.next(), codes.next()) else { return Err(wrong()) };
    let mut mode = Mode::default();
    for (name, purpose) in FIELDS {
        let code = if name == "analytics_storage" { analytics } else { ads };
        match code {
            '1' => mode.granted = mode.granted.with(purpose),
            '0' => mode.denied = mode.denied.with(purpose),
            '-' => {}
            _ => return Err(wrong()),
        }
    }
    Ok(mode)
}

/// Reads `gcd`, such as `13r3r3r2r5l1`: four letters between digits, and what follows them is not looked at.
///
/// # Errors
/// When there are not four letters between digits; `field` is its path.
pub fn from_gcd(text: &str, field: &str) -> Result<Mode, FieldError> {
    let wrong = || FieldError::wrong_text(field, "a code such as `13r3r3r2r5l1`", text);
    if text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) || !text.starts_with('1') {
        return Err(wrong());
    }
    let mut rest = text;
    let mut mode = Mode::default();
    for (_, purpose) in FIELDS {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let letter = after.chars().next().filter(|_| after.len() < rest.len()).ok_or_else(wrong)?;
        if GRANTED.contains(letter) {
            mode.granted = mode.granted.with(purpose);
        } else if letter != UNSET {
            mode.denied = mode.denied.with(purpose);
        }
        rest = &after[1..];
    }
    // A fifth letter without a digit before it would mean that the four were not these.
    if rest.starts_with(|c: char| c.is_ascii_digit()) { Ok(mode) } else { Err(wrong()) }
}

/// Reads the fields by name, as `gtag('consent', 'update', {…})` has them. Others than the four are let be: Google has
/// more, for things that are not ours.
///
/// # Errors
/// When it is no object, or one of the four is neither `granted` nor `denied`; `field` is its path.
pub fn from_object(value: &Value, field: &str) -> Result<Mode, FieldError> {
    let object = value
        .as_object()
        .ok_or_else(|| FieldError::wrong(field, "an object such as {\"ad_storage\": \"granted\"}", value))?;
    let mut mode = Mode::default();
    for (name, purpose) in FIELDS {
        match object.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text == "granted" => mode.granted = mode.granted.with(purpose),
            Some(Value::String(text)) if text == "denied" => mode.denied = mode.denied.with(purpose),
            Some(other) => {
                return Err(FieldError::wrong(format!("{field}.{name}"), "`granted` or `denied`", other));
            }
        }
    }
    Ok(mode)
}

impl Mode {
    /// What it says; nothing where no purpose is set. What could have been set and was not is not granted.
    pub(crate) fn reading(self) -> Option<Reading> {
        let Mode { granted, denied } = self;
        let said = granted.union(denied) != Purposes::NONE;
        said.then_some(Reading { granted, denied, signal: Signal::GoogleConsentMode })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One letter for each of Google's fields in order: granted, denied, unset.
    fn shown(mode: Mode) -> String {
        let of = |purpose| match (mode.granted.contains(purpose), mode.denied.contains(purpose)) {
            (true, false) => 'g',
            (false, true) => 'd',
            (false, false) => '-',
            (true, true) => '!',
        };
        FIELDS.into_iter().map(|(_, purpose)| of(purpose)).collect()
    }

    #[test]
    fn gcs_has_advertising_before_analytics() {
        for (code, expected) in
            [("G111", "gggg"), ("G100", "dddd"), ("G110", "gdgg"), ("G101", "dgdd"), ("G1--", "----"), ("G1-1", "-g--")]
        {
            assert_eq!(shown(from_gcs(code, "gcs").unwrap()), expected, "{code}");
        }
    }

    #[test]
    fn gcd_has_four_letters_in_the_order_of_its_fields() {
        for (code, expected) in [
            ("13r3r3r2r5l1", "gggg"),
            ("11t1t1t1t5", "gggg"),
            ("13n3n3v3v5l1", "gggg"),
            ("13p3p3p3p5", "dddd"),
            ("13q3m3u3p5l1", "dddd"),
            ("13l3l3l3l1l1", "----"),
            ("13r3p3l3r1", "gd-g"),
            ("13z3R3r3r5", "ddgg"),
        ] {
            assert_eq!(shown(from_gcd(code, "gcd").unwrap()), expected, "{code}");
        }
    }

    #[test]
    fn fields_by_name_may_be_some_of_them() {
        let mode = |value| shown(from_object(&value, "google").unwrap());
        assert_eq!(mode(json!({ "ad_storage": "granted", "analytics_storage": "denied" })), "gd--");
        assert_eq!(mode(json!({ "ad_user_data": "denied", "security_storage": "granted" })), "--d-");
        assert!(from_object(&json!({}), "google").unwrap().reading().is_none());
    }

    #[test]
    fn codes_that_are_none_are_refused_by_name() {
        for code in ["", "G1", "G11", "G1111", "G211", "g111", "G1x1", "G1ä"] {
            assert!(from_gcs(code, "consent.gcs").is_err(), "{code}");
        }
        let long = format!("1{}", "3r".repeat(40));
        for code in
            ["", "1", "13r3r3r", "13r3r3r3r", "rrrr", "13rr3r3r5", "3r3r3r3r5", "13r3r3r3rl", "13r-r3r3r5", &long]
        {
            assert!(from_gcd(code, "consent.gcd").is_err(), "{code}");
        }
        let error = from_gcs("G9", "consent.gcs").unwrap_err().to_string();
        assert_eq!(error, "consent.gcs: expected a code such as `G101`, found the text \"G9\"");
        let error = from_object(&json!({ "ad_storage": true }), "consent.google").unwrap_err().to_string();
        assert_eq!(error, "consent.google.ad_storage: expected `granted` or `denied`, found true");
    }
}
