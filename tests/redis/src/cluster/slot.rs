//! Slots: which one a key is in, and how one moves from node to node while clients use it.

use super::{Cluster, SLOTS};
use crate::resp::Reply;

/// A slot on its way. Its steps are functions of their own, so that a test can look into the middle.
#[derive(Debug)]
pub struct Move<'a> {
    cluster: &'a Cluster,
    slot: u16,
    from: usize,
    to: usize,
}

/// The slot of a key: of what stands in its first braces, if anything does.
pub fn slot_of(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key).as_bytes()) % SLOTS
}

/// CRC-16/XMODEM, as the cluster's specification asks.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    })
}

impl Cluster {
    /// Moves a slot with its keys to another primary while clients go on.
    pub fn move_slot(&self, slot: u16, to: usize) {
        let moving = self.begin_move(slot, to);
        while moving.some_keys(100) > 0 {}
        moving.finish();
    }

    /// Begins to move a slot: from now on its owner redirects what asks for keys that it has not (ASK), and the other
    /// takes those.
    pub fn begin_move(&self, slot: u16, to: usize) -> Move<'_> {
        let moving = Move { cluster: self, slot, from: self.owner_of_slot(slot), to };
        assert_ne!(moving.from, to, "the slot is there already");
        moving.set(to, &["IMPORTING", &moving.id(moving.from)]);
        moving.set(moving.from, &["MIGRATING", &moving.id(to)]);
        moving
    }
}

impl Move<'_> {
    /// The node that the slot leaves.
    pub fn from(&self) -> usize {
        self.from
    }

    /// Moves at most so many keys; gives how many. While some are here and some there, a command that needs both gets
    /// TRYAGAIN.
    pub fn some_keys(&self, max: usize) -> usize {
        let from = self.cluster.node(self.from);
        let to = self.cluster.node(self.to);
        let keys = from.must(&["CLUSTER", "GETKEYSINSLOT", &self.slot.to_string(), &max.to_string()]);
        let keys = keys.array();
        if keys.is_empty() {
            return 0;
        }
        let port = to.port().to_string();
        let mut command: Vec<&[u8]> = vec![b"MIGRATE", b"127.0.0.1", port.as_bytes(), b"", b"0", b"10000"];
        if let Some(password) = to.password() {
            command.extend([b"AUTH", password.as_bytes()]);
        }
        command.push(b"KEYS");
        command.extend(keys.iter().map(|key| match key {
            Reply::Bulk(key) => key.as_slice(),
            other => panic!("{other:?} is no key"),
        }));
        from.must(&command);
        keys.len()
    }

    /// Ends the move after its last key: the slot belongs to the other node, and all primaries are told so.
    pub fn finish(self) {
        let id = self.id(self.to);
        // The new owner first: it must know before anybody is sent to it.
        self.set(self.to, &["NODE", &id]);
        self.set(self.from, &["NODE", &id]);
        for other in self.cluster.primaries() {
            if other != self.to && other != self.from {
                self.set(other, &["NODE", &id]);
            }
        }
        self.cluster.wait_until_ok();
    }

    /// Gives the move up, before its first key has moved. Later there is only forward: the old owner would take new keys
    /// of a name that the other still has.
    pub fn cancel(self) {
        self.set(self.from, &["STABLE"]);
        self.set(self.to, &["STABLE"]);
        let there = self.cluster.node(self.to).must(&["CLUSTER", "COUNTKEYSINSLOT", &self.slot.to_string()]);
        assert_eq!(there.int(), 0, "keys have moved already");
    }

    fn set(&self, node: usize, what: &[&str]) {
        let slot = self.slot.to_string();
        let command: Vec<&str> = ["CLUSTER", "SETSLOT", &slot].into_iter().chain(what.iter().copied()).collect();
        self.cluster.node(node).must(&command);
    }

    fn id(&self, node: usize) -> String {
        self.cluster.node(node).must(&["CLUSTER", "MYID"]).text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot_of("foo"), 12182);
        assert_eq!(slot_of("tidegate:{q:07}:delivery"), slot_of("q:07"));
        assert_eq!(slot_of("{}foo"), crc16(b"{}foo") % SLOTS);
    }
}
