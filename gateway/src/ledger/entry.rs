//! The stored form of the ledger: what one entry of the chained log says. Owns its version, and what a flow's id is.
//!
//! A flow is described once a day by each process that sends, before the first request of it leaves; counts name it by its
//! id, which is a digest of its description. No entry holds a value of a field, or a digest of one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tidegate_event::{Level, Purposes};
use tidegate_plugin_sdk::manifest::Form;

use crate::record;

/// The version that is written today; it goes by no other record's.
const VERSION: u32 = 1;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub v: u32,
    /// Which process wrote it: a UUID of its own.
    pub by: String,
    /// Its number among that process's entries, from 1. An entry that is there twice counts once.
    pub n: u64,
    /// The time that the counts are of.
    pub from_ms: u64,
    pub to_ms: u64,
    /// Flows that this process had not described today.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<Described>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<Counted>,
    /// It is the process's last one: it stopped, and nothing is left uncounted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end: bool,
}

/// A flow with its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Described {
    pub id: String,
    #[serde(flatten)]
    pub flow: Description,
}

/// What is the same of all events of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Description {
    pub destination: String,
    /// Where it is sent: host, and port where it is not the scheme's own.
    pub host: String,
    /// The plugin's name and version.
    pub plugin: String,
    /// SHA-256 of the component that made the requests.
    pub digest: String,
    pub consent: Level,
    pub granted: Purposes,
    /// Every field that the plugin was given of any of its events, by the name that the manifest grants it by, and the
    /// form. `None`: of deliveries that were stored before the gateway kept that.
    pub fields: Option<BTreeMap<String, Form>>,
}

/// How much left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counted {
    /// The flow's id.
    pub flow: String,
    #[serde(flatten)]
    pub counts: Counts,
    /// In how many of the events each field was given, in the order of the description's fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<u64>,
}

/// Counts of a flow. An event that is sent again counts again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests with such events; one that carries events of several flows counts for each.
    pub requests: u64,
    pub events: u64,
    /// Events that the platform took.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub taken: u64,
    /// Events that it refused for good.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub refused: u64,
    /// Events that no answer came to: whether they arrived is not known.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub unanswered: u64,
}

impl Entry {
    /// An entry of today's version that says nothing yet.
    pub(super) fn new(by: &str, n: u64) -> Entry {
        let (flows, counts) = (Vec::new(), Vec::new());
        Entry { v: VERSION, by: by.to_owned(), n, from_ms: 0, to_ms: 0, flows, counts, end: false }
    }

    /// As it is stored.
    pub(super) fn write(&self) -> Vec<u8> {
        record::write(self)
    }

    /// Reads an entry; `None` for one that is none, or of a version that is not known here.
    pub(super) fn read(bytes: &[u8]) -> Option<Entry> {
        serde_json::from_slice(bytes).ok().filter(|entry: &Entry| entry.v <= VERSION)
    }
}

impl Description {
    /// What the flow is named by: the first half of the SHA-256 of its description, in hexadecimal.
    pub(super) fn id(&self) -> String {
        let digest = Sha256::digest(record::write(self));
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Counts {
    /// Adds others.
    pub fn add(&mut self, other: &Counts) {
        self.requests += other.requests;
        self.events += other.events;
        self.taken += other.taken;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
    }
}

fn is_nought(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: &str = "5f14b8c579da59e35f8f9adb077e29b2";
    const STORED: &str = concat!(
        r#"{"v":1,"by":"0197","n":2,"from_ms":1000,"to_ms":2000,"flows":[{"id":"ID","destination":"meta","#,
        r#""host":"graph.facebook.com","plugin":"meta-capi 1.0.0","digest":"ab","consent":"marketing","#,
        r#""granted":["analytics","ad-storage"],"fields":{"client.ip":"plain","user.email":"sha256"}}],"#,
        r#""counts":[{"flow":"ID","requests":1,"events":3,"taken":2,"fields":[3,2]}]}"#
    );

    fn stored() -> String {
        STORED.replace("ID", FLOW)
    }

    #[test]
    fn what_version_1_wrote_is_read_and_written_again_as_it_was() {
        let entry = Entry::read(stored().as_bytes()).unwrap();
        assert_eq!((entry.flows[0].flow.consent, entry.counts[0].counts.taken), (Level::Marketing, 2));
        assert_eq!(entry.write(), stored().into_bytes());
        assert_eq!(entry.flows[0].flow.id(), entry.flows[0].id, "the id never changes");
    }

    #[test]
    fn what_a_newer_version_wrote_is_not_taken_for_this_one() {
        assert_eq!(Entry::read(stored().replace("\"v\":1", "\"v\":2").as_bytes()), None);
        assert_eq!(Entry::read(b"{}"), None);
    }
}
