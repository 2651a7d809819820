//! The time, taken as an argument so that tests decide what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now by the machine's clock, in Unix milliseconds: certificates are valid by that one.
    fn now_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes")]
    fn now_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |passed| u64::try_from(passed.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A time as people read it: `2026-11-28T21:16:09Z`.
pub(crate) fn readable(unix_ms: u64) -> String {
    i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| format!("{unix_ms} ms"), |at| format!("{at:.0}"))
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn a_time_is_readable_whatever_it_is() {
        assert_eq!(readable(1_795_900_569_123), "2026-11-28T21:16:09Z");
        assert_eq!(readable(u64::MAX), format!("{} ms", u64::MAX));
    }
}
