//! What a fixture's event shows although the manifest does not grant it: the plugin would never see that.

use crate::Event;
use crate::manifest::{Form, Manifest, Read};

/// A line for each field of the event that is not granted, or not in the form that it is granted in.
pub(super) fn not_granted(manifest: &Manifest, event: &Event) -> Vec<String> {
    let mut problems: Vec<String> = shown(event)
        .into_iter()
        .filter(|field| grant(manifest, field).is_none())
        .map(|field| format!("the event gives `{field}`, which the manifest does not read"))
        .collect();
    for identifier in &event.identifiers {
        let field = format!("user.{}", identifier.key);
        let digest = identifier.value.len() == 64 && identifier.value.bytes().all(|b| b.is_ascii_hexdigit());
        if grant(manifest, &field).is_some_and(|read| read.form == Form::Sha256) && !digest {
            problems.push(format!("`{field}` is granted as a SHA-256 digest, and the event gives something else"));
        }
    }
    problems
}

/// The grant of a field: by its name, or else by one that ends in `*` and is its beginning.
fn grant<'a>(manifest: &'a Manifest, field: &str) -> Option<&'a Read> {
    // `cookie.*` grants a whole family, `cookie._ga_*` all that begins so.
    let begins = |pattern: &str| pattern.strip_suffix('*').is_some_and(|beginning| field.starts_with(beginning));
    manifest
        .reads
        .get(field)
        .or_else(|| manifest.reads.iter().find(|(pattern, _)| begins(pattern)).map(|(_, read)| read))
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
