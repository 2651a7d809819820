//! Settles: gathers what attempts led to, so that outcomes which come while one commit is under way share the next.
//!
//! A request's slot is free when its outcome is on the disk, and not before: what a crash makes the gateway send again
//! is never more than the destination's concurrency. While the store is away the outcomes are kept, with their slots and
//! their leases, and offered again until it is back or the gateway ends.

use std::sync::Arc;
use std::time::Duration;

use tidegate_queue::{Attempt, DeliveryKey, Error, LeaseToken, Queue, Renewal, Settled};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use super::worker::Worker;
use crate::causes::chain;
use crate::clock::Clock;

/// Requests whose outcomes one commit takes.
const GROUP_MAX: usize = 64;
/// After which pauses outcomes are offered to a store that is away at first, 16 s in all; then it is said aloud.
const PAUSES_MS: [u64; 9] = [50, 100, 250, 600, 1_000, 2_000, 4_000, 4_000, 4_000];
/// After which pause from then on: short beside what is left of a lease.
const PAUSE_MAX_MS: u64 = 4_000;
/// Requests whose outcomes are kept for a store that is away: as many as a destination may have under way.
const HELD_MAX: usize = 1_024;

/// Where one destination's attempts leave their outcomes. When the last clone is gone, what is left is settled and the
/// settler ends.
#[derive(Debug, Clone)]
pub(super) struct Settler {
    outcomes: mpsc::Sender<Outcomes>,
}

/// What one request led to, with the slot that it holds.
#[derive(Debug)]
struct Outcomes {
    attempts: Vec<Attempt>,
    /// Free when this is dropped.
    _slot: Option<OwnedSemaphorePermit>,
}

impl Settler {
    /// Starts a destination's settler.
    pub(super) fn start(worker: &Worker) -> Settler {
        let (outcomes, waiting) = mpsc::channel(GROUP_MAX);
        let settling = Settling {
            name: worker.destination.name.clone(),
            queue: Arc::clone(&worker.queue),
            clock: Arc::clone(&worker.clock),
            lease_ms: worker.lease_ms,
            give_up: worker.ending.give_up.clone(),
        };
        worker.ending.tracker.spawn(settling.run(waiting));
        Settler { outcomes }
    }

    /// Leaves what a request led to.
    pub(super) async fn settle(&self, attempts: Vec<Attempt>, slot: OwnedSemaphorePermit) {
        self.leave(Outcomes { attempts, _slot: Some(slot) }).await;
    }

    /// Leaves outcomes that no request was made for.
    pub(super) async fn settle_unsent(&self, attempts: Vec<Attempt>) {
        if !attempts.is_empty() {
            self.leave(Outcomes { attempts, _slot: None }).await;
        }
    }

    async fn leave(&self, outcomes: Outcomes) {
        // The settler lives for as long as anybody can ask it; were it gone, the leases would end by themselves.
        let _ = self.outcomes.send(outcomes).await;
    }
}

struct Settling {
    name: String,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    lease_ms: u64,
    give_up: CancellationToken,
}

/// What one offer to the store came to.
enum Offered {
    /// The store has answered, or there is no use in offering it again.
    Done,
    Away,
}

impl Settling {
    async fn run(self, mut waiting: mpsc::Receiver<Outcomes>) {
        loop {
            let mut group = Vec::new();
            if waiting.recv_many(&mut group, GROUP_MAX).await == 0 {
                return;
            }
            self.settle(group, &mut waiting).await;
        }
    }

    /// Offers outcomes to the store until it answers; what comes meanwhile goes along.
    async fn settle(&self, mut group: Vec<Outcomes>, waiting: &mut mpsc::Receiver<Outcomes>) {
        let mut pauses = PAUSES_MS.into_iter();
        let mut may_come = true;
        loop {
            let is_last = self.give_up.is_cancelled();
            let attempts: Vec<_> = group.iter().flat_map(|one| one.attempts.iter().cloned()).collect();
            let leases = attempts.iter().map(|attempt| (attempt.key, attempt.token)).collect();
            if let Offered::Done = self.offer(attempts, pauses.len(), is_last).await {
                return;
            }
            self.renew(leases).await;
            let pause = tokio::time::sleep(Duration::from_millis(pauses.next().unwrap_or(PAUSE_MAX_MS)));
            tokio::pin!(pause);
            loop {
                let room = HELD_MAX.saturating_sub(group.len());
                tokio::select! {
                    () = &mut pause => break,
                    () = self.give_up.cancelled() => break,
                    count = waiting.recv_many(&mut group, room), if may_come && room > 0 => may_come = count > 0,
                }
            }
        }
    }

    async fn offer(&self, attempts: Vec<Attempt>, pauses: usize, is_last: bool) -> Offered {
        let (name, count) = (&self.name, attempts.len());
        let error = match self.queue.settle(attempts).await {
            Ok(settled) => {
                let lost = settled.iter().filter(|settled| **settled == Settled::LeaseLost).count();
                if lost > 0 {
                    tracing::warn!(destination.name = %name, "{lost} of {count} leases of `{name}` were lost");
                }
                return Offered::Done;
            }
            Err(error) => error,
        };
        let why = chain(&error);
        if is_last || !matches!(error, Error::Unavailable { .. }) {
            // The leases end by themselves, and the deliveries are made again: at least once, never less.
            tracing::error!(destination.name = %name, "could not settle {count} attempts of `{name}`: {why}");
            return Offered::Done;
        }
        if pauses == 1 {
            tracing::error!(
                destination.name = %name,
                "{count} attempts of `{name}` cannot be settled, which is tried on: {why}"
            );
        }
        Offered::Away
    }

    /// Keeps the leases while their outcomes cannot be stored: what has been sent is not to be sent again. The file's
    /// are in memory, and go on; those of a shared store that is away may end there.
    async fn renew(&self, leases: Vec<(DeliveryKey, LeaseToken)>) {
        let now_ms = self.clock.steady_ms();
        let renewal = Renewal { leases, now_ms, until_ms: now_ms.saturating_add(self.lease_ms) };
        // Whether they were kept is told when they are settled.
        let _ = self.queue.renew(renewal).await;
    }
}
