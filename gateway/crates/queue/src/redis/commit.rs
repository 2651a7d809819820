//! Group commit: entries that arrive while one commit is under way share the next, and each is answered by its own
//! commit's result. On one server a commit is one transaction over all partitions; in a cluster each partition has
//! commits of its own.
//!
//! A profile may live in another partition than the entry that changes it. On one server that makes no difference. In a
//! cluster the change is stored with the entry, in its partition's outbox, then written to the profile, then taken out;
//! what a process leaves there when it dies, another one finds (`watch.rs`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use redis::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::keys::{Keys, reference};
use super::link::{Call, Confirm, Lane, Link, Shape};
use super::outbox::{self, Patch};
use super::pack::{PackedEntry, Parcel, Place, number, time};
use super::scripts::APPEND;
use super::table::Table;
use super::value::{Answer, array, int, odd};
use super::{Clock, Identity};
use crate::{Appended, Cap, Entry, Error, Limits, StoredEntry, WhenFull};

/// The most entries, and about the most bytes, of one commit.
const GROUP_MAX: usize = 512;
const GROUP_BYTES_MAX: usize = 1 << 20;
/// How many KiB of entries wait at most, each counting one at least; further callers wait.
const ROOM_KIB: u32 = 16 << 10;

/// What commits need.
pub(super) struct Shop {
    pub(super) link: Link,
    pub(super) keys: Keys,
    pub(super) table: Arc<Table>,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) identity: Identity,
    pub(super) confirm: Confirm,
}

/// Takes entries, and commits them in groups.
pub(super) struct Committer {
    /// None when it is closed.
    lanes: Mutex<Vec<mpsc::UnboundedSender<Job>>>,
    room: Arc<Semaphore>,
    shop: Arc<Shop>,
}

/// Whether limits and the count of duplicates are for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Append,
    Import,
}

/// An entry as it goes to the script.
pub(super) struct Prepared {
    partition: u16,
    reference: Vec<u8>,
    scope: String,
    received_ms: u64,
    now_ms: u64,
    packed: Vec<u8>,
    duplicates: u32,
    parcels: Vec<Parcel>,
    patches: Vec<Patch>,
}

struct Job {
    entry: Prepared,
    answer: oneshot::Sender<Result<Appended, Error>>,
    _room: OwnedSemaphorePermit,
}

impl Committer {
    pub(super) fn start(shop: Arc<Shop>, tracker: &TaskTracker) -> Committer {
        let count = match (shop.link.shape(), shop.confirm) {
            // The disk confirms once a second, so that all partitions should ask together.
            (Shape::Single, _) | (_, Confirm::Disk) => 1,
            (Shape::Cluster, _) => usize::from(shop.keys.partitions()),
        };
        let lanes = (0..count)
            .map(|_| {
                // What waits is bounded by the room that each job holds.
                let (sender, jobs) = mpsc::unbounded_channel();
                tracker.spawn(run(Arc::clone(&shop), jobs));
                sender
            })
            .collect();
        Committer { lanes: Mutex::new(lanes), room: Arc::new(Semaphore::new(ROOM_KIB as usize)), shop }
    }

    pub(super) async fn append(&self, entry: Entry) -> Result<Appended, Error> {
        let entry = Prepared::new(entry, &self.shop.keys);
        let kib = u32::try_from(entry.bytes() / 1024).unwrap_or(ROOM_KIB).clamp(1, ROOM_KIB);
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await.map_err(|_| Error::Closed)?;
        let (answer, answered) = oneshot::channel();
        self.send(Job { entry, answer, _room: room })?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Commits entries of another store, as they were there. Limits do not hold: moving must not fail half way.
    pub(super) async fn import(&self, entries: Vec<StoredEntry>) -> Result<usize, Error> {
        let mut new = 0;
        let entries: Vec<_> = entries.into_iter().map(|entry| Prepared::stored(entry, &self.shop.keys)).collect();
        for (_, results) in commit(&self.shop, entries, Manner::Import).await {
            for result in results {
                new += usize::from(result? == Appended::Stored);
            }
        }
        Ok(new)
    }

    fn send(&self, job: Job) -> Result<(), Error> {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let at = usize::from(job.entry.partition).checked_rem(lanes.len()).ok_or(Error::Closed)?;
        lanes[at].send(job).map_err(|_| Error::Closed)
    }

    /// Takes no more. What was taken is still committed.
    pub(super) fn close(&self) {
        self.room.close();
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Prepared {
    fn new(entry: Entry, keys: &Keys) -> Prepared {
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

    fn stored(entry: StoredEntry, keys: &Keys) -> Prepared {
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

    fn bytes(&self) -> usize {
        self.packed.len() + self.parcels.iter().map(Parcel::bytes).sum::<usize>()
    }
}

/// One lane: commits what has come, again and again, until nobody can send any more.
async fn run(shop: Arc<Shop>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some(first) = jobs.recv().await {
        let mut bytes = first.entry.bytes();
        let mut group = vec![first];
        while group.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
            let Ok(next) = jobs.try_recv() else { break };
            bytes += next.entry.bytes();
            group.push(next);
        }
        let mut answers: BTreeMap<u16, Vec<(oneshot::Sender<_>, OwnedSemaphorePermit)>> = BTreeMap::new();
        let mut entries = Vec::with_capacity(group.len());
        for Job { entry, answer, _room } in group {
            answers.entry(entry.partition).or_default().push((answer, _room));
            entries.push(entry);
        }
        for (partition, results) in commit(&shop, entries, Manner::Append).await {
            let waiting = answers.remove(&partition).unwrap_or_default();
            for ((answer, _), result) in waiting.into_iter().zip(results) {
                // Whoever asked may have gone meanwhile.
                let _ = answer.send(result);
            }
        }
    }
}

/// Commits entries; gives the results of each partition's, in their order.
async fn commit(shop: &Shop, entries: Vec<Prepared>, manner: Manner) -> Vec<(u16, Vec<Result<Appended, Error>>)> {
    let mut groups: BTreeMap<u16, Vec<Prepared>> = BTreeMap::new();
    for entry in entries {
        groups.entry(entry.partition).or_default().push(entry);
    }
    let mut calls = Vec::with_capacity(groups.len());
    let mut committed = Vec::with_capacity(groups.len());
    // Entries of earlier partitions in the same commit take room too.
    let mut ahead = Ahead::default();
    for (partition, group) in groups {
        let (call, made) = prepare(shop, partition, group, manner, &mut ahead);
        calls.push(call);
        committed.push(made);
    }
    let lane = if manner == Manner::Append { Lane::Commit } else { Lane::Work };
    let answers = shop.link.run(lane, calls, shop.confirm).await;
    let mut all = Vec::with_capacity(committed.len());
    let mut left = Vec::new();
    for (made, answer) in committed.into_iter().zip(answers) {
        let partition = made.partition;
        let count = made.entries.len();
        let results = match answer {
            Ok(value) => made.read(shop, value, &mut left).unwrap_or_else(|error| same_for_all(&error, count)),
            Err(trouble) => (0..count).map(|_| Err(trouble.clone().into_error("append"))).collect(),
        };
        all.push((partition, results));
    }
    // The entries are safe; a profile that cannot be written now is written by whoever looks into the outbox next.
    outbox::deliver(&shop.link, &shop.keys, left).await;
    all
}

/// What earlier partitions of the same commit add.
#[derive(Default)]
struct Ahead {
    total: u64,
    destinations: BTreeMap<String, u64>,
}

/// A partition's part of a commit that has been sent.
struct Made {
    partition: u16,
    manner: Manner,
    now_ms: u64,
    destinations: Vec<String>,
    /// Reference, received time and what is for other partitions, of each entry.
    entries: Vec<(Vec<u8>, u64, Vec<Patch>)>,
    limits: BTreeMap<String, Cap>,
    max: u64,
}

fn prepare(shop: &Shop, partition: u16, group: Vec<Prepared>, manner: Manner, ahead: &mut Ahead) -> (Call, Made) {
    let mut destinations: Vec<String> = Vec::new();
    for parcel in group.iter().flat_map(|entry| &entry.parcels) {
        if !destinations.contains(&parcel.destination) {
            destinations.push(parcel.destination.clone());
        }
    }
    let mut keys = shop.keys.script(partition, destinations.iter().map(String::as_str));
    let now_ms = group.iter().map(|entry| entry.now_ms).max().unwrap_or(0);
    let mut args = shop.clock.arguments(now_ms);
    args.extend(shop.identity.arguments(&shop.keys, partition));
    args.push(if manner == Manner::Append { "append" } else { "import" }.into());
    args.push(number(shop.table.waiting_elsewhere(partition) + ahead.total));
    args.push(number(shop.limits.waiting_max));
    args.push(number(destinations.len() as u64));
    for name in &destinations {
        let cap = shop.limits.destinations.get(name);
        let elsewhere = shop.table.waiting_elsewhere_for(partition, name) + ahead.destinations.get(name).unwrap_or(&0);
        args.push(name.clone().into_bytes());
        args.push(number(elsewhere));
        args.push(cap.map_or_else(|| "-1".into(), |cap| number(cap.waiting_max)));
        args.push(if cap.is_some_and(|cap| cap.when_full == WhenFull::Die) { "die" } else { "refuse" }.into());
    }
    args.push(number(group.len() as u64));
    let mut entries = Vec::with_capacity(group.len());
    for entry in group {
        args.push(entry.reference.clone());
        args.push(entry.scope.into_bytes());
        args.push(number(entry.received_ms));
        args.push(entry.packed);
        args.push(number(entry.duplicates.into()));
        args.push(number(entry.parcels.len() as u64));
        for parcel in entry.parcels {
            if matches!(parcel.place, Place::Fresh | Place::Later) {
                ahead.total += 1;
                *ahead.destinations.entry(parcel.destination.clone()).or_default() += 1;
            }
            let n = destinations.iter().position(|name| *name == parcel.destination).unwrap_or(0) + 1;
            parcel.arguments(n, &mut args);
        }
        let is_here =
            |patch: &Patch| shop.link.shape() == Shape::Single || shop.keys.profile(&patch.profile).0 == partition;
        let (here, elsewhere): (Vec<_>, Vec<_>) = entry.patches.into_iter().partition(is_here);
        args.push(number(here.len() as u64));
        for patch in here {
            keys.push(shop.keys.profile(&patch.profile).1);
            args.push(number(keys.len() as u64));
            patch.fields_arguments(&mut args);
        }
        args.push(outbox::write(&elsewhere));
        entries.push((entry.reference, entry.received_ms, elsewhere));
    }
    let limits = shop.limits.destinations.clone();
    let made = Made { partition, manner, now_ms, destinations, entries, limits, max: shop.limits.waiting_max };
    (Call { script: &APPEND, partition, keys, args }, made)
}

impl Made {
    /// Reads what the script answered, and notes what it told.
    fn read(
        self,
        shop: &Shop,
        value: Value,
        left: &mut Vec<outbox::Left>,
    ) -> Result<Vec<Result<Appended, Error>>, Error> {
        let mut answer = Answer::of("append", value)?;
        let mut results = Vec::with_capacity(self.entries.len());
        let mut stored = Vec::new();
        for (reference, received_ms, patches) in self.entries {
            let result = match answer.next()? {
                Value::Int(0) => {
                    stored.push(received_ms);
                    if !patches.is_empty() {
                        left.push(outbox::Left { partition: self.partition, reference, patches });
                    }
                    Ok(Appended::Stored)
                }
                Value::Int(1) => Ok(Appended::Duplicate),
                full => Err(full_error(full, &self.destinations, &self.limits, self.max)?),
            };
            results.push(result);
        }
        let counts_ms = answer.count()?.unwrap_or(0);
        if self.manner == Manner::Append {
            shop.table.set_clock(counts_ms, self.now_ms);
        }
        shop.table.set_waiting(self.partition, answer.count()?.unwrap_or(0));
        for name in &self.destinations {
            shop.table.set_waiting_for(self.partition, name, answer.count()?.unwrap_or(0));
            // Which of them became due at once is not worth telling apart: a look costs little.
            if !stored.is_empty() {
                shop.table.news(name, self.partition, 0);
            }
        }
        // What another store had is in the order of its own times.
        let counted = stored.into_iter().map(|received_ms| shop.table.counted(received_ms).min(received_ms));
        counted.for_each(|received_ms| shop.table.stored(self.partition, received_ms));
        Ok(results)
    }
}

fn full_error(value: Value, destinations: &[String], limits: &BTreeMap<String, Cap>, max: u64) -> Result<Error, Error> {
    let parts = array("append", value)?;
    let numbers = parts.iter().map(|part| int("append", part)).collect::<Result<Vec<_>, _>>()?;
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    match numbers[..] {
        [2, waiting] => Ok(Error::Full { destination: None, waiting: unsigned(waiting), max }),
        [3, n, waiting] => {
            let name = usize::try_from(n - 1).ok().and_then(|at| destinations.get(at)).cloned();
            let max = name.as_ref().and_then(|name| limits.get(name)).map_or(max, |cap| cap.waiting_max);
            Ok(Error::Full { destination: name, waiting: unsigned(waiting), max })
        }
        _ => Err(odd("append", "no outcome")),
    }
}

/// An answer that cannot be read, told to each of several callers.
fn same_for_all(error: &Error, count: usize) -> Vec<Result<Appended, Error>> {
    (0..count).map(|_| Err(odd("append", &error.to_string()))).collect()
}
