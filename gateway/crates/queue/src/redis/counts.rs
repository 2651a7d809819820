//! Counts: what waits and what is dead, of every destination, as the partitions' counters and their oldest say.

use std::collections::BTreeMap;

use redis::Value;

use super::commit::Shop;
use super::keys::Fixed;
use super::link::Read;
use super::pack::Packed;
use super::read::{command, number};
use super::value::{array, int, optional};
use super::whole::Fields;
use crate::{Count, Error};

/// A counter of one partition that is not nought.
pub(super) struct Counter {
    pub(super) partition: u16,
    pub(super) of: Counted,
    pub(super) n: u64,
}

/// What is counted.
pub(super) enum Counted {
    /// What waits for any destination.
    Waiting,
    WaitingFor(String),
    DeadOf(String),
}

/// All counters of all partitions.
pub(super) async fn counters(shop: &Shop, operation: &'static str) -> Result<Vec<Counter>, Error> {
    let mut counters = Vec::new();
    let counted = shop.ask_all(operation, Fixed::Count, |key| command("HGETALL", key)).await?;
    for (partition, counted) in (0u16..).zip(counted) {
        let mut values = array(operation, counted)?.into_iter();
        while let (Some(name), Some(value)) = (values.next(), values.next()) {
            let Some(name) = optional(name).and_then(|name| String::from_utf8(name).ok()) else { continue };
            let of = match name.split_once(':') {
                None if name == "w" => Counted::Waiting,
                Some(("w", destination)) => Counted::WaitingFor(destination.to_owned()),
                Some(("d", destination)) => Counted::DeadOf(destination.to_owned()),
                _ => continue,
            };
            let n = u64::try_from(int(operation, &value)?).unwrap_or(0);
            counters.extend((n > 0).then_some(Counter { partition, of, n }));
        }
    }
    Ok(counters)
}

/// Fills the table with what waits.
pub(super) async fn learn(shop: &Shop) -> Result<(), Error> {
    for Counter { partition, of, n } in counters(shop, "open").await? {
        match of {
            Counted::Waiting => shop.table.set_waiting(partition, n),
            Counted::WaitingFor(destination) => shop.table.set_waiting_for(partition, &destination, n),
            Counted::DeadOf(_) => {}
        }
    }
    Ok(())
}

pub(super) async fn counts(shop: &Shop) -> Result<Vec<Count>, Error> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut places = Vec::new();
    for Counter { partition, of, n } in counters(shop, "counts").await? {
        let (destination, waiting, dead) = match of {
            Counted::Waiting => continue,
            Counted::WaitingFor(destination) => {
                places.push((partition, destination.clone()));
                (destination, n, 0)
            }
            Counted::DeadOf(destination) => (destination, 0, n),
        };
        let empty = Count { destination: destination.clone(), waiting: 0, dead: 0, oldest_queued_ms: None };
        let count = counts.entry(destination).or_insert(empty);
        count.waiting += waiting;
        count.dead += dead;
    }
    for (destination, queued_ms) in oldest_queued(shop, places).await? {
        if let Some(count) = counts.get_mut(&destination) {
            count.oldest_queued_ms = Some(count.oldest_queued_ms.map_or(queued_ms, |known| known.min(queued_ms)));
        }
    }
    Ok(counts.into_values().collect())
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
