//! A destination's worker: leases what is due, merges it, and lets attempts run, up to the destination's concurrency.
//!
//! Owns the rhythm: lingering for a fuller batch, pausing when the platform asks, stopping when the gateway does. What
//! is under way at the end is finished within a bound; what was leased and not begun is given back.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_plugin_sdk::manifest::Join;
use tidegate_queue::{Attempt, Lease, LeaseRequest, Outcome, Queue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::attempt::{Attempted, Attempting};
use super::egress::Sender;
use super::merge::{self, Load, Parcel};
use super::retry;
use super::settle::Settler;
use super::state::State;
use crate::causes::chain;
use crate::clock::Clock;
use crate::destination::Destination;
use crate::record::{self, AttemptRecord, ToSend};

/// What a worker is made of.
pub struct Worker {
    pub destination: Arc<Destination>,
    pub policy: retry::Policy,
    pub state: Arc<State>,
    pub queue: Arc<dyn Queue>,
    pub sender: Arc<dyn Sender>,
    pub clock: Arc<dyn Clock>,
    pub response_bytes_max: usize,
    /// A permit for each request whose outcome is not on the disk yet: the destination's concurrency.
    pub requests: Arc<Semaphore>,
    /// Cancelled when the gateway stops.
    pub stop: CancellationToken,
    pub tracker: TaskTracker,
}

/// Without news the worker looks all the same: another process may have put something back.
const POLL_MS: u64 = 1_000;
/// The store is away: looking more often would not bring it back.
const STORE_PAUSE_MS: u64 = 1_000;
/// Added to a lease beyond all that its attempts may take.
const LEASE_MARGIN_MS: u64 = 60_000;
/// For a destination that takes one event a request: how many are leased at once.
const SINGLES_MAX: usize = 64;
const LEASE_BYTES_MAX: usize = 4 << 20;

impl Worker {
    /// Works until the gateway stops.
    pub async fn run(self) {
        // As many leases as requests: what is slow in some of them holds up nothing that arrives later.
        let slots = Arc::new(Semaphore::new(self.destination.concurrency.max(1)));
        let settler = Settler::start(&self.destination.name, Arc::clone(&self.queue), &self.tracker);
        let worker = Arc::new(Working { worker: self, settler });
        let arrivals = worker.queue.arrivals(&worker.destination.name);
        while !worker.stop.is_cancelled() {
            let permit = tokio::select! {
                () = worker.stop.cancelled() => break,
                permit = Arc::clone(&slots).acquire_owned() => permit,
            };
            let Ok(permit) = permit else { break };
            let now_ms = worker.clock.now_ms();
            let wait_ms = match worker.state.held_until(now_ms) {
                Some(until_ms) => (until_ms - now_ms).min(POLL_MS),
                None => match worker.lease(now_ms).await {
                    Taken::Some(leases) => {
                        worker.start(leases, permit);
                        continue;
                    }
                    Taken::Nothing(wait_ms) => wait_ms,
                },
            };
            drop(permit);
            tokio::select! {
                () = worker.stop.cancelled() => break,
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                () = arrivals.notified() => worker.linger().await,
            }
        }
    }
}

/// A worker at work: what it is made of, and where its outcomes go.
struct Working {
    worker: Worker,
    settler: Settler,
}

impl Deref for Working {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.worker
    }
}

impl Working {
    /// The first event of a batch waits for others.
    async fn linger(&self) {
        let linger_ms = u64::from(self.destination.batch.linger_ms);
        if linger_ms > 0 {
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_millis(linger_ms)) => {}
            }
        }
    }

    async fn lease(&self, now_ms: u64) -> Taken {
        // A parked destination is tried with one delivery: the rest would only be refused too.
        let count_max = match (&self.destination.batch.join, self.state.parked()) {
            (_, Some(_)) => 1,
            (Join::None, None) => SINGLES_MAX,
            (_, None) => self.destination.batch.events_max as usize,
        };
        let lease_ms = self.destination.timeout_ms.saturating_mul(2).saturating_add(LEASE_MARGIN_MS);
        let request = LeaseRequest {
            destination: self.destination.name.clone(),
            count_max,
            bytes_max: LEASE_BYTES_MAX,
            now_ms,
            until_ms: now_ms.saturating_add(lease_ms),
        };
        match self.queue.lease(request).await {
            Ok(leased) if leased.deliveries.is_empty() => {
                let due_ms = leased.next_due_ms.map_or(POLL_MS, |due_ms| due_ms.saturating_sub(now_ms));
                Taken::Nothing(due_ms.clamp(1, POLL_MS))
            }
            Ok(leased) => Taken::Some(Leases { leases: leased.deliveries, until_ms: now_ms + lease_ms }),
            Err(error) => {
                let name = &self.destination.name;
                tracing::warn!(destination.name = %name, "could not lease deliveries of `{name}`: {}", chain(&error));
                Taken::Nothing(STORE_PAUSE_MS)
            }
        }
    }

    /// Sends what was leased in a task of its own, which keeps the slot.
    fn start(self: &Arc<Working>, leases: Leases, permit: OwnedSemaphorePermit) {
        let worker = Arc::clone(self);
        self.tracker.spawn(async move {
            worker.work(leases).await;
            drop(permit);
        });
    }

    async fn work(&self, leases: Leases) {
        let (loads, unreadable) = self.load(leases.leases);
        self.settler.settle_unsent(unreadable).await;
        let parcels = merge::merge(&self.destination.batch, loads);
        // Singles go out side by side, each lane taking the next, so that a slow one holds up none behind it.
        let lanes = match self.destination.batch.join {
            Join::None => self.destination.concurrency.min(parcels.len()),
            Join::JsonArray(_) | Join::Ndjson => 1,
        };
        let waiting = Mutex::new(VecDeque::from(parcels));
        futures_util::future::join_all((0..lanes.max(1)).map(|_| self.lane(&waiting, leases.until_ms))).await;
    }

    async fn lane(&self, waiting: &Mutex<VecDeque<Parcel>>, until_ms: u64) {
        while !locked(waiting).is_empty() {
            let Ok(slot) = Arc::clone(&self.requests).acquire_owned().await else { return };
            let Some(parcel) = locked(waiting).pop_front() else { return };
            let now_ms = self.clock.now_ms();
            // Near its end a lease may be somebody else's before the answer is here.
            let too_late = now_ms.saturating_add(self.destination.timeout_ms) > until_ms;
            let held = self.state.held_until(now_ms).is_some();
            if too_late || held || self.stop.is_cancelled() {
                let rest = std::mem::take(&mut *locked(waiting));
                self.release(std::iter::once(parcel).chain(rest)).await;
                return;
            }
            match self.attempting().attempt(parcel).await {
                Attempted::Settled(attempts) => self.settler.settle(attempts, slot).await,
                Attempted::Split(parcels) => locked(waiting).extend(parcels),
            }
        }
    }

    /// Reads leased deliveries. One that cannot be read, is too old by now, or relies on a consent that does not cover
    /// what the destination is for by now, gets its outcome at once.
    fn load(&self, leases: Vec<Lease>) -> (Vec<Load>, Vec<Attempt>) {
        let now_ms = self.clock.now_ms();
        let mut loads = Vec::with_capacity(leases.len());
        let mut dead = Vec::new();
        for mut lease in leases {
            let payload = std::mem::take(&mut lease.payload);
            let reason = match record::read::<ToSend>(&payload) {
                Err(error) => format!("the stored delivery {error}"),
                Ok(ToSend { request: None, .. }) => "the stored delivery has no request".to_owned(),
                Ok(ToSend { consent, at_ms, index, request: Some(request) }) => {
                    let too_old = || retry::too_old(&self.policy, at_ms, now_ms);
                    match self.destination.consent_obstacle(&consent).or_else(too_old) {
                        Some(reason) => reason,
                        None => {
                            loads.push(Load { lease, at_ms, index, request });
                            continue;
                        }
                    }
                }
            };
            let record = AttemptRecord {
                v: record::VERSION,
                at_ms: now_ms,
                duration_ms: 0,
                status: None,
                verdict: format!("not sent: {reason}"),
                answer: None,
                events: 1,
            };
            let outcome = Outcome::Dead(reason);
            self.state.count(&outcome, now_ms);
            let (key, token) = (lease.key, lease.token);
            dead.push(Attempt { key, token, record: record::write(&record), at_ms: now_ms, outcome });
        }
        (loads, dead)
    }

    async fn release(&self, parcels: impl Iterator<Item = Parcel>) {
        let leases = parcels.flat_map(|parcel| parcel.parts).map(|part| (part.lease.key, part.lease.token)).collect();
        if let Err(error) = self.queue.release(leases).await {
            let name = &self.destination.name;
            tracing::warn!(destination.name = %name, "could not give leases of `{name}` back: {}", chain(&error));
        }
    }

    fn attempting(&self) -> Attempting<'_> {
        Attempting {
            destination: &self.destination,
            policy: &self.policy,
            state: &self.state,
            sender: self.sender.as_ref(),
            clock: self.clock.as_ref(),
            response_bytes_max: self.response_bytes_max,
        }
    }
}

fn locked(waiting: &Mutex<VecDeque<Parcel>>) -> MutexGuard<'_, VecDeque<Parcel>> {
    // Nothing panics while it holds the lock, and a queue is whole after any of its methods.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What asking for leases gave.
enum Taken {
    Some(Leases),
    /// Look again after this many milliseconds.
    Nothing(u64),
}

struct Leases {
    leases: Vec<Lease>,
    until_ms: u64,
}
