//! Looks after the store while the gateway runs: sweeps what has outlived its time, and notices when the store has
//! failed for good, or when somebody sets the machine's clock.

use std::sync::Arc;
use std::time::Duration;

use tidegate_queue::{Error, Queue, Retention, Swept};
use tokio::time::Instant;

use crate::causes::chain;
use crate::clock::Clock;
use crate::ending::Ending;

/// How often the store's health is looked at, and a sweep begun.
const PAUSE: Duration = Duration::from_secs(5);
/// A sweep that took a time waits this many times as long before the next: it has a fifth of the store at most.
const REST_FACTOR: u32 = 4;
const REST_MIN: Duration = Duration::from_millis(5);
/// The clock is corrected by less than this all the time.
const JUMP_MS: i64 = 60_000;
const DAY_MS: u64 = 86_400_000;

/// What housekeeping is made of.
#[derive(Clone)]
pub(super) struct Housekeeping {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) retention: Retention,
    pub(super) ending: Ending,
}

impl Housekeeping {
    /// Starts its tasks.
    pub(super) fn start(&self) {
        self.ending.tracker.spawn(self.clone().watch());
        self.ending.tracker.spawn(self.clone().sweep());
    }

    /// Stops the gateway when the store has failed for good: what it said it took, it has, and it must not go on to
    /// say so.
    async fn watch(self) {
        let mut set_by_ms = self.set_by_ms();
        while self.pause(PAUSE).await.is_some() {
            let now_set_by_ms = self.set_by_ms();
            let jumped_ms = now_set_by_ms.saturating_sub(set_by_ms);
            if jumped_ms.abs() > JUMP_MS {
                set_by_ms = now_set_by_ms;
                tracing::warn!(
                    "the machine's clock was set by {} s; retries and leases go on as before",
                    jumped_ms / 1_000
                );
            }
            let health = tokio::select! {
                health = self.queue.health() => health,
                () = self.ending.stop.cancelled() => return,
            };
            if let Err(error @ Error::Fatal { .. }) = health {
                tracing::error!("stopping, for {}", chain(&error));
                self.ending.stop.cancel();
            }
        }
    }

    async fn sweep(self) {
        let mut rest = PAUSE;
        while self.pause(rest).await.is_some() {
            // Of two times that differ the earlier deletes less.
            let now_ms = self.clock.now_ms().min(self.clock.steady_ms());
            // The ledger goes by whole days: what is counted on one is described on the same.
            let chain_ms = self.retention.chain_ms.saturating_add(now_ms % DAY_MS);
            let retention = Retention { chain_ms, ..self.retention };
            let began = Instant::now();
            let swept = tokio::select! {
                swept = self.queue.sweep(now_ms, retention) => swept,
                () = self.ending.stop.cancelled() => return,
            };
            rest = match swept {
                Ok(Swept { records: 0, fields: 0, links: 0 }) => PAUSE,
                Ok(Swept { records, fields, links }) => {
                    tracing::debug!("swept {records} old records, {fields} fields of profiles, {links} of the ledger");
                    (began.elapsed() * REST_FACTOR).clamp(REST_MIN, PAUSE)
                }
                Err(error) => {
                    tracing::warn!("could not sweep the store: {}", chain(&error));
                    PAUSE
                }
            };
        }
    }

    /// `None` when the gateway stops.
    async fn pause(&self, pause: Duration) -> Option<()> {
        tokio::select! {
            () = self.ending.stop.cancelled() => None,
            () = tokio::time::sleep(pause) => Some(()),
        }
    }

    fn set_by_ms(&self) -> i64 {
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        signed(self.clock.now_ms()).saturating_sub(signed(self.clock.steady_ms()))
    }
}
