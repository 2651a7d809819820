//! The ids, each a type of its own, parsed at the edge.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It is longer than [`EventId::LEN_MAX`].
    #[error("is longer than {} bytes", EventId::LEN_MAX)]
    TooLong,
    /// It contains a control character.
    #[error("contains a control character")]
    Control,
    /// It is no UUID.
    #[error("is not a UUID")]
    NotUuid,
}

/// The id that makes an event count once, as its client chose it or as the gateway made it (a UUID, version 7).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct EventId(String);

impl EventId {
    /// The longest id, in bytes.
    pub const LEN_MAX: usize = 128;

    /// Takes a client's id.
    ///
    /// # Errors
    /// When it is empty, too long, or contains control characters.
    pub fn parse(raw: &str) -> Result<EventId, IdError> {
        match raw {
            "" => Err(IdError::Empty),
            _ if raw.len() > EventId::LEN_MAX => Err(IdError::TooLong),
            _ if raw.chars().any(char::is_control) => Err(IdError::Control),
            _ => Ok(EventId(raw.to_owned())),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EventId::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl From<Uuid> for EventId {
    fn from(uuid: Uuid) -> EventId {
        EventId(uuid.to_string())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Takes a UUID in its textual form.
            ///
            /// # Errors
            /// When it is none.
            pub fn parse(raw: &str) -> Result<$name, IdError> {
                Uuid::try_parse(raw).map($name).map_err(|_| IdError::NotUuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A browser, by its first-party cookie: the event's anonymous id, where a client sent none of its own.
    VisitorId
}
uuid_id! {
    /// One request to one destination about one event, until it is delivered or dead.
    DeliveryId
}
