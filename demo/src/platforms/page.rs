//! What the platforms' page shows, as JSON: a line for each platform, and requests with the events in them.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::{Value, json};
use tidegate_fakes::{Fake, Received};

use super::Mood;

const REQUESTS_SHOWN: usize = 40;
/// Where platforms put an event's name, the surest first.
const NAMES: [&str; 5] = ["event_name", "eventName", "event", "name", "tracking_type"];
/// What stands for a name where a platform knows conversions by their ids.
const IDS: [&str; 4] = ["conversion", "conversionAction", "event_id", "type"];
/// Where names are, but not the event's.
const ASIDE: &str = "context";
/// Names lie no deeper.
const DEPTH_MAX: usize = 6;

/// What a plugin's manifest says of its platform.
pub(super) struct About {
    summary: String,
    purposes: Vec<String>,
}

impl About {
    /// Of a plugin that is not built in, little.
    pub(super) fn of(plugin: &str) -> About {
        let manifest = tidegate_plugins::find(plugin).map(|plugin| plugin.manifest).unwrap_or_default();
        let manifest: toml::Table = manifest.parse().unwrap_or_default();
        let text = |value: &toml::Value| value.as_str().map(str::to_owned);
        let purposes = manifest.get("purposes").and_then(toml::Value::as_array);
        About {
            summary: manifest.get("summary").and_then(text).unwrap_or_else(|| plugin.to_owned()),
            purposes: purposes.into_iter().flatten().filter_map(text).collect(),
        }
    }
}

/// One platform.
pub(super) fn line(plugin: &str, about: &About, fake: &Fake, mood: Mood) -> Value {
    let requests = fake.requests();
    json!({
        "plugin": plugin,
        "summary": about.summary,
        "purposes": about.purposes,
        "url": fake.url(),
        "mood": mood,
        "requests": fake.requests_count(),
        "events": fake.events_count(),
        "problems": requests.iter().filter(|request| !request.problems.is_empty()).count(),
        "last_ms": requests.last().map(|request| request.arrived_ms),
    })
}

/// The last requests to all of these, newest first.
pub(super) fn requests<'a>(fakes: impl Iterator<Item = (&'static str, &'a Fake)>) -> Value {
    let all = fakes.flat_map(|(plugin, fake)| fake.requests().into_iter().map(move |request| (plugin, request)));
    let mut all: Vec<(&str, Arc<Received>)> = all.collect();
    all.sort_by_key(|(_, request)| Reverse((request.arrived_ms, request.order)));
    all.iter().take(REQUESTS_SHOWN).map(|(plugin, one)| request(plugin, one)).collect()
}

fn request(plugin: &str, request: &Received) -> Value {
    let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let separator = if query.is_empty() { "" } else { "?" };
    let header = |(name, value): (&_, &axum::http::HeaderValue)| {
        let name: &axum::http::HeaderName = name;
        json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])
    };
    json!({
        "id": format!("{plugin}-{}", request.order),
        "plugin": plugin,
        "arrived_ms": request.arrived_ms,
        "method": request.method,
        "target": format!("{}{separator}{}", request.path, query.join("&")),
        "status": request.status,
        "problems": request.problems,
        "taken": request.events.len(),
        "names": names(request),
        "json": request.json,
        "text": String::from_utf8_lossy(&request.body),
        "headers": request.headers.iter().map(header).collect::<Vec<_>>(),
    })
}

/// The names of the events in a request, whichever platform it was for; of one that took nothing, the name of the first.
fn names(request: &Received) -> Vec<Cow<'_, str>> {
    let events = match &request.json {
        Some(body) if request.events.is_empty() => std::slice::from_ref(body),
        _ => &request.events,
    };
    events.iter().filter_map(|event| find(event, &NAMES).map(Cow::Borrowed).or_else(|| id(event))).collect()
}

/// An id may be long, as in `urn:lla:llaPartnerConversion:104012`; its end tells it from others.
fn id(event: &Value) -> Option<Cow<'_, str>> {
    let id = find(event, &IDS)?.rsplit([':', '/']).next()?;
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
    Some(if is_number { format!("conversion {id}").into() } else { id.into() })
}

/// The text that stands under one of these keys, as far up as there is one.
fn find<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a str> {
    let mut level = vec![value];
    for _ in 0..DEPTH_MAX {
        let named = |value: &&'a Value| keys.iter().find_map(|key| value.get(key)?.as_str());
        if let Some(name) = level.iter().find_map(named) {
            return Some(name);
        }
        level = level.into_iter().flat_map(children).collect();
    }
    None
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(map) => map.iter().filter(|(key, _)| *key != ASIDE).map(|(_, value)| value).collect(),
        Value::Array(list) => list.first().into_iter().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(event: &Value) -> Option<Cow<'_, str>> {
        find(event, &NAMES).map(Cow::Borrowed).or_else(|| id(event))
    }

    #[test]
    fn an_event_is_called_as_its_platform_calls_it() {
        let named = [
            (json!({ "event_name": "Purchase", "custom_data": { "name": "Mug" } }), "Purchase"),
            (json!({ "insertId": "1", "json": { "event": "purchase" } }), "purchase"),
            (json!({ "type": { "tracking_type": "PURCHASE" } }), "PURCHASE"),
            (
                json!({ "type": "event", "attributes": { "metric": { "data": { "attributes": { "name": "Placed Order" } } } } }),
                "Placed Order",
            ),
        ];
        for (event, expected) in &named {
            assert_eq!(name(event).as_deref(), Some(*expected));
        }
    }

    #[test]
    fn where_there_is_no_name_the_conversion_s_id_or_the_kind_stands_for_it() {
        assert_eq!(
            name(&json!({ "conversion": "urn:lla:llaPartnerConversion:104012" })).as_deref(),
            Some("conversion 104012")
        );
        let page = json!({ "type": "page", "context": { "library": { "name": "tidegate" } } });
        assert_eq!(name(&page).as_deref(), Some("page"));
        assert_eq!(name(&json!({ "text": "New order" })), None);
    }
}
