//! Reads what is stored, whole: entries with their deliveries, payloads and attempts, from any partitions at once.

use redis::{Cmd, Value};

use super::commit::Shop;
use super::keys::{Fixed, entry_key};
use super::link::Read;
use super::pack::{Packed, PackedEntry, attempt_field};
use super::value::{array, optional};
use crate::{DeliveryJournal, DeliveryKey, EntryKey, Error, Journal, State, StoredDelivery, StoredEntry, StoredState};

/// How many fields one command asks for.
const FIELDS_MAX: usize = 1000;

/// Fields of one of a partition's hashes.
pub(super) struct Fields {
    pub(super) partition: u16,
    pub(super) of: Fixed,
    pub(super) names: Vec<Vec<u8>>,
}

/// Whether payloads are wanted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payloads {
    With,
    Without,
}

/// An entry with all that belongs to it.
pub(super) struct Whole {
    pub(super) key: EntryKey,
    pub(super) entry: PackedEntry,
    pub(super) duplicates: u32,
    pub(super) deliveries: Vec<WholeDelivery>,
}

pub(super) struct WholeDelivery {
    pub(super) key: DeliveryKey,
    pub(super) state: Packed,
    pub(super) payload: Vec<u8>,
    pub(super) records: Vec<Vec<u8>>,
}

impl Shop {
    /// Runs reads, and gives their answers; the first failure is that of all.
    pub(super) async fn ask(&self, operation: &'static str, reads: Vec<Read>) -> Result<Vec<Value>, Error> {
        let answers = self.link.read(reads).await;
        answers.into_iter().map(|answer| answer.map_err(|trouble| trouble.into_error(operation))).collect()
    }

    /// The same command for one key of every partition.
    pub(super) async fn ask_all(
        &self,
        operation: &'static str,
        of: Fixed,
        command: impl Fn(&[u8]) -> Cmd,
    ) -> Result<Vec<Value>, Error> {
        let reads = (0..self.keys.partitions()).map(|partition| {
            let key = self.keys.fixed(partition, of);
            Read { cmd: command(&key), key }
        });
        self.ask(operation, reads.collect()).await
    }

    /// The values of fields, each at its field's position, for each of the wishes.
    pub(super) async fn fields(
        &self,
        operation: &'static str,
        wishes: &[Fields],
    ) -> Result<Vec<Vec<Option<Vec<u8>>>>, Error> {
        let mut reads = Vec::new();
        let mut owners = Vec::new();
        for (index, wish) in wishes.iter().enumerate() {
            let key = self.keys.fixed(wish.partition, wish.of);
            for names in wish.names.chunks(FIELDS_MAX) {
                let mut cmd = redis::cmd("HMGET");
                cmd.arg(&key).arg(names);
                reads.push(Read { key: key.clone(), cmd });
                owners.push(index);
            }
        }
        let mut all: Vec<Vec<_>> = wishes.iter().map(|wish| Vec::with_capacity(wish.names.len())).collect();
        for (owner, answer) in owners.into_iter().zip(self.ask(operation, reads).await?) {
            all[owner].extend(array(operation, answer)?.into_iter().map(optional));
        }
        Ok(all)
    }

    /// Entries of one operation by partition and reference, whole; those that are not there are left out.
    pub(super) async fn whole(
        &self,
        operation: &'static str,
        wanted: &[(u16, Vec<u8>)],
        payloads: Payloads,
    ) -> Result<Vec<(u16, Whole)>, Error> {
        let one = |of: Fixed| {
            wanted.iter().map(move |(partition, reference)| Fields {
                partition: *partition,
                of,
                names: vec![reference.clone()],
            })
        };
        let wishes: Vec<_> = one(Fixed::Entry).chain(one(Fixed::Duplicate)).collect();
        let mut values =
            self.fields(operation, &wishes).await?.into_iter().map(|values| values.into_iter().next().flatten());
        let entries: Vec<_> = values.by_ref().take(wanted.len()).collect();
        let duplicates: Vec<_> = values.collect();
        let mut found = Vec::new();
        for (((partition, reference), packed), duplicates) in wanted.iter().zip(entries).zip(duplicates) {
            let Some(packed) = packed else { continue };
            let entry = PackedEntry::read(&packed);
            let (Some(entry), Some(key)) = (entry, entry_key(reference)) else {
                let what = format!("entry `{}`", String::from_utf8_lossy(reference));
                // A list is worth having without it; who asks for this one, or moves all of them, has to know.
                if payloads == Payloads::Without {
                    tracing::error!("{what} of partition {partition} cannot be read");
                    continue;
                }
                return Err(Error::Corrupt { what, why: "it is not packed as one".into() });
            };
            let duplicates = duplicates.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok()).unwrap_or(0);
            found.push((*partition, Whole { key, entry, duplicates, deliveries: Vec::new() }));
        }
        let keys: Vec<_> =
            found.iter().map(|(partition, whole)| (*partition, whole.entry.deliveries.clone())).collect();
        for ((_, whole), deliveries) in found.iter_mut().zip(self.deliveries(operation, &keys, payloads).await?) {
            whole.deliveries = deliveries;
        }
        Ok(found)
    }

    /// Deliveries by partition and key, with their attempts; those that are not there are left out.
    pub(super) async fn deliveries(
        &self,
        operation: &'static str,
        wanted: &[(u16, Vec<DeliveryKey>)],
        payloads: Payloads,
    ) -> Result<Vec<Vec<WholeDelivery>>, Error> {
        let names = |keys: &[DeliveryKey]| keys.iter().map(|key| key.0.to_vec()).collect::<Vec<_>>();
        let of = |of: Fixed| {
            wanted
                .iter()
                .map(move |(partition, keys)| Fields { partition: *partition, of, names: names(keys) })
                .collect::<Vec<_>>()
        };
        let states = self.fields(operation, &of(Fixed::Delivery)).await?;
        let mut all: Vec<Vec<WholeDelivery>> = Vec::with_capacity(wanted.len());
        for ((_, keys), states) in wanted.iter().zip(states) {
            let whole = keys.iter().zip(states).filter_map(|(key, state)| {
                let state = Packed::read(&state?)?;
                Some(WholeDelivery { key: *key, state, payload: Vec::new(), records: Vec::new() })
            });
            all.push(whole.collect());
        }
        let mut wishes = Vec::new();
        for ((partition, _), found) in wanted.iter().zip(&all) {
            let attempts = found.iter().flat_map(|one| (1..=one.state.recorded).map(|n| attempt_field(&one.key, n)));
            wishes.push(Fields { partition: *partition, of: Fixed::Attempt, names: attempts.collect() });
        }
        if payloads == Payloads::With {
            for ((partition, _), found) in wanted.iter().zip(&all) {
                let names = found.iter().map(|one| one.key.0.to_vec()).collect();
                wishes.push(Fields { partition: *partition, of: Fixed::Payload, names });
            }
        }
        let mut values = self.fields(operation, &wishes).await?;
        let bodies = values.split_off(all.len());
        for (found, records) in all.iter_mut().zip(values) {
            let mut records = records.into_iter();
            for one in found {
                let count = usize::try_from(one.state.recorded).unwrap_or(0);
                one.records = records.by_ref().take(count).flatten().collect();
            }
        }
        for (found, bodies) in all.iter_mut().zip(bodies) {
            for (one, body) in found.iter_mut().zip(bodies) {
                one.payload = body.unwrap_or_default();
            }
        }
        Ok(all)
    }
}

impl Whole {
    pub(super) fn journal(self) -> Journal {
        Journal {
            key: self.key,
            received_ms: self.entry.received_ms,
            record: self.entry.record,
            duplicates: self.duplicates,
            deliveries: self.deliveries.into_iter().map(WholeDelivery::journal).collect(),
        }
    }

    pub(super) fn stored(self) -> StoredEntry {
        StoredEntry {
            key: self.key,
            affinity: self.entry.affinity,
            received_ms: self.entry.received_ms,
            record: self.entry.record,
            duplicates: self.duplicates,
            deliveries: self.deliveries.into_iter().map(WholeDelivery::stored).collect(),
        }
    }
}

impl WholeDelivery {
    pub(super) fn journal(self) -> DeliveryJournal {
        let state = match self.state.state {
            0 => State::Waiting(self.state.due_ms),
            1 => State::Delivered,
            3 => State::Cancelled,
            _ => State::Dead,
        };
        DeliveryJournal {
            key: self.key,
            destination: self.state.destination,
            state,
            reason: matches!(state, State::Dead | State::Cancelled).then_some(self.state.reason),
            payload: self.payload,
            attempts: self.records,
        }
    }

    fn stored(self) -> StoredDelivery {
        let state = match self.state.state {
            0 => StoredState::Waiting(self.state.due_ms),
            1 => StoredState::Delivered,
            3 => StoredState::Cancelled(self.state.reason),
            _ => StoredState::Dead { reason: self.state.reason, died_ms: self.state.died_ms },
        };
        StoredDelivery {
            key: self.key,
            destination: self.state.destination,
            payload: self.payload,
            state,
            queued_ms: self.state.queued_ms,
            attempts: u32::try_from(self.state.attempts).unwrap_or(u32::MAX),
            records: self.records,
        }
    }
}
