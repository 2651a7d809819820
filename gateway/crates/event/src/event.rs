//! One event in canonical form, whichever client sent it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ClickId, Consent, EventId};

/// What identifies a person, plain, by the key that plugins know it by: `email`, `phone`, `first_name`, `last_name`,
/// `date_of_birth`, `gender`, `street`, `city`, `state`, `postal_code`, `country`, `external_id`, or another trait.
pub type Identifiers = BTreeMap<String, String>;

/// What kind of call reported the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Something happened.
    Track,
    /// A page was seen.
    Page,
    /// A screen of an app was seen.
    Screen,
    /// Who the visitor is.
    Identify,
    /// Which group the user belongs to.
    Group,
    /// Two ids are the same person.
    Alias,
}

impl Kind {
    /// The kind's name in routes and in Segment's `type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Track => "track",
            Kind::Page => "page",
            Kind::Screen => "screen",
            Kind::Identify => "identify",
            Kind::Group => "group",
            Kind::Alias => "alias",
        }
    }
}

/// One product in a cart, an order or a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<f64>,
    /// Price of one unit, in the event's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What else was known of it.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
}

/// The page or screen that the event happened on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
}

/// The visitor's own client; never the backend that reported the event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Client {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// A BCP 47 tag such as `de-AT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// ISO 3166-1 country or ISO 3166-2 subdivision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// The visit that the event belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: String,
    /// Which of the visitor's sessions this is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Time with the page in the foreground since the last event, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engagement_ms: Option<u64>,
}

/// One event in canonical form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: EventId,
    /// Canonical name where there is one (`purchase`), else the name as it was sent.
    pub name: String,
    /// The name as it was sent, where it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_sent: Option<String>,
    pub kind: Kind,
    /// When it happened, in Unix milliseconds.
    pub at_ms: u64,
    /// When the gateway took it, in Unix milliseconds.
    pub received_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Identifiers::is_empty")]
    pub identifiers: Identifiers,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clicks: Vec<ClickId>,
    /// First-party cookies of the platforms: `_fbp`, `_ga`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cookies: BTreeMap<String, String>,
    #[serde(default)]
    pub page: Page,
    #[serde(default)]
    pub client: Client,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    pub consent: Consent,
    /// The event's worth, in `currency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// ISO 4217, upper-case. Never guessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// Everything else that was said of it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
}
