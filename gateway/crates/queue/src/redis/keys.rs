//! Names of keys, and which partition holds what. Version 1 of the format is what this file, `pack.rs` and the scripts
//! say; docs/store-redis.md tells it to people.

use crate::EntryKey;

/// The version of what is stored.
pub(super) const FORMAT: u32 = 1;
/// A partition's fixed keys, in the order in which scripts take them.
const FIXED: [&str; 12] = [
    "entry",
    "journal",
    "duplicate",
    "scope",
    "delivery",
    "payload",
    "attempt",
    "held",
    "dead",
    "died",
    "count",
    "outbox",
];
/// Of the whole store, in the first partition.
const SETTINGS: &str = "setting";
/// A destination's keys in a partition, in the order in which scripts take them.
const OF_DESTINATION: [&str; 4] = ["stream", "retry", "leased", "age"];

/// One of a partition's fixed keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fixed {
    Entry = 0,
    Journal = 1,
    Duplicate = 2,
    Scope = 3,
    Delivery = 4,
    Payload = 5,
    Attempt = 6,
    Dead = 8,
    Count = 10,
    Outbox = 11,
}

/// Names all keys of one store.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
    partitions: u16,
}

impl Keys {
    pub(super) fn new(prefix: &str, partitions: u16) -> Self {
        Self { prefix: prefix.to_owned(), partitions: partitions.max(1) }
    }

    pub(super) fn partitions(&self) -> u16 {
        self.partitions
    }

    /// The store's description: its format's version and how many partitions it has.
    pub(super) fn description(prefix: &str) -> Vec<u8> {
        format!("{prefix}:store").into_bytes()
    }

    pub(super) fn its_description(&self) -> Vec<u8> {
        Self::description(&self.prefix)
    }

    /// The chained log's keys, which are in one slot: its ends, its entries.
    pub(super) fn chain(&self) -> Vec<Vec<u8>> {
        ["ends", "entry"].map(|name| format!("{}:{{chain}}:{name}", self.prefix).into_bytes()).into()
    }

    /// The channel on which processes tell each other of arrivals.
    pub(super) fn channel(&self) -> String {
        format!("{}:arrivals", self.prefix)
    }

    /// The partition of a visitor or user.
    pub(super) fn partition(&self, affinity: &str) -> u16 {
        // The remainder of a number below 65,536 fits.
        u16::try_from(fnv1a(affinity.as_bytes()) % u64::from(self.partitions)).unwrap_or(0)
    }

    /// A partition's fixed keys, then those of destinations: what a script is called with.
    pub(super) fn script<'a>(&self, partition: u16, destinations: impl IntoIterator<Item = &'a str>) -> Vec<Vec<u8>> {
        let tag = self.tag(partition);
        let mut keys: Vec<_> = FIXED.iter().map(|name| format!("{tag}:{name}").into_bytes()).collect();
        for destination in destinations {
            keys.extend(OF_DESTINATION.iter().map(|name| format!("{tag}:{name}:{destination}").into_bytes()));
        }
        keys
    }

    pub(super) fn fixed(&self, partition: u16, which: Fixed) -> Vec<u8> {
        format!("{}:{}", self.tag(partition), FIXED[which as usize]).into_bytes()
    }

    /// The settings, with their partition.
    pub(super) fn settings(&self) -> (u16, Vec<u8>) {
        (0, format!("{}:{SETTINGS}", self.tag(0)).into_bytes())
    }

    pub(super) fn stream(&self, partition: u16, destination: &str) -> Vec<u8> {
        format!("{}:stream:{destination}", self.tag(partition)).into_bytes()
    }

    pub(super) fn age(&self, partition: u16, destination: &str) -> Vec<u8> {
        format!("{}:age:{destination}", self.tag(partition)).into_bytes()
    }

    /// A profile's key, with its partition: that of the visitor or user whose it is.
    pub(super) fn profile(&self, profile: &str) -> (u16, Vec<u8>) {
        let whose = profile.splitn(3, '/').nth(2).unwrap_or(profile);
        let partition = self.partition(whose);
        (partition, format!("{}:profile:{profile}", self.tag(partition)).into_bytes())
    }

    /// What the keys of all profiles match, or those of one partition's, for SCAN.
    pub(super) fn profile_pattern(&self, partition: Option<u16>) -> String {
        let escaped: String = self.prefix.chars().flat_map(escape).collect();
        let partition = partition.map_or_else(|| "*".to_owned(), |partition| format!("{partition:02}"));
        format!("{escaped}:{{q:{partition}}}:profile:*")
    }

    /// The profile of a key that matched.
    pub(super) fn profile_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        let (_, rest) = key.strip_prefix(&self.prefix)?.strip_prefix(":{q:")?.split_once("}:profile:")?;
        Some(rest)
    }

    fn tag(&self, partition: u16) -> String {
        format!("{}:{{q:{partition:02}}}", self.prefix)
    }
}

/// What names an entry within its partition: `4:shopabc` is the id `abc` in the scope `shop`.
pub(super) fn reference(key: &EntryKey) -> Vec<u8> {
    reference_in(&key.scope, &key.id)
}

pub(super) fn reference_in(scope: &str, id: &str) -> Vec<u8> {
    format!("{}:{scope}{id}", scope.len()).into_bytes()
}

pub(super) fn entry_key(reference: &[u8]) -> Option<EntryKey> {
    let text = std::str::from_utf8(reference).ok()?;
    let (length, rest) = text.split_once(':')?;
    let length: usize = length.parse().ok()?;
    let (scope, id) = rest.split_at_checked(length)?;
    Some(EntryKey { scope: scope.into(), id: id.into() })
}

/// A dead letter's place among the dead: by destination, then by key. Lengths keep names apart.
pub(super) fn dead_prefix(destination: &str) -> Vec<u8> {
    format!("{}:{destination}", destination.len()).into_bytes()
}

/// FNV-1a, 64 bits: the same in any language and at any time, as what is stored depends on it.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A character that a pattern takes for itself.
fn escape(c: char) -> impl Iterator<Item = char> {
    let is_special = matches!(c, '*' | '?' | '[' | ']' | '\\');
    is_special.then_some('\\').into_iter().chain([c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_never_change() {
        let keys = Keys::new("tidegate", 64);
        assert_eq!(keys.partition(""), 37);
        assert_eq!(keys.partition("visitor"), fnv1a(b"visitor") as u16 % 64);
        assert_eq!(fnv1a(b"foobar"), 0x85944171f73967e8, "the published vector");
        assert_eq!(keys.fixed(7, Fixed::Delivery), b"tidegate:{q:07}:delivery");
        assert_eq!(keys.stream(63, "meta"), b"tidegate:{q:63}:stream:meta");
    }

    #[test]
    fn a_profile_lives_with_its_visitor() {
        let keys = Keys::new("t", 64);
        let (partition, key) = keys.profile("shop/anonymous/a/b");
        assert_eq!(partition, keys.partition("a/b"));
        let text = String::from_utf8(key).unwrap();
        assert_eq!(keys.profile_of(&text), Some("shop/anonymous/a/b"));
    }

    #[test]
    fn a_reference_comes_back_as_the_key_that_it_was() {
        for (scope, id) in [("shop", "a"), ("", ""), ("ü:", "1:\0x"), ("shop#refused", "ümlaut")] {
            let key = EntryKey { scope: scope.into(), id: id.into() };
            assert_eq!(entry_key(&reference(&key)), Some(key));
        }
        for odd in [&b""[..], b"x", b"9:ab", b"1:\xc3\xbc", b"2\xff:a"] {
            assert_eq!(entry_key(odd), None);
        }
    }
}
