//! The host's side of the contract in `wit/destination.wit`, and its form as JSON; and what the world before it has
//! differently, `wit/0.1.0/destination.wit`.
//!
//! The JSON is what traces, dead letters and fixtures store, and is the same as the plugin SDK's: field names in
//! snake_case, variants by their Rust names, sets of purposes as lists of names. Does not call a plugin.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tidegate_plugin_sdk::manifest;
use wasmtime::component::{ComponentType, Lower};

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

/// A version of the contract that this gateway runs. Types are compared by their structure, so only what differs between
/// two versions is written twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// `tidegate:destination@0.1.0`: a response does not name its endpoint.
    V0_1,
    /// `tidegate:destination@0.2.0`.
    V0_2,
}

/// Each world by its name in manifests.
const ALL_WORLDS: [(&str, World); 2] = [(manifest::WORLD, World::V0_2), (manifest::WORLD_BEFORE, World::V0_1)];

impl World {
    /// The world of this name.
    pub(crate) fn named(name: &str) -> Option<World> {
        ALL_WORLDS.iter().find(|(known, _)| *known == name).map(|(_, world)| *world)
    }
}

/// The interface that a plugin of a world exports: `tidegate:destination/plugin@0.2.0` of `tidegate:destination@0.2.0`.
pub(crate) fn interface(world: &str) -> String {
    world.replacen("destination@", "destination/plugin@", 1)
}

/// A response as the world 0.1.0 had it.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct ResponseV0_1<'a> {
    status: u16,
    headers: &'a [(String, String)],
    body: &'a [u8],
}

impl<'a> From<&'a Response> for ResponseV0_1<'a> {
    fn from(response: &'a Response) -> ResponseV0_1<'a> {
        let Response { endpoint: _, status, headers, body } = response;
        ResponseV0_1 { status: *status, headers, body }
    }
}

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
