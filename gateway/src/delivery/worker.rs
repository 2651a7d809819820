//! A destination's worker: leases what is due, and lets it be worked on, up to the destination's concurrency.
//!
//! Owns the rhythm: lingering for a fuller batch, pausing when the platform asks or somebody has switched the
//! destination off, stopping when the gateway does, or another worker takes its place. What happens to what was leased is
//! [`super::work`]'s.

use std::sync::Arc;
use std::time::Duration;

use tidegate_queue::{LeaseRequest, Queue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::courier::Courier;
use super::retry;
use super::settle::Settler;
use super::state::State;
use super::work::{Leases, Working};
use crate::causes::chain;
use crate::clock::Clock;
use crate::destination::Destination;
use crate::ending::Ending;
use crate::ledger::Ledger;
use crate::switch::Switches;

/// What a worker is made of.
pub struct Worker {
    pub destination: Arc<Destination>,
    pub policy: retry::Policy,
    pub state: Arc<State>,
    pub queue: Arc<dyn Queue>,
    pub courier: Arc<Courier>,
    pub ledger: Arc<Ledger>,
    pub clock: Arc<dyn Clock>,
    /// How long a lease lasts without being renewed: [`lease_ms`], but for tests.
    pub lease_ms: u64,
    /// A permit for each request whose outcome is not on the disk yet: the destination's concurrency.
    pub requests: Arc<Semaphore>,
    pub switches: Switches,
    /// Its own `stop`: it may be told to end while the gateway goes on.
    pub ending: Ending,
}

/// Without news the worker looks all the same: another process may have put something back.
const POLL_MS: u64 = 1_000;
/// The store is away: looking more often would not bring it back.
pub(super) const STORE_PAUSE_MS: u64 = 1_000;
/// No lease is shorter: a store that fails over must not cost it.
const LEASE_MIN_MS: u64 = 30_000;
/// What a lease has beyond one request's time.
const LEASE_MARGIN_MS: u64 = 15_000;
/// For a destination that takes one event a request: how many are leased at once.
const SINGLES_MAX: usize = 64;
const LEASE_BYTES_MAX: usize = 4 << 20;

/// How long a lease lasts of a destination whose requests may take `timeout_ms`.
pub fn lease_ms(timeout_ms: u64) -> u64 {
    timeout_ms.saturating_add(LEASE_MARGIN_MS).max(LEASE_MIN_MS)
}

impl Worker {
    /// Works until it is told to stop.
    pub async fn run(self) {
        // As many leases as requests: what is slow in some of them holds up nothing that arrives later.
        let slots = Arc::new(Semaphore::new(self.destination.concurrency.max(1)));
        let all = u32::try_from(slots.available_permits()).unwrap_or(u32::MAX);
        let settler = Settler::start(&self);
        let worker = Arc::new(Working { worker: self, settler });
        let arrivals = worker.queue.arrivals(&worker.destination.name);
        let stop = worker.ending.stop.clone();
        let mut complained_ms = None;
        while !stop.is_cancelled() {
            if !worker.switches.lets_send(&worker.destination.name) {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = worker.switches.until_sending(&worker.destination.name) => continue,
                }
            }
            // What tries a platform that is down has all slots, so that nothing else tries it at the same time.
            let tries_alone = worker.state.wants_one();
            let permit = tokio::select! {
                () = stop.cancelled() => break,
                permit = Arc::clone(&slots).acquire_many_owned(if tries_alone { all } else { 1 }) => permit,
            };
            let Ok(permit) = permit else { break };
            if worker.state.wants_one() != tries_alone {
                continue;
            }
            let now_ms = worker.clock.steady_ms();
            let wait_ms = match worker.state.held_until(now_ms) {
                Some(until_ms) => (until_ms - now_ms).min(POLL_MS),
                None => match worker.take(now_ms, &mut complained_ms).await {
                    Taken::Some(leases) => {
                        start(&worker, leases, permit);
                        continue;
                    }
                    Taken::Nothing(wait_ms) => wait_ms,
                },
            };
            drop(permit);
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                () = worker.switches.until_stopped(&worker.destination.name) => {}
                () = arrivals.notified() => worker.linger().await,
            }
        }
    }

    /// The first event of a batch waits for others.
    async fn linger(&self) {
        let linger_ms = u64::from(self.destination.batch.linger_ms);
        if linger_ms > 0 {
            tokio::select! {
                () = self.ending.stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_millis(linger_ms)) => {}
            }
        }
    }

    async fn take(&self, now_ms: u64, complained_ms: &mut Option<u64>) -> Taken {
        let count_max = match &self.destination.batch {
            _ if self.state.wants_one() => 1,
            batch if batch.joins_any() => batch.events_max as usize,
            _ => SINGLES_MAX,
        };
        let until_ms = now_ms.saturating_add(self.lease_ms);
        let request = LeaseRequest {
            destination: self.destination.name.clone(),
            count_max,
            bytes_max: LEASE_BYTES_MAX,
            now_ms,
            until_ms,
        };
        // An answer that is not waited for may have been leases: they would wait for their end.
        let leased = tokio::select! {
            leased = self.queue.lease(request) => leased,
            () = self.ending.give_up.cancelled() => return Taken::Nothing(1),
        };
        match leased {
            Ok(leased) if leased.deliveries.is_empty() => {
                let due_ms = leased.next_due_ms.map_or(POLL_MS, |due_ms| due_ms.saturating_sub(now_ms));
                Taken::Nothing(due_ms.clamp(1, POLL_MS))
            }
            Ok(leased) => Taken::Some(Leases { leases: leased.deliveries, until_ms }),
            Err(error) => {
                // While a part of the store is away, each arrival in the rest of it finds that out again.
                if complained_ms.is_none_or(|last_ms| now_ms.saturating_sub(last_ms) >= STORE_PAUSE_MS) {
                    *complained_ms = Some(now_ms);
                    let name = &self.destination.name;
                    tracing::warn!(destination.name = %name, "could not lease deliveries of `{name}`: {}", chain(&error));
                }
                Taken::Nothing(STORE_PAUSE_MS)
            }
        }
    }
}

/// Works on what was leased in a task of its own, which keeps the slot.
fn start(worker: &Arc<Working>, leases: Leases, permit: OwnedSemaphorePermit) {
    let working = Arc::clone(worker);
    worker.ending.tracker.spawn(async move {
        working.work(leases).await;
        drop(permit);
    });
}

/// What asking for leases gave.
enum Taken {
    Some(Leases),
    /// Look again after this many milliseconds.
    Nothing(u64),
}
