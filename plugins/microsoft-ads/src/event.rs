//! One entry of `data`, and the request around it.
//!
//! Source: the guide, "Data Schema", "Page Load Events", "Custom Events" and "Consent Signals".

use serde::Serialize;
use tidegate_plugin_sdk::time::{self, Window};
use tidegate_plugin_sdk::{Context, Event, Purposes, Rejection, Request, Scalar, url};

use crate::config::{Config, LimitedDataUse};
use crate::custom_data::{self, CustomData};
use crate::names::PAGE_LOAD;
use crate::properties::Properties;
use crate::user_data::{self, UserData};

/// The request's body. Everything but `data` is the same for all events of a destination, so that they can be joined.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    data: [Entry<'a>; 1],
    /// Without it one bad event would keep every other of the batch from being processed.
    continue_on_validation_error: bool,
}

/// One event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    event_type: &'static str,
    event_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_name: Option<&'a str>,
    event_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_source_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_load_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_title: Option<&'a str>,
    ad_storage_consent: &'static str,
    user_data: UserData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_data: Option<CustomData<'a>>,
}

/// "must be within the last 7 days".
const TAKEN: Window = Window {
    age_max_ms: 7 * time::DAY_MS,
    ahead_max_ms: time::AHEAD_MAX_MS,
    too_old: "older than 7 days: Microsoft would refuse it",
};

/// All that an entry is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) properties: &'a Properties<'a>,
    pub(crate) config: &'a Config,
    pub(crate) ctx: &'a Context,
}

/// The POST that reports the event under this name.
///
/// # Errors
/// Whatever would make Microsoft refuse the event.
pub(crate) fn request(name: &str, source: Source<'_>) -> Result<Request, Rejection> {
    Request::json("events", &Body { data: [entry(name, source)?], continue_on_validation_error: true })
}

fn entry<'a>(name: &'a str, source: Source<'a>) -> Result<Entry<'a>, Rejection> {
    let Source { event, properties, ctx, .. } = source;
    let is_page_load = name == PAGE_LOAD;
    let event_time = time::seconds(TAKEN.check(event.at_ms, ctx.now_ms)?);
    let user_data = user_data::collect(event)?;
    let event_source_url = event.web_page_url();
    if is_page_load && event_source_url.is_none() {
        return Err(Rejection::invalid("page load without eventSourceUrl: the event has no page address"));
    }
    let page = event.page.as_ref();
    Ok(Entry {
        event_type: if is_page_load { PAGE_LOAD } else { "custom" },
        event_id: &event.id,
        event_name: (!is_page_load).then_some(name),
        event_time,
        event_source_url,
        page_load_id: Scalar::text_of(&properties.page_load_id).filter(|id| is_uuid(id)),
        // Microsoft refuses an event whose referrer is none of the web (`android-app://…`).
        referrer_url: page.and_then(|page| page.referrer.as_deref()).and_then(url::web),
        page_title: page.and_then(|page| page.title.as_deref()).filter(|title| !title.is_empty()),
        ad_storage_consent: consent(source),
        user_data,
        // "page load events cannot be populated with revenue value directly"; the rest belongs to custom events too.
        custom_data: if is_page_load { None } else { custom_data::collect(event, properties) },
    })
}

/// `G` or `D`: "Denied events will not be used for any ad purposes (inc. conversion attribution and retargeting)". That is
/// what a visitor asks for who opted out, and it is what a test must not do: Microsoft has no other way to mark one.
fn consent(source: Source<'_>) -> &'static str {
    let Source { event, config, ctx, .. } = source;
    let opted_out = event.consent.gpc || event.consent.limited_data_use;
    let honoured = opted_out && config.limited_data_use == LimitedDataUse::Consent;
    let granted = event.consent.granted.contains(Purposes::AD_STORAGE);
    if granted && !honoured && !ctx.test_mode { "G" } else { "D" }
}

/// `bcf3000b-65fa-4cd2-808a-8a6cf2b1d0a5`, with or without hyphens.
fn is_uuid(id: &str) -> bool {
    let digits = id.bytes().filter(u8::is_ascii_hexdigit).count();
    let hyphens = id.bytes().filter(|byte| *byte == b'-').count();
    digits == 32 && (hyphens == 4 || hyphens == 0) && id.len() == digits + hyphens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loads_id_is_a_uuid() {
        assert!(is_uuid("bcf3000b-65fa-4cd2-808a-8a6cf2b1d0a5"));
        assert!(is_uuid("bcf3000b65fa4cd2808a8a6cf2b1d0a5"));
        for wrong in ["", "bcf3000b", "bcf3000b-65fa-4cd2-808a-8a6cf2b1d0ax", "bcf3000b-65fa-4cd2-808a8a6cf2b1d0a5"] {
            assert!(!is_uuid(wrong), "{wrong}");
        }
    }
}
