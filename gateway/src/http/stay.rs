//! A connection's stay: how many requests are under way, and since when there has been none. Closes nothing itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::clock::Clock;

/// What is known of one connection.
pub(super) struct Stay {
    clock: Arc<dyn Clock>,
    under_way: AtomicUsize,
    /// When it last had something to do, in steady time.
    busy_ms: AtomicU64,
}

/// One request under way; it ends with this, whether it was answered or given up.
pub(super) struct Busy(Arc<Stay>);

impl Stay {
    /// It begins now.
    pub(super) fn begin(clock: Arc<dyn Clock>) -> Arc<Stay> {
        let busy_ms = AtomicU64::new(clock.steady_ms());
        Arc::new(Stay { clock, under_way: AtomicUsize::new(0), busy_ms })
    }

    /// A request begins.
    pub(super) fn request(self: &Arc<Stay>) -> Busy {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(self))
    }

    /// Counts from now, as if a request had just ended.
    pub(super) fn renew(&self) {
        self.busy_ms.store(self.clock.steady_ms(), Ordering::SeqCst);
    }

    /// Ends when there has been no request for so long.
    pub(super) async fn idle(&self, limit_ms: u64) {
        loop {
            match self.left_ms(limit_ms) {
                0 => return,
                left_ms => tokio::time::sleep(Duration::from_millis(left_ms)).await,
            }
        }
    }

    /// How long it may go on without a request, at least.
    fn left_ms(&self, limit_ms: u64) -> u64 {
        if self.under_way.load(Ordering::SeqCst) > 0 {
            return limit_ms;
        }
        let idle_ms = self.clock.steady_ms().saturating_sub(self.busy_ms.load(Ordering::SeqCst));
        limit_ms.saturating_sub(idle_ms)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // In this order, or a long request would look like a long silence.
        self.0.renew();
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn silence_counts_from_the_end_of_the_last_request_and_not_while_one_is_under_way() {
        let clock = Arc::new(ManualClock::at(1_000));
        let stay = Stay::begin(clock.clone());
        clock.advance_ms(60);
        assert_eq!(stay.left_ms(100), 40, "from the beginning, while none has come");
        let (first, second) = (stay.request(), stay.request());
        clock.advance_ms(1_000);
        drop(first);
        assert_eq!(stay.left_ms(100), 100);
        clock.advance_ms(1_000);
        drop(second);
        assert_eq!(stay.left_ms(100), 100);
        clock.advance_ms(99);
        assert_eq!(stay.left_ms(100), 1);
        clock.advance_ms(1_000);
        assert_eq!(stay.left_ms(100), 0);
        stay.renew();
        assert_eq!(stay.left_ms(100), 100);
    }
}
