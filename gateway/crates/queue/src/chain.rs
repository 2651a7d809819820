//! The chained log that a store keeps beside the queue: entries of bytes, each with a hash over itself and the hash of the
//! one before it, so that whoever knows a later hash can tell whether anything before it was changed.
//!
//! Owns the hash, what follows what, and the check of both. Knows nothing of what the entries say, and stores nothing.

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::Error;

/// Keeps these hashes apart from any other use of SHA-256, and one version of them from the next.
const TAG: &[u8] = b"tidegate chain 1\0";

/// SHA-256 of an entry and all before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

/// A place in the log: the number of an entry, from 1, and its hash. Number 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub hash: Hash,
}

/// Where the log begins and ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ends {
    /// What the first entry that is kept links to: where the log began, or the last entry that was swept.
    pub base: Head,
    /// The newest entry; the same as `base` where there is none.
    pub head: Head,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub seq: u64,
    pub at_ms: u64,
    /// The hash of the entry before it, as it is stored there.
    pub prev: Hash,
    pub hash: Hash,
    pub bytes: Vec<u8>,
}

/// Where a log is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Entries were removed, put in between, or brought into another order.
    #[error("entry {expected} is not there: entry {found} stands in its place")]
    Missing { expected: u64, found: u64 },
    /// The entry, its time, its hash, or, where a store has that only once, the hash before it.
    #[error("entry {seq} was changed, or the one before it replaced: its hash is not that of both")]
    Changed { seq: u64 },
    /// The one before it was replaced by another, or is not the one that the log began after.
    #[error("entry {seq} does not follow entry {} as it is now: one of them was replaced", seq - 1)]
    Unlinked { seq: u64 },
}

/// Follows a log from entry to entry.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verifier {
    last: Option<Head>,
}

/// What an import adds to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    /// What the log ends with before them; other than before only where it was empty.
    pub(crate) after: Head,
    pub(crate) links: Vec<Link>,
}

impl Hash {
    /// What the first entry of all links to.
    pub const START: Hash = Hash([0; 32]);

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Hash> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
            *byte = u8::try_from(high? * 16 + low?).ok()?;
        }
        Some(Hash(bytes))
    }
}

impl Head {
    /// Before the first entry of all.
    pub const START: Head = Head { seq: 0, hash: Hash::START };

    /// The entry that follows.
    pub(crate) fn link(self, at_ms: u64, bytes: Vec<u8>) -> Link {
        let mut link = Link { seq: self.seq + 1, at_ms, prev: self.hash, hash: Hash::START, bytes };
        link.hash = link.hash_of();
        link
    }
}

impl Link {
    /// Its own place.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// The place before it.
    pub fn before(&self) -> Head {
        Head { seq: self.seq.saturating_sub(1), hash: self.prev }
    }

    /// Whether its hash is that of what it says.
    pub fn is_whole(&self) -> bool {
        self.hash == self.hash_of()
    }

    fn hash_of(&self) -> Hash {
        let mut digest = Sha256::new();
        digest.update(TAG);
        digest.update(self.prev.0);
        digest.update(self.seq.to_be_bytes());
        digest.update(self.at_ms.to_be_bytes());
        digest.update(&self.bytes);
        Hash(digest.finalize().into())
    }
}

impl Verifier {
    /// Begins after a place: the log's base.
    pub fn after(base: Head) -> Verifier {
        Verifier { last: Some(base) }
    }

    /// Takes the next entry. Without a base, the first one may be any.
    ///
    /// # Errors
    /// When it is not the next one, or is not as it was written.
    pub fn next(&mut self, link: &Link) -> Result<(), Broken> {
        if let Some(last) = self.last {
            if link.seq != last.seq + 1 {
                return Err(Broken::Missing { expected: last.seq + 1, found: link.seq });
            }
            if link.prev != last.hash {
                return Err(Broken::Unlinked { seq: link.seq });
            }
        }
        if !link.is_whole() {
            return Err(Broken::Changed { seq: link.seq });
        }
        self.last = Some(link.head());
        Ok(())
    }

    /// The last entry that was taken, or the base.
    pub fn last(&self) -> Option<Head> {
        self.last
    }
}

/// What of another store's entries is to be added to a log. `stored` has the hashes of those that are there already.
pub(crate) fn join(ends: Ends, stored: &HashMap<u64, Hash>, links: Vec<Link>) -> Result<Joined, Error> {
    let is_empty = ends.head.seq == 0;
    let after = links.first().filter(|_| is_empty).map_or(ends.head, Link::before);
    let mut head = after;
    let mut new = Vec::new();
    for link in links {
        if !link.is_whole() {
            let what = format!("entry {} of the chained log to import", link.seq);
            return Err(Error::Corrupt { what, why: "its hash is not that of what it says".into() });
        }
        let was_swept = !is_empty && link.seq <= ends.base.seq;
        if was_swept || stored.get(&link.seq) == Some(&link.hash) {
            continue;
        }
        if link.before() != head {
            return Err(Error::Forked { seq: link.seq });
        }
        head = link.head();
        new.push(link);
    }
    Ok(Joined { after, links: new })
}

impl Default for Head {
    fn default() -> Head {
        Head::START
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(count: u64) -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        for n in 1..=count {
            let last = links.last().map_or(Head::START, Link::head);
            links.push(last.link(10 * n, format!("entry {n}").into_bytes()));
        }
        links
    }

    /// The first broken place.
    fn check(links: &[Link]) -> Result<Option<Head>, Broken> {
        let mut verifier = Verifier::after(Head::START);
        links.iter().try_for_each(|link| verifier.next(link))?;
        Ok(verifier.last())
    }

    #[test]
    fn a_whole_log_ends_with_its_head() {
        let links = log(5);
        assert_eq!(check(&links), Ok(Some(links[4].head())));
        assert_eq!(check(&[]), Ok(Some(Head::START)));
    }

    #[test]
    fn the_hash_never_changes() {
        let link = Head::START.link(1_768_487_520_123, b"{}".to_vec());
        assert_eq!(link.hash.to_string(), "cce5695aeac9e73661c1cd075cf6c7e557412242dcaa5ca71653420d8822a642");
        assert_eq!(Hash::parse(&link.hash.to_string()), Some(link.hash));
        assert_eq!(Hash::parse("00"), None);
        assert_eq!(Hash::parse(&"zz".repeat(32)), None);
    }

    #[test]
    fn what_was_changed_in_an_entry_is_found_there() {
        let changes: [fn(&mut Link); 4] = [
            |link| link.bytes[0] ^= 1,
            |link| link.bytes.push(b' '),
            |link| link.at_ms += 1,
            |link| link.hash.0[31] ^= 1,
        ];
        for change in changes {
            let mut links = log(4);
            change(&mut links[2]);
            assert_eq!(check(&links), Err(Broken::Changed { seq: 3 }));
        }
    }

    #[test]
    fn an_entry_that_was_replaced_whole_is_found_at_the_next_one() {
        let mut links = log(4);
        links[1] = links[0].head().link(20, b"another".to_vec());
        assert_eq!(check(&links), Err(Broken::Unlinked { seq: 3 }));
    }

    #[test]
    fn entries_that_were_removed_or_moved_are_found() {
        let mut removed = log(4);
        removed.remove(1);
        assert_eq!(check(&removed), Err(Broken::Missing { expected: 2, found: 3 }));
        let mut moved = log(4);
        moved.swap(1, 2);
        assert_eq!(check(&moved), Err(Broken::Missing { expected: 2, found: 3 }));
        let mut doubled = log(4);
        doubled.insert(2, doubled[1].clone());
        assert_eq!(check(&doubled), Err(Broken::Missing { expected: 3, found: 2 }));
        assert_eq!(check(&log(4)[1..]), Err(Broken::Missing { expected: 1, found: 2 }));
    }

    #[test]
    fn entries_that_were_renumbered_are_found() {
        let mut links = log(4);
        links.remove(1);
        links.iter_mut().skip(1).for_each(|link| link.seq -= 1);
        assert_eq!(check(&links), Err(Broken::Unlinked { seq: 2 }));
        links[1].prev = links[0].hash;
        assert_eq!(check(&links), Err(Broken::Changed { seq: 2 }));
    }

    #[test]
    fn another_store_is_joined_where_it_goes_on() {
        let all = log(6);
        let whole = join(Ends::default(), &HashMap::new(), all[2..].to_vec()).unwrap();
        assert_eq!((whole.after, whole.links.len()), (all[1].head(), 4), "an empty log begins anywhere");
        let ends = Ends { base: all[1].head(), head: all[3].head() };
        let stored: HashMap<u64, Hash> = all[2..4].iter().map(|link| (link.seq, link.hash)).collect();
        let rest = join(ends, &stored, all.clone()).unwrap();
        assert_eq!((rest.after, rest.links), (all[3].head(), all[4..].to_vec()));
        assert_eq!(join(ends, &stored, all[..4].to_vec()).unwrap().links, []);
    }

    #[test]
    fn another_log_is_not_joined() {
        let all = log(4);
        let ends = Ends { base: Head::START, head: all[1].head() };
        let stored: HashMap<u64, Hash> = all[..2].iter().map(|link| (link.seq, link.hash)).collect();
        let fork = all[0].head().link(20, b"another".to_vec());
        let refused = |links: Vec<Link>| join(ends, &stored, links).unwrap_err().to_string();
        assert!(refused(vec![fork]).contains("entry 2 of the chained log"), "{}", refused(vec![all[3].clone()]));
        assert!(refused(vec![all[3].clone()]).contains("entry 4"), "a gap is no continuation");
        let mut changed = all[2].clone();
        changed.bytes.push(b' ');
        assert!(refused(vec![changed]).contains("cannot be read"));
    }
}
