//! Times as Google Ads writes them, and which are too old or of the future.

use tidegate_plugin_sdk::{Rejection, time};

const HOUR_MS: u64 = 3_600_000;
/// The longest click-through window that a conversion action can have is 90 days; a click or a conversion that is older
/// is `EXPIRED_EVENT`.
pub(crate) const WINDOW_MS: u64 = 90 * 24 * HOUR_MS;
/// "Sending first-party conversion data within 24 hours of the conversion event".
pub(crate) const ENHANCEMENT_MS: u64 = 24 * HOUR_MS;
/// A clock may be ahead by this much; what is later than that has a wrong time.
pub(crate) const AHEAD_MAX_MS: u64 = 10 * 60_000;

/// When something happened: `2026-01-15 14:32:00+00:00`. A clock that is a little ahead is taken for now.
///
/// # Errors
/// When it is more than that ahead.
pub(crate) fn written(at_ms: u64, now_ms: u64) -> Result<String, Rejection> {
    if at_ms > now_ms.saturating_add(AHEAD_MAX_MS) {
        return Err(Rejection::invalid("more than 10 minutes in the future: its clock is wrong"));
    }
    // `2026-01-15T14:32:00.000Z`
    let iso = time::iso8601(at_ms.min(now_ms));
    let (date, clock) = iso.split_once('T').unwrap_or((&iso, ""));
    let clock = clock.split_once('.').map_or(clock, |(seconds, _)| seconds);
    Ok([date, " ", clock, "+00:00"].concat())
}

/// Whether more than `span_ms` have passed.
pub(crate) fn is_older(at_ms: u64, span_ms: u64, now_ms: u64) -> bool {
    at_ms.saturating_add(span_ms) < now_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_seconds_and_an_offset() {
        assert_eq!(written(1_768_487_520_999, u64::MAX).as_deref(), Ok("2026-01-15 14:32:00+00:00"));
    }

    #[test]
    fn no_time_is_in_the_future() {
        let now_ms = 1_768_487_522_000;
        assert_eq!(written(now_ms + AHEAD_MAX_MS, now_ms).as_deref(), Ok("2026-01-15 14:32:02+00:00"));
        assert!(written(now_ms + AHEAD_MAX_MS + 1, now_ms).is_err());
    }

    #[test]
    fn a_span_ends_after_its_last_millisecond() {
        assert!(!is_older(1_000, ENHANCEMENT_MS, 1_000 + ENHANCEMENT_MS));
        assert!(is_older(1_000, ENHANCEMENT_MS, 1_001 + ENHANCEMENT_MS));
    }
}
