//! Which granted fields a plugin makes anything of: those without which it gives something else.
//!
//! Looks with the events of the plugin's own fixtures, with what others of them have besides, and under the names of
//! one another: a field that stands in for another shows where that is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Answer, Suite, without};
use crate::{Client, Context, Event, EventKind, Page};

/// The canonical events, in the order in which a visitor comes to them; what else there is counts as `other`.
pub const EVENTS: [&str; 18] = [
    "page_view",
    "search",
    "view_item_list",
    "select_item",
    "view_item",
    "add_to_wishlist",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "add_shipping_info",
    "add_payment_info",
    "purchase",
    "refund",
    "generate_lead",
    "sign_up",
    "login",
    "other",
];

/// How `transform` is called: as in [`super::Calls`].
type Transform<'a> = &'a dyn Fn(Event, Context) -> Result<Answer, String>;

/// The granted fields without which a plugin's requests are others, by the event ([`EVENTS`]) that they report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uses(BTreeMap<&'static str, BTreeSet<String>>);

impl Uses {
    /// Finds them out with the events of a plugin's fixtures.
    pub fn of(suite: &Suite, transform: Transform<'_>) -> Uses {
        let cases = cases(suite);
        let mut uses = Uses(BTreeMap::new());
        for (event, ctx) in as_they_are(&cases).chain(enriched_all(&cases)) {
            uses.look(suite, (&event, ctx), transform);
        }
        let names: Vec<&str> = uses.0.keys().copied().filter(|name| *name != "other").collect();
        for (event, ctx) in renamed(&cases, &names) {
            uses.look(suite, (&event, ctx), transform);
        }
        uses
    }

    /// The granted fields that reports of this event use; nothing where the fixtures have none of it.
    pub fn of_event(&self, name: &str) -> Option<&BTreeSet<String>> {
        self.0.get(name)
    }

    /// Whether reports of any event use this grant.
    pub fn is_used(&self, grant: &str) -> bool {
        self.0.values().any(|grants| grants.contains(grant))
    }

    /// Adds the grants without which this event's requests are others.
    fn look(&mut self, suite: &Suite, (event, ctx): (&Event, &Context), transform: Transform<'_>) {
        let manifest = suite.manifest();
        let column = column(event);
        let already = self.0.get(column);
        let unseen = manifest.reads.keys().filter(|field| !already.is_some_and(|known| known.contains(*field)));
        let less: Vec<_> = unseen.map(|field| (field, without(manifest, event, field))).collect();
        let less: Vec<_> = less.into_iter().filter(|(_, less)| less != event).collect();
        if less.is_empty() && already.is_some() {
            return;
        }
        let requests = |event: Event| match transform(event, ctx.clone()) {
            Ok(Ok(requests)) if !requests.is_empty() => Some(requests),
            _ => None,
        };
        let Some(made) = requests(event.clone()) else { return };
        let fields = self.0.entry(column).or_default();
        for (field, less) in less {
            if requests(less).as_ref() != Some(&made) {
                fields.insert(field.clone());
            }
        }
    }
}

/// The grants that never change what the plugin gives, be it requests or a reason why there are none.
pub fn unused(suite: &Suite, transform: Transform<'_>) -> Vec<String> {
    let manifest = suite.manifest();
    let cases = cases(suite);
    let names: Vec<&str> = EVENTS.into_iter().filter(|name| cases.iter().any(|(it, _)| column(it) == *name)).collect();
    let mut unused: Vec<&String> = manifest.reads.keys().collect();
    for (event, ctx) in as_they_are(&cases).chain(enriched_all(&cases)).chain(renamed(&cases, &names)) {
        let mut made = None;
        unused.retain(|grant| {
            let less = without(manifest, &event, grant);
            if less == event {
                return true;
            }
            let made = made.get_or_insert_with(|| transform(event.clone(), ctx.clone()));
            // A call that gives no answer tells nothing of its fields.
            match (made, transform(less, ctx.clone())) {
                (Ok(made), Ok(answer)) => answer == *made,
                _ => true,
            }
        });
        if unused.is_empty() {
            break;
        }
    }
    unused.into_iter().cloned().collect()
}

fn cases(suite: &Suite) -> Vec<(Event, Context)> {
    suite.events().into_iter().map(|(_, event, ctx)| (event, ctx)).collect()
}

fn as_they_are(cases: &[(Event, Context)]) -> impl Iterator<Item = (Event, &Context)> {
    cases.iter().map(|(event, ctx)| (event.clone(), ctx))
}

/// Each with all that any other has.
fn enriched_all(cases: &[(Event, Context)]) -> impl Iterator<Item = (Event, &Context)> {
    let nothing = Event { identifiers: Vec::new(), ..Event::example() };
    let pool = cases.iter().fold(nothing, |pool, (event, _)| enriched(&pool, event));
    cases.iter().map(move |(event, ctx)| (enriched(event, &pool), ctx))
}

/// Each under all these names.
fn renamed<'a>(cases: &'a [(Event, Context)], names: &'a [&str]) -> impl Iterator<Item = (Event, &'a Context)> {
    let tracked = cases.iter().filter(|(event, _)| event.kind == EventKind::Track);
    tracked.flat_map(move |(event, ctx)| {
        names.iter().map(move |name| (Event { name: (*name).to_owned(), ..event.clone() }, ctx))
    })
}

fn column(event: &Event) -> &'static str {
    let name = match event.kind {
        EventKind::Page => "page_view",
        _ => event.name.as_str(),
    };
    EVENTS.into_iter().find(|known| *known == name).unwrap_or("other")
}

/// The event, and what only the other has.
fn enriched(event: &Event, other: &Event) -> Event {
    let mut full = event.clone();
    let or = |own: &Option<String>, other: &Option<String>| own.clone().or_else(|| other.clone());
    full.anonymous_id = or(&full.anonymous_id, &other.anonymous_id);
    full.user_id = or(&full.user_id, &other.user_id);
    full.currency = or(&full.currency, &other.currency);
    full.order_id = or(&full.order_id, &other.order_id);
    full.value = full.value.or(other.value);
    full.session = full.session.or_else(|| other.session.clone());
    if full.items.is_empty() {
        full.items.clone_from(&other.items);
    }
    for identifier in &other.identifiers {
        if full.identifier(&identifier.key).is_none() {
            full.identifiers.push(identifier.clone());
        }
    }
    for click in &other.clicks {
        if full.click(&click.kind).is_none() {
            full.clicks.push(click.clone());
        }
    }
    for (name, value) in &other.cookies {
        if full.cookie(name).is_none() {
            full.cookies.push((name.clone(), value.clone()));
        }
    }
    let blank = Page { url: None, title: None, referrer: None };
    let (page, more) = (full.page.unwrap_or(blank.clone()), other.page.clone().unwrap_or(blank));
    full.page = Some(Page {
        url: page.url.or(more.url),
        title: page.title.or(more.title),
        referrer: page.referrer.or(more.referrer),
    });
    let blank = Client { ip: None, user_agent: None, locale: None, region: None };
    let (client, more) = (full.client.unwrap_or(blank.clone()), other.client.clone().unwrap_or(blank));
    full.client = Some(Client {
        ip: client.ip.or(more.ip),
        user_agent: client.user_agent.or(more.user_agent),
        locale: client.locale.or(more.locale),
        region: client.region.or(more.region),
    });
    let mut properties: Map<String, Value> = serde_json::from_str(&other.properties).unwrap_or_default();
    properties.extend(serde_json::from_str::<Map<String, Value>>(&full.properties).unwrap_or_default());
    full.properties = Value::Object(properties).to_string();
    full
}
