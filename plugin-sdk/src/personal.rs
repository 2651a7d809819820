//! Finds people in the clear: personal data that clients put where no platform, and no warehouse, should get it.
//!
//! Identifiers come to a plugin in the form that it was granted; this is for the texts beside them, which a page's address
//! or a property may have an e-mail address in. It finds what has a form or a telling name, and no more: a person's name in
//! a property called `note` is beyond it.

use std::borrow::Cow;

/// What stands where an e-mail address was; the redaction of Google Analytics writes the same.
const REDACTED: &str = "(redacted)";

/// Properties that are personal whatever their value, in lower case without separators.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "address", "birthday", "cardnumber", "creditcard", "dateofbirth", "dob", "email", "emailaddress", "familyname",
    "firstname", "fullname", "givenname", "iban", "ip", "ipaddress", "lastname", "mobile", "password", "phone",
    "phonenumber", "ssn", "street", "surname", "useremail", "username", "userphone",
];

/// Whether a property of this name is personal whatever its value: `email`, `firstName`, `Phone-Number`.
pub fn is_name(name: &str) -> bool {
    let letters = || name.bytes().filter(|b| !b"_- ".contains(b)).map(|b| b.to_ascii_lowercase());
    NAMES.iter().any(|known| letters().eq(known.bytes()))
}

/// Whether there is an e-mail address in a text, JSON or an address (URL) included.
pub fn is_email(text: &str) -> bool {
    (text.contains('@') || text.contains("%40")) && text.split(is_delimiter).any(is_address)
}

/// A text without the e-mail addresses in it.
pub fn redact(text: &str) -> Cow<'_, str> {
    if !is_email(text) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_delimiter) {
        let word = piece.strip_suffix(is_delimiter).unwrap_or(piece);
        clean.push_str(if is_address(word) { REDACTED } else { word });
        clean.push_str(&piece[word.len()..]);
    }
    Cow::Owned(clean)
}

fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || matches!(c, '/' | '?' | '&' | '=' | '#' | ',' | ';' | ':' | '<' | '>' | '(' | ')' | '"' | '\\')
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
    fn personal_names_are_known_in_any_case() {
        for name in ["email", "Email", "firstName", "phone_number", "Phone-Number", "IP"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["name", "plan", "email_opt_in", "recipe"] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn an_address_is_found_in_any_text() {
        for text in ["a@b.co", "mail to <jane.doe+x@example.com>!", "jane%40example.com", r#"{"to":["a@b.co"]}"#] {
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
}
