//! Hands what a request stores to the queue, bounded in bytes and in time: a store that is slow or away makes clients
//! wait a little, then try later; it never fills the memory.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tidegate_queue::{Appended, Entry, Error, Queue};
use tokio::sync::Semaphore;

/// The queue as the journey uses it.
pub struct Intake {
    queue: Arc<dyn Queue>,
    /// A permit for each KiB that may wait.
    room: Semaphore,
    room_kib: u32,
    bounds: Bounds,
}

/// How much may wait for the store, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub bytes_max: usize,
    pub timeout: Duration,
}

/// Why the store was not waited for.
#[derive(Debug, thiserror::Error)]
enum Slow {
    #[error("more than {0} bytes wait for it already")]
    Busy(usize),
    #[error("it did not answer within {0} ms")]
    Late(u128),
}

impl Intake {
    pub fn new(queue: Arc<dyn Queue>, bounds: Bounds) -> Intake {
        let room_kib = kib(bounds.bytes_max);
        Intake { queue, room: Semaphore::new(room_kib as usize), room_kib, bounds }
    }

    pub fn queue(&self) -> &dyn Queue {
        self.queue.as_ref()
    }

    /// Appends all entries of a request together, so that they share commits; resolves after all are durable.
    ///
    /// # Errors
    /// When one of them was not stored, or that is not known: others may have been. At once when too much waits.
    pub async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, Error> {
        let bytes = entries.iter().map(size).sum();
        // A request that is larger than all there is waits for itself alone.
        let wanted = kib(bytes).min(self.room_kib);
        let busy = |_| unavailable("append", Slow::Busy(self.bounds.bytes_max));
        let _room = self.room.try_acquire_many(wanted).map_err(busy)?;
        let appending = entries.into_iter().map(|entry| self.queue.append(entry));
        self.in_time("append", async { try_join_all(appending).await }).await
    }

    /// Waits for the store for as long as a client should.
    ///
    /// # Errors
    /// As the operation's, and when the time is over: whether it took effect is unknown then.
    pub async fn in_time<T>(
        &self,
        name: &'static str,
        operation: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let late = |_| unavailable(name, Slow::Late(self.bounds.timeout.as_millis()));
        tokio::time::timeout(self.bounds.timeout, operation).await.map_err(late)?
    }
}

fn unavailable(operation: &'static str, slow: Slow) -> Error {
    Error::Unavailable { operation, source: Box::new(slow) }
}

/// At least one.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3)
}

fn size(entry: &Entry) -> usize {
    let deliveries: usize = entry.deliveries.iter().map(|delivery| delivery.payload.len()).sum();
    let fields = entry.profile.iter().flat_map(|patch| &patch.fields);
    entry.record.len() + deliveries + fields.map(|field| field.value.len()).sum::<usize>()
}
