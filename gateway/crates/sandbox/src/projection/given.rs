//! Which of a manifest's reads an event gave its plugin something of: names and forms, never a value.
//!
//! Goes by the projected event, which is all that the plugin gets. What is not in it was not given, whatever is granted.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use tidegate_plugin_sdk::manifest::{Form, Read};

use crate::contract::Event;

/// A manifest's reads, each with where its values are in a projected event.
#[derive(Debug, Clone)]
pub(super) struct Given {
    reads: Vec<(Granted, Place)>,
    /// The identifiers and ids that have a read of their own: `user.*` is what gives all others.
    named: Vec<String>,
}

/// A field that a plugin is granted, as its manifest names it, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub field: String,
    pub form: Form,
}

#[derive(Debug, Clone)]
enum Place {
    /// An identifier, or an id, of a person.
    User(String),
    /// All of them that have no read of their own.
    Users,
    Click(Pattern),
    Cookie(Pattern),
    Property(Pattern),
    /// One that is there or not.
    Field(fn(&Event) -> bool),
}

#[derive(Debug, Clone)]
enum Pattern {
    Exact(String),
    /// Of `_ga_*`, `_ga_`.
    Beginning(String),
}

impl Given {
    pub(super) fn new(reads: &BTreeMap<String, Read>) -> Given {
        let granted =
            |(field, read): (&String, &Read)| Some((Granted { field: field.clone(), form: read.form }, place(field)?));
        let named = reads.keys().filter_map(|field| field.strip_prefix("user.")).map(str::to_owned).collect();
        Given { reads: reads.iter().filter_map(granted).collect(), named }
    }

    /// The reads of which the event has something, in the manifest's order. Of several that cover the same value, each
    /// is one of them.
    pub(super) fn of(&self, event: &Event) -> Vec<&Granted> {
        let properties = self.properties(event);
        let has = |place: &Place| match place {
            Place::User(name) => users(event).any(|user| user == name),
            Place::Users => users(event).any(|user| !self.named.iter().any(|named| named == user)),
            Place::Click(pattern) => event.clicks.iter().any(|click| pattern.covers(&click.kind)),
            Place::Cookie(pattern) => event.cookies.iter().any(|(name, _)| pattern.covers(name)),
            Place::Property(pattern) => properties.keys().any(|name| pattern.covers(name)),
            Place::Field(is_there) => is_there(event),
        };
        self.reads.iter().filter(|(_, place)| has(place)).map(|(granted, _)| granted).collect()
    }

    /// The names of the event's properties; their values are passed over unread.
    fn properties(&self, event: &Event) -> BTreeMap<String, IgnoredAny> {
        let is_wanted = self.reads.iter().any(|(_, place)| matches!(place, Place::Property(_)));
        if !is_wanted || event.properties == "{}" {
            return BTreeMap::new();
        }
        // The projection wrote them itself.
        serde_json::from_str(&event.properties).unwrap_or_default()
    }
}

impl Pattern {
    fn new(name: &str) -> Pattern {
        match name.strip_suffix('*') {
            Some(beginning) => Pattern::Beginning(beginning.to_owned()),
            None => Pattern::Exact(name.to_owned()),
        }
    }

    fn covers(&self, name: &str) -> bool {
        match self {
            Pattern::Exact(exact) => exact == name,
            Pattern::Beginning(beginning) => name.starts_with(beginning.as_str()),
        }
    }
}

/// Whom the event is about: the names of what is there of it.
fn users(event: &Event) -> impl Iterator<Item = &str> {
    let ids = [("anonymous_id", &event.anonymous_id), ("id", &event.user_id)];
    let ids = ids.into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name);
    ids.chain(event.identifiers.iter().map(|identifier| identifier.key.as_str()))
}

fn place(field: &str) -> Option<Place> {
    if let Some((family, name)) = field.split_once('.') {
        match (family, name) {
            ("user", "*") => return Some(Place::Users),
            ("user", name) => return Some(Place::User(name.to_owned())),
            ("click", name) => return Some(Place::Click(Pattern::new(name))),
            ("cookie", name) => return Some(Place::Cookie(Pattern::new(name))),
            ("properties", name) => return Some(Place::Property(Pattern::new(name))),
            _ => {}
        }
    }
    let is_there: fn(&Event) -> bool = match field {
        "page.url" => |event| event.page.as_ref().is_some_and(|page| page.url.is_some()),
        "page.title" => |event| event.page.as_ref().is_some_and(|page| page.title.is_some()),
        "page.referrer" => |event| event.page.as_ref().is_some_and(|page| page.referrer.is_some()),
        "client.ip" => |event| event.client.as_ref().is_some_and(|client| client.ip.is_some()),
        "client.user_agent" => |event| event.client.as_ref().is_some_and(|client| client.user_agent.is_some()),
        "client.locale" => |event| event.client.as_ref().is_some_and(|client| client.locale.is_some()),
        "client.region" => |event| event.client.as_ref().is_some_and(|client| client.region.is_some()),
        "session" => |event| event.session.is_some(),
        "event.value" => |event| event.value.is_some(),
        "event.currency" => |event| event.currency.is_some(),
        "event.order_id" => |event| event.order_id.is_some(),
        "event.items" => |event| !event.items.is_empty(),
        // The manifest's check knows no others, and the projection gives none.
        _ => return None,
    };
    Some(Place::Field(is_there))
}
