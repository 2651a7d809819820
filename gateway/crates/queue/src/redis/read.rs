//! Reads: traces, the newest entries, counts and profiles. Plain commands, to all partitions where nobody knows which.

use std::collections::{BTreeMap, HashMap};

use redis::{Cmd, Value};

use super::commit::Shop;
use super::keys::{Fixed, dead_prefix, entry_key, reference_in};
use super::link::Read;
use super::pack::{Packed, PackedEntry, attempt_field, profile_field};
use super::value::{array, int, optional};
use crate::{
    Count, DeliveryJournal, DeliveryKey, EntryKey, Error, Journal, ProfileField, State, StoredDelivery, StoredEntry,
    StoredState,
};

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

/// Fills the table with what waits.
pub(super) async fn learn(shop: &Shop) -> Result<(), Error> {
    let counted = shop.ask_all("open", Fixed::Count, |key| command("HGETALL", key)).await?;
    for (partition, counted) in (0u16..).zip(counted) {
        let mut values = array("open", counted)?.into_iter();
        while let (Some(name), Some(value)) = (values.next(), values.next()) {
            let name = optional(name).and_then(|name| String::from_utf8(name).ok()).unwrap_or_default();
            let Ok(n) = int("open", &value) else { continue };
            let n = u64::try_from(n).unwrap_or(0);
            match name.split_once(':') {
                None if name == "w" => shop.table.set_waiting(partition, n),
                Some(("w", destination)) => shop.table.set_waiting_for(partition, destination, n),
                _ => {}
            }
        }
    }
    Ok(())
}

pub(super) async fn find(shop: &Shop, id: &str) -> Result<Vec<Journal>, Error> {
    let scopes = shop.ask_all("find", Fixed::Scope, |key| command("SMEMBERS", key)).await?;
    let mut wanted = Vec::new();
    for (partition, scopes) in (0..).zip(scopes) {
        for scope in array("find", scopes)?.into_iter().filter_map(optional) {
            let scope = String::from_utf8_lossy(&scope).into_owned();
            wanted.push((partition, reference_in(&scope, id)));
        }
    }
    let found = shop.whole("find", &wanted, Payloads::With).await?;
    let mut journals: Vec<_> = found.into_iter().map(|(_, whole)| whole.journal()).collect();
    journals.sort_by(|a, b| a.key.scope.cmp(&b.key.scope));
    Ok(journals)
}

pub(super) async fn recent(shop: &Shop, limit: usize) -> Result<Vec<Journal>, Error> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let newest = shop
        .ask_all("recent", Fixed::Journal, |key| {
            let mut cmd = command("ZREVRANGE", key);
            cmd.arg(0).arg(limit - 1).arg("WITHSCORES");
            cmd
        })
        .await?;
    let mut places = Vec::new();
    for (partition, newest) in (0u16..).zip(newest) {
        let mut values = array("recent", newest)?.into_iter();
        while let (Some(reference), Some(received)) = (values.next(), values.next()) {
            let received_ms = number(received);
            places.extend(optional(reference).map(|reference| (received_ms, partition, reference)));
        }
    }
    places.sort_by(|a, b| b.cmp(a));
    places.truncate(limit);
    let wanted: Vec<_> = places.into_iter().map(|(_, partition, reference)| (partition, reference)).collect();
    let found = shop.whole("recent", &wanted, Payloads::Without).await?;
    Ok(found.into_iter().map(|(_, whole)| whole.journal()).collect())
}

/// What waits and what is dead, of every destination.
pub(super) async fn counts(shop: &Shop) -> Result<Vec<Count>, Error> {
    let counted = shop.ask_all("counts", Fixed::Count, |key| command("HGETALL", key)).await?;
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut oldest = Vec::new();
    for (partition, counted) in (0u16..).zip(counted) {
        let mut values = array("counts", counted)?.into_iter();
        while let (Some(name), Some(value)) = (values.next(), values.next()) {
            let name = optional(name).and_then(|name| String::from_utf8(name).ok()).unwrap_or_default();
            let n = u64::try_from(int("counts", &value)?).unwrap_or(0);
            let Some((kind, destination)) = name.split_once(':').filter(|_| n > 0) else { continue };
            let count = counts.entry(destination.to_owned()).or_insert_with(|| Count {
                destination: destination.to_owned(),
                waiting: 0,
                dead: 0,
                oldest_queued_ms: None,
            });
            match kind {
                "w" => {
                    count.waiting += n;
                    oldest.push((partition, destination.to_owned()));
                }
                "d" => count.dead += n,
                _ => {}
            }
        }
    }
    // Somebody may have counted nought down to nothing; such a destination is not worth a line.
    for (destination, queued_ms) in oldest_queued(shop, oldest).await? {
        if let Some(count) = counts.get_mut(&destination) {
            count.oldest_queued_ms = Some(count.oldest_queued_ms.map_or(queued_ms, |known| known.min(queued_ms)));
        }
    }
    Ok(counts.into_values().filter(|count| count.waiting > 0 || count.dead > 0).collect())
}

/// When the oldest that waits was queued: the first of the stream, or the oldest of those that wait again.
async fn oldest_queued(shop: &Shop, of: Vec<(u16, String)>) -> Result<Vec<(String, u64)>, Error> {
    let mut reads = Vec::new();
    for (partition, destination) in &of {
        let key = shop.keys.stream(*partition, destination);
        let mut cmd = command("XRANGE", &key);
        cmd.arg("-").arg("+").arg("COUNT").arg(1);
        reads.push(Read { key, cmd });
        let key = shop.keys.age(*partition, destination);
        let mut cmd = command("ZRANGE", &key);
        cmd.arg(0).arg(0).arg("WITHSCORES");
        reads.push(Read { key, cmd });
    }
    let mut answers = shop.ask("counts", reads).await?.into_iter();
    let mut oldest = Vec::new();
    let mut heads = Vec::new();
    let mut head_of = Vec::new();
    for (partition, destination) in of {
        let (head, again) = (answers.next().unwrap_or(Value::Nil), answers.next().unwrap_or(Value::Nil));
        if let Some(queued) = array("counts", again)?.into_iter().nth(1) {
            oldest.push((destination.clone(), number(queued)));
        }
        if let Some(key) = stream_key(head) {
            heads.push(Fields { partition, of: Fixed::Delivery, names: vec![key] });
            head_of.push(destination);
        }
    }
    let states = shop.fields("counts", &heads).await?;
    for (destination, state) in head_of.into_iter().zip(states) {
        let state = state.into_iter().next().flatten().and_then(|packed| Packed::read(&packed));
        oldest.extend(state.map(|state| (destination, state.queued_ms)));
    }
    Ok(oldest)
}

/// The delivery's key in the first entry of a stream.
fn stream_key(range: Value) -> Option<Vec<u8>> {
    let first = array("counts", range).ok()?.into_iter().next()?;
    let fields = array("counts", first).ok()?.into_iter().nth(1)?;
    array("counts", fields).ok()?.into_iter().nth(1).and_then(optional)
}

pub(super) async fn profile(shop: &Shop, profile: &str, now_ms: u64) -> Result<Vec<ProfileField>, Error> {
    let (_, key) = shop.keys.profile(profile);
    let answer = shop.ask("profile", vec![Read { cmd: command("HGETALL", &key), key }]).await?;
    let fields = profile_fields(answer.into_iter().next().unwrap_or(Value::Nil))?;
    let alive = fields.into_iter().filter(|(_, expires_ms)| *expires_ms > now_ms);
    let mut fields: Vec<_> = alive.map(|(field, _)| field).collect();
    // The server has them in no order.
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(fields)
}

/// All fields of a profile, each with its expiry.
pub(super) fn profile_fields(answer: Value) -> Result<Vec<(ProfileField, u64)>, Error> {
    let mut values = array("profile", answer)?.into_iter();
    let mut fields = Vec::new();
    while let (Some(name), Some(value)) = (values.next(), values.next()) {
        let name = optional(name).and_then(|name| String::from_utf8(name).ok());
        let field = name.zip(optional(value)).and_then(|(name, value)| profile_field(&name, &value));
        fields.push(field.ok_or_else(|| super::value::odd("profile", "no profile's field"))?);
    }
    Ok(fields)
}

impl Whole {
    fn journal(self) -> Journal {
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
    fn journal(self) -> DeliveryJournal {
        let state = match self.state.state {
            0 => State::Waiting(self.state.due_ms),
            1 => State::Delivered,
            _ => State::Dead,
        };
        DeliveryJournal {
            key: self.key,
            destination: self.state.destination,
            state,
            reason: (state == State::Dead).then_some(self.state.reason),
            payload: self.payload,
            attempts: self.records,
        }
    }

    fn stored(self) -> StoredDelivery {
        let state = match self.state.state {
            0 => StoredState::Waiting(self.state.due_ms),
            1 => StoredState::Delivered,
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

/// Destinations that have ever had anything, by partition; those with dead letters have their number with them.
pub(super) async fn dead_counts(shop: &Shop) -> Result<HashMap<u16, Vec<(String, Vec<u8>)>>, Error> {
    let counted = shop.ask_all("dead_letters", Fixed::Count, |key| command("HGETALL", key)).await?;
    let mut all: HashMap<u16, Vec<_>> = HashMap::new();
    for (partition, counted) in (0u16..).zip(counted) {
        let mut values = array("dead_letters", counted)?.into_iter();
        while let (Some(name), Some(value)) = (values.next(), values.next()) {
            let name = optional(name).and_then(|name| String::from_utf8(name).ok()).unwrap_or_default();
            if let Some(destination) =
                name.strip_prefix("d:").filter(|_| int("dead_letters", &value).is_ok_and(|n| n > 0))
            {
                all.entry(partition).or_default().push((destination.to_owned(), dead_prefix(destination)));
            }
        }
    }
    Ok(all)
}

pub(super) fn command(name: &str, key: &[u8]) -> Cmd {
    let mut cmd = redis::cmd(name);
    cmd.arg(key);
    cmd
}

/// A score; whoever asked in RESP2 gets it as text.
fn number(value: Value) -> u64 {
    let text = match value {
        Value::Double(score) => return score as u64,
        Value::Int(n) => return u64::try_from(n).unwrap_or(0),
        other => optional(other).unwrap_or_default(),
    };
    std::str::from_utf8(&text).ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) as u64
}
