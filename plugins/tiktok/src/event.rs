//! One entry of `data`, and the request around it.
//!
//! Source: "Events API 2.0, Payload", and "Limited Data Use" (id 1771101204435970).

use serde::Serialize;
use tidegate_plugin_sdk::time::{self, Window};
use tidegate_plugin_sdk::{Context, Event, Rejection, Request};

use crate::config::{Config, LimitedDataUse, TestEventCodeFor};
use crate::content::{self, Content};
use crate::properties::Properties;
use crate::user::{self, User};

/// The request's body. Everything but `data` is the same for all events of a destination, so that they can be joined.
#[derive(Debug, Serialize)]
struct Body<'a> {
    event_source: &'static str,
    event_source_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_event_code: Option<&'a str>,
    data: [Entry<'a>; 1],
}

/// One event.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    event: &'a str,
    event_time: u64,
    event_id: &'a str,
    user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Content<'a>>,
    page: Page<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limited_data_use: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    url: &'a str,
}

/// The manifest's `age_max`: TikTok matches nothing older to an ad.
const TAKEN: Window = Window {
    age_max_ms: 28 * time::DAY_MS,
    ahead_max_ms: time::AHEAD_MAX_MS,
    too_old: "older than 28 days: TikTok would match it to no ad",
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

/// The POST that reports the event under this name.
///
/// # Errors
/// Whatever would make TikTok refuse the event, and with it the whole batch.
pub(crate) fn request(name: &str, source: Source<'_>) -> Result<Request, Rejection> {
    let Source { config, ctx, .. } = source;
    let coded = ctx.test_mode || config.test_event_code_for == TestEventCodeFor::AllEvents;
    let pixel_id = config.pixel_id.as_deref();
    let body = Body {
        event_source: "web",
        event_source_id: pixel_id.ok_or_else(|| Rejection::invalid("the configuration has no `pixel_id`"))?,
        test_event_code: config.test_event_code.as_deref().filter(|_| coded),
        data: [entry(name, source)?],
    };
    let mut bytes = Vec::with_capacity(BODY_CAPACITY);
    serde_json::to_writer(&mut bytes, &body).map_err(|e| Rejection::invalid(format!("the request's body: {e}")))?;
    let mut request = Request::new("track").with_header("content-type", "application/json");
    request.body = bytes;
    Ok(request)
}

fn entry<'a>(name: &'a str, source: Source<'a>) -> Result<Entry<'a>, Rejection> {
    let Source { event, properties, config, ctx } = source;
    let event_time = time::seconds(TAKEN.check(event.at_ms, ctx.now_ms)?);
    let user = user::collect(event)?;
    let page_url = event.web_page_url();
    let url = page_url
        .or(config.page_url.as_deref())
        .ok_or_else(|| Rejection::invalid("web event without page.url: set `page_url` for events of a backend"))?;
    let consent = &event.consent;
    let limited = consent.limited_data_use || consent.gpc || config.limited_data_use == LimitedDataUse::Always;
    Ok(Entry {
        event: name,
        event_time,
        event_id: &event.id,
        user,
        properties: content::collect(name, event, properties),
        page: Page { url },
        limited_data_use: limited.then_some(true),
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
