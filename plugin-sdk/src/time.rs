//! Times in the forms that platforms want, from Unix milliseconds, and which of them a platform takes. Knows no time zone
//! but UTC, and no clock.

mod window;

pub use window::{AHEAD_MAX_MS, Window, is_older, not_ahead};

/// A day in milliseconds.
pub const DAY_MS: u64 = 86_400_000;

/// Whole Unix seconds.
pub const fn seconds(ms: u64) -> u64 {
    ms / 1_000
}

/// Unix microseconds.
pub const fn micros(ms: u64) -> u64 {
    ms.saturating_mul(1_000)
}

/// ISO 8601 (RFC 3339) in UTC with milliseconds: `2026-01-15T14:32:00.000Z`.
pub fn iso8601(ms: u64) -> String {
    let (year, month, day) = civil_from_days(ms / DAY_MS);
    let in_day = ms % DAY_MS;
    let (hour, minute, second) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

/// Reads an HTTP date in its preferred form (RFC 9110, 5.6.7), `Sun, 06 Nov 1994 08:49:37 GMT`, as Unix milliseconds.
pub fn parse_http_date(text: &str) -> Option<u64> {
    let mut parts = text.trim().split_once(", ")?.1.split(' ');
    let day = number(parts.next()?, 2).filter(|day| (1..=31).contains(day))?;
    let month = parts.next()?;
    let month = 1 + MONTHS.iter().position(|known| *known == month)? as u64;
    let year = number(parts.next()?, 4).filter(|year| *year >= 1970)?;
    let mut clock = parts.next()?.split(':');
    let hour = number(clock.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = number(clock.next()?, 2).filter(|minute| *minute < 60)?;
    // A leap second is allowed in the form; it counts as the second after.
    let second = number(clock.next()?, 2).filter(|second| *second <= 60)?;
    if clock.next().is_some() || parts.next()? != "GMT" || parts.next().is_some() {
        return None;
    }
    Some(days_from_civil(year, month, day) * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1_000)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn number(text: &str, digits: usize) -> Option<u64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar: Howard Hinnant's algorithm
/// (<https://howardhinnant.github.io/date_algorithms.html>), which counts years from March so that a leap day is last.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_by_the_calendar() {
        assert_eq!(iso8601(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso8601(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(iso8601(1_768_487_520_007), "2026-01-15T14:32:00.007Z");
        assert_eq!(iso8601(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(iso8601(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(seconds(1_999), 1);
        assert_eq!(micros(1), 1_000);
    }

    #[test]
    fn even_the_last_time_can_be_written() {
        assert!(iso8601(u64::MAX).starts_with("584556019-"));
    }

    #[test]
    fn every_day_reads_as_it_was_written() {
        for days in (0..100_000).step_by(13) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn an_http_date_is_read() {
        // The example of RFC 9110.
        assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        for wrong in ["", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6 Nov 1994 8:49 GMT"]
        {
            assert_eq!(parse_http_date(wrong), None, "{wrong}");
        }
    }
}
