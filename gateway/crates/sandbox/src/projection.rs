//! What a plugin sees of an event: the fields that its manifest was granted, in the form that it was granted, as far as
//! the visitor's consent reaches.
//!
//! Owns the domain rule of what a consent level strips ([`tidegate_event::Withheld`]), and is the only way from an event to a plugin. Reads
//! no configuration, and runs nothing.

mod given;
mod names;
mod user;

use serde_json::{Map, Value};
use tidegate_event::{self as event, Withheld};
use tidegate_plugin_sdk::manifest::Manifest;

use self::given::Given;
pub use self::given::Granted;
use self::names::Names;
use self::user::User;
use crate::contract;

/// A manifest's `[reads]`, compiled once.
#[derive(Debug, Clone)]
pub struct Projection {
    user: User,
    clicks: Names,
    cookies: Names,
    properties: Names,
    /// The other fields, each by its whole name.
    fields: Fields,
    given: Given,
}

#[derive(Debug, Clone, Default)]
struct Fields {
    page_url: bool,
    page_title: bool,
    page_referrer: bool,
    client_ip: bool,
    client_user_agent: bool,
    client_locale: bool,
    client_region: bool,
    session: bool,
    value: bool,
    currency: bool,
    order_id: bool,
    items: bool,
}

impl Projection {
    /// Compiles the reads of a manifest.
    pub fn new(manifest: &Manifest) -> Projection {
        let reads = &manifest.reads;
        let has = |field: &str| reads.contains_key(field);
        let family = |prefix: &str| Names::new(reads.keys().filter_map(|field| field.strip_prefix(prefix)));
        Projection {
            user: User::new(reads),
            clicks: family("click."),
            cookies: family("cookie."),
            properties: family("properties."),
            fields: Fields {
                page_url: has("page.url"),
                page_title: has("page.title"),
                page_referrer: has("page.referrer"),
                client_ip: has("client.ip"),
                client_user_agent: has("client.user_agent"),
                client_locale: has("client.locale"),
                client_region: has("client.region"),
                session: has("session"),
                value: has("event.value"),
                currency: has("event.currency"),
                order_id: has("event.order_id"),
                items: has("event.items"),
            },
            given: Given::new(reads),
        }
    }

    /// The event as the plugin sees it. Always there are its id, name, kind, times and consent; all else only when it was
    /// granted, and only as far as the consent's level reaches.
    pub fn apply(&self, event: &event::Event) -> contract::Event {
        let withheld = Withheld::at(event.consent.level);
        let mut projected = envelope(event);
        if withheld == Withheld::All {
            return projected;
        }
        let fields = &self.fields;
        let granted = |field: bool, value: &Option<String>| value.clone().filter(|_| field);
        projected.anonymous_id = self.user.anonymous_id(event);
        if withheld == Withheld::Nothing {
            projected.user_id = self.user.user_id(event);
            projected.identifiers = self.user.identifiers(event);
            projected.clicks = self.clicks(event);
        }
        let cookies = event.cookies.iter().filter(|(name, _)| self.cookies.has(name) && withheld.lets_cookie(name));
        projected.cookies = cookies.map(|(name, value)| (name.clone(), value.clone())).collect();
        projected.page = some(contract::Page {
            url: granted(fields.page_url, &event.page.url).map(|url| withheld.strip_url(url)),
            title: granted(fields.page_title, &event.page.title),
            referrer: granted(fields.page_referrer, &event.page.referrer).map(|url| withheld.strip_url(url)),
        });
        projected.client = some(contract::Client {
            ip: granted(fields.client_ip && withheld == Withheld::Nothing, &event.client.ip),
            user_agent: granted(fields.client_user_agent, &event.client.user_agent),
            locale: granted(fields.client_locale, &event.client.locale),
            region: granted(fields.client_region, &event.client.region),
        });
        projected.session = event.session.as_ref().filter(|_| fields.session).map(session);
        projected.value = event.value.filter(|_| fields.value);
        projected.currency = granted(fields.currency, &event.currency);
        projected.order_id = granted(fields.order_id, &event.order_id);
        projected.items = event.items.iter().filter(|_| fields.items).map(item).collect();
        projected.properties = self.properties(&withheld.strip_properties(&event.properties));
        projected
    }

    /// Which of the manifest's reads a projected event has something of, in the manifest's order. Beside them it always
    /// has what [`Projection::apply`] says.
    pub fn given(&self, projected: &contract::Event) -> Vec<&Granted> {
        self.given.of(projected)
    }

    fn clicks(&self, event: &event::Event) -> Vec<contract::ClickId> {
        let granted = event.clicks.iter().filter(|click| self.clicks.has(&click.kind));
        let click = |click: &event::ClickId| contract::ClickId {
            kind: click.kind.clone(),
            value: click.value.clone(),
            seen_ms: click.seen_ms,
        };
        granted.map(click).collect()
    }

    fn properties(&self, properties: &Map<String, Value>) -> String {
        if self.properties.has_all() {
            return object(properties);
        }
        let mut granted = Map::new();
        for (name, value) in properties.iter().filter(|(name, _)| self.properties.has(name)) {
            granted.insert(name.clone(), value.clone());
        }
        object(&granted)
    }
}

/// What every plugin sees.
fn envelope(event: &event::Event) -> contract::Event {
    contract::Event {
        id: event.id.as_str().to_owned(),
        name: event.name.clone(),
        kind: match event.kind {
            event::Kind::Track => contract::EventKind::Track,
            event::Kind::Page => contract::EventKind::Page,
            event::Kind::Screen => contract::EventKind::Screen,
            event::Kind::Identify => contract::EventKind::Identify,
            event::Kind::Group => contract::EventKind::Group,
            event::Kind::Alias => contract::EventKind::Alias,
        },
        at_ms: event.at_ms,
        received_ms: event.received_ms,
        anonymous_id: None,
        user_id: None,
        identifiers: Vec::new(),
        clicks: Vec::new(),
        cookies: Vec::new(),
        page: None,
        client: None,
        session: None,
        consent: contract::Consent {
            granted: purposes(event.consent.granted),
            denied: purposes(event.consent.denied),
            gpc: event.consent.gpc,
            limited_data_use: event.consent.limited_data_use,
        },
        value: None,
        currency: None,
        order_id: None,
        items: Vec::new(),
        properties: object(&Map::new()),
    }
}

fn purposes(set: event::Purposes) -> contract::Purposes {
    set.iter().fold(contract::Purposes::empty(), |set, purpose| {
        set | match purpose {
            event::Purpose::Analytics => contract::Purposes::ANALYTICS,
            event::Purpose::AdStorage => contract::Purposes::AD_STORAGE,
            event::Purpose::AdUserData => contract::Purposes::AD_USER_DATA,
            event::Purpose::AdPersonalization => contract::Purposes::AD_PERSONALIZATION,
        }
    })
}

fn session(session: &event::Session) -> contract::Session {
    contract::Session { id: session.id.clone(), number: session.number, engagement_ms: session.engagement_ms }
}

fn item(item: &event::Item) -> contract::Item {
    contract::Item {
        id: item.id.clone(),
        name: item.name.clone(),
        quantity: item.quantity,
        price: item.price,
        brand: item.brand.clone(),
        category: item.category.clone(),
        variant: item.variant.clone(),
        properties: object(&item.properties),
    }
}

/// A JSON object as text.
fn object(map: &Map<String, Value>) -> String {
    if map.is_empty() {
        return "{}".to_owned();
    }
    // Serialising a map of JSON values to memory has no way to fail.
    serde_json::to_string(map).unwrap_or_else(|_| "{}".to_owned())
}

/// A record of optional fields, unless all of them are absent.
trait Record: Sized {
    fn is_empty(&self) -> bool;
}

impl Record for contract::Page {
    fn is_empty(&self) -> bool {
        self.url.is_none() && self.title.is_none() && self.referrer.is_none()
    }
}

impl Record for contract::Client {
    fn is_empty(&self) -> bool {
        self.ip.is_none() && self.user_agent.is_none() && self.locale.is_none() && self.region.is_none()
    }
}

fn some<R: Record>(record: R) -> Option<R> {
    (!record.is_empty()).then_some(record)
}

#[cfg(test)]
mod tests;
