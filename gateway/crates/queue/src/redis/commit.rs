//! Group commit: entries that arrive while one commit is under way share the next, and each is answered by its own
//! commit's result. On one server a commit is one transaction over all partitions; in a cluster each partition has
//! commits of its own.
//!
//! A profile may live in another partition than the entry that changes it. On one server that makes no difference. In a
//! cluster the change is stored with the entry, in its partition's outbox, then written to the profile, then taken out;
//! what a process leaves there when it dies, another one finds (`watch.rs`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::Value;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::append::{Ahead, Asked, Group, Manner, Prepared, Which};
use super::chain;
use super::keys::Keys;
use super::link::{Confirm, Lane, Link, Shape};
use super::outbox;
use super::table::Table;
use super::{Clock, Identity};
use crate::limiting::Limiting;
use crate::{Appended, Entry, Error, StoredEntry};

/// The most entries, and about the most bytes, of one commit.
const GROUP_MAX: usize = 512;
const GROUP_BYTES_MAX: usize = 1 << 20;
/// Where so many wait, their commit does not wait for the one before; up to so many are under way at once.
const AHEAD_MIN: usize = 64;
const UNDER_WAY_MAX: usize = 4;
/// How many KiB of entries wait at most, each counting one at least; further callers wait.
const ROOM_KIB: u32 = 16 << 10;

/// What commits need.
pub(super) struct Shop {
    pub(super) link: Link,
    pub(super) keys: Keys,
    pub(super) table: Arc<Table>,
    pub(super) limits: Limiting,
    pub(super) settings_news: Arc<Notify>,
    pub(super) clock: Clock,
    pub(super) identity: Identity,
    pub(super) lapses_max: u64,
    pub(super) confirm: Confirm,
    pub(super) chain: chain::Known,
}

/// Takes entries, and commits them in groups.
pub(super) struct Committer {
    /// None when it is closed.
    lanes: Mutex<Vec<mpsc::UnboundedSender<Job>>>,
    room: Arc<Semaphore>,
    shop: Arc<Shop>,
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

/// One lane: commits what has come, again and again, until nobody can send any more. While one commit is under way the
/// next gathers; only when many wait does it go ahead, so that the server has work while the last answers are read.
async fn run(shop: Arc<Shop>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut under_way = FuturesUnordered::new();
    let mut next = Gathered::default();
    let mut is_open = true;
    loop {
        let may_go = match under_way.len() {
            0 => !next.jobs.is_empty(),
            under_way => under_way < UNDER_WAY_MAX && next.jobs.len() >= AHEAD_MIN,
        };
        if may_go {
            while !next.is_full()
                && let Ok(job) = jobs.try_recv()
            {
                next.add(job);
            }
            under_way.push(answer(&shop, std::mem::take(&mut next).jobs));
            continue;
        }
        tokio::select! {
            biased;
            job = jobs.recv(), if is_open && !next.is_full() => match job {
                Some(job) => next.add(job),
                None => is_open = false,
            },
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            else => return,
        }
    }
}

/// What waits for the next commit.
#[derive(Default)]
struct Gathered {
    jobs: Vec<Job>,
    bytes: usize,
}

impl Gathered {
    fn add(&mut self, job: Job) {
        self.bytes += job.entry.bytes();
        self.jobs.push(job);
    }

    fn is_full(&self) -> bool {
        self.jobs.len() >= GROUP_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}

/// Commits a group, and answers everybody in it.
async fn answer(shop: &Shop, group: Vec<Job>) {
    let mut answers: BTreeMap<u16, Vec<(oneshot::Sender<_>, OwnedSemaphorePermit)>> = BTreeMap::new();
    let mut entries = Vec::with_capacity(group.len());
    for Job { entry, answer, _room } in group {
        answers.entry(entry.partition).or_default().push((answer, _room));
        entries.push(entry);
    }
    for (partition, results) in commit(shop, entries, Manner::Append).await {
        let waiting = answers.remove(&partition).unwrap_or_default();
        for ((answer, _), result) in waiting.into_iter().zip(results) {
            // Whoever asked may have gone meanwhile.
            let _ = answer.send(result);
        }
    }
}

/// Commits entries; gives the results of each partition's, in their order.
async fn commit(shop: &Shop, entries: Vec<Prepared>, manner: Manner) -> Vec<(u16, Vec<Result<Appended, Error>>)> {
    let mut groups: BTreeMap<u16, Group> = BTreeMap::new();
    for entry in entries {
        groups.entry(entry.partition).or_default().add(entry);
    }
    // Entries of earlier partitions in the same commit take room too.
    let mut ahead = Ahead::default();
    let (mut calls, mut asked) = (Vec::with_capacity(groups.len()), Vec::with_capacity(groups.len()));
    for (partition, group) in groups {
        let is_usual = manner == Manner::Append && group.is_usual(shop, partition);
        let script = if is_usual { Which::Usual } else { Which::Any(manner) };
        calls.push(match script {
            Which::Usual => group.usual(shop, partition, &ahead),
            Which::Any(manner) => group.any(shop, partition, manner, &ahead),
        });
        ahead.add(&group);
        asked.push((Asked { partition, script }, group));
    }
    let lane = if manner == Manner::Append { Lane::Commit } else { Lane::Work };
    let answers = shop.link.run(lane, calls, shop.confirm).await;
    let (mut all, mut left, mut again) = (Vec::with_capacity(asked.len()), Vec::new(), Vec::new());
    for ((asked, group), answer) in asked.into_iter().zip(answers) {
        match answer {
            // It was not so usual after all, and nothing of it is stored yet.
            Ok(Value::Nil) if asked.script == Which::Usual => again.push((asked.partition, group)),
            answer => all.push((asked.partition, group.results(shop, asked, answer, &mut left))),
        }
    }
    if !again.is_empty() {
        let calls = again.iter().map(|(partition, group)| group.any(shop, *partition, manner, &Ahead::default()));
        let answers = shop.link.run(lane, calls.collect(), shop.confirm).await;
        for ((partition, group), answer) in again.into_iter().zip(answers) {
            let asked = Asked { partition, script: Which::Any(manner) };
            all.push((partition, group.results(shop, asked, answer, &mut left)));
        }
    }
    // The entries are safe; a profile that cannot be written now is written by whoever looks into the outbox next.
    outbox::deliver(&shop.link, &shop.keys, left).await;
    all
}
