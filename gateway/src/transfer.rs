//! What moves a store to another backend: its whole content as lines of JSON.
//!
//! The first line says the format's version, the last how much there was, so that a file that was cut is noticed. In
//! between each line is an entry of the egress ledger, an entry with its deliveries and all that happened to them, a
//! profile, or a setting. Opens nothing. Version 2 brought the settings, version 3 the ledger, version 4 what is cancelled.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tidegate_queue::chain::Link;
use tidegate_queue::{
    DeliveryKey, EntryKey, Item, ProfileField, Setting as StoredSetting, StoredDelivery, StoredEntry, StoredProfile,
    StoredState,
};

use crate::ledger;

/// The format that is written; older ones are read as well.
pub const VERSION: u32 = 4;

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Line {
    Head(Head),
    Ledger { ledger: Box<ledger::line::Line> },
    Entry { entry: Entry },
    Profile { profile: Profile },
    Setting { setting: Setting },
    End { end: Counts },
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub tidegate_export: u32,
    /// When it was made, RFC 3339.
    pub created: String,
}

/// How much an export holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub entries: u64,
    pub profiles: u64,
    /// Absent from version 1.
    #[serde(default)]
    pub settings: u64,
    /// Entries of the egress ledger. Absent from versions 1 and 2.
    #[serde(default)]
    pub ledger: u64,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, item: &Item) {
        match item {
            Item::Entry(_) => self.entries += 1,
            Item::Profile(_) => self.profiles += 1,
            Item::Setting(_) => self.settings += 1,
        }
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.entries + self.profiles + self.settings
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = if self.entries == 1 { "entry" } else { "entries" };
        let profiles = if self.profiles == 1 { "profile" } else { "profiles" };
        write!(f, "{} {entries} and {} {profiles}", self.entries, self.profiles)?;
        match self.settings {
            0 => Ok(()),
            1 => write!(f, " and 1 setting"),
            settings => write!(f, " and {settings} settings"),
        }?;
        match self.ledger {
            0 => Ok(()),
            1 => write!(f, ", and 1 entry of the ledger"),
            entries => write!(f, ", and {entries} entries of the ledger"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    scope: String,
    id: String,
    affinity: String,
    received_ms: u64,
    record: Bytes,
    duplicates: u32,
    deliveries: Vec<Delivery>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivery {
    key: Key,
    destination: String,
    payload: Bytes,
    state: State,
    queued_ms: u64,
    attempts: u32,
    records: Vec<Bytes>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum State {
    Waiting { due_ms: u64 },
    Delivered,
    Dead { reason: String, died_ms: u64 },
    Cancelled { reason: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    key: String,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    name: String,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    name: String,
    value: String,
    seen_ms: u64,
    expires_ms: u64,
}

/// Text where they are UTF-8, as nearly all are; else `{"base64": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bytes(Vec<u8>);

/// A delivery's key: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key(DeliveryKey);

impl Line {
    /// The first line of an export made at this time.
    pub fn head(created: String) -> Line {
        Line::Head(Head { tidegate_export: VERSION, created })
    }

    /// What a line of an export means.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Line, serde_json::Error> {
        // By its first key, so that what is wrong inside is said, not only that it is no line of any kind.
        #[derive(Deserialize)]
        struct Kind {
            entry: Option<serde::de::IgnoredAny>,
            profile: Option<serde::de::IgnoredAny>,
            ledger: Option<serde::de::IgnoredAny>,
            setting: Option<serde::de::IgnoredAny>,
            end: Option<serde::de::IgnoredAny>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct OfEntry {
            entry: Entry,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct OfProfile {
            profile: Profile,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct OfLedger {
            ledger: Box<ledger::line::Line>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct OfSetting {
            setting: Setting,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct OfEnd {
            end: Counts,
        }
        Ok(match serde_json::from_str(text)? {
            Kind { entry: Some(_), .. } => Line::Entry { entry: serde_json::from_str::<OfEntry>(text)?.entry },
            Kind { profile: Some(_), .. } => {
                Line::Profile { profile: serde_json::from_str::<OfProfile>(text)?.profile }
            }
            Kind { ledger: Some(_), .. } => Line::Ledger { ledger: serde_json::from_str::<OfLedger>(text)?.ledger },
            Kind { setting: Some(_), .. } => {
                Line::Setting { setting: serde_json::from_str::<OfSetting>(text)?.setting }
            }
            Kind { end: Some(_), .. } => Line::End { end: serde_json::from_str::<OfEnd>(text)?.end },
            Kind { .. } => Line::Head(serde_json::from_str(text)?),
        })
    }
}

impl From<Link> for Line {
    fn from(link: Link) -> Line {
        Line::Ledger { ledger: Box::new(link.into()) }
    }
}

impl From<Item> for Line {
    fn from(item: Item) -> Line {
        match item {
            Item::Entry(entry) => {
                let StoredEntry { key, affinity, received_ms, record, duplicates, deliveries } = entry;
                let deliveries = deliveries.into_iter().map(Delivery::from).collect();
                let EntryKey { scope, id } = key;
                let record = Bytes(record);
                Line::Entry { entry: Entry { scope, id, affinity, received_ms, record, duplicates, deliveries } }
            }
            Item::Profile(StoredProfile { key, fields }) => {
                let field = |(field, expires_ms): (ProfileField, u64)| {
                    let ProfileField { name, value, seen_ms } = field;
                    Field { name, value, seen_ms, expires_ms }
                };
                Line::Profile { profile: Profile { key, fields: fields.into_iter().map(field).collect() } }
            }
            Item::Setting(StoredSetting { name, value }) => Line::Setting { setting: Setting { name, value } },
        }
    }
}

impl From<Entry> for Item {
    fn from(entry: Entry) -> Item {
        let Entry { scope, id, affinity, received_ms, record, duplicates, deliveries } = entry;
        let deliveries = deliveries.into_iter().map(StoredDelivery::from).collect();
        let key = EntryKey { scope, id };
        Item::Entry(StoredEntry { key, affinity, received_ms, record: record.0, duplicates, deliveries })
    }
}

impl From<Profile> for Item {
    fn from(profile: Profile) -> Item {
        let field = |Field { name, value, seen_ms, expires_ms }| (ProfileField { name, value, seen_ms }, expires_ms);
        Item::Profile(StoredProfile { key: profile.key, fields: profile.fields.into_iter().map(field).collect() })
    }
}

impl From<Setting> for Item {
    fn from(Setting { name, value }: Setting) -> Item {
        Item::Setting(StoredSetting { name, value })
    }
}

impl From<StoredDelivery> for Delivery {
    fn from(stored: StoredDelivery) -> Delivery {
        let StoredDelivery { key, destination, payload, state, queued_ms, attempts, records } = stored;
        let state = match state {
            StoredState::Waiting(due_ms) => State::Waiting { due_ms },
            StoredState::Delivered => State::Delivered,
            StoredState::Dead { reason, died_ms } => State::Dead { reason, died_ms },
            StoredState::Cancelled(reason) => State::Cancelled { reason },
        };
        let records = records.into_iter().map(Bytes).collect();
        Delivery { key: Key(key), destination, payload: Bytes(payload), state, queued_ms, attempts, records }
    }
}

impl From<Delivery> for StoredDelivery {
    fn from(delivery: Delivery) -> StoredDelivery {
        let Delivery { key, destination, payload, state, queued_ms, attempts, records } = delivery;
        let state = match state {
            State::Waiting { due_ms } => StoredState::Waiting(due_ms),
            State::Delivered => StoredState::Delivered,
            State::Dead { reason, died_ms } => StoredState::Dead { reason, died_ms },
            State::Cancelled { reason } => StoredState::Cancelled(reason),
        };
        let records = records.into_iter().map(|record| record.0).collect();
        StoredDelivery { key: key.0, destination, payload: payload.0, state, queued_ms, attempts, records }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written<T> {
    Text(T),
    Base64(Base64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Base64 {
    base64: String,
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Base64 { base64: BASE64_STANDARD.encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        match Written::<String>::deserialize(deserializer)? {
            Written::Text(text) => Ok(Bytes(text.into_bytes())),
            Written::Base64(Base64 { base64 }) => BASE64_STANDARD.decode(base64).map(Bytes).map_err(D::Error::custom),
        }
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        let text = String::deserialize(deserializer)?;
        let uuid = uuid::Uuid::try_parse(&text).map_err(|_| D::Error::custom("a key has 32 hexadecimal digits"))?;
        Ok(Key(DeliveryKey(*uuid.as_bytes())))
    }
}

#[cfg(test)]
mod tests;
