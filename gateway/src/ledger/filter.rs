//! Which part of the ledger is asked for: by destination, host, field and time. Reads what a person writes of them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

/// What is asked for. Whatever is absent leaves out nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub destination: Option<String>,
    pub host: Option<String>,
    /// A field, also as one of those that a wildcard grants.
    pub field: Option<String>,
    /// Entries that count anything at this time or later.
    pub since_ms: Option<u64>,
    /// Entries that count anything before this time.
    pub until_ms: Option<u64>,
}

impl Filter {
    /// Whether an entry that counts from one time to another has anything of what is asked for.
    pub(super) fn wants(&self, from_ms: u64, to_ms: u64) -> bool {
        self.since_ms.is_none_or(|since_ms| to_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| from_ms < until_ms)
    }

    pub(super) fn wants_field(&self, granted: &str) -> bool {
        self.field.as_ref().is_none_or(|wanted| {
            granted == wanted || granted.strip_suffix('*').is_some_and(|start| wanted.starts_with(start))
        })
    }
}

/// A time as a person writes it: RFC 3339, a date, or how long ago (`90s`, `15m`, `36h`, `7d`).
///
/// # Errors
/// What it may be instead.
pub fn time(text: &str, now_ms: u64) -> Result<u64, String> {
    let ms = |timestamp: Timestamp| u64::try_from(timestamp.as_millisecond()).unwrap_or(0);
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(ms(timestamp));
    }
    if let Ok(date) = text.parse::<Date>()
        && let Ok(timestamp) = format!("{date}T00:00:00Z").parse::<Timestamp>()
    {
        return Ok(ms(timestamp));
    }
    let ago = ago(text).map(|ago| u64::try_from(ago.as_millis()).unwrap_or(u64::MAX));
    ago.map(|ago_ms| now_ms.saturating_sub(ago_ms)).ok_or_else(|| {
        format!(
            "`{text}` is no time: write `2026-01-31`, `2026-01-31T08:00:00Z`, or how long ago, such as `36h` or `7d`"
        )
    })
}

fn ago(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(count.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_768_487_520_123;

    #[test]
    fn times_are_written_in_three_ways() {
        assert_eq!(time("2026-01-15T14:32:00.123Z", 0), Ok(NOW_MS));
        assert_eq!(time("2026-01-15T15:32:00.123+01:00", 0), Ok(NOW_MS));
        assert_eq!(time("2026-01-15", 0), Ok(1_768_435_200_000));
        assert_eq!(time("90s", NOW_MS), Ok(NOW_MS - 90_000));
        assert_eq!(time("7d", NOW_MS), Ok(NOW_MS - 7 * 86_400_000));
        assert_eq!(time("999999d", NOW_MS), Ok(0));
        for odd in ["", "d", "7", "7w", "-7d", "ü", "2026-13-01", "18446744073709551615d"] {
            assert!(time(odd, NOW_MS).unwrap_err().contains("is no time: write"), "{odd}");
        }
    }

    #[test]
    fn a_wildcard_counts_with_what_it_covers() {
        let of = |field: &str| Filter { field: Some(field.into()), ..Filter::default() };
        assert!(of("cookie._ga").wants_field("cookie.*"));
        assert!(of("cookie._ga").wants_field("cookie._ga"));
        assert!(!of("cookie._ga").wants_field("cookie._ga_*"));
        assert!(!of("cookie.*").wants_field("cookie._ga"));
        assert!(Filter::default().wants_field("client.ip"));
    }

    #[test]
    fn an_entry_is_of_a_time_that_it_counts_anything_in() {
        let from_5_until_9 = Filter { since_ms: Some(5), until_ms: Some(9), ..Filter::default() };
        let wanted = [(0, 4), (0, 5), (6, 7), (8, 20), (9, 20)].map(|(from, to)| from_5_until_9.wants(from, to));
        assert_eq!(wanted, [false, true, true, true, false]);
    }
}
