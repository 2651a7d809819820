//! Which node of a cluster owns which slot. Does no I/O.

use redis::Value;

use super::place::text;
use crate::redis::address::Node;

const COUNT: u16 = 16_384;

/// The cluster as one of its nodes described it.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Ascending by slot, without overlaps.
    ranges: Vec<Range>,
    primaries: Vec<Node>,
    /// Grows with each description.
    pub(super) generation: u64,
}

#[derive(Debug)]
struct Range {
    first: u16,
    last: u16,
    /// Its position in the primaries.
    owner: usize,
}

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS` by a node; `None` when it describes no slots.
    pub(super) fn read(answer: &Value, asked: &Node, generation: u64) -> Option<Slots> {
        let Value::Array(rows) = answer else { return None };
        let mut slots = Slots { generation, ..Slots::default() };
        for row in rows {
            let Value::Array(row) = row else { return None };
            let [Value::Int(first), Value::Int(last), Value::Array(owner), ..] = row.as_slice() else { return None };
            let node = read_owner(owner, asked)?;
            let owner = slots.primaries.iter().position(|known| *known == node).unwrap_or_else(|| {
                slots.primaries.push(node);
                slots.primaries.len() - 1
            });
            let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
            slots.ranges.push(Range { first, last, owner });
        }
        slots.ranges.sort_by_key(|range| range.first);
        (!slots.ranges.is_empty()).then_some(slots)
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Node> {
        let index = self.ranges.partition_point(|range| range.last < slot);
        let range = self.ranges.get(index).filter(|range| range.first <= slot)?;
        self.primaries.get(range.owner)
    }

    pub(super) fn primaries(&self) -> &[Node] {
        &self.primaries
    }
}

/// A node that does not know its own name leaves it out: then it is the one that was asked.
fn read_owner(parts: &[Value], asked: &Node) -> Option<Node> {
    let host = parts.first().and_then(text).filter(|host| !host.is_empty() && host != "?");
    let Some(Value::Int(port)) = parts.get(1) else { return None };
    Some(Node { host: host.unwrap_or_else(|| asked.host.clone()), port: u16::try_from(*port).ok()? })
}

/// Where a redirection leads: the text behind `MOVED` or `ASK` is `slot host:port`.
pub(super) fn redirected(text: &str, asked: &Node) -> Option<Node> {
    let (_, address) = text.split_once(' ')?;
    let (host, port) = address.trim().rsplit_once(':')?;
    let host = if host.is_empty() || host == "?" { &asked.host } else { host };
    Some(Node { host: host.trim_matches(['[', ']']).to_owned(), port: port.parse().ok()? })
}

/// The slot of a key: CRC16 (XMODEM) of its hash tag, if it has one.
pub(super) fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        rest.iter().position(|byte| *byte == b'}').filter(|length| *length > 0).map(|length| &rest[..length])
    });
    crc16(tag.unwrap_or(key)) % COUNT
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: u16) -> Node {
        Node { host: host.to_owned(), port }
    }

    fn row(first: i64, last: i64, host: &str, port: i64) -> Value {
        let owner = Value::Array(vec![Value::BulkString(host.into()), Value::Int(port)]);
        Value::Array(vec![Value::Int(first), Value::Int(last), owner])
    }

    #[test]
    fn the_slot_is_that_of_the_hash_tag() {
        // From the Redis Cluster specification: the CRC16 of `123456789` is 0x31C3.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot(b"tg:{q:07}:delivery"), slot(b"{q:07}"));
        assert_eq!(slot(b"{q:07}"), crc16(b"q:07") % COUNT);
        // An empty tag does not count.
        assert_eq!(slot(b"foo{}{bar}"), crc16(b"foo{}{bar}") % COUNT);
        assert_eq!(slot(b"foo"), 12182);
    }

    #[test]
    fn every_slot_has_the_owner_that_the_cluster_names() {
        let answer = Value::Array(vec![row(8000, 16383, "b", 2), row(0, 5000, "a", 1), row(5001, 7000, "", 3)]);
        let slots = Slots::read(&answer, &node("asked", 9), 1).unwrap();
        assert_eq!(slots.owner(0), Some(&node("a", 1)));
        assert_eq!(slots.owner(5000), Some(&node("a", 1)));
        assert_eq!(slots.owner(5001), Some(&node("asked", 3)));
        assert_eq!(slots.owner(7500), None);
        assert_eq!(slots.owner(16383), Some(&node("b", 2)));
        assert!(Slots::read(&Value::Array(vec![]), &node("asked", 9), 1).is_none());
    }

    #[test]
    fn redirections_are_followed_whatever_the_form_of_the_host() {
        let asked = node("asked", 9);
        assert_eq!(redirected("3999 10.0.0.1:6381", &asked), Some(node("10.0.0.1", 6381)));
        assert_eq!(redirected("3999 :6381", &asked), Some(node("asked", 6381)));
        assert_eq!(redirected("3999 ::1:6381", &asked), Some(node("::1", 6381)));
        assert_eq!(redirected("3999", &asked), None);
    }
}
