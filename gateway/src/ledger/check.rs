//! Verifies a ledger: that no entry was changed, removed, put in or moved since it was written. Whoever could write to the
//! store could also write all of it anew; that is found by a hash that was noted elsewhere.

use serde::Serialize;
use tidegate_queue::chain::{Broken, Ends, Hash, Head, Link, Verifier};
use tidegate_queue::{Error, Queue};

/// How many entries are read at once.
pub(super) const PAGE: usize = 500;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether every entry is as it was written, and all are there.
    pub whole: bool,
    /// The first place where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// How many entries were found whole, before that place.
    pub entries: u64,
    /// When the first and the last of them were written.
    pub first_ms: Option<u64>,
    pub last_ms: Option<u64>,
    /// What the first of them links to, and the last of them.
    pub base: Place,
    pub head: Place,
}

/// A place in the chain, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub seq: u64,
    pub hash: String,
}

/// Checks entries one after the other.
#[derive(Debug)]
pub struct Checking {
    verifier: Verifier,
    base: Option<Head>,
    /// A hash that has to be among them.
    wanted: Option<Hash>,
    is_found: bool,
    entries: u64,
    times: Option<(u64, u64)>,
    broken: Option<String>,
}

/// Checks the ledger of a store.
///
/// # Errors
/// When the store cannot be read.
pub async fn store(queue: &dyn Queue, wanted: Option<Hash>) -> Result<Report, Error> {
    loop {
        // Looked at before the entries: what is written meanwhile is no more than what has to be there.
        let ends = queue.chain_ends().await?;
        let checking = from(queue, ends, wanted).await?;
        // What was swept meanwhile looks like what somebody removed.
        if checking.broken.is_none() || queue.chain_ends().await?.base == ends.base {
            return Ok(checking.finish());
        }
    }
}

async fn from(queue: &dyn Queue, ends: Ends, wanted: Option<Hash>) -> Result<Checking, Error> {
    let mut checking = Checking::after(Some(ends.base), wanted);
    // From the start, so that what was put in before the base is found, too.
    let mut after = 0;
    loop {
        let page = queue.chain_page(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        if !page.iter().all(|link| checking.next(link)) {
            break;
        }
    }
    checking.ends_with(ends.head);
    Ok(checking)
}

impl Checking {
    /// Begins after a place; without one the first entry may be any.
    pub fn after(base: Option<Head>, wanted: Option<Hash>) -> Checking {
        let verifier = base.map(Verifier::after).unwrap_or_default();
        let is_found = base.is_some_and(|base| Some(base.hash) == wanted);
        Checking { verifier, base, wanted, is_found, entries: 0, times: None, broken: None }
    }

    /// Takes the next entry; `false` when the chain is broken, and nothing after it says anything.
    pub fn next(&mut self, link: &Link) -> bool {
        let found: Result<(), Broken> = self.verifier.next(link);
        if let Err(broken) = found {
            self.broken.get_or_insert(broken.to_string());
        }
        if self.broken.is_some() {
            return false;
        }
        self.base.get_or_insert(link.before());
        self.is_found |= self.wanted.is_some_and(|wanted| wanted == link.hash || wanted == link.prev);
        self.entries += 1;
        self.times = Some(self.times.map_or((link.at_ms, link.at_ms), |(first_ms, _)| (first_ms, link.at_ms)));
        true
    }

    /// The store has written so far, or farther.
    fn ends_with(&mut self, head: Head) {
        let last = self.verifier.last().unwrap_or_default();
        if self.broken.is_none() && last.seq < head.seq {
            let what =
                format!("the end is cut: the last entry is {}, and the store has written {}", last.seq, head.seq);
            self.broken = Some(what);
        }
    }

    /// What was found.
    pub fn finish(self) -> Report {
        let lost = |wanted: Hash| format!("no entry has the hash {wanted}: the end was cut, or all was written anew");
        let broken = self.broken.or_else(|| self.wanted.filter(|_| !self.is_found).map(lost));
        let (head, base) = (self.verifier.last().unwrap_or_default(), self.base.unwrap_or_default());
        Report {
            whole: broken.is_none(),
            broken,
            entries: self.entries,
            first_ms: self.times.map(|(first_ms, _)| first_ms),
            last_ms: self.times.map(|(_, last_ms)| last_ms),
            base: base.into(),
            head: head.into(),
        }
    }
}

impl From<Head> for Place {
    fn from(head: Head) -> Place {
        Place { seq: head.seq, hash: head.hash.to_string() }
    }
}
