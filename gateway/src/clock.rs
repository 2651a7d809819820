//! Time and new ids, as a seam: everything else takes them from here.
//!
//! There are two times, both in Unix milliseconds. What happened is told by the machine's clock, which a person or NTP
//! may set: [`Clock::now_ms`]. What is waited for is told by a time that never jumps: [`Clock::steady_ms`].

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

/// Where time and ids come from.
pub trait Clock: Send + Sync + 'static {
    /// Now by the machine's clock, in Unix milliseconds: for what is told to platforms and people. It may jump.
    fn now_ms(&self) -> u64;

    /// Now for waiting: leases, retries, pauses, limits. Never goes back and never jumps; where the machine's clock
    /// has been set since the start, it differs from [`Clock::now_ms`].
    fn steady_ms(&self) -> u64;

    /// A new id; a later one sorts after an earlier one.
    fn new_id(&self) -> Uuid;
}

/// The machine's clock, and UUIDs of version 7.
#[derive(Debug, Default)]
pub struct SystemClock;

/// When this process first asked, by both clocks.
static START: LazyLock<(Instant, u64)> = LazyLock::new(start);

#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes")]
fn start() -> (Instant, u64) {
    (Instant::now(), SystemClock.now_ms())
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes")]
    fn now_ms(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    fn steady_ms(&self) -> u64 {
        let (started, started_ms) = *START;
        started_ms.saturating_add(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// A clock whose steady time is ahead of another's: the store knows that it has been later already.
pub struct Ahead<C> {
    pub clock: C,
    pub by_ms: u64,
}

impl<C: Clock> Clock for Ahead<C> {
    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn steady_ms(&self) -> u64 {
        self.clock.steady_ms().saturating_add(self.by_ms)
    }

    fn new_id(&self) -> Uuid {
        self.clock.new_id()
    }
}

/// A clock that a test moves by hand; its ids count.
#[derive(Debug)]
pub struct ManualClock {
    steady_ms: AtomicU64,
    /// What the machine's clock has been set forward by, or back, as a wrapping number.
    set_by_ms: AtomicU64,
    ids: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `now_ms`.
    pub fn at(now_ms: u64) -> ManualClock {
        ManualClock { steady_ms: AtomicU64::new(now_ms), set_by_ms: AtomicU64::new(0), ids: AtomicU64::new(0) }
    }

    /// Lets time pass.
    pub fn advance_ms(&self, by_ms: u64) {
        self.steady_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// Sets the machine's clock forward or back, while no time passes.
    pub fn jump_ms(&self, by_ms: i64) {
        self.set_by_ms.fetch_add(by_ms.cast_unsigned(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.steady_ms().wrapping_add(self.set_by_ms.load(Ordering::Relaxed))
    }

    fn steady_ms(&self) -> u64 {
        self.steady_ms.load(Ordering::Relaxed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steady_time_begins_at_the_machines_and_goes_on() {
        let before_ms = SystemClock.steady_ms();
        assert!(SystemClock.now_ms().abs_diff(before_ms) < 60_000, "nobody sets the clock during a test");
        assert!(SystemClock.steady_ms() >= before_ms);
    }

    #[test]
    fn setting_the_machines_clock_leaves_the_steady_time_alone() {
        let clock = ManualClock::at(1_000_000);
        clock.jump_ms(-400_000);
        assert_eq!((clock.now_ms(), clock.steady_ms()), (600_000, 1_000_000));
        clock.advance_ms(5);
        clock.jump_ms(500_000);
        assert_eq!((clock.now_ms(), clock.steady_ms()), (1_100_005, 1_000_005));
    }
}
