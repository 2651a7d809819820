//! Times as Google Ads writes them, and how old a conversion may be.

use tidegate_plugin_sdk::{Rejection, time};

/// The longest click-through window that a conversion action can have is 90 days; a click or a conversion that is older
/// is `EXPIRED_EVENT`.
pub(crate) const WINDOW_MS: u64 = 90 * time::DAY_MS;
/// "Sending first-party conversion data within 24 hours of the conversion event".
pub(crate) const ENHANCEMENT_MS: u64 = time::DAY_MS;

/// When something happened: `2026-01-15 14:32:00+00:00`. A clock that is a little ahead is taken for now.
///
/// # Errors
/// When it is more than that ahead.
pub(crate) fn written(at_ms: u64, now_ms: u64) -> Result<String, Rejection> {
    // `2026-01-15T14:32:00.000Z`
    let iso = time::iso8601(time::not_ahead(at_ms, now_ms, time::AHEAD_MAX_MS)?);
    let (date, clock) = iso.split_once('T').unwrap_or((&iso, ""));
    let clock = clock.split_once('.').map_or(clock, |(seconds, _)| seconds);
    Ok([date, " ", clock, "+00:00"].concat())
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
        assert_eq!(written(now_ms + time::AHEAD_MAX_MS, now_ms).as_deref(), Ok("2026-01-15 14:32:02+00:00"));
        assert!(written(now_ms + time::AHEAD_MAX_MS + 1, now_ms).is_err());
    }
}
