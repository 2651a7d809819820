//! The fields of an event by the names that manifests have for them: which are there, which grant each falls under, and
//! the event without some.

use serde_json::{Map, Value};

use crate::Event;
use crate::manifest::{Form, Manifest};

/// A line for each field of the event that is not granted, or not in the form that it is granted in.
pub(super) fn not_granted(manifest: &Manifest, event: &Event) -> Vec<String> {
    let mut problems: Vec<String> = shown(event)
        .into_iter()
        .filter(|field| granted_by(manifest, field).is_none())
        .map(|field| format!("the event gives `{field}`, which the manifest does not read"))
        .collect();
    let identifiers = event.identifiers.iter().map(|identifier| (identifier.key.as_str(), &identifier.value));
    let ids = [("id", &event.user_id), ("anonymous_id", &event.anonymous_id)];
    let ids = ids.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    for (key, value) in identifiers.chain(ids) {
        let field = format!("user.{key}");
        let digest = value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit());
        let read = granted_by(manifest, &field).and_then(|grant| manifest.reads.get(grant));
        if read.is_some_and(|read| read.form == Form::Sha256) && !digest {
            problems.push(format!("`{field}` is granted as a SHA-256 digest, and the event gives something else"));
        }
    }
    problems
}

/// The key of `[reads]` that grants a field: its own name, or else one that ends in `*` and is its beginning.
pub fn granted_by<'a>(manifest: &'a Manifest, field: &str) -> Option<&'a str> {
    // `cookie.*` grants a whole family, `cookie._ga_*` all that begins so.
    let begins = |pattern: &str| pattern.strip_suffix('*').is_some_and(|beginning| field.starts_with(beginning));
    let own = manifest.reads.get_key_value(field).map(|(key, _)| key.as_str());
    own.or_else(|| manifest.reads.keys().map(String::as_str).find(|pattern| begins(pattern)))
}

/// The event without everything that one grant hands over: `grant` is a key of `[reads]`.
pub fn without(manifest: &Manifest, event: &Event, grant: &str) -> Event {
    let keeps = |field: &str| granted_by(manifest, field) != Some(grant);
    let mut less = event.clone();
    let clear = |field: &str, value: &mut Option<String>| {
        if !keeps(field) {
            *value = None;
        }
    };
    clear("user.anonymous_id", &mut less.anonymous_id);
    clear("user.id", &mut less.user_id);
    clear("event.currency", &mut less.currency);
    clear("event.order_id", &mut less.order_id);
    if let Some(page) = &mut less.page {
        clear("page.url", &mut page.url);
        clear("page.title", &mut page.title);
        clear("page.referrer", &mut page.referrer);
    }
    if let Some(client) = &mut less.client {
        clear("client.ip", &mut client.ip);
        clear("client.user_agent", &mut client.user_agent);
        clear("client.locale", &mut client.locale);
        clear("client.region", &mut client.region);
    }
    less.value = less.value.filter(|_| keeps("event.value"));
    less.session = less.session.filter(|_| keeps("session"));
    less.items.retain(|_| keeps("event.items"));
    less.identifiers.retain(|identifier| keeps(&format!("user.{}", identifier.key)));
    less.clicks.retain(|click| keeps(&format!("click.{}", click.kind)));
    less.cookies.retain(|(name, _)| keeps(&format!("cookie.{name}")));
    if grant.starts_with("properties.") {
        let mut properties: Map<String, Value> = serde_json::from_str(&less.properties).unwrap_or_default();
        properties.retain(|name, _| keeps(&format!("properties.{name}")));
        less.properties = Value::Object(properties).to_string();
    }
    less
}

/// The manifest's names of all that the event has.
fn shown(event: &Event) -> Vec<String> {
    let mut fields = Vec::new();
    let mut add = |name: &str, present: bool| {
        if present {
            fields.push(name.to_owned());
        }
    };
    add("user.anonymous_id", event.anonymous_id.is_some());
    add("user.id", event.user_id.is_some());
    add("event.value", event.value.is_some());
    add("event.currency", event.currency.is_some());
    add("event.order_id", event.order_id.is_some());
    add("event.items", !event.items.is_empty());
    add("session", event.session.is_some());
    if let Some(page) = &event.page {
        add("page.url", page.url.is_some());
        add("page.title", page.title.is_some());
        add("page.referrer", page.referrer.is_some());
    }
    if let Some(client) = &event.client {
        add("client.ip", client.ip.is_some());
        add("client.user_agent", client.user_agent.is_some());
        add("client.locale", client.locale.is_some());
        add("client.region", client.region.is_some());
    }
    fields.extend(event.identifiers.iter().map(|identifier| format!("user.{}", identifier.key)));
    fields.extend(event.clicks.iter().map(|click| format!("click.{}", click.kind)));
    fields.extend(event.cookies.iter().map(|(name, _)| format!("cookie.{name}")));
    let properties = crate::Properties::parse(&event.properties);
    fields.extend(properties.map().keys().map(|name| format!("properties.{name}")));
    fields
}
