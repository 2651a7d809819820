//! The host's side of the contract in `wit/destination.wit`, and its form as JSON.
//!
//! The JSON is what traces, dead letters and fixtures store, and is the same as the plugin SDK's: field names in
//! snake_case, variants by their Rust names, sets of purposes as lists of names. Does not call a plugin.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod bindings {
    //! Generated. Each type's layout in a plugin's memory is checked against the component when it is loaded.
    #![allow(unreachable_pub, dead_code, clippy::allow_attributes_without_reason, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "../../../wit/destination.wit",
        world: "destination",
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

pub use bindings::exports::tidegate::destination::plugin::{
    ClickId, Client, Consent, Context, Event, EventKind, Identifier, Item, Outcome, Page, Purposes, Rejection, Request,
    Response, Session, Verdict,
};

/// The interface that a plugin exports.
pub(crate) const INTERFACE: &str = "tidegate:destination/plugin@0.1.0";

/// Each purpose by its name in manifests and in JSON.
const PURPOSES: [(&str, Purposes); 4] = [
    ("analytics", Purposes::ANALYTICS),
    ("ad-storage", Purposes::AD_STORAGE),
    ("ad-user-data", Purposes::AD_USER_DATA),
    ("ad-personalization", Purposes::AD_PERSONALIZATION),
];

impl Serialize for Purposes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(PURPOSES.iter().filter(|(_, flag)| self.contains(*flag)).map(|(name, _)| name))
    }
}

impl<'de> Deserialize<'de> for Purposes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Purposes, D::Error> {
        Vec::<String>::deserialize(deserializer)?.iter().try_fold(Purposes::empty(), |set, name| {
            let known = PURPOSES.iter().find(|(known, _)| known == name);
            known.map(|(_, flag)| set | *flag).ok_or_else(|| D::Error::custom(format!("unknown purpose `{name}`")))
        })
    }
}
