//! One entry of `data`, and the request around it.
//!
//! Source: `events/create` and `ConversionEvents` of the OpenAPI description; "Use the limited data processing flag".

use serde::Serialize;
use tidegate_plugin_sdk::time::{self, Window};
use tidegate_plugin_sdk::{Event, Purposes, Rejection, Request, Scalar};

use crate::config::{ActionSource, Config, LimitedDataProcessing};
use crate::custom_data::{self, CustomData, Processing};
use crate::properties::Properties;
use crate::user_data::{self, UserData};

/// The request's body.
#[derive(Debug, Serialize)]
struct Body<'a> {
    data: [Conversion<'a>; 1],
}

/// One event.
#[derive(Debug, Serialize)]
pub(crate) struct Conversion<'a> {
    event_name: &'a str,
    action_source: &'static str,
    event_time: u64,
    event_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_source_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opt_out: Option<bool>,
    user_data: UserData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_data: Option<CustomData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
}

/// `limits.age_max` of the manifest; the gateway sends nothing older, but a clock that is wrong is found here.
const TAKEN: Window = Window {
    age_max_ms: 7 * time::DAY_MS,
    ahead_max_ms: time::AHEAD_MAX_MS,
    too_old: "older than 7 days: Pinterest would not process it",
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
/// Whatever would make Pinterest refuse the event.
pub(crate) fn conversion<'a>(name: &'a str, source: Source<'a>) -> Result<Conversion<'a>, Rejection> {
    let Source { event, properties, config, now_ms } = source;
    let said = properties.action_source.as_ref().and_then(Scalar::text).and_then(ActionSource::parse);
    let consent = &event.consent;
    let limited =
        consent.limited_data_use || consent.gpc || config.limited_data_processing == LimitedDataProcessing::Always;
    let processing = if limited { Processing::Limited } else { Processing::Full };
    // "Whether the user has opted out of tracking": what a visitor asks for who refuses personalised ads.
    let opt_out = !consent.granted.contains(Purposes::AD_PERSONALIZATION);
    Ok(Conversion {
        event_name: name,
        action_source: said.unwrap_or(config.action_source).as_str(),
        event_time: time::seconds(TAKEN.check(event.at_ms, now_ms)?),
        event_id: &event.id,
        event_source_url: event.web_page_url(),
        opt_out: opt_out.then_some(true),
        user_data: user_data::collect(event)?,
        custom_data: custom_data::collect(event, properties, processing),
        language: event.client.as_ref().and_then(|client| language(client.locale.as_deref()?)),
    })
}

/// The POST that carries the entry. "?test=true … The events will not be recorded but the API will still return the
/// same response messages."
pub(crate) fn request(conversion: Conversion<'_>, test_mode: bool) -> Result<Request, Rejection> {
    let request = Request::json("events", &Body { data: [conversion] })?;
    Ok(if test_mode { request.with_query("test", "true") } else { request })
}

/// "Two-character ISO-639-1 language code": `de` of `de-AT`. Languages with a longer code have none.
fn language(locale: &str) -> Option<&str> {
    let code = locale.split(['-', '_']).next()?;
    (code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(code)
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
    fn a_language_has_two_letters() {
        assert_eq!(language("de-AT"), Some("de"));
        assert_eq!(language("en"), Some("en"));
        for odd in ["", "gsw-CH", "EN", "1a", "é"] {
            assert_eq!(language(odd), None, "{odd}");
        }
    }
}
