//! What is remembered of a host between orders, and survives restarts. Owns the stored format.

use serde::{Deserialize, Serialize};

use super::policy::Kind;
use crate::status::Trouble;

/// The version that is written. A record of a later version is not read: its host waits as if it had none.
pub(super) const VERSION: u32 = 1;
/// More are not kept: the authority's limit is five a week.
const ISSUED_MAX: usize = 16;

/// A host's history with the authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    /// In a row, all of the last kind, since the last success.
    pub(crate) failures: u32,
    /// Before this nothing is ordered, whatever the certificate.
    pub(crate) not_before_ms: u64,
    /// When certificates were issued, oldest first.
    pub(crate) issued_ms: Vec<u64>,
    pub(crate) trouble: Option<Trouble>,
    /// Of the last failure. Not there after a success, and in what was written before there was a kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Kind>,
}

impl Default for Record {
    fn default() -> Record {
        Record { version: VERSION, failures: 0, not_before_ms: 0, issued_ms: Vec::new(), trouble: None, kind: None }
    }
}

impl Record {
    pub(super) fn parse(bytes: &[u8]) -> Option<Record> {
        serde_json::from_slice(bytes).ok().filter(|record: &Record| record.version == VERSION)
    }

    /// How often this kind of failure has come in a row. One whose kind is not known may have been of any.
    pub(super) fn failures_of(&self, kind: Kind) -> u32 {
        if self.kind.is_none_or(|last| last == kind) { self.failures } else { 0 }
    }

    pub(super) fn failed(&mut self, kind: Kind, trouble: Trouble, again_ms: u64) {
        self.failures = self.failures_of(kind).saturating_add(1);
        self.kind = Some(kind);
        self.not_before_ms = again_ms;
        self.trouble = Some(trouble);
    }

    pub(super) fn issued(&mut self, now_ms: u64, again_ms: u64) {
        self.issued_ms.push(now_ms);
        let excess = self.issued_ms.len().saturating_sub(ISSUED_MAX);
        self.issued_ms.drain(..excess);
        self.failures = 0;
        self.kind = None;
        self.not_before_ms = again_ms;
        self.trouble = None;
    }

    pub(super) fn issued_since(&self, since_ms: u64) -> impl Iterator<Item = u64> {
        self.issued_ms.iter().copied().filter(move |at_ms| *at_ms > since_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_version_1_wrote_is_read() {
        let stored =
            br#"{"version":1,"failures":2,"not_before_ms":5,"issued_ms":[3],"trouble":{"at_ms":4,"message":"no"}}"#;
        let record = Record::parse(stored).unwrap();
        assert_eq!((record.failures, record.not_before_ms, record.issued_ms.as_slice()), (2, 5, [3].as_slice()));
        assert_eq!(serde_json::to_vec(&record).unwrap(), stored);
    }

    #[test]
    fn the_kind_of_the_last_failure_is_kept_and_one_without_counts_for_any() {
        let stored = br#"{"version":1,"failures":2,"not_before_ms":5,"issued_ms":[],"trouble":null,"kind":"refused"}"#;
        let mut record = Record::parse(stored).unwrap();
        assert_eq!([Kind::Refused, Kind::Unready].map(|kind| record.failures_of(kind)), [2, 0]);
        assert_eq!(serde_json::to_vec(&record).unwrap(), stored);
        record.kind = None;
        assert_eq!([Kind::Refused, Kind::Unready].map(|kind| record.failures_of(kind)), [2, 2]);
    }

    #[test]
    fn what_is_no_record_of_this_version_is_none() {
        for stored in
            ["", "{", "[]", "null", r#"{"version":2,"failures":0,"not_before_ms":0,"issued_ms":[],"trouble":null}"#]
        {
            assert_eq!(Record::parse(stored.as_bytes()), None);
        }
    }

    #[test]
    fn only_so_many_issues_are_kept() {
        let mut record = Record::default();
        (0..100).for_each(|at_ms| record.issued(at_ms, 0));
        assert_eq!(record.issued_ms.len(), ISSUED_MAX);
        assert_eq!(record.issued_since(97).collect::<Vec<_>>(), [98, 99]);
    }
}
