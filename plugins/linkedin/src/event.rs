//! One entry of `elements`, and the request around it.
//!
//! Source: "Conversions API", "Streaming Conversion Events", and "Conversions API Schema".

use serde::{Serialize, Serializer};
use tidegate_plugin_sdk::money::{self, Decimal};
use tidegate_plugin_sdk::time::{self, Window};
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

/// Currency and amount, which LinkedIn takes as text only: "19.9 cannot be coerced to String."
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Value<'a> {
    currency_code: &'a str,
    amount: Decimal,
}

/// The time may "not exceed current time".
const TAKEN: Window = Window {
    age_max_ms: 90 * time::DAY_MS,
    ahead_max_ms: time::AHEAD_MAX_MS,
    too_old: "older than 90 days: LinkedIn would refuse every event that is sent with it",
};

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
        conversion_happened_at: TAKEN.check(event.at_ms, now_ms)?,
        conversion_value: worth.map(|money| Value { currency_code: money.currency, amount: Decimal(money.amount()) }),
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

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;

    #[test]
    fn the_greatest_age_is_the_manifests() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        assert_eq!(manifest.limits.age_max.as_ms(), TAKEN.age_max_ms);
    }

    #[test]
    fn a_rule_is_named_by_its_id_or_its_urn() {
        for name in ["104012", "urn:lla:llaPartnerConversion:104012"] {
            assert_eq!(serde_json::to_string(&Urn(name)).unwrap(), r#""urn:lla:llaPartnerConversion:104012""#);
        }
    }
}
