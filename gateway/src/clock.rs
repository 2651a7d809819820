//! Time and new ids, as a seam: everything else takes them from here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// Where time and ids come from.
pub trait Clock: Send + Sync + 'static {
    /// Now, in Unix milliseconds.
    fn now_ms(&self) -> u64;

    /// A new id; a later one sorts after an earlier one.
    fn new_id(&self) -> Uuid;
}

/// The machine's clock, and UUIDs of version 7.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes")]
    fn now_ms(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// A clock that a test moves by hand; its ids count.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicU64,
    ids: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `now_ms`.
    pub fn at(now_ms: u64) -> ManualClock {
        ManualClock { now_ms: AtomicU64::new(now_ms), ids: AtomicU64::new(0) }
    }

    /// Moves the clock on.
    pub fn advance_ms(&self, by_ms: u64) {
        self.now_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn new_id(&self) -> Uuid {
        let count = self.ids.fetch_add(1, Ordering::Relaxed);
        uuid::Builder::from_unix_timestamp_millis(self.now_ms(), &count_bytes(count)).into_uuid()
    }
}

fn count_bytes(count: u64) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&count.to_be_bytes());
    bytes
}
