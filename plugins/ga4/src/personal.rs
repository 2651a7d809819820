//! Keeps personal data out of parameters, which Google's terms forbid ("Best practices to avoid sending Personally
//! Identifiable Information").

use std::borrow::Cow;

/// What stands where an e-mail address was; Google's own redaction writes the same.
const REDACTED: &str = "(redacted)";

/// Properties that are personal whatever their value.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "address", "birthday", "card_number", "credit_card", "date_of_birth", "e_mail", "email", "email_address",
    "family_name", "first_name", "firstname", "full_name", "given_name", "iban", "ip", "ip_address", "last_name",
    "lastname", "mobile", "password", "phone", "phone_number", "ssn", "street", "surname", "user_email", "user_name",
    "username",
];

/// Whether a property of this name is personal.
pub(crate) fn is_name(name: &str) -> bool {
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
        || (name.contains(|c: char| c.is_ascii_uppercase()) && NAMES.contains(&snake_case(name).as_str()))
}

/// `firstName` as `first_name`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// Whether there is an e-mail address in a text.
pub(crate) fn is_email(text: &str) -> bool {
    may_hold_one(text) && text.split(is_delimiter).any(is_address)
}

/// An address of a page, without the e-mail addresses in it.
pub(crate) fn redact(url: &str) -> Cow<'_, str> {
    if !is_email(url) {
        return Cow::Borrowed(url);
    }
    let mut clean = String::with_capacity(url.len());
    for piece in url.split_inclusive(is_delimiter) {
        let delimiter = piece.chars().next_back().filter(|c| is_delimiter(*c));
        let word = piece.strip_suffix(is_delimiter).unwrap_or(piece);
        clean.push_str(if is_address(word) { REDACTED } else { word });
        clean.extend(delimiter);
    }
    Cow::Owned(clean)
}

fn may_hold_one(text: &str) -> bool {
    text.contains('@') || text.contains("%40")
}

fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || matches!(c, '/' | '?' | '&' | '=' | '#' | ',' | ';' | ':' | '<' | '>' | '(' | ')' | '"')
}

fn is_address(word: &str) -> bool {
    let Some((local, domain)) = word.split_once('@').or_else(|| word.split_once("%40")) else { return false };
    let suffix = domain.split_once('.').map(|(name, suffix)| (!name.is_empty()).then_some(suffix));
    !local.is_empty() && suffix.flatten().is_some_and(|suffix| suffix.len() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_any_text() {
        for text in ["a@b.co", "mail to <jane.doe+x@example.com>!", "jane%40example.com", "https://s.example/?e=a@b.co"]
        {
            assert!(is_email(text), "{text}");
        }
        for text in ["", "@handle", "a@b", "https://s.example/@48.2,16.3,15z", "5 @ 3.50", "me@"] {
            assert!(!is_email(text), "{text}");
        }
    }

    #[test]
    fn only_the_address_is_redacted() {
        let url = "https://s.example/u/jane@example.com/x?mail=a%40b.co&q=shoes#z";
        assert_eq!(redact(url), "https://s.example/u/(redacted)/x?mail=(redacted)&q=shoes#z");
        assert!(matches!(redact("https://s.example/?q=1"), Cow::Borrowed(_)));
    }

    #[test]
    fn personal_names_are_known_in_any_case() {
        for name in ["email", "Email", "firstName", "phone_number", "phoneNumber"] {
            assert!(is_name(name), "{name}");
        }
        assert!(!is_name("name"));
        assert!(!is_name("plan"));
    }
}
