//! Times as Google wants them (RFC 3339), and which are too old or of the future.

use tidegate_plugin_sdk::{Rejection, time};

/// The longest click-through window that a conversion action can have is 90 days; an event that is older is
/// `PROCESSING_ERROR_REASON_EVENT_TOO_OLD`, which no answer tells.
pub(crate) const WINDOW_MS: u64 = 90 * 86_400_000;
/// A clock may be ahead by this much; what is later than that has a wrong time.
pub(crate) const AHEAD_MAX_MS: u64 = 10 * 60_000;

/// When an event happened: `2026-01-15T14:32:00.000Z`. A clock that is a little ahead is taken for now.
///
/// # Errors
/// When it is more than that ahead, or too old.
pub(crate) fn written(at_ms: u64, now_ms: u64) -> Result<String, Rejection> {
    if is_older(at_ms, now_ms) {
        return Err(Rejection::invalid("older than 90 days, the longest window of a conversion action"));
    }
    if at_ms > now_ms.saturating_add(AHEAD_MAX_MS) {
        return Err(Rejection::invalid("more than 10 minutes in the future: its clock is wrong"));
    }
    Ok(time::iso8601(at_ms.min(now_ms)))
}

/// Whether the longest window has passed.
pub(crate) fn is_older(at_ms: u64, now_ms: u64) -> bool {
    at_ms.saturating_add(WINDOW_MS) < now_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_in_the_future_or_past_the_window() {
        let now_ms = 1_768_487_522_000;
        assert_eq!(written(1_768_487_520_007, now_ms).as_deref(), Ok("2026-01-15T14:32:00.007Z"));
        assert_eq!(written(now_ms + AHEAD_MAX_MS, now_ms).as_deref(), Ok("2026-01-15T14:32:02.000Z"));
        assert!(written(now_ms + AHEAD_MAX_MS + 1, now_ms).is_err());
        assert!(written(now_ms - WINDOW_MS, now_ms).is_ok());
        assert!(written(now_ms - WINDOW_MS - 1, now_ms).is_err());
    }
}
