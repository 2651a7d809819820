//! One entry of `data`, and the request around it.
//!
//! Source: "Server Event Parameters" and "Data Processing Options for US Users".

use serde::Serialize;
use tidegate_plugin_sdk::time::{self, Window};
use tidegate_plugin_sdk::{Event, Purposes, Rejection, Request, Scalar};

use crate::config::{ActionSource, Config, LimitedDataUse};
use crate::custom_data::{self, CustomData};
use crate::properties::Properties;
use crate::user_data::{self, UserData};

/// The request's body. Everything but `data` is the same for all events of a destination, so that they can be joined.
#[derive(Debug, Serialize)]
pub(crate) struct Body<'a> {
    pub(crate) data: [ServerEvent<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) test_event_code: Option<&'a str>,
}

/// One event.
#[derive(Debug, Serialize)]
pub(crate) struct ServerEvent<'a> {
    event_name: &'a str,
    event_time: u64,
    event_id: &'a str,
    action_source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_source_url: Option<&'a str>,
    user_data: UserData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_data: Option<CustomData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opt_out: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_processing_options: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_processing_options_country: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_processing_options_state: Option<u32>,
}

/// "If any event_time in data is greater than 7 days in the past, we return an error for the entire request".
const TAKEN: Window = Window {
    age_max_ms: 7 * time::DAY_MS,
    ahead_max_ms: time::AHEAD_MAX_MS,
    too_old: "older than 7 days: Meta would refuse every event that is sent with it",
};
/// A whole purchase with eight identifiers takes about 1.6 kB; growing a buffer step by step would copy it.
const BODY_CAPACITY: usize = 2_048;

/// All that an entry is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) properties: &'a Properties<'a>,
    pub(crate) config: &'a Config<'a>,
    pub(crate) now_ms: u64,
}

/// Builds the entry for one event.
///
/// # Errors
/// Whatever would make Meta refuse the event, and with it the whole batch.
pub(crate) fn server_event<'a>(name: &'a str, source: Source<'a>) -> Result<ServerEvent<'a>, Rejection> {
    let Source { event, properties, config, now_ms } = source;
    let event_time = time::seconds(TAKEN.check(event.at_ms, now_ms)?);
    let user_data = user_data::collect(event, properties)?;
    let custom_data = custom_data::collect(name, event, properties)?;
    let page_url = event.web_page_url();
    let url = page_url.or(config.event_source_url.as_deref());
    let action_source = action_source(source, url, user_data.client_user_agent)?;
    let consent = &event.consent;
    let limited = consent.limited_data_use || consent.gpc || config.limited_data_use == LimitedDataUse::Always;
    // "If set to true, we only use the event for attribution": what a visitor asks for who refuses personalised ads.
    let opt_out = !consent.granted.contains(Purposes::AD_PERSONALIZATION);
    Ok(ServerEvent {
        event_name: name,
        event_time,
        event_id: &event.id,
        action_source: action_source.as_str(),
        event_source_url: if action_source == ActionSource::Website { url } else { page_url },
        user_data,
        custom_data,
        opt_out: opt_out.then_some(true),
        data_processing_options: limited.then_some(["LDU"]),
        data_processing_options_country: limited.then_some(config.limited_data_use_country),
        data_processing_options_state: limited.then_some(config.limited_data_use_state),
    })
}

/// The POST that carries the body.
pub(crate) fn request(body: &Body<'_>) -> Result<Request, Rejection> {
    let mut bytes = Vec::with_capacity(BODY_CAPACITY);
    serde_json::to_writer(&mut bytes, body).map_err(|e| Rejection::invalid(format!("the request's body: {e}")))?;
    let mut request = Request::new("events").with_header("content-type", "application/json");
    request.body = bytes;
    Ok(request)
}

/// Where the conversion happened. "Website events … require the client_user_agent, action_source, and event_source_url
/// parameters, while non-web events require only action_source": one that lacks them is not called a website event.
fn action_source(source: Source<'_>, url: Option<&str>, user_agent: Option<&str>) -> Result<ActionSource, Rejection> {
    let Source { properties, config, .. } = source;
    let said = properties.action_source.as_ref().and_then(Scalar::text).and_then(ActionSource::parse);
    let action_source = said.unwrap_or(config.action_source);
    if action_source != ActionSource::Website || (url.is_some() && user_agent.is_some()) {
        return Ok(action_source);
    }
    config.action_source_without_browser.source().ok_or_else(|| {
        Rejection::invalid(match url {
            Some(_) => "website event without client_user_agent",
            None => "website event without event_source_url",
        })
    })
}
