//! The fixed vocabulary of normalising, applied to what identifies a person before it is handed over or hashed.
//!
//! Each platform wants a combination of its own, so a manifest lists the steps. Owns what each step does; the platforms'
//! published examples are its tests. Does not hash, and does not decide which step a field gets.

mod calling_codes;

use tidegate_plugin_sdk::manifest::Normalizer;
use unicode_general_category::{GeneralCategory, get_general_category};

/// The most digits of an international number, without its `+` (ITU-T E.164).
const E164_DIGITS_MAX: usize = 15;

/// Applies the steps in their order. The result may be empty: the value then says nothing.
pub fn apply(steps: &[Normalizer], value: &str) -> String {
    steps.iter().fold(value.to_owned(), |value, step| apply_one(*step, value))
}

/// As [`apply`], for a telephone number: before the first step that looks at its digits, what people write into a number
/// is read as they mean it. `US (650)555-1212` has the calling code 1, `+44 (0)844 412 4653` has no zero to dial, and
/// `+1 650 555 1212 ext. 3` ends before its extension.
pub fn apply_phone(steps: &[Normalizer], value: &str) -> String {
    if steps.iter().any(|step| matches!(step, Normalizer::Digits | Normalizer::E164)) {
        apply(steps, &calling_codes::spell_out(value))
    } else {
        apply(steps, value)
    }
}

fn apply_one(step: Normalizer, mut value: String) -> String {
    match step {
        Normalizer::Trim => value.trim().to_owned(),
        Normalizer::Lowercase => value.to_lowercase(),
        Normalizer::Uppercase => value.to_uppercase(),
        Normalizer::NoWhitespace => keep(value, |c| !c.is_whitespace()),
        Normalizer::NoPunctuation => keep(value, |c| !is_punctuation(c)),
        Normalizer::Digits => keep(value, |c| c.is_ascii_digit()),
        Normalizer::NoLeadingZeros => value.trim_start_matches('0').to_owned(),
        Normalizer::AsciiAlphanumeric => keep(value, |c| c.is_ascii_lowercase() || c.is_ascii_digit()),
        Normalizer::E164 => e164(&value),
        Normalizer::BeforeHyphen => {
            value.truncate(value.find('-').unwrap_or(value.len()));
            value
        }
        Normalizer::TwoLetters => two_letters(&value),
        Normalizer::FirstLetter => value.chars().find(|c| c.is_alphabetic()).into_iter().collect(),
        Normalizer::DateYyyymmdd => date(&value),
        Normalizer::EmailNoTag => email(&value, |local, _| without_tag(local).to_owned()),
        Normalizer::EmailNoDots => email(&value, |local, _| local.replace('.', "")),
        Normalizer::EmailNoDotsGmail => email(&value, |local, domain| match domain {
            "gmail.com" | "googlemail.com" => local.replace('.', ""),
            _ => local.to_owned(),
        }),
        Normalizer::EmailAlphanumeric => {
            email(&value, |local, _| local.chars().filter(char::is_ascii_alphanumeric).collect())
        }
    }
}

fn keep(mut value: String, wanted: impl Fn(char) -> bool) -> String {
    value.retain(wanted);
    value
}

/// Punctuation and symbols of any script. Combining marks are neither: without them a name of many scripts is another.
fn is_punctuation(c: char) -> bool {
    use GeneralCategory as C;
    match c {
        _ if c.is_ascii() => c.is_ascii_punctuation(),
        _ if c.is_alphanumeric() => false,
        _ => matches!(
            get_general_category(c),
            C::ConnectorPunctuation
                | C::DashPunctuation
                | C::OpenPunctuation
                | C::ClosePunctuation
                | C::InitialPunctuation
                | C::FinalPunctuation
                | C::OtherPunctuation
                | C::MathSymbol
                | C::CurrencySymbol
                | C::ModifierSymbol
                | C::OtherSymbol
        ),
    }
}

/// A code of two letters. The start of a longer name is no code: `Germany` would be hashed to Georgia's `ge`.
fn two_letters(value: &str) -> String {
    let letters = keep(value.to_owned(), char::is_alphabetic);
    if letters.chars().count() == 2 { letters } else { String::new() }
}

/// `+` and the digits of an international number. Empty for what cannot be one: a national number, whose first digit is a
/// zero to dial, would be hashed to something that nobody has.
fn e164(value: &str) -> String {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let number = digits.strip_prefix("00").unwrap_or(&digits);
    if number.is_empty() || number.starts_with('0') || number.len() > E164_DIGITS_MAX {
        return String::new();
    }
    format!("+{number}")
}

/// An address with its local part changed; empty when nothing of that is left. What has no `@` stays as it is.
fn email(value: &str, change: impl Fn(&str, &str) -> String) -> String {
    let Some((local, domain)) = value.rsplit_once('@') else { return value.to_owned() };
    let domain_lower = domain.trim().to_ascii_lowercase();
    match change(local, &domain_lower) {
        local if local.trim().is_empty() => String::new(),
        local => format!("{local}@{domain}"),
    }
}

fn without_tag(local: &str) -> &str {
    local.split_once('+').map_or(local, |(name, _)| name)
}

/// The day of `2001-02-03`, `2001-02-03T04:05:06Z` or `20010203`.
fn date(value: &str) -> String {
    let value = value.trim();
    let day = value.split_once(['T', ' ']).map_or(value, |(day, _)| day);
    let digits = match day.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => day.replace('-', ""),
        _ => day.to_owned(),
    };
    let part = |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse::<u32>().ok());
    let plausible = digits.len() == 8
        && digits.bytes().all(|b| b.is_ascii_digit())
        && part(4..6).is_some_and(|month| (1..=12).contains(&month))
        && part(6..8).is_some_and(|day| (1..=31).contains(&day));
    if plausible { digits } else { String::new() }
}

#[cfg(test)]
mod tests;
