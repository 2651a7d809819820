//! Settles: gathers what attempts led to, so that outcomes which come while one commit is under way share the next.
//!
//! A request's slot is free when its outcome is on the disk, and not before: what a crash makes the gateway send again
//! is never more than the destination's concurrency.

use std::sync::Arc;

use tidegate_queue::{Attempt, Queue, Settled};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::task::TaskTracker;

use crate::causes::chain;

/// Requests whose outcomes one commit takes.
const GROUP_MAX: usize = 64;

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
    pub(super) fn start(destination: &str, queue: Arc<dyn Queue>, tracker: &TaskTracker) -> Settler {
        let (outcomes, waiting) = mpsc::channel(GROUP_MAX);
        tracker.spawn(run(destination.to_owned(), queue, waiting));
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

async fn run(name: String, queue: Arc<dyn Queue>, mut waiting: mpsc::Receiver<Outcomes>) {
    loop {
        let mut group = Vec::new();
        if waiting.recv_many(&mut group, GROUP_MAX).await == 0 {
            return;
        }
        let (attempts, slots): (Vec<_>, Vec<_>) = group.into_iter().map(|one| (one.attempts, one.slot)).unzip();
        let attempts: Vec<Attempt> = attempts.into_iter().flatten().collect();
        let count = attempts.len();
        match queue.settle(attempts).await {
            Ok(settled) => {
                let lost = settled.iter().filter(|settled| **settled == Settled::LeaseLost).count();
                if lost > 0 {
                    tracing::warn!(destination.name = %name, "{lost} of {count} leases of `{name}` were lost");
                }
            }
            // The leases end by themselves, and the deliveries are made again: at least once, never less.
            Err(error) => {
                let why = chain(&error);
                tracing::error!(destination.name = %name, "could not settle {count} attempts of `{name}`: {why}");
            }
        }
        drop(slots);
    }
}
