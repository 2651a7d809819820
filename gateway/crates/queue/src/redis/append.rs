//! Appending, one partition's part of a commit: as the arguments of a script, and as what its answer means.
//!
//! Nearly all entries are new and due at once, and have room: for them there is a script that costs half. Where it finds
//! anything else it stores nothing, and the one that can do everything is run.

use std::collections::{BTreeMap, HashSet};

use redis::Value;

use super::commit::Shop;
use super::keys::{Keys, reference};
use super::link::{Call, Shape, Trouble};
use super::outbox::{self, Patch};
use super::pack::{PackedEntry, Parcel, Place, number, time};
use super::scripts::{APPEND, USUAL};
use super::value::{Answer, array, int, odd};
use crate::{Appended, Entry, Error, StoredEntry, WhenFull};

/// Whether limits and the count of duplicates are for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Append,
    Import,
}

/// An entry as it goes to the script.
pub(super) struct Prepared {
    pub(super) partition: u16,
    reference: Vec<u8>,
    scope: String,
    received_ms: u64,
    now_ms: u64,
    packed: Vec<u8>,
    duplicates: u32,
    parcels: Vec<Parcel>,
    patches: Vec<Patch>,
}

impl Prepared {
    pub(super) fn new(entry: Entry, keys: &Keys) -> Prepared {
        let packed = PackedEntry::of(&entry).write();
        let now_ms = entry.now_ms;
        let reference = reference(&entry.key);
        let parcels = entry.deliveries.into_iter();
        let parcels = parcels.map(|one| Parcel::new(one, &reference, entry.received_ms, now_ms)).collect();
        Prepared {
            partition: keys.partition(&entry.affinity),
            scope: entry.key.scope,
            received_ms: time(entry.received_ms),
            now_ms,
            packed,
            duplicates: 0,
            parcels,
            patches: entry.profile.into_iter().map(|patch| Patch::new(patch, entry.received_ms)).collect(),
            reference,
        }
    }

    pub(super) fn stored(entry: StoredEntry, keys: &Keys) -> Prepared {
        let reference = reference(&entry.key);
        // An old file does not know the affinity: by its id the entry is spread as well, though a duplicate that
        // comes by its visitor is not recognised.
        let affinity = if entry.affinity.is_empty() { &entry.key.id } else { &entry.affinity };
        let packed = PackedEntry {
            received_ms: time(entry.received_ms),
            affinity: affinity.clone(),
            deliveries: entry.deliveries.iter().map(|one| one.key).collect(),
            record: entry.record,
        };
        Prepared {
            partition: keys.partition(affinity),
            scope: entry.key.scope,
            received_ms: packed.received_ms,
            // Due times come as they are: whoever moves a store has stopped its clocks.
            now_ms: 0,
            packed: packed.write(),
            duplicates: entry.duplicates,
            parcels: entry.deliveries.into_iter().map(|one| Parcel::stored(one, &reference)).collect(),
            patches: Vec::new(),
            reference,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.packed.len() + self.parcels.iter().map(Parcel::bytes).sum::<usize>()
    }
}

/// What earlier partitions of the same commit add.
#[derive(Default)]
pub(super) struct Ahead {
    total: u64,
    destinations: BTreeMap<String, u64>,
}

impl Ahead {
    pub(super) fn add(&mut self, group: &Group) {
        for parcel in group.parcels().filter(|parcel| matches!(parcel.place, Place::Fresh | Place::Later)) {
            self.total += 1;
            *self.destinations.entry(parcel.destination.clone()).or_default() += 1;
        }
    }
}

/// The entries of one partition in one commit.
#[derive(Default)]
pub(super) struct Group {
    entries: Vec<Prepared>,
    destinations: Vec<String>,
}

impl Group {
    pub(super) fn add(&mut self, entry: Prepared) {
        for parcel in &entry.parcels {
            if !self.destinations.contains(&parcel.destination) {
                self.destinations.push(parcel.destination.clone());
            }
        }
        self.entries.push(entry);
    }

    fn parcels(&self) -> impl Iterator<Item = &Parcel> {
        self.entries.iter().flat_map(|entry| &entry.parcels)
    }

    fn patches(&self) -> impl Iterator<Item = &Patch> {
        self.entries.iter().flat_map(|entry| &entry.patches)
    }

    /// The number by which a script knows a destination.
    fn number(&self, destination: &str) -> u64 {
        self.destinations.iter().position(|name| name == destination).map_or(0, |at| at as u64 + 1)
    }

    fn now_ms(&self) -> u64 {
        self.entries.iter().map(|entry| entry.now_ms).max().unwrap_or(0)
    }

    /// Whether the script for what is usual may be able to store it.
    pub(super) fn is_usual(&self, shop: &Shop, partition: u16) -> bool {
        let mut references = HashSet::new();
        self.parcels().all(|parcel| parcel.place == Place::Fresh)
            && self.patches().all(|patch| is_here(shop, partition, patch))
            && self.entries.iter().all(|entry| references.insert(&entry.reference))
    }

    fn keys(&self, shop: &Shop, partition: u16) -> Vec<Vec<u8>> {
        shop.keys.script(partition, self.destinations.iter().map(String::as_str))
    }

    pub(super) fn usual(&self, shop: &Shop, partition: u16, ahead: &Ahead) -> Call {
        let mut keys = self.keys(shop, partition);
        let mut args = shop.clock.arguments(self.now_ms());
        args.extend(shop.identity.arguments(&shop.keys, partition));
        let elsewhere = shop.table.waiting_elsewhere(partition) + ahead.total;
        let limits = shop.limits.now();
        args.push(number(limits.waiting_max.saturating_sub(elsewhere)));
        args.push(number(self.destinations.len() as u64));
        for name in &self.destinations {
            args.push(name.clone().into_bytes());
            let room = limits.destinations.get(name).map(|cap| {
                let ahead = ahead.destinations.get(name).unwrap_or(&0);
                cap.waiting_max.saturating_sub(shop.table.waiting_elsewhere_for(partition, name) + ahead)
            });
            args.push(room.map_or_else(|| "-1".into(), number));
        }
        let scopes: HashSet<&str> = self.entries.iter().map(|entry| entry.scope.as_str()).collect();
        let counts = [self.entries.len(), self.parcels().count(), scopes.len()];
        args.extend(counts.map(|count| number(count as u64)));
        args.extend(scopes.into_iter().map(|scope| scope.as_bytes().to_vec()));
        args.extend(self.entries.iter().map(|entry| entry.reference.clone()));
        args.extend(self.entries.iter().flat_map(|entry| [entry.reference.clone(), entry.packed.clone()]));
        args.extend(self.entries.iter().map(|entry| number(entry.received_ms)));
        args.extend(self.parcels().flat_map(|parcel| [parcel.key.0.to_vec(), parcel.packed.clone()]));
        args.extend(self.parcels().flat_map(|parcel| [parcel.key.0.to_vec(), parcel.payload.clone()]));
        args.extend(self.parcels().map(|parcel| number(self.number(&parcel.destination))));
        args.push(number(self.patches().count() as u64));
        for entry in &self.entries {
            for patch in &entry.patches {
                keys.push(shop.keys.profile(&patch.profile).1);
                args.push(number(keys.len() as u64));
                args.push(number(entry.received_ms));
                patch.fields_arguments(&mut args);
            }
        }
        Call { script: &USUAL, partition, keys, args }
    }

    pub(super) fn any(&self, shop: &Shop, partition: u16, manner: Manner, ahead: &Ahead) -> Call {
        let mut keys = self.keys(shop, partition);
        let mut args = shop.clock.arguments(self.now_ms());
        args.extend(shop.identity.arguments(&shop.keys, partition));
        args.push(if manner == Manner::Append { "append" } else { "import" }.into());
        args.push(number(shop.table.waiting_elsewhere(partition) + ahead.total));
        let limits = shop.limits.now();
        args.push(number(limits.waiting_max));
        args.push(number(self.destinations.len() as u64));
        for name in &self.destinations {
            let cap = limits.destinations.get(name);
            let ahead = ahead.destinations.get(name).unwrap_or(&0);
            args.push(name.clone().into_bytes());
            args.push(number(shop.table.waiting_elsewhere_for(partition, name) + ahead));
            args.push(cap.map_or_else(|| "-1".into(), |cap| number(cap.waiting_max)));
            args.push(if cap.is_some_and(|cap| cap.when_full == WhenFull::Die) { "die" } else { "refuse" }.into());
        }
        args.push(number(self.entries.len() as u64));
        for entry in &self.entries {
            args.push(entry.reference.clone());
            args.push(entry.scope.clone().into_bytes());
            args.push(number(entry.received_ms));
            args.push(entry.packed.clone());
            args.push(number(entry.duplicates.into()));
            args.push(number(entry.parcels.len() as u64));
            for parcel in &entry.parcels {
                parcel.arguments(self.number(&parcel.destination), &mut args);
            }
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                entry.patches.iter().partition(|patch| is_here(shop, partition, patch));
            args.push(number(here.len() as u64));
            for patch in here {
                keys.push(shop.keys.profile(&patch.profile).1);
                args.push(number(keys.len() as u64));
                patch.fields_arguments(&mut args);
            }
            args.push(outbox::write(&elsewhere));
        }
        Call { script: &APPEND, partition, keys, args }
    }

    /// What became of each entry, as the script answered, or why nobody knows.
    pub(super) fn results(
        self,
        shop: &Shop,
        asked: Asked,
        answer: Result<Value, Trouble>,
        left: &mut Vec<outbox::Left>,
    ) -> Vec<Result<Appended, Error>> {
        let count = self.entries.len();
        match answer {
            Ok(value) => self.read(shop, asked, value, left).unwrap_or_else(|error| same_for_all(&error, count)),
            Err(trouble) => (0..count).map(|_| Err(trouble.clone().into_error("append"))).collect(),
        }
    }

    /// Reads an answer, and notes what it told.
    fn read(
        self,
        shop: &Shop,
        asked: Asked,
        value: Value,
        left: &mut Vec<outbox::Left>,
    ) -> Result<Vec<Result<Appended, Error>>, Error> {
        let Asked { partition, script } = asked;
        let now_ms = self.now_ms();
        let mut answer = Answer::of("append", value)?;
        let mut results = Vec::with_capacity(self.entries.len());
        let mut stored = Vec::new();
        for entry in self.entries {
            let outcome = if script == Which::Usual { Value::Int(0) } else { answer.next()? };
            let result = match outcome {
                Value::Int(0) => {
                    stored.push(entry.received_ms);
                    let patches: Vec<_> =
                        entry.patches.into_iter().filter(|patch| !is_here(shop, partition, patch)).collect();
                    if !patches.is_empty() {
                        left.push(outbox::Left { partition, reference: entry.reference, patches });
                    }
                    Ok(Appended::Stored)
                }
                Value::Int(1) => Ok(Appended::Duplicate),
                full => Err(full_error(full, &self.destinations, shop)?),
            };
            results.push(result);
        }
        let counts_ms = answer.count()?.unwrap_or(0);
        if script != Which::Any(Manner::Import) {
            shop.table.set_clock(counts_ms, now_ms);
        }
        shop.table.set_waiting(partition, answer.count()?.unwrap_or(0));
        for name in &self.destinations {
            shop.table.set_waiting_for(partition, name, answer.count()?.unwrap_or(0));
            // Which of them became due at once is not worth telling apart: a look costs little.
            if !stored.is_empty() {
                shop.table.news(name, partition, 0);
            }
        }
        // What another store had is in the order of its own times.
        let counted = stored.into_iter().map(|received_ms| shop.table.counted(received_ms).min(received_ms));
        counted.for_each(|received_ms| shop.table.stored(partition, received_ms));
        Ok(results)
    }
}

/// What was asked of which partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) partition: u16,
    pub(super) script: Which,
}

/// Which script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Usual,
    Any(Manner),
}

/// Whether a profile may be changed in the same script as the partition's entries.
fn is_here(shop: &Shop, partition: u16, patch: &Patch) -> bool {
    shop.link.shape() == Shape::Single || shop.keys.profile(&patch.profile).0 == partition
}

fn full_error(value: Value, destinations: &[String], shop: &Shop) -> Result<Error, Error> {
    let limits = shop.limits.now();
    let max = limits.waiting_max;
    let parts = array("append", value)?;
    let numbers = parts.iter().map(|part| int("append", part)).collect::<Result<Vec<_>, _>>()?;
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    match numbers[..] {
        [2, waiting] => Ok(Error::Full { destination: None, waiting: unsigned(waiting), max }),
        [3, n, waiting] => {
            let name = usize::try_from(n - 1).ok().and_then(|at| destinations.get(at)).cloned();
            let max = name.as_ref().and_then(|name| limits.destinations.get(name)).map_or(max, |cap| cap.waiting_max);
            Ok(Error::Full { destination: name, waiting: unsigned(waiting), max })
        }
        _ => Err(odd("append", "no outcome")),
    }
}

/// An answer that cannot be read, told to each of several callers.
fn same_for_all(error: &Error, count: usize) -> Vec<Result<Appended, Error>> {
    (0..count).map(|_| Err(odd("append", &error.to_string()))).collect()
}
