//! The payload: what is the same for all of a visitor's events outside, one event inside `events`, and the request.
//!
//! Source: "Measurement Protocol reference". The gateway joins the payloads of one client, so nothing that differs from
//! event to event is outside of `events`: the time is the event's own `timestamp_micros` ("can be overridden via
//! user_property or event timestamps"), never the request's.

use std::borrow::Cow;

use serde::Serialize;
use tidegate_plugin_sdk::time::{self, Window};
use tidegate_plugin_sdk::{
    Context, Event, EventKind, Pairs, Purposes, Rejection, Request, Scalar, money, names as canonical, personal,
};

use crate::config::{Config, Region, TestMode};
use crate::identity;
use crate::items::Items;
use crate::params::{self, Params, VALUE_CHARS_MAX};
use crate::user_data::{self, UserData};

/// "Events can be backdated up to 72 hours."
const TAKEN: Window = Window {
    age_max_ms: 3 * time::DAY_MS,
    ahead_max_ms: time::AHEAD_MAX_MS,
    too_old: "older than 72 hours: GA4 would not record it at its time",
};
const USER_ID_CHARS_MAX: usize = 256;

/// What the request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Collect,
    /// Collected, and shown in DebugView.
    Debug,
    /// Checked by Google, and not recorded.
    Validate,
}

impl Mode {
    pub(crate) fn of(ctx: &Context, config: &Config<'_>) -> Mode {
        match (ctx.test_mode, config.test_mode) {
            (false, _) => Mode::Collect,
            (true, TestMode::DebugView) => Mode::Debug,
            (true, TestMode::Validate) => Mode::Validate,
        }
    }
}

/// The request's body.
#[derive(Debug, Serialize)]
pub(crate) struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_instance_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_data: Option<UserData<'a>>,
    consent: Consent,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_location: Option<Location<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_behavior: Option<&'static str>,
    events: [Entry<'a>; 1],
}

#[derive(Debug, Serialize)]
struct Consent {
    ad_user_data: &'static str,
    ad_personalization: &'static str,
}

#[derive(Debug, Serialize)]
struct Location<'a> {
    country_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    region_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    name: Cow<'a, str>,
    timestamp_micros: u64,
    params: Params<'a>,
}

/// All that a payload is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) properties: &'a Pairs<'a, Scalar<'a>>,
    pub(crate) config: &'a Config<'a>,
    pub(crate) mode: Mode,
    pub(crate) now_ms: u64,
}

/// Builds the payload for one event.
///
/// # Errors
/// What GA4 would take and then drop without a word: an event of nobody, or of a time that it does not record.
pub(crate) fn build<'a>(name: Cow<'a, str>, source: Source<'a>) -> Result<Payload<'a>, Rejection> {
    let Source { event, properties, config, mode, now_ms } = source;
    let at_ms = TAKEN.check(event.at_ms, now_ms)?;
    let (client_id, app_instance_id) = match config.firebase_app_id {
        Some(_) => (None, Some(app_instance_id(properties)?)),
        None => (Some(client_id(event, config)?), None),
    };
    let too_long = |id: &&str| id.chars().count() > USER_ID_CHARS_MAX;
    Ok(Payload {
        client_id,
        app_instance_id,
        user_id: event.user_id.as_deref().filter(|id| !id.is_empty() && !personal::is_email(id) && !too_long(id)),
        user_data: config.user_data.then(|| user_data::collect(event)).flatten(),
        consent: consent(event),
        user_location: location(event),
        validation_behavior: (mode == Mode::Validate).then_some("ENFORCE_RECOMMENDATIONS"),
        events: [Entry { params: parameters(&name, source), name, timestamp_micros: time::micros(at_ms) }],
    })
}

/// The POST that carries the payload.
pub(crate) fn request(payload: &Payload<'_>, config: &Config<'_>, mode: Mode) -> Result<Request, Rejection> {
    let endpoint = match (mode, config.region) {
        (Mode::Validate, Region::Global) => "validate",
        (Mode::Validate, Region::Eu) => "validate_eu",
        (_, Region::Global) => "collect",
        (_, Region::Eu) => "collect_eu",
    };
    let request = Request::json(endpoint, payload)?;
    Ok(match (&config.measurement_id, &config.firebase_app_id) {
        (Some(id), _) => request.with_query("measurement_id", &**id),
        (None, Some(id)) => request.with_query("firebase_app_id", &**id),
        (None, None) => request,
    })
}

fn client_id<'a>(event: &'a Event, config: &Config<'_>) -> Result<&'a str, Rejection> {
    identity::client_id(event, config.client_id)
        .ok_or_else(|| Rejection::invalid("no client_id: there is no `_ga` cookie and no anonymous id of the browser"))
}

fn app_instance_id<'a>(properties: &'a Pairs<'a, Scalar<'a>>) -> Result<&'a str, Rejection> {
    properties.get("app_instance_id").and_then(Scalar::text).ok_or_else(|| {
        Rejection::invalid("no app_instance_id: an app's event needs this property, from the Firebase SDK")
    })
}

/// What was not granted is not allowed, whether it was refused or never asked.
fn consent(event: &Event) -> Consent {
    let consent = &event.consent;
    let opted_out = consent.limited_data_use || consent.gpc;
    let say = |granted: bool| if granted { "GRANTED" } else { "DENIED" };
    Consent {
        ad_user_data: say(consent.granted.contains(Purposes::AD_USER_DATA)),
        ad_personalization: say(consent.granted.contains(Purposes::AD_PERSONALIZATION) && !opted_out),
    }
}

/// Country and subdivision from `AT` or `US-CA`.
fn location(event: &Event) -> Option<Location<'_>> {
    let region = event.client.as_ref()?.region.as_deref()?;
    let country_id = region.get(..2).filter(|country| country.bytes().all(|b| b.is_ascii_alphabetic()))?;
    let is_subdivision = matches!(region.len(), 4..=6) && region.as_bytes().get(2) == Some(&b'-');
    (is_subdivision || region.len() == 2)
        .then_some(Location { country_id, region_id: is_subdivision.then_some(region) })
}

fn parameters<'a>(name: &str, source: Source<'a>) -> Params<'a> {
    let Source { event, properties, config, mode, .. } = source;
    let mut params = Params::default();
    let session = event.session.as_ref();
    if let Some(id) = identity::session_id(event, config) {
        params.text("session_id", id, VALUE_CHARS_MAX);
    }
    let said = session.and_then(|session| session.engagement_ms).filter(|engagement| *engagement > 0);
    let engagement = said.unwrap_or(config.engagement_default_ms);
    if engagement > 0 {
        params.integer("engagement_time_msec", engagement);
    }
    if mode == Mode::Debug {
        params.integer("debug_mode", 1);
    }
    if config.event_id {
        params.text("event_id", event.id.as_str(), VALUE_CHARS_MAX);
    }
    page(event, &mut params);
    worth(name, event, &mut params);
    params.properties(properties, config);
    params
}

fn page<'a>(event: &'a Event, params: &mut Params<'a>) {
    if let Some(page) = &event.page {
        if let Some(url) = page.url.as_deref() {
            params.text("page_location", personal::redact(url), params::PAGE_LOCATION_CHARS_MAX);
        }
        if let Some(title) = page.title.as_deref() {
            params.text("page_title", title, params::PAGE_TITLE_CHARS_MAX);
        }
        if let Some(referrer) = page.referrer.as_deref() {
            params.text("page_referrer", personal::redact(referrer), params::PAGE_REFERRER_CHARS_MAX);
        }
    }
    if event.kind == EventKind::Screen {
        params.text("screen_name", event.name.as_str(), VALUE_CHARS_MAX);
    }
}

fn worth<'a>(name: &str, event: &'a Event, params: &mut Params<'a>) {
    let currency = event.currency.as_deref();
    if let Some(currency) = currency {
        params.text("currency", currency, VALUE_CHARS_MAX);
    }
    if let Some(money) = money::of(event).filter(|money| money.value.is_finite()) {
        params.number("value", money.amount());
    }
    // GA4 requires one of a purchase, and counts a purchase that comes twice once by it alone.
    let stand_in = (name == canonical::PURCHASE).then_some(event.id.as_str());
    if let Some(id) = event.order_id.as_deref().or(stand_in) {
        params.text("transaction_id", id, VALUE_CHARS_MAX);
    }
    if let Some(items) = Items::of(&event.items, currency) {
        params.items(items);
    }
}
