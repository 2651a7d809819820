//! Entries put into a queue directly, past the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::Context as _;
use tidegate_queue::{Appended, DeliveryKey, Entry, EntryKey, NewDelivery, NewState, Queue};
use tokio::task::JoinSet;

use crate::load::event_id;

/// What each entry is made of.
#[derive(Debug, Clone)]
pub(crate) struct Like {
    pub(crate) destination: String,
    pub(crate) record: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

/// The machine's time, as the queue takes it.
pub(crate) fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a benchmark has no other clock than the machine's")]
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Appends entries `from..to`, so many at a time.
pub(crate) async fn fill(queue: &Arc<dyn Queue>, like: &Like, numbers: [u64; 2], tasks: u64) -> anyhow::Result<()> {
    let [from, to] = numbers;
    let (next, like) = (Arc::new(AtomicU64::new(from)), Arc::new(like.clone()));
    let mut appending = JoinSet::new();
    for _ in 0..tasks {
        let (queue, next, like) = (Arc::clone(queue), Arc::clone(&next), Arc::clone(&like));
        appending.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= to {
                    return anyhow::Ok(());
                }
                let appended = queue.append(entry(&like, n)).await.context("append")?;
                anyhow::ensure!(appended == Appended::Stored, "entry {n} was there already");
            }
        });
    }
    while let Some(done) = appending.join_next().await {
        done??;
    }
    Ok(())
}

fn entry(like: &Like, n: u64) -> Entry {
    let now_ms = now_ms();
    let delivery = NewDelivery {
        key: delivery_key(now_ms, n),
        destination: like.destination.clone(),
        payload: like.payload.clone(),
        state: NewState::Due(now_ms),
    };
    Entry {
        key: EntryKey { scope: "shop".into(), id: event_id(n) },
        affinity: format!("visitor-{n}"),
        received_ms: now_ms,
        now_ms,
        record: like.record.clone(),
        deliveries: vec![delivery],
        profile: Vec::new(),
    }
}

/// As a UUID of version 7 sorts: by time, then by what tells it from others.
fn delivery_key(now_ms: u64, n: u64) -> DeliveryKey {
    let mut key = [0; 16];
    key[..6].copy_from_slice(&now_ms.to_be_bytes()[2..]);
    key[8..].copy_from_slice(&n.to_be_bytes());
    DeliveryKey(key)
}
