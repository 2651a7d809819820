//! One entry of `events`, and the body around it.
//!
//! Source: `event.proto` and `ingestion_service.proto`.

use serde::Serialize;
use tidegate_plugin_sdk::money::{self, Number};
use tidegate_plugin_sdk::time::{self, Window};
use tidegate_plugin_sdk::{Event, Purposes, Rejection};

use crate::cart::{self, CartData};
use crate::config::{Config, WithoutClick};
use crate::destinations::Destination;
use crate::identifiers::{self, UserData};
use crate::properties::Properties;

/// The request's body. Everything but `events` is the same for all events of one name, so that they can be joined.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body<'a> {
    pub(crate) destinations: Vec<Destination<'a>>,
    pub(crate) events: [Entry<'a>; 1],
    pub(crate) encoding: &'static str,
    /// "If `true`, the request is validated but not executed."
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) validate_only: bool,
}

/// One event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry<'a> {
    transaction_id: &'a str,
    event_timestamp: String,
    event_source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ad_identifiers: Option<AdIdentifiers<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_data: Option<UserData<'a>>,
    consent: Consent,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversion_value: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_device_info: Option<DeviceInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_properties: Option<UserProperties>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cart_data: Option<CartData<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum AdIdentifiers<'a> {
    Gclid(&'a str),
    Gbraid(&'a str),
    Wbraid(&'a str),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Consent {
    ad_user_data: &'static str,
    ad_personalization: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserProperties {
    customer_type: &'static str,
}

/// The longest click-through window that a conversion action can have is 90 days; an event that is older is
/// `PROCESSING_ERROR_REASON_EVENT_TOO_OLD`, which no answer tells.
const TAKEN: Window = Window {
    age_max_ms: 90 * time::DAY_MS,
    ahead_max_ms: time::AHEAD_MAX_MS,
    too_old: "older than 90 days, the longest window of a conversion action",
};

/// All that an entry is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) properties: &'a Properties<'a>,
    pub(crate) config: &'a Config,
    pub(crate) now_ms: u64,
}

/// Builds the entry for one event.
///
/// # Errors
/// A skip for what no ad of Google's can have led to, and whatever would make Google refuse it, and with it the batch.
pub(crate) fn entry(source: Source<'_>) -> Result<Entry<'_>, Rejection> {
    let Source { event, properties, config, now_ms } = source;
    // The last one wins, as in Google's own attribution of a click; Google Ads refuses several of them.
    let click = event.last_click(&["gclid", "gbraid", "wbraid"], TAKEN.age_max_ms);
    let user_data = identifiers::collect(event);
    let unknown = match (&click, config.without_click) {
        (Some(_), _) => None,
        (None, WithoutClick::Skip) => Some("no click on a Google ad"),
        // `NO_IDENTIFIERS_PROVIDED`
        (None, WithoutClick::Send) if user_data.is_none() => Some("no click on a Google ad, and no identifier"),
        (None, WithoutClick::Send) => None,
    };
    if let Some(reason) = unknown {
        return Err(Rejection::skip(reason));
    }
    let money = money::of(event).filter(|money| money.value.is_finite());
    Ok(Entry {
        // "A conversion with the same order id and conversion action combination was already uploaded": the event's own id
        // is as unique, and keeps a conversion that is sent twice from being counted twice.
        transaction_id: event.order_id.as_deref().filter(|id| !id.is_empty()).unwrap_or(&event.id),
        event_timestamp: time::iso8601(TAKEN.check(event.at_ms, now_ms)?),
        event_source: &config.event_source,
        ad_identifiers: click.map(|click| match click.kind.as_str() {
            "gclid" => AdIdentifiers::Gclid(&click.value),
            "gbraid" => AdIdentifiers::Gbraid(&click.value),
            _ => AdIdentifiers::Wbraid(&click.value),
        }),
        user_data,
        consent: consent(event),
        conversion_value: money.map(|money| money.amount()),
        currency: money.map(|money| money.currency),
        event_device_info: device(event, config),
        user_properties: properties.customer_type().map(|customer_type| UserProperties { customer_type }),
        cart_data: cart::collect(event, properties, config),
    })
}

fn device<'a>(event: &'a Event, config: &Config) -> Option<DeviceInfo<'a>> {
    let info = DeviceInfo { user_agent: event.user_agent(), ip_address: event.ip().filter(|_| config.ip_address) };
    (info.user_agent.is_some() || info.ip_address.is_some()).then_some(info)
}

/// What was not granted is denied. Who asks that data about them be used less is not to be advertised to.
fn consent(event: &Event) -> Consent {
    let status = |granted: bool| if granted { "CONSENT_GRANTED" } else { "CONSENT_DENIED" };
    let consent = &event.consent;
    let personalization = consent.granted.contains(Purposes::AD_PERSONALIZATION);
    Consent {
        ad_user_data: status(consent.granted.contains(Purposes::AD_USER_DATA)),
        ad_personalization: status(personalization && !consent.gpc && !consent.limited_data_use),
    }
}
