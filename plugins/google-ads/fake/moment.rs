//! Times as Google Ads writes them: `2026-01-15 14:32:00+00:00`.

/// Unix milliseconds.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(' ')?;
    let at = rest.find(['+', '-'])?;
    let (clock, offset) = (rest.get(..at)?, rest.get(at..)?);
    let [year, month, day] = numbers(date, '-', &[4, 2, 2])?[..] else { return None };
    let [hour, minute, second] = numbers(clock, ':', &[2, 2, 2])?[..] else { return None };
    let [offset_hour, offset_minute] = numbers(offset.get(1..)?, ':', &[2, 2])?[..] else { return None };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds - sign * (offset_hour * 3_600 + offset_minute * 60)) * 1_000)
}

fn numbers(text: &str, separator: char, digits: &[usize]) -> Option<Vec<i64>> {
    let parts: Vec<&str> = text.split(separator).collect();
    let fits = parts.len() == digits.len() && parts.iter().zip(digits).all(|(part, digits)| part.len() == *digits);
    fits.then(|| parts.iter().map(|part| part.parse().ok().filter(|n| *n >= 0)).collect::<Option<Vec<i64>>>())?
}

/// Days since 1970-01-01, by Howard Hinnant's algorithm.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}
