//! Settles: gathers what attempts led to, so that outcomes which come while one commit is under way share the next.
//!
//! A request's slot is free as soon as its answer is understood; it does not wait for the disk.

use std::sync::Arc;

use tidegate_queue::{Attempt, Queue, Settled};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::causes::chain;

/// Outcomes that may wait for a commit; more hold up the attempts that they come from.
const WAITING_MAX: usize = 1_024;
/// Outcomes in one commit.
const GROUP_MAX: usize = 512;

/// Where one destination's attempts leave their outcomes. When the last clone is gone, what is left is settled and the
/// settler ends.
#[derive(Debug, Clone)]
pub(super) struct Settler {
    outcomes: mpsc::Sender<Attempt>,
}

impl Settler {
    /// Starts a destination's settler.
    pub(super) fn start(destination: &str, queue: Arc<dyn Queue>, tracker: &TaskTracker) -> Settler {
        let (outcomes, waiting) = mpsc::channel(WAITING_MAX);
        tracker.spawn(run(destination.to_owned(), queue, waiting));
        Settler { outcomes }
    }

    /// Leaves outcomes to be settled.
    pub(super) async fn settle(&self, attempts: Vec<Attempt>) {
        for attempt in attempts {
            // The settler lives for as long as anybody can ask it.
            if self.outcomes.send(attempt).await.is_err() {
                return;
            }
        }
    }
}

async fn run(name: String, queue: Arc<dyn Queue>, mut waiting: mpsc::Receiver<Attempt>) {
    loop {
        let mut group = Vec::new();
        if waiting.recv_many(&mut group, GROUP_MAX).await == 0 {
            return;
        }
        let count = group.len();
        match queue.settle(group).await {
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
    }
}
