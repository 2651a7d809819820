//! What an event is worth. A currency is never guessed, and a value without one is never sent.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Event, Rejection};

/// An amount and its currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Money<'a> {
    /// The amount as the event says it.
    pub value: f64,
    /// ISO 4217, upper-case.
    pub currency: &'a str,
}

impl Money<'_> {
    /// The amount, rounded to the currency's own decimals.
    pub fn amount(&self) -> Number {
        round(self.value, self.currency)
    }

    /// The amount in the currency's smallest unit, as whole text: `14999` for 149.99 euros, `1999` for 1999 yen.
    pub fn minor_units(&self) -> String {
        let scaled = (self.value * 10f64.powi(decimals(self.currency))).round();
        // Adding zero turns `-0` into `0`.
        format!("{:.0}", scaled.clamp(f64::MIN, f64::MAX) + 0.0)
    }
}

/// What the event is worth, when it says both a value and its currency.
pub fn of(event: &Event) -> Option<Money<'_>> {
    Some(Money { value: event.value?, currency: event.currency.as_deref()? })
}

/// What the event is worth, where the platform insists on it.
///
/// # Errors
/// [`Rejection::Invalid`] that says which is missing: `purchase without currency`.
pub fn required(event: &Event) -> Result<Money<'_>, Rejection> {
    let missing = |what: &str| Rejection::invalid(format!("{} without {what}", event.name));
    match (event.value, event.currency.as_deref()) {
        (Some(value), Some(currency)) => Ok(Money { value, currency }),
        (Some(_), None) => Err(missing("currency")),
        (None, Some(_)) => Err(missing("value")),
        (None, None) => Err(missing("value and currency")),
    }
}

/// Rounds an amount to the decimals that its currency has: it removes what floating point adds (`149.98999999999998`).
pub fn round(value: f64, currency: &str) -> Number {
    let factor = 10f64.powi(decimals(currency));
    let scaled = value * factor;
    // Past 2^53 every value is whole already, and scaling would only lose digits.
    Number(if scaled.abs() < 9.0e15 { scaled.round() / factor } else { value })
}

/// The decimals of a currency, by ISO 4217; two where it is not known.
fn decimals(currency: &str) -> i32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// A number that is written whole where it is whole: `3`, not `3.0`. Infinity and NaN become `null`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < 9.0e15 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// As text in full, `149.99`, `3`, `-0.5`: without an exponent, and without the sign of a zero.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Adding zero turns `-0` into `0`.
        fmt::Display::fmt(&(self.0 + 0.0), f)
    }
}

/// A number that is written as text, for platforms that take amounts so: `"149.99"`, `"3"`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Decimal(pub Number);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: Number) -> String {
        serde_json::to_string(&number).unwrap()
    }

    #[test]
    fn an_amount_has_the_decimals_of_its_currency() {
        assert_eq!(written(round(0.1 + 0.2, "EUR")), "0.3");
        assert_eq!(written(round(149.989_999_999_999_98, "USD")), "149.99");
        assert_eq!(written(round(1999.4, "JPY")), "1999");
        assert_eq!(written(round(1.2345, "KWD")), "1.235");
        assert_eq!(written(round(-5.004, "EUR")), "-5");
        assert_eq!(written(round(1e300, "EUR")), "1e+300");
    }

    #[test]
    fn a_whole_number_is_written_whole() {
        assert_eq!(written(Number(3.0)), "3");
        assert_eq!(written(Number(f64::INFINITY)), "null");
    }

    #[test]
    fn a_decimal_is_text() {
        let written = |value: f64, currency: &str| serde_json::to_string(&Decimal(round(value, currency))).unwrap();
        assert_eq!(written(149.989_999_999_999_98, "EUR"), r#""149.99""#);
        assert_eq!(written(1999.4, "JPY"), r#""1999""#);
        assert_eq!(written(-0.001, "EUR"), r#""0""#);
        assert_eq!(written(1e20, "EUR"), r#""100000000000000000000""#);
    }

    #[test]
    fn the_smallest_unit_is_whole_text() {
        let minor = |value: f64, currency: &str| Money { value, currency }.minor_units();
        assert_eq!(minor(149.989_999_999_999_98, "EUR"), "14999");
        assert_eq!(minor(0.125, "EUR"), "13");
        assert_eq!(minor(-0.125, "EUR"), "-13");
        assert_eq!(minor(-0.001, "EUR"), "0");
        assert_eq!(minor(1999.4, "JPY"), "1999");
        assert_eq!(minor(1.2345, "KWD"), "1235");
        assert_eq!(minor(1e15, "EUR"), "100000000000000000");
    }

    #[test]
    fn money_without_a_currency_is_none_and_says_so() {
        let event = Event { value: Some(1.0), ..Event::example() };
        assert_eq!(of(&event), None);
        assert_eq!(required(&event), Err(Rejection::invalid("purchase without currency")));
        let event = Event { currency: Some("EUR".into()), ..Event::example() };
        assert_eq!(required(&event), Err(Rejection::invalid("purchase without value")));
        let event = Event { value: Some(1.0), ..event };
        assert_eq!(of(&event), Some(Money { value: 1.0, currency: "EUR" }));
    }
}
