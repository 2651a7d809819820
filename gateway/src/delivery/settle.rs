//! Settles: gathers what attempts led to, so that outcomes which come while one commit is under way share the next.
//!
//! A request's slot is free when its outcome is on the disk, and not before: what a crash makes the gateway send again
//! is never more than the destination's concurrency. While the store is away nothing more is sent, and the outcomes
//! are kept for as long as their leases last.

use std::sync::Arc;
use std::time::Duration;

use tidegate_queue::{Attempt, Error, Queue, Settled};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use crate::causes::chain;
use crate::ending::Ending;

/// Requests whose outcomes one commit takes.
const GROUP_MAX: usize = 64;
/// How often outcomes are offered to a store that is away, and after which pauses: 16 s in all, less than what is left
/// of a lease.
const PAUSES_MS: [u64; 9] = [50, 100, 250, 600, 1_000, 2_000, 4_000, 4_000, 4_000];

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
    slot: Option<OwnedSemaphorePermit>,
}

impl Settler {
    /// Starts a destination's settler.
    pub(super) fn start(destination: &str, queue: Arc<dyn Queue>, ending: &Ending) -> Settler {
        let (outcomes, waiting) = mpsc::channel(GROUP_MAX);
        let settling = Settling { name: destination.to_owned(), queue, give_up: ending.give_up.clone() };
        ending.tracker.spawn(settling.run(waiting));
        Settler { outcomes }
    }

    /// Leaves what a request led to.
    pub(super) async fn settle(&self, attempts: Vec<Attempt>, slot: OwnedSemaphorePermit) {
        self.leave(Outcomes { attempts, slot: Some(slot) }).await;
    }

    /// Leaves outcomes that no request was made for.
    pub(super) async fn settle_unsent(&self, attempts: Vec<Attempt>) {
        if !attempts.is_empty() {
            self.leave(Outcomes { attempts, slot: None }).await;
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
    give_up: CancellationToken,
}

impl Settling {
    async fn run(self, mut waiting: mpsc::Receiver<Outcomes>) {
        loop {
            let mut group = Vec::new();
            if waiting.recv_many(&mut group, GROUP_MAX).await == 0 {
                return;
            }
            let (attempts, slots): (Vec<_>, Vec<_>) = group.into_iter().map(|one| (one.attempts, one.slot)).unzip();
            self.settle(attempts.into_iter().flatten().collect()).await;
            drop(slots);
        }
    }

    async fn settle(&self, attempts: Vec<Attempt>) {
        let (name, count) = (&self.name, attempts.len());
        let mut pauses = PAUSES_MS.into_iter();
        loop {
            let error = match self.queue.settle(attempts.clone()).await {
                Ok(settled) => {
                    let lost = settled.iter().filter(|settled| **settled == Settled::LeaseLost).count();
                    if lost > 0 {
                        tracing::warn!(destination.name = %name, "{lost} of {count} leases of `{name}` were lost");
                    }
                    return;
                }
                Err(error) => error,
            };
            let pause_ms = pauses.next().filter(|_| matches!(error, Error::Unavailable { .. }));
            let Some(pause_ms) = pause_ms.filter(|_| !self.give_up.is_cancelled()) else {
                // The leases end by themselves, and the deliveries are made again: at least once, never less.
                let why = chain(&error);
                tracing::error!(destination.name = %name, "could not settle {count} attempts of `{name}`: {why}");
                return;
            };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
                () = self.give_up.cancelled() => {}
            }
        }
    }
}
