//! Lays a trace out for people: received, consent, then each destination with what it saw, sent and was answered.
//!
//! Names the fields that a plugin saw as its manifest does, and not their values: `--json` has those.

use serde_json::Value;

use super::addresses::Addresses;
use super::output::{Paint, clean, plural, time};
use crate::admin::view::{AttemptTrace, DeliveryTrace, DestinationTrace, Outcome, Trace};
use crate::record::{Body, RequestRecord};

/// How much of a body is shown.
const BODY_LINES_MAX: usize = 60;

/// A whole trace.
pub(super) fn render(trace: &Trace, addresses: &Addresses, paint: Paint) -> String {
    let name = if trace.name.is_empty() { "an event" } else { &trace.name };
    let mut lines = vec![format!("{}  {}", paint.bold(name), paint.outcome(trace.outcome.as_str()))];
    lines.push(fact("id", &trace.id));
    lines.push(fact("received", format!("{} by site {}", time(trace.received_ms), trace.site)));
    if let Some(reason) = &trace.reason {
        lines.push(fact("because", reason));
    }
    if let Some(event) = &trace.event {
        let sent = event.name_sent.as_ref().map(|sent| format!(", sent as {sent}")).unwrap_or_default();
        lines.push(fact("happened", format!("{} ({}{sent})", time(event.at_ms), event.kind.as_str())));
    }
    if let Some(consent) = &trace.consent {
        lines.push(fact("consent", format!("{}, by {}", consent.level.as_str(), word(&consent.signal))));
    }
    if trace.duplicates > 0 {
        let count = plural(usize::try_from(trace.duplicates).unwrap_or(usize::MAX), "more time");
        lines.push(fact("duplicates", format!("the same id came {count}, and counted once")));
    }
    for destination in &trace.destinations {
        lines.push(String::new());
        lines.extend(of_destination(destination, addresses, paint));
    }
    lines.join("\n")
}

/// One delivery: what was seen, sent and answered.
pub(super) fn of_delivery(
    delivery: &DeliveryTrace,
    url: impl Fn(&RequestRecord) -> Option<String>,
    paint: Paint,
) -> Vec<String> {
    let mut lines = vec![format!("  {} {}", paint.dim("delivery"), paint.dim(&delivery.id))];
    if let Some(due_ms) = delivery.due_ms {
        lines.push(fact("due", time(due_ms)));
    }
    if let Some(seen) = delivery.saw.as_ref().and_then(|saw| serde_json::from_str(saw.get()).ok()) {
        lines.push(fact("saw", fields(&seen).join(", ")));
    }
    match &delivery.request {
        Some(request) => lines.extend(of_request(request, url(request))),
        None if delivery.outcome == Outcome::Cancelled => lines.push(fact("request", "deleted when it was cancelled")),
        None => lines.push(fact("request", "none was made")),
    }
    for attempt in &delivery.attempts {
        lines.extend(of_attempt(attempt));
    }
    lines
}

fn of_destination(destination: &DestinationTrace, addresses: &Addresses, paint: Paint) -> Vec<String> {
    let name = destination.outcome.as_str();
    let mut lines = vec![format!("{}  {}", paint.bold(&destination.name), paint.outcome(name))];
    if let Some(reason) = &destination.reason {
        lines.push(fact("because", reason));
    }
    if let (Some(plugin), Some(digest)) = (&destination.plugin, &destination.digest) {
        lines.push(fact("plugin", format!("{plugin} @ sha256:{digest}")));
    }
    if let Some(quality) = &destination.quality {
        let missing = match quality.missing.as_slice() {
            [] => String::new(),
            missing => format!("; missing: {}", missing.join(", ")),
        };
        lines.push(fact("quality", format!("{} of 100{missing}", quality.percent)));
    }
    let url = |request: &RequestRecord| addresses.url(&destination.name, request);
    lines.extend(destination.deliveries.iter().flat_map(|delivery| of_delivery(delivery, url, paint)));
    lines
}

fn of_request(request: &RequestRecord, url: Option<String>) -> Vec<String> {
    let mut lines = vec![fact("request", format!("to endpoint {}", request.endpoint))];
    match url {
        Some(url) => lines.push(fact("url", url)),
        // The destination is not configured any more, or otherwise: what the plugin gave is known all the same.
        None => {
            let given = request.path.iter().chain(&request.query);
            lines.extend(given.map(|(name, value)| fact("parameter", format!("{name}={value}"))));
        }
    }
    for (name, value) in &request.headers {
        lines.push(fact("header", format!("{name}: {value}")));
    }
    match &request.body {
        Body::Text(text) if text.is_empty() => {}
        Body::Text(text) => lines.extend(indented(text)),
        Body::Base64(text) => lines.push(fact("body", format!("{} characters of Base64", text.len()))),
    }
    lines
}

fn of_attempt(attempt: &AttemptTrace) -> Vec<String> {
    let status = attempt.status.map_or_else(|| "no answer".to_owned(), |status| format!("HTTP {status}"));
    let together = match attempt.events {
        0 | 1 => String::new(),
        events => format!(", {events} events in one request"),
    };
    let what =
        format!("{}  {status} after {} ms{together}: {}", time(attempt.at), attempt.duration_ms, attempt.verdict);
    let mut lines = vec![fact("attempt", what)];
    lines.extend(attempt.answer.iter().filter(|answer| !answer.is_empty()).flat_map(|answer| indented(answer)));
    lines
}

/// A body: JSON laid out, anything else as it is.
fn indented(text: &str) -> Vec<String> {
    let laid_out = serde_json::from_str::<Value>(text).ok().and_then(|json| serde_json::to_string_pretty(&json).ok());
    let text = clean(&laid_out.unwrap_or_else(|| text.to_owned()));
    let mut lines: Vec<String> =
        text.lines().take(BODY_LINES_MAX).map(|line| format!("               {line}")).collect();
    let more = text.lines().count().saturating_sub(BODY_LINES_MAX);
    if more > 0 {
        lines.push(format!("               … and {}", plural(more, "more line")));
    }
    lines
}

/// The fields that a plugin saw, by the names that a manifest's `[reads]` has for them.
fn fields(seen: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for (field, name) in [("anonymous_id", "user.anonymous_id"), ("user_id", "user.id"), ("session", "session")] {
        names.extend((!is_nothing(&seen[field])).then(|| name.to_owned()));
    }
    for field in ["value", "currency", "order_id", "items"] {
        names.extend((!is_nothing(&seen[field])).then(|| format!("event.{field}")));
    }
    for (list, key, family) in [("identifiers", "key", "user"), ("clicks", "kind", "click")] {
        let keys = seen[list].as_array().into_iter().flatten().filter_map(|entry| entry[key].as_str());
        names.extend(keys.map(|key| format!("{family}.{key}")));
    }
    let cookies = seen["cookies"].as_array().into_iter().flatten().filter_map(|cookie| cookie[0].as_str());
    names.extend(cookies.map(|name| format!("cookie.{name}")));
    for group in ["page", "client"] {
        let entries = seen[group].as_object().into_iter().flatten().filter(|(_, value)| !is_nothing(value));
        names.extend(entries.map(|(name, _)| format!("{group}.{name}")));
    }
    // Properties cross the contract as JSON in a text.
    let properties = seen["properties"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let properties = properties.as_ref().unwrap_or(&seen["properties"]).as_object().into_iter().flatten();
    names.extend(properties.map(|(name, _)| format!("properties.{name}")));
    if names.is_empty() {
        names.push("only its name, time and id".to_owned());
    }
    names
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn fact(name: &str, value: impl std::fmt::Display) -> String {
    format!("  {name:11}{}", clean(&value.to_string()))
}

/// A value's name in JSON.
fn word(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::quality::Score;

    fn delivered() -> Trace {
        let attempt = AttemptTrace {
            at: 1_768_487_521_000,
            status: Some(200),
            verdict: "delivered".into(),
            answer: Some("{\"events_received\":1}".into()),
            duration_ms: 35,
            events: 12,
        };
        let saw = json!({
            "id": "e1", "name": "purchase", "value": 1.5, "items": [], "identifiers": [{"key": "email", "value": "ab"}],
            "page": {"url": "https://shop.example/", "title": null}, "cookies": [["_fbp", "fb.1.2.3"]],
            "properties": "{\"size\":\"L\"}",
        });
        let delivery = DeliveryTrace {
            id: "0190".into(),
            outcome: Outcome::Delivered,
            reason: None,
            due_ms: None,
            saw: serde_json::value::to_raw_value(&saw).ok(),
            request: Some(RequestRecord {
                endpoint: "events".into(),
                path: Vec::new(),
                query: vec![("a".into(), "b".into())],
                headers: Vec::new(),
                body: Body::Text("{\"data\":[\"\u{1b}[2J\"]}".into()),
            }),
            attempts: vec![attempt.clone()],
        };
        let meta = DestinationTrace {
            name: "meta".into(),
            outcome: Outcome::Delivered,
            reason: None,
            plugin: Some("meta-capi 0.1.0".into()),
            digest: Some("12ab".into()),
            quality: Some(Score { percent: 60, missing: vec!["phone number".into()] }),
            attempts: vec![attempt],
            deliveries: vec![delivery],
        };
        let ga4 = DestinationTrace {
            name: "ga4".into(),
            outcome: Outcome::Dropped,
            reason: Some("consent does not cover analytics".into()),
            plugin: None,
            digest: None,
            quality: None,
            attempts: Vec::new(),
            deliveries: Vec::new(),
        };
        Trace {
            id: "e1".into(),
            site: "shop".into(),
            name: "purchase".into(),
            received_ms: 1_768_487_520_000,
            outcome: Outcome::Delivered,
            reason: None,
            duplicates: 2,
            event: None,
            consent: None,
            destinations: vec![meta, ga4],
        }
    }

    #[test]
    fn a_trace_tells_what_was_seen_sent_and_answered() {
        let expected = "\
purchase  delivered
  id         e1
  received   2026-01-15T14:32:00.000Z by site shop
  duplicates the same id came 2 more times, and counted once

meta  delivered
  plugin     meta-capi 0.1.0 @ sha256:12ab
  quality    60 of 100; missing: phone number
  delivery 0190
  saw        event.value, user.email, cookie._fbp, page.url, properties.size
  request    to endpoint events
  parameter  a=b
               {\"data\":[\"\\u{1b}[2J\"]}
  attempt    2026-01-15T14:32:01.000Z  HTTP 200 after 35 ms, 12 events in one request: delivered
               {
                 \"events_received\": 1
               }

ga4  dropped
  because    consent does not cover analytics";
        assert_eq!(render(&delivered(), &Addresses::default(), Paint::Plain).replace('\u{1b}', "ESC"), expected);
    }
}
