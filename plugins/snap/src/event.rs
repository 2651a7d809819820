//! One entry of `data`, and the request around it.
//!
//! Source: "Parameters, Server Data", and "Verify Set Up" for test events.

use serde::Serialize;
use tidegate_plugin_sdk::time::{self, Window};
use tidegate_plugin_sdk::{Context, Event, Purposes, Rejection, Request, Scalar};

use crate::config::{ActionSource, Config, LimitedDataUse, LimitedDataUseOption};
use crate::custom_data::{self, CustomData};
use crate::properties::Properties;
use crate::user_data::{self, UserData};

/// The request's body: requests of several events can be joined.
#[derive(Debug, Serialize)]
struct Body<'a> {
    data: [CapiEvent<'a>; 1],
}

/// One event.
#[derive(Debug, Serialize)]
struct CapiEvent<'a> {
    event_name: &'a str,
    event_time: u64,
    event_id: &'a str,
    action_source: ActionSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_source_url: Option<&'a str>,
    user_data: UserData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_data: Option<CustomData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opt_out: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_processing_options: Option<[LimitedDataUseOption; 1]>,
}

/// The manifest's `age_max`. Snap takes milliseconds as it takes seconds.
const TAKEN: Window = Window {
    age_max_ms: 37 * time::DAY_MS,
    ahead_max_ms: time::AHEAD_MAX_MS,
    too_old: "older than 37 days: Snap would refuse it",
};
/// A whole purchase takes about 1.6 kB; growing a buffer step by step would copy it.
const BODY_CAPACITY: usize = 2_048;

/// All that a request is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) properties: &'a Properties<'a>,
    pub(crate) config: &'a Config<'a>,
    pub(crate) ctx: &'a Context,
}

/// The POST that reports the event under this name; one that has Snap only check it where the event is a test.
///
/// # Errors
/// Whatever would make Snap refuse the event.
pub(crate) fn request(name: &str, source: Source<'_>) -> Result<Request, Rejection> {
    let body = Body { data: [capi_event(name, source)?] };
    let mut bytes = Vec::with_capacity(BODY_CAPACITY);
    serde_json::to_writer(&mut bytes, &body).map_err(|e| Rejection::invalid(format!("the request's body: {e}")))?;
    let endpoint = if source.ctx.test_mode { "validate" } else { "events" };
    let mut request = Request::new(endpoint).with_header("content-type", "application/json");
    request.body = bytes;
    Ok(request)
}

fn capi_event<'a>(name: &'a str, source: Source<'a>) -> Result<CapiEvent<'a>, Rejection> {
    let Source { event, properties, config, ctx } = source;
    let event_time = TAKEN.check(event.at_ms, ctx.now_ms)?;
    let user_data = user_data::collect(event, properties)?;
    let custom_data = custom_data::collect(name, event, properties)?;
    let said = Scalar::text_of(&properties.action_source).and_then(ActionSource::parse);
    let action_source = said.unwrap_or(config.action_source);
    let page_url = event.web_page_url();
    let event_source_url = page_url.or(config.event_source_url.as_deref());
    if action_source == ActionSource::Web && event_source_url.is_none() {
        return Err(Rejection::invalid(
            "event of a website without event_source_url: set `event_source_url` for events of a backend",
        ));
    }
    let consent = &event.consent;
    let limited = consent.limited_data_use || consent.gpc || config.limited_data_use == LimitedDataUse::Always;
    Ok(CapiEvent {
        event_name: name,
        event_time,
        event_id: &event.id,
        action_source,
        event_source_url: if action_source == ActionSource::Web { event_source_url } else { page_url },
        user_data,
        custom_data,
        // What a visitor asks for who refuses personalised ads: measured, and not used to choose ads by.
        opt_out: (!consent.granted.contains(Purposes::AD_PERSONALIZATION)).then_some(true),
        data_processing_options: limited.then_some([config.limited_data_use_option]),
    })
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;

    #[test]
    fn the_oldest_event_is_the_manifests() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        assert_eq!(manifest.limits.age_max.as_ms(), TAKEN.age_max_ms);
    }
}
