//! Times as Google Ads writes them: `2026-01-15 14:32:00+00:00`.

use crate::form::{numbers, unix_s};

/// Unix milliseconds.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(' ')?;
    let at = rest.find(['+', '-'])?;
    let (clock, offset) = (rest.get(..at)?, rest.get(at..)?);
    let [offset_hour, offset_minute] = numbers(offset.get(1..)?, ':', [2, 2])?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    Some((unix_s(date, clock)? - sign * (offset_hour * 3_600 + offset_minute * 60)) * 1_000)
}
