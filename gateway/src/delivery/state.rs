//! What a destination's worker knows of its destination at the moment, for the worker itself and for people.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::destination::Destination;

/// The state of one destination. Lost at a restart: the next answer tells it again.
#[derive(Debug, Default)]
pub struct State {
    hold: Mutex<Hold>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    delivered: AtomicU64,
    retried: AtomicU64,
    died: AtomicU64,
    cancelled: AtomicU64,
    /// When an attempt was last delivered, in Unix milliseconds; 0: never.
    delivered_ms: AtomicU64,
}

/// A destination that runs, with what is known of it.
#[derive(Debug, Clone)]
pub struct Post {
    pub destination: Arc<Destination>,
    pub state: Arc<State>,
}

/// All destinations that run, in the configuration's order.
pub type Posts = Vec<Post>;

/// Why the worker leases nothing for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Hold {
    until_ms: u64,
    /// The platform refuses the credentials or the API's version: a person has to act.
    parked: Option<String>,
    /// How often in a row.
    times: u32,
    /// Requests in a row that the platform did not answer, or answered with an error of its own.
    failures: u32,
    /// What the last of them came to, once there were so many that the platform is taken to be down.
    down: Option<String>,
    /// How often in a row the destination was held because of them.
    downs: u32,
}

/// So many failed requests in a row, and the platform is taken to be down: any fewer are an event's own fault.
const FAILURES_MAX: u32 = 16;
/// However long a platform has been down, whether it is back is asked this often.
const DOWN_MAX_MS: u64 = 30_000;

/// Numbers since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub delivered: u64,
    pub retried: u64,
    pub died: u64,
    pub cancelled: u64,
    pub delivered_ms: u64,
}

impl State {
    /// The state of a destination that is set up anew: it counts on, and nothing is known against it.
    pub fn renewed(&self) -> State {
        State { hold: Mutex::default(), counters: Arc::clone(&self.counters) }
    }

    /// Until when nothing is leased, if that is later than now.
    pub fn held_until(&self, now_ms: u64) -> Option<u64> {
        Some(self.hold().until_ms).filter(|until_ms| *until_ms > now_ms)
    }

    /// Why the destination is parked, if it is.
    pub fn parked(&self) -> Option<String> {
        self.hold().parked.clone()
    }

    /// What the platform answers, or why it does not, if it fails whatever it is sent.
    pub fn down(&self) -> Option<String> {
        self.hold().down.clone()
    }

    /// Whether one delivery is enough to try it with: the rest would only fail or be refused, too.
    pub(super) fn wants_one(&self) -> bool {
        let hold = self.hold();
        hold.parked.is_some() || hold.down.is_some()
    }

    /// The platform asked for a pause.
    pub(super) fn pause(&self, until_ms: u64) {
        let mut hold = self.hold();
        hold.until_ms = hold.until_ms.max(until_ms);
    }

    /// The credentials were refused: waits, the longer the more often, then lets a single delivery try. Gives the time.
    pub(super) fn park(&self, reason: String, now_ms: u64, base_ms: u64, max_ms: u64) -> u64 {
        let mut hold = self.hold();
        if hold.until_ms <= now_ms || hold.parked.is_none() {
            hold.times = hold.times.saturating_add(1);
            let wait_ms = base_ms.saturating_mul(1 << hold.times.saturating_sub(1).min(20)).min(max_ms);
            hold.until_ms = now_ms.saturating_add(wait_ms);
        }
        hold.parked = Some(reason);
        hold.until_ms
    }

    /// A request got no answer, or an error of the platform's. After many in a row the destination waits, the longer
    /// the more often, then lets a single delivery try. Gives whether it is down from now on.
    pub(super) fn failed(&self, failure: &str, now_ms: u64, base_ms: u64, max_ms: u64) -> bool {
        let mut hold = self.hold();
        hold.failures = hold.failures.saturating_add(1);
        if hold.failures < FAILURES_MAX || hold.until_ms > now_ms {
            return false;
        }
        let wait_ms = base_ms.saturating_mul(1 << hold.downs.min(20)).min(max_ms).min(DOWN_MAX_MS);
        hold.until_ms = now_ms.saturating_add(wait_ms);
        hold.downs = hold.downs.saturating_add(1);
        hold.down.replace(failure.to_owned()).is_none()
    }

    /// The platform answered, and not with an error of its own. Gives whether it was down until now.
    pub(super) fn answered(&self) -> bool {
        let mut hold = self.hold();
        let was_down = hold.down.take().is_some();
        if was_down {
            hold.until_ms = 0;
        }
        (hold.failures, hold.downs) = (0, 0);
        was_down
    }

    /// An answer showed that the credentials are taken.
    pub(super) fn unpark(&self) {
        let mut hold = self.hold();
        if hold.parked.take().is_some() {
            (hold.until_ms, hold.times) = (0, 0);
        }
    }

    pub(super) fn count(&self, outcome: &tidegate_queue::Outcome, now_ms: u64) {
        let counter = match outcome {
            tidegate_queue::Outcome::Delivered => {
                self.counters.delivered_ms.store(now_ms, Ordering::Relaxed);
                &self.counters.delivered
            }
            tidegate_queue::Outcome::Retry(_) => &self.counters.retried,
            tidegate_queue::Outcome::Dead(_) => &self.counters.died,
            tidegate_queue::Outcome::Cancelled(_) => &self.counters.cancelled,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The numbers since the start.
    pub fn totals(&self) -> Totals {
        Totals {
            delivered: self.counters.delivered.load(Ordering::Relaxed),
            retried: self.counters.retried.load(Ordering::Relaxed),
            died: self.counters.died.load(Ordering::Relaxed),
            cancelled: self.counters.cancelled.load(Ordering::Relaxed),
            delivered_ms: self.counters.delivered_ms.load(Ordering::Relaxed),
        }
    }

    fn hold(&self) -> std::sync::MutexGuard<'_, Hold> {
        // Nothing panics while it holds the lock; and if it did, a stale hold ends by itself.
        self.hold.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parked_destination_waits_longer_each_time_until_an_answer_shows_it_works() {
        let state = State::default();
        assert_eq!(state.park("401".into(), 1_000, 100, 1_000), 1_100);
        assert_eq!(state.park("401".into(), 1_050, 100, 1_000), 1_100, "requests under way do not prolong it");
        assert_eq!(state.park("401".into(), 1_200, 100, 1_000), 1_400);
        assert_eq!(state.held_until(1_300), Some(1_400));
        state.unpark();
        assert_eq!((state.held_until(1_300), state.parked()), (None, None));
    }

    #[test]
    fn a_platform_that_fails_again_and_again_is_down_until_it_answers() {
        let state = State::default();
        for _ in 1..FAILURES_MAX {
            assert!(!state.failed("503", 1_000, 100, 1_000));
            assert_eq!((state.down(), state.held_until(1_000)), (None, None));
        }
        assert!(state.failed("503", 1_000, 100, 1_000), "told once");
        assert_eq!((state.down(), state.held_until(1_000)), (Some("503".into()), Some(1_100)));
        assert!(!state.failed("503", 1_050, 100, 1_000));
        assert_eq!(state.held_until(1_050), Some(1_100), "requests under way do not prolong it");
        assert!(!state.failed("503", 1_100, 100, 1_000));
        assert_eq!(state.held_until(1_100), Some(1_300), "longer each time");
        for doublings in 2..40 {
            let now_ms = 1_000_000 * doublings;
            state.failed("503", now_ms, 100, u64::MAX);
            assert!(state.held_until(now_ms).unwrap() <= now_ms + DOWN_MAX_MS, "never longer than half a minute");
        }
        assert!(state.answered());
        assert_eq!((state.down(), state.held_until(1_100)), (None, None));
        assert!(!state.answered(), "told once");
    }

    #[test]
    fn a_renewed_state_counts_on_with_the_old_one_and_holds_nothing() {
        let old = State::default();
        old.park("401".into(), 1_000, 100, 1_000);
        old.count(&tidegate_queue::Outcome::Delivered, 5);
        let new = old.renewed();
        old.count(&tidegate_queue::Outcome::Delivered, 6);
        assert_eq!((new.totals().delivered, new.totals().delivered_ms), (2, 6), "what was under way is counted");
        assert_eq!((new.parked(), new.held_until(1_000)), (None, None));
    }

    #[test]
    fn an_answer_in_between_shows_that_a_platform_is_up() {
        let state = State::default();
        for _ in 0..4 * FAILURES_MAX {
            assert!(!state.failed("503", 1_000, 100, 1_000));
            state.failed("503", 1_000, 100, 1_000);
            assert!(!state.answered());
        }
        assert_eq!(state.down(), None);
    }
}
