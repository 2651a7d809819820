//! What this process knows of the partitions: where something may be due, what waits, which leases it has. Kept up by
//! the answers of scripts, by what other processes tell, and by a look at each partition from time to time.
//!
//! Knowing too little costs a delay, never a delivery: the truth is in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::{DeliveryKey, LeaseToken};

/// A time that never comes.
const NEVER: u64 = u64::MAX;
/// Leases that were neither settled nor given back are forgotten here that long after their end.
const FORGET_MS: u64 = 600_000;
/// Beyond so many leases, those that have long ended are looked for.
const HELD_MAX: usize = 100_000;

/// The table of one process. Times are those of the clock that counts, the server's as a rule.
pub(super) struct Table {
    inner: Mutex<Inner>,
}

struct Inner {
    partitions: u16,
    /// The clock that counts minus the caller's.
    offset_ms: i64,
    /// How many wait, for each partition.
    waiting: Vec<u64>,
    lanes: HashMap<Arc<str>, Lane>,
    held: HashMap<DeliveryKey, Held>,
    /// The received time of the oldest entry, for each partition; 0 where nobody has looked yet.
    oldest_ms: Vec<u64>,
    /// How many old entries have to stay, as the sweep under way has found, for each partition.
    staying: Vec<usize>,
}

/// One destination.
struct Lane {
    arrivals: Arc<Notify>,
    looks: Vec<Look>,
    waiting: Vec<u64>,
    /// Where the next search begins, so that all partitions have their turn.
    turn: usize,
}

/// What is known of a destination in a partition.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// Something may be due already.
    now: bool,
    /// When the next becomes due.
    due_ms: u64,
    /// When the first lease ends.
    end_ms: u64,
}

/// A lease that this process has.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub token: LeaseToken,
    pub partition: u16,
    pub destination: Arc<str>,
    /// Its attempt was recorded, but the caller was told that something had failed, and comes again.
    pub is_recorded: bool,
    until_ms: u64,
}

/// What an answer told of a destination in a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub more: bool,
    pub due_ms: Option<u64>,
    pub end_ms: Option<u64>,
    pub waiting: u64,
}

impl Table {
    pub(super) fn new(partitions: u16) -> Table {
        let count = usize::from(partitions);
        let inner = Inner {
            partitions,
            offset_ms: 0,
            waiting: vec![0; count],
            lanes: HashMap::new(),
            held: HashMap::new(),
            oldest_ms: vec![0; count],
            staying: vec![0; count],
        };
        Table { inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole before anything could panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn arrivals(&self, destination: &str) -> Arc<Notify> {
        Arc::clone(&self.lock().lane(destination).arrivals)
    }

    /// All destinations that anybody asked for or that were found.
    pub(super) fn destinations(&self) -> Vec<Arc<str>> {
        self.lock().lanes.keys().cloned().collect()
    }

    /// What the answer told of the clock that counts.
    pub(super) fn set_clock(&self, counts_ms: u64, caller_ms: u64) {
        self.lock().offset_ms = counts_ms as i64 - caller_ms as i64;
    }

    /// A time of the caller's by the clock that counts.
    pub(super) fn counted(&self, caller_ms: u64) -> u64 {
        self.lock().counts(caller_ms)
    }

    /// Up to `width` partitions where something may be due for the destination. Whoever takes them has to tell what it
    /// found, or that it failed.
    pub(super) fn take_due(&self, destination: &str, caller_ms: u64, width: usize) -> Vec<u16> {
        let mut inner = self.lock();
        let now_ms = inner.counts(caller_ms);
        let lane = inner.lane(destination);
        let count = lane.looks.len();
        let mut taken = Vec::new();
        for step in 0..count {
            let at = (lane.turn + step) % count;
            let look = &mut lane.looks[at];
            if look.now || look.due_ms <= now_ms || look.end_ms <= now_ms {
                *look = Look { now: false, due_ms: NEVER, end_ms: NEVER };
                taken.push(at as u16);
                if taken.len() == width {
                    break;
                }
            }
        }
        if let Some(last) = taken.last() {
            lane.turn = (usize::from(*last) + 1) % count;
        }
        taken
    }

    /// What a partition that was taken holds. What has come meanwhile stays known.
    pub(super) fn told(&self, destination: &str, partition: u16, told: Told) {
        let mut inner = self.lock();
        let lane = inner.lane(destination);
        let at = usize::from(partition);
        lane.waiting[at] = told.waiting;
        let look = &mut lane.looks[at];
        look.now |= told.more;
        look.due_ms = look.due_ms.min(told.due_ms.unwrap_or(NEVER));
        look.end_ms = look.end_ms.min(told.end_ms.unwrap_or(NEVER));
    }

    /// A partition that was taken has to be looked at again.
    pub(super) fn failed(&self, destination: &str, partition: u16) {
        self.lock().lane(destination).looks[usize::from(partition)].now = true;
    }

    /// Something comes due in a partition: 0 is at once.
    pub(super) fn news(&self, destination: &str, partition: u16, due_ms: u64) {
        let mut inner = self.lock();
        if partition >= inner.partitions {
            return;
        }
        let lane = inner.lane(destination);
        let look = &mut lane.looks[usize::from(partition)];
        if due_ms == 0 {
            look.now = true;
        } else {
            look.due_ms = look.due_ms.min(due_ms);
        }
        lane.arrivals.notify_one();
    }

    /// Anything may have happened: everything has to be looked at.
    pub(super) fn doubt_all(&self) {
        let mut inner = self.lock();
        for lane in inner.lanes.values_mut() {
            lane.looks.iter_mut().for_each(|look| look.now = true);
            lane.arrivals.notify_one();
        }
    }

    /// When the next delivery becomes due, in the caller's time.
    pub(super) fn next_due(&self, destination: &str, caller_ms: u64) -> Option<u64> {
        let mut inner = self.lock();
        let now_ms = inner.counts(caller_ms);
        let offset_ms = inner.offset_ms;
        let dues = inner.lane(destination).looks.iter().map(|look| look.due_ms);
        let next = dues.filter(|due_ms| *due_ms > now_ms && *due_ms != NEVER).min()?;
        Some(next.saturating_add_signed(-offset_ms))
    }

    pub(super) fn hold(&self, key: DeliveryKey, token: LeaseToken, partition: u16, destination: &str, until_ms: u64) {
        let mut inner = self.lock();
        let destination = inner.name(destination);
        if inner.held.len() >= HELD_MAX {
            inner.held.retain(|_, held| held.until_ms.saturating_add(FORGET_MS) > until_ms);
        }
        inner.held.insert(key, Held { token, partition, destination, is_recorded: false, until_ms });
    }

    /// The lease, if it is this one that this process has.
    pub(super) fn held(&self, key: &DeliveryKey, token: LeaseToken) -> Option<Held> {
        self.lock().held.get(key).filter(|held| held.token == token).cloned()
    }

    /// The attempt of the lease was recorded, though whoever settles it will hear that something failed.
    pub(super) fn note_recorded(&self, key: &DeliveryKey, token: LeaseToken) {
        if let Some(held) = self.lock().held.get_mut(key).filter(|held| held.token == token) {
            held.is_recorded = true;
        }
    }

    /// The lease has ended.
    pub(super) fn let_go(&self, key: &DeliveryKey, token: LeaseToken) {
        let mut inner = self.lock();
        if inner.held.get(key).is_some_and(|held| held.token == token) {
            inner.held.remove(key);
        }
    }

    pub(super) fn set_waiting(&self, partition: u16, waiting: u64) {
        self.lock().waiting[usize::from(partition)] = waiting;
    }

    pub(super) fn set_waiting_for(&self, partition: u16, destination: &str, waiting: u64) {
        self.lock().lane(destination).waiting[usize::from(partition)] = waiting;
    }

    pub(super) fn waiting(&self) -> u64 {
        self.lock().waiting.iter().sum()
    }

    /// How many wait in the other partitions.
    pub(super) fn waiting_elsewhere(&self, partition: u16) -> u64 {
        let inner = self.lock();
        inner.waiting.iter().sum::<u64>() - inner.waiting[usize::from(partition)]
    }

    pub(super) fn waiting_for(&self, destination: &str) -> u64 {
        self.lock().lane(destination).waiting.iter().sum()
    }

    pub(super) fn waiting_elsewhere_for(&self, partition: u16, destination: &str) -> u64 {
        let mut inner = self.lock();
        let lane = inner.lane(destination);
        lane.waiting.iter().sum::<u64>() - lane.waiting[usize::from(partition)]
    }

    /// The received time of the oldest entry of a partition; `None` where there is none.
    pub(super) fn set_oldest(&self, partition: u16, oldest_ms: Option<u64>) {
        self.lock().oldest_ms[usize::from(partition)] = oldest_ms.unwrap_or(NEVER);
    }

    pub(super) fn stored(&self, partition: u16, received_ms: u64) {
        let oldest_ms = &mut self.lock().oldest_ms[usize::from(partition)];
        *oldest_ms = (*oldest_ms).min(received_ms);
    }

    /// Partitions whose oldest entry is older than that, or where nobody has looked yet, with how many stay.
    pub(super) fn older_than(&self, before_ms: u64) -> Vec<(u16, usize)> {
        let inner = self.lock();
        let old = (0..inner.partitions).filter(|at| inner.oldest_ms[usize::from(*at)] < before_ms.max(1));
        old.map(|at| (at, inner.staying[usize::from(at)])).collect()
    }

    pub(super) fn set_staying(&self, partition: u16, staying: usize) {
        self.lock().staying[usize::from(partition)] = staying;
    }
}

impl Inner {
    fn counts(&self, caller_ms: u64) -> u64 {
        caller_ms.saturating_add_signed(self.offset_ms)
    }

    fn name(&mut self, destination: &str) -> Arc<str> {
        match self.lanes.get_key_value(destination) {
            Some((name, _)) => Arc::clone(name),
            None => destination.into(),
        }
    }

    fn lane(&mut self, destination: &str) -> &mut Lane {
        let name = self.name(destination);
        let count = usize::from(self.partitions);
        self.lanes.entry(name).or_insert_with(|| Lane {
            arrivals: Arc::default(),
            looks: vec![Look { now: true, due_ms: NEVER, end_ms: NEVER }; count],
            waiting: vec![0; count],
            turn: 0,
        })
    }
}
