//! One entry of `data.events`, and the request around it.
//!
//! Source: "Post Conversion Events" of ads-api.reddit.com/docs/v3.

use serde::{Deserialize, Serialize};
use tidegate_plugin_sdk::time::{self, Window};
use tidegate_plugin_sdk::{Event, Rejection, Request, Scalar};

use crate::config::{ActionSource, Config};
use crate::metadata::{self, Metadata};
use crate::names::Kind;
use crate::user::{self, User};

/// The request's body. Everything but `events` is the same for all events of a destination, so that they can be joined.
#[derive(Debug, Serialize)]
struct Body<'a> {
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    events: [&'a Conversion<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    test_id: Option<&'a str>,
}

/// One conversion.
#[derive(Debug, Serialize)]
pub(crate) struct Conversion<'a> {
    event_at: u64,
    action_source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_source_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    click_id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Kind<'a>,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
}

/// "event_at timestamp must be less than 168h0m0s old".
const AGE_MAX_MS: u64 = 7 * time::DAY_MS;
const TAKEN: Window = Window {
    age_max_ms: AGE_MAX_MS - 1,
    // Reddit takes nothing that is more than five minutes ahead.
    ahead_max_ms: 5 * 60_000,
    too_old: "168 hours old: Reddit would refuse every event that is sent with it",
};

/// Builds the entry for one conversion.
///
/// # Errors
/// Whatever would make Reddit refuse the event, and with it the whole batch.
pub(crate) fn conversion<'a>(
    kind: Kind<'a>,
    event: &'a Event,
    config: &'a Config,
    now_ms: u64,
) -> Result<Conversion<'a>, Rejection> {
    let action_source = said_source(&event.properties).unwrap_or(config.action_source);
    let page_url = event.web_page_url();
    let click_id = user::click_id(event);
    Ok(Conversion {
        event_at: TAKEN.check(event.at_ms, now_ms)?,
        action_source: action_source.as_str(),
        // Reddit refuses an address with any other source.
        event_source_url: page_url.filter(|_| action_source == ActionSource::Website),
        click_id,
        kind,
        metadata: metadata::collect(event, kind),
        user: user::collect(event, click_id, config)?,
    })
}

/// The one property that is granted, read without a tree of JSON values.
fn said_source(properties: &str) -> Option<ActionSource> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Given<'a> {
        #[serde(borrow)]
        action_source: Option<Scalar<'a>>,
    }
    let given: Given<'_> = serde_json::from_str(properties).ok()?;
    ActionSource::parse(given.action_source.as_ref()?.text()?)
}

/// The POST that carries the entry.
pub(crate) fn request(conversion: &Conversion<'_>, test_id: Option<&str>) -> Result<Request, Rejection> {
    Request::json("events", &Body { data: Data { events: [conversion], test_id } })
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;

    #[test]
    fn the_greatest_age_is_the_manifests() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        assert_eq!(manifest.limits.age_max.as_ms(), AGE_MAX_MS);
    }
}
