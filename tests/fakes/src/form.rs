//! What values have to look like whatever the platform: digests, times, ids, currencies. Knows no platform, and borrows
//! nothing from the plugins' side, which has to satisfy it.

use serde_json::Value;

/// A SHA-256 as platforms want it: 64 hexadecimal digits in lower case.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Three capital letters, as an ISO 4217 code has.
pub(crate) fn is_currency(value: &Value) -> bool {
    value.as_str().is_some_and(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// `0194a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b`, of any version.
pub(crate) fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// `2026-01-15T14:32:00.000Z`.
pub(crate) fn is_iso8601(text: &str) -> bool {
    let form = text.bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b });
    form.eq(b"0000-00-00T00:00:00.000Z".iter().copied())
}

/// Unix milliseconds of `2026-01-15T14:32:00.000Z`.
pub(crate) fn iso8601_ms(text: &str) -> Option<i64> {
    let (date, clock) = text.strip_suffix('Z').filter(|_| is_iso8601(text))?.split_once('T')?;
    let (clock, millis) = clock.split_once('.')?;
    Some(unix_s(date, clock)? * 1_000 + millis.parse::<i64>().ok()?)
}

/// Unix seconds of `2026-01-15` and `14:32:00`, in UTC.
pub(crate) fn unix_s(date: &str, clock: &str) -> Option<i64> {
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Numbers of so many digits each.
pub(crate) fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970-01-01, by Howard Hinnant's algorithm.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_digest_is_lower_case_and_whole() {
        let digest = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";
        assert!(is_sha256(digest));
        assert!(!is_sha256(&digest.to_uppercase()) && !is_sha256(&digest[1..]) && !is_sha256(""));
    }

    #[test]
    fn a_time_is_read_by_the_calendar() {
        assert_eq!(iso8601_ms("2026-01-15T14:32:00.007Z"), Some(1_768_487_520_007));
        assert_eq!(iso8601_ms("2024-02-29T23:59:59.999Z"), Some(1_709_251_199_999));
        for wrong in ["", "2026-01-15", "2026-13-15T14:32:00.000Z", "2026-01-15T24:00:00.000Z", "2026-01-15T14:32:00Z"]
        {
            assert_eq!(iso8601_ms(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ids_and_currencies_have_their_form() {
        assert!(is_uuid("0194a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"));
        assert!(!is_uuid("0194a1b27c3d7e4f8a5b6c7d8e9f0a1b") && !is_uuid("0194a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1x"));
        assert!(is_currency(&json!("EUR")) && !is_currency(&json!("eur")) && !is_currency(&json!(978)));
    }
}
