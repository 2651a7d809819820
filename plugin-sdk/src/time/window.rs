//! Which times a platform takes: neither too old, nor of a clock that is wrong.

use crate::Rejection;

/// How far a clock may be ahead where the platform does not say: what is later than that has a wrong time.
pub const AHEAD_MAX_MS: u64 = 10 * MINUTE_MS;

/// The times that a platform takes, as a constant of the plugin:
///
/// ```
/// use tidegate_plugin_sdk::time::{self, Window};
///
/// const TAKEN: Window = Window {
///     age_max_ms: 7 * time::DAY_MS,
///     ahead_max_ms: time::AHEAD_MAX_MS,
///     too_old: "older than 7 days: Acme would refuse it",
/// };
/// # let (at_ms, now_ms) = (1_768_487_523_000, 1_768_487_522_000);
/// assert_eq!(TAKEN.check(at_ms, now_ms), Ok(now_ms), "a clock that is a little ahead is taken for now");
/// ```
///
/// The manifest's `limits.age_max` says the same to the gateway, which then sends nothing older; the plugin checks it
/// again for clocks that are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The oldest that is taken.
    pub age_max_ms: u64,
    /// How far the event's clock may be ahead of now.
    pub ahead_max_ms: u64,
    /// What is said of an event that is older: the limit, and what the platform would do.
    pub too_old: &'static str,
}

impl Window {
    /// The time to report: the event's own, but never after now, because platforms refuse events of the future.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] when it is too old, or further ahead than a clock may be.
    #[inline]
    pub fn check(&self, at_ms: u64, now_ms: u64) -> Result<u64, Rejection> {
        if is_older(at_ms, self.age_max_ms, now_ms) {
            return Err(Rejection::invalid(self.too_old));
        }
        not_ahead(at_ms, now_ms, self.ahead_max_ms)
    }
}

/// As [`Window::check`], for a platform that takes events of any age.
///
/// # Errors
/// [`Rejection::Invalid`] when the time is more than `ahead_max_ms` ahead:
/// `more than 10 minutes in the future: its clock is wrong`.
#[inline]
pub fn not_ahead(at_ms: u64, now_ms: u64, ahead_max_ms: u64) -> Result<u64, Rejection> {
    if at_ms > now_ms.saturating_add(ahead_max_ms) { Err(ahead(ahead_max_ms)) } else { Ok(at_ms.min(now_ms)) }
}

/// Whether more than `span_ms` lie between a time and a later one.
#[inline]
pub const fn is_older(at_ms: u64, span_ms: u64, later_ms: u64) -> bool {
    at_ms.saturating_add(span_ms) < later_ms
}

const MINUTE_MS: u64 = 60_000;

#[cold]
fn ahead(ahead_max_ms: u64) -> Rejection {
    let minutes = ahead_max_ms / MINUTE_MS;
    let (count, unit) =
        if minutes > 0 && minutes.is_multiple_of(60) { (minutes / 60, "hour") } else { (minutes, "minute") };
    let plural = if count == 1 { "" } else { "s" };
    let count = count.to_string();
    Rejection::invalid(["more than ", &count, " ", unit, plural, " in the future: its clock is wrong"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_768_487_522_000;
    const WINDOW: Window =
        Window { age_max_ms: 7 * 86_400_000, ahead_max_ms: AHEAD_MAX_MS, too_old: "older than 7 days" };

    #[test]
    fn the_time_is_never_in_the_future() {
        assert_eq!(WINDOW.check(1_768_487_520_999, NOW_MS), Ok(1_768_487_520_999));
        assert_eq!(WINDOW.check(NOW_MS + AHEAD_MAX_MS, NOW_MS), Ok(NOW_MS));
        assert!(WINDOW.check(NOW_MS + AHEAD_MAX_MS + 1, NOW_MS).is_err());
        assert!(WINDOW.check(u64::MAX, NOW_MS).is_err());
    }

    #[test]
    fn a_window_ends_after_its_last_millisecond() {
        let oldest = NOW_MS - WINDOW.age_max_ms;
        assert_eq!(WINDOW.check(oldest, NOW_MS), Ok(oldest));
        assert_eq!(WINDOW.check(oldest - 1, NOW_MS), Err(Rejection::invalid("older than 7 days")));
        assert!(!is_older(u64::MAX, 1, u64::MAX), "a span past the last time is not past");
    }

    #[test]
    fn how_far_ahead_is_said_in_words() {
        let said = |ahead_max_ms| match not_ahead(NOW_MS * 2, NOW_MS, ahead_max_ms) {
            Err(Rejection::Invalid(reason)) => reason,
            other => panic!("must be refused: {other:?}"),
        };
        assert_eq!(said(10 * MINUTE_MS), "more than 10 minutes in the future: its clock is wrong");
        assert_eq!(said(MINUTE_MS), "more than 1 minute in the future: its clock is wrong");
        assert_eq!(said(60 * MINUTE_MS), "more than 1 hour in the future: its clock is wrong");
        assert_eq!(said(23 * 60 * MINUTE_MS), "more than 23 hours in the future: its clock is wrong");
        assert_eq!(said(90 * MINUTE_MS), "more than 90 minutes in the future: its clock is wrong");
    }
}
