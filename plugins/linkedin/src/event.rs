//! One entry of `elements`, and the request around it.
//!
//! Source: "Conversions API", "Streaming Conversion Events", and "Conversions API Schema".

use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::{Event, Rejection, Request};

use crate::config::Config;
use crate::user::{self, User};

/// The request's body.
#[derive(Debug, Serialize)]
struct Body<'a> {
    elements: [&'a Element<'a>; 1],
}

/// One conversion.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Element<'a> {
    conversion: Urn<'a>,
    conversion_happened_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversion_value: Option<Value<'a>>,
    /// What de-duplicates: where the Insight Tag reports the same one, LinkedIn counts the tag's event only.
    event_id: &'a str,
    user: User<'a>,
}

/// A conversion rule, from its URN or its id alone.
#[derive(Debug)]
struct Urn<'a>(&'a str);

const URN: &str = "urn:lla:llaPartnerConversion:";

impl Serialize for Urn<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{URN}{}", self.0.trim_start_matches(URN)))
    }
}

/// Currency and amount, which LinkedIn takes as text only.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Value<'a> {
    currency_code: &'a str,
    #[serde(serialize_with = "as_text")]
    amount: Number,
}

const AGE_MAX_MS: u64 = 90 * 86_400_000;
/// A clock may be ahead by this much; what is later than that has a wrong time.
const AHEAD_MAX_MS: u64 = 10 * 60_000;

/// Builds the entry for one conversion rule.
///
/// # Errors
/// Whatever would make LinkedIn refuse the event, and with it the whole batch.
pub(crate) fn element<'a>(
    conversion: &'a str,
    event: &'a Event,
    config: &Config,
    now_ms: u64,
) -> Result<Element<'a>, Rejection> {
    let worth = money::of(event).filter(|money| money.value.is_finite());
    Ok(Element {
        conversion: Urn(conversion),
        conversion_happened_at: happened_at(event.at_ms, now_ms)?,
        conversion_value: worth.map(|money| Value { currency_code: money.currency, amount: money.amount() }),
        event_id: &event.id,
        user: user::collect(event, config)?,
    })
}

/// The POST that carries the entry. All its headers are the same for all events of a destination.
pub(crate) fn request(element: &Element<'_>, config: &Config) -> Result<Request, Rejection> {
    let request = Request::json("events", &Body { elements: [element] })?;
    Ok(request
        .with_header("linkedin-version", &*config.version)
        .with_header("x-restli-method", "BATCH_CREATE")
        .with_header("x-restli-protocol-version", "2.0.0"))
}

/// The time in milliseconds, which may "not exceed current time": a clock that is a little ahead is taken for now.
fn happened_at(at_ms: u64, now_ms: u64) -> Result<u64, Rejection> {
    if at_ms.saturating_add(AGE_MAX_MS) < now_ms {
        return Err(Rejection::invalid("older than 90 days: LinkedIn would refuse every event that is sent with it"));
    }
    if at_ms > now_ms.saturating_add(AHEAD_MAX_MS) {
        return Err(Rejection::invalid("more than 10 minutes in the future: its clock is wrong"));
    }
    Ok(at_ms.min(now_ms))
}

/// "19.9 cannot be coerced to String."
fn as_text<S: Serializer>(amount: &Number, serializer: S) -> Result<S::Ok, S::Error> {
    // Adding zero turns `-0` into `0`.
    serializer.collect_str(&(amount.0 + 0.0))
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;

    #[test]
    fn the_time_is_in_milliseconds_and_never_in_the_future() {
        let now = 1_768_487_522_000;
        assert_eq!(happened_at(1_768_487_520_999, now), Ok(1_768_487_520_999));
        assert_eq!(happened_at(now + AHEAD_MAX_MS, now), Ok(now));
        assert!(happened_at(now + AHEAD_MAX_MS + 1, now).is_err());
        assert!(happened_at(now - AGE_MAX_MS, now).is_ok());
        assert!(happened_at(now - AGE_MAX_MS - 1, now).is_err());
        assert!(happened_at(u64::MAX, now).is_err());
    }

    #[test]
    fn the_greatest_age_is_the_manifests() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        assert_eq!(manifest.limits.age_max.as_ms(), AGE_MAX_MS);
    }

    #[test]
    fn a_rule_is_named_by_its_id_or_its_urn() {
        for name in ["104012", "urn:lla:llaPartnerConversion:104012"] {
            assert_eq!(serde_json::to_string(&Urn(name)).unwrap(), r#""urn:lla:llaPartnerConversion:104012""#);
        }
    }
}
