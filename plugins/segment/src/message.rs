//! One call of Segment's, and the request around it.
//!
//! Source: "HTTP API Source" and "Spec: Common Fields". `sentAt` is left out: Segment would take its distance from now
//! for a clock that is wrong, where it is but the time in a queue, and move the event's time by it.

use std::borrow::Cow;

use serde::Serialize;
use tidegate_plugin_sdk::fields::{Field, Fields};
use tidegate_plugin_sdk::{Event, RawPairs, Rejection, Request, time};

use crate::config::{Config, Region};
use crate::names::Call;
use crate::{context, properties, traits};

/// "A limit of 32KB per event in the batch"; Segment's own libraries take it for this many bytes.
const MESSAGE_BYTES_MAX: usize = 32 << 10;
/// "Unique messageId values with fewer than 100 characters".
const MESSAGE_ID_CHARS_MAX: usize = 99;
/// What is kept of an id that is longer; its digest follows.
const MESSAGE_ID_CHARS_KEPT: usize = 60;

/// All that a call is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) event: &'a Event,
    pub(crate) own: &'a RawPairs<'a>,
    pub(crate) config: &'a Config<'a>,
    pub(crate) test_mode: bool,
}

/// One entry of `batch`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    r#type: &'static str,
    message_id: Cow<'a, str>,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anonymous_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Fields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traits: Option<Fields<'a>>,
    context: Fields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrations: Option<Fields<'a>>,
}

/// The requests for all calls of an event.
///
/// # Errors
/// Whatever Segment would refuse, or take in silence and then discard.
pub(crate) fn all(calls: Vec<Call<'_>>, source: Source<'_>) -> Result<Vec<Request>, Rejection> {
    calls.into_iter().enumerate().map(|(index, call)| request(&message(call, index, source)?, source.config)).collect()
}

fn message<'a>(call: Call<'a>, index: usize, source: Source<'a>) -> Result<Message<'a>, Rejection> {
    let Source { event, own, config, test_mode } = source;
    let mut message = Message {
        r#type: call.kind(),
        message_id: message_id(&event.id, index),
        timestamp: time::iso8601(event.at_ms),
        user_id: event.user_id.as_deref().filter(|id| !id.is_empty()),
        anonymous_id: event.anonymous_id.as_deref().filter(|id| !id.is_empty()),
        group_id: None,
        previous_id: None,
        event: None,
        name: None,
        category: None,
        properties: None,
        traits: None,
        context: context::collect(call, source),
        integrations: test_mode.then(nowhere),
    };
    match call {
        Call::Track(name) => {
            message.event = Some(name);
            message.properties = Some(properties::collect(call, event, own, config));
        }
        Call::Page | Call::Screen => {
            // An empty name is refused, so that none is sent.
            message.name = own.id("name").or_else(|| own.id("screen_name"));
            message.category = own.id("category");
            message.properties = Some(properties::collect(call, event, own, config));
        }
        Call::Identify => message.traits = Some(identify(event, own)?),
        Call::Group => group(&mut message, own)?,
        Call::Alias => alias(&mut message, own)?,
    }
    if message.user_id.is_none() && message.anonymous_id.is_none() {
        return Err(Rejection::invalid([call.kind(), " without userId and anonymousId"].concat()));
    }
    Ok(message)
}

fn identify<'a>(event: &'a Event, own: &'a RawPairs<'a>) -> Result<Fields<'a>, Rejection> {
    let mut traits = traits::collect(event);
    for (name, value) in own.iter() {
        traits.put(name, Field::Raw(value));
    }
    if traits.is_empty() && event.user_id.is_none() {
        return Err(Rejection::skip("identifies nobody: it has neither a user id nor traits"));
    }
    Ok(traits)
}

fn group<'a>(message: &mut Message<'a>, own: &'a RawPairs<'a>) -> Result<(), Rejection> {
    const IDS: [&str; 2] = ["groupId", "group_id"];
    let id = IDS.iter().find_map(|name| own.id(name));
    message.group_id = Some(id.ok_or_else(|| Rejection::invalid("group without groupId"))?);
    let mut traits = Fields::default();
    for (name, value) in own.iter().filter(|(name, _)| !IDS.contains(name)) {
        traits.put(name, Field::Raw(value));
    }
    message.traits = Some(traits);
    Ok(())
}

fn alias<'a>(message: &mut Message<'a>, own: &'a RawPairs<'a>) -> Result<(), Rejection> {
    message.previous_id = own.id("previousId").or_else(|| own.id("previous_id"));
    match (message.user_id, &message.previous_id) {
        (Some(_), Some(_)) => Ok(()),
        // What consent to analytics alone leaves of one.
        (None, None) => Err(Rejection::skip("links nobody: it has neither a user id nor a previous one")),
        (None, _) => Err(Rejection::invalid("alias without userId")),
        (_, None) => Err(Rejection::invalid("alias without previousId")),
    }
}

/// "`'All': false` says that no destination should be enabled": a test is seen in the source's Debugger, and goes no
/// further. A warehouse that is connected stores it, with `context.test`.
fn nowhere() -> Fields<'static> {
    let mut integrations = Fields::default();
    integrations.put("All", Field::Flag(false));
    integrations
}

/// Segment counts a `messageId` once, so that each of several calls of one event needs its own.
fn message_id(id: &str, index: usize) -> Cow<'_, str> {
    if index == 0 && id.chars().nth(MESSAGE_ID_CHARS_MAX).is_none() {
        return Cow::Borrowed(id);
    }
    let mut text = id.to_owned();
    if index > 0 {
        text = format!("{text}-{}", index + 1);
    }
    if text.chars().nth(MESSAGE_ID_CHARS_MAX).is_some() {
        let kept: String = text.chars().take(MESSAGE_ID_CHARS_KEPT).collect();
        text = format!("{kept}-{:032x}", fnv1a(text.as_bytes()));
    }
    Cow::Owned(text)
}

/// FNV-1a of 128 bits (RFC 9923): an id for an id, not a secret.
fn fnv1a(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

fn request(message: &Message<'_>, config: &Config<'_>) -> Result<Request, Rejection> {
    let written = serde_json::to_vec(message).map_err(|e| Rejection::invalid(format!("the request's body: {e}")))?;
    if written.len() > MESSAGE_BYTES_MAX {
        return Err(Rejection::invalid("larger than 32 kB: Segment would refuse every event that is sent with it"));
    }
    let endpoint = match config.region {
        Region::Us => "batch",
        Region::Eu => "batch_eu",
    };
    let mut request = Request::new(endpoint).with_header("content-type", "application/json");
    request.body = [b"{\"batch\":[", written.as_slice(), b"]}"].concat();
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_published_one() {
        // The vectors of the FNV reference code for no bytes, and for `foobar`.
        assert_eq!(fnv1a(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv1a(b"foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
    }

    #[test]
    fn a_message_id_is_short_and_each_calls_own() {
        assert_eq!(message_id("order-1", 0), "order-1");
        assert_eq!(message_id("order-1", 1), "order-1-2");
        let long = "é".repeat(128);
        assert_eq!(message_id(&"x".repeat(99), 0), "x".repeat(99));
        assert_eq!(message_id(&long, 0).chars().count(), 93);
        assert_ne!(message_id(&long, 0), message_id(&long, 1));
    }
}
