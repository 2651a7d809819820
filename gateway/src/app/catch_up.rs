//! Finds out, at the start, whether the store has been used at a later time than the machine's clock shows now.
//!
//! It has when the clock was ahead once and was set back since: what was to be tried again in a minute would wait for
//! as long as the clock was wrong. The gateway then goes by the store's time. See decision 7.

use std::sync::Arc;

use tidegate_queue::{Error, LeaseRequest, Queue};

use crate::clock::{Ahead, Clock, SystemClock};
use crate::config::{Backend, Config};

/// A finer answer is not needed, and would take longer to find.
const STEP_MIN_MS: u64 = 60_000;
/// A clock that was wrong by more than this says nothing.
const AHEAD_MAX_MS: u64 = 10 * 365 * 86_400_000;

/// The machine's clock; with SQLite at the store's time, where that is ahead. A Redis goes by its server's clock.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn clock(config: &Config, queue: &dyn Queue) -> Result<Arc<dyn Clock>, Error> {
    let Backend::Sqlite { .. } = &config.store.backend else { return Ok(Arc::new(SystemClock)) };
    let names = config.destinations.iter().map(|destination| destination.name.as_str());
    let (now_ms, wait_max_ms) = (SystemClock.steady_ms(), config.delivery.backoff_max_ms);
    let by_ms = ahead_ms(queue, names, now_ms, wait_max_ms).await?;
    if by_ms > 0 {
        let by_s = by_ms / 1_000;
        tracing::warn!("the machine's clock has been set back since the last start: retries wait {by_s} s less");
    }
    Ok(Arc::new(Ahead { clock: SystemClock, by_ms }))
}

/// By how much the store is ahead of `now_ms`: nothing in it may be due later than the longest wait from now.
///
/// # Errors
/// When the store cannot be read.
async fn ahead_ms(
    queue: &dyn Queue,
    destinations: impl Iterator<Item = &str>,
    now_ms: u64,
    wait_max_ms: u64,
) -> Result<u64, Error> {
    let mut ahead_ms = 0;
    for destination in destinations {
        let mut horizon_ms = now_ms.saturating_add(wait_max_ms);
        while let Some(due_ms) = next_due(queue, destination, horizon_ms).await? {
            ahead_ms = ahead_ms.max(due_ms.saturating_sub(now_ms.saturating_add(wait_max_ms)));
            if ahead_ms >= AHEAD_MAX_MS {
                return Ok(AHEAD_MAX_MS);
            }
            horizon_ms = due_ms.saturating_add(wait_max_ms.max(STEP_MIN_MS));
        }
    }
    // The last one found may have others up to a step behind it.
    Ok(if ahead_ms > 0 { ahead_ms.saturating_add(wait_max_ms.max(STEP_MIN_MS)) } else { 0 })
}

/// When the first delivery is due after that time; leases nothing.
async fn next_due(queue: &dyn Queue, destination: &str, after_ms: u64) -> Result<Option<u64>, Error> {
    let request = LeaseRequest {
        destination: destination.to_owned(),
        count_max: 0,
        bytes_max: 0,
        now_ms: after_ms,
        until_ms: after_ms,
    };
    Ok(queue.lease(request).await?.next_due_ms)
}
