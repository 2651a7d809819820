//! What is stored, whole, as it moves from one store to another.

use crate::{DeliveryKey, EntryKey, ProfileField};

/// Where a page of an export ended; opaque, and of no use to another backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A page of an export.
#[derive(Debug, Clone, Default)]
pub struct Export {
    pub items: Vec<Item>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// One thing that is stored, with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Entry(StoredEntry),
    Profile(StoredProfile),
    Setting(Setting),
}

/// An entry as it is stored. Leases are not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    pub key: EntryKey,
    pub affinity: String,
    pub received_ms: u64,
    pub record: Vec<u8>,
    pub duplicates: u32,
    /// In the order of their keys.
    pub deliveries: Vec<StoredDelivery>,
}

/// A delivery as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelivery {
    pub key: DeliveryKey,
    pub destination: String,
    pub payload: Vec<u8>,
    pub state: StoredState,
    /// When it was first queued, or last replayed.
    pub queued_ms: u64,
    /// Attempts since then.
    pub attempts: u32,
    /// The records of all its attempts, oldest first.
    pub records: Vec<Vec<u8>>,
}

/// Where a stored delivery is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredState {
    /// Due at this time.
    Waiting(u64),
    Delivered,
    Dead {
        reason: String,
        died_ms: u64,
    },
    /// With the reason; its payload is empty.
    Cancelled(String),
}

/// A profile as it is stored, each field with the time at which it is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProfile {
    pub key: String,
    pub fields: Vec<(ProfileField, u64)>,
}

/// One setting: a text by a name. Whoever changes it says what the text means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
}
