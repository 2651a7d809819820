//! Addresses without personal parameters, for the store: whatever consent says, an e-mail address or a password in a URL is
//! nothing that a report needs.
//!
//! Takes out newsletters' reader tokens ([`Carries::Reader`]), our own links' ([`link::PARAMETER`]), secrets by their parameter's name, e-mail addresses wherever
//! they stand, also percent-encoded, and the user before the host. What it does not take out it keeps byte for byte. Click IDs
//! are not its matter: those are withheld by consent, in [`tidegate_event::withhold`].

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use tidegate_event::{Carries, Parameter};

use crate::link;

/// Parameters that hold a secret or a person, in lower case without `_`, `-`, `.` and brackets.
#[rustfmt::skip]
const SECRETS: &[&str] = &[
    "password", "passwd", "passwort", "pwd", "pass", "passcode", "newpassword", "oldpassword", "passwordconfirmation",
    "secret", "clientsecret", "token", "accesstoken", "refreshtoken", "idtoken", "authtoken", "csrftoken", "xsrftoken",
    "sessiontoken", "logintoken", "invitetoken", "magictoken", "verificationtoken", "confirmationtoken", "reset",
    "resettoken", "resetkey", "resetcode", "resetpasswordtoken", "passwordresettoken", "auth", "authorization", "authcode",
    "apikey", "appkey", "accesskey", "privatekey", "jwt", "otp", "pin", "sessionid", "sessid", "sid", "phpsessid",
    "jsessionid", "samlresponse", "samlrequest", "assertion", "signature", "xamzsignature", "xamzcredential",
    "xamzsecuritytoken", "xgoogsignature", "email", "emailaddress", "mail", "usermail", "useremail", "phone", "phonenumber",
    "mobile", "tel", "ssn", "creditcard", "cardnumber", "cvv", "cvc", "iban",
];
/// Segments of a path that a long token follows.
const BEFORE_TOKENS: &[&str] = &[
    "reset",
    "reset-password",
    "password-reset",
    "password_reset",
    "reset_password",
    "confirm",
    "verify",
    "activate",
    "invite",
    "magic",
    "token",
    "unsubscribe",
];
/// What ends a file's name, not a domain: `logo@2x.png` is no e-mail address.
const FILE_TYPES: &[&str] = &["avif", "css", "gif", "ico", "jpeg", "jpg", "js", "mp4", "pdf", "png", "svg", "webp"];

/// What stands in a path for an e-mail address or a token that was taken out.
const GONE: &str = "_removed_";
/// A shorter segment may be a word.
const TOKEN_BYTES_MIN: usize = 16;
/// An address in a parameter of an address is looked into so deep; what is encoded more often is not looked for.
const DEPTH_MAX: usize = 3;

/// An address as it may be stored.
pub fn strip(url: &str) -> Cow<'_, str> {
    strip_at(url, DEPTH_MAX)
}

/// Whether a parameter of this name is always taken out.
pub fn is_personal_parameter(name: &str) -> bool {
    let name = decoded_fully(name);
    if name == link::PARAMETER {
        return true;
    }
    if Parameter::find(&name).is_some_and(|parameter| parameter.carries == Carries::Reader) {
        return true;
    }
    let plain = name.chars().filter(|c| !matches!(c, '_' | '-' | '.' | '[' | ']' | ' '));
    let plain: String = plain.map(|c| c.to_ascii_lowercase()).collect();
    SECRETS.contains(&plain.as_str())
}

fn strip_at(url: &str, depth: usize) -> Cow<'_, str> {
    let (before, fragment) = split_before(url, '#');
    let (address, query) = split_before(before, '?');
    let (origin, path) = split_origin(address);
    let stripped = [
        without_user(origin),
        path_without_personal(path),
        query_without_personal(query, depth),
        fragment_without_personal(fragment, depth),
    ];
    let stripped = stripped.concat();
    if stripped == url { Cow::Borrowed(url) } else { Cow::Owned(stripped) }
}

/// Both parts; the second begins with `mark`, or is empty.
fn split_before(text: &str, mark: char) -> (&str, &str) {
    text.split_at(text.find(mark).unwrap_or(text.len()))
}

/// `https://user@host:1` and `/path`; of a relative address the first is empty.
fn split_origin(address: &str) -> (&str, &str) {
    let authority = match address.find("//") {
        Some(0) => 2,
        Some(at) if address[..at].ends_with(':') && !address[..at].contains('/') => at + 2,
        _ => return ("", address),
    };
    let rest = &address[authority..];
    address.split_at(authority + rest.find(['/', '\\']).unwrap_or(rest.len()))
}

fn without_user(origin: &str) -> Cow<'_, str> {
    let Some(slashes) = origin.find("//") else { return Cow::Borrowed(origin) };
    let (scheme, authority) = origin.split_at(slashes + 2);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    if has_email(&decoded_fully(host)) {
        return Cow::Owned(format!("{scheme}{GONE}"));
    }
    if host.len() == authority.len() { Cow::Borrowed(origin) } else { Cow::Owned(format!("{scheme}{host}")) }
}

/// Segments keep their number: only what is in them goes.
fn path_without_personal(path: &str) -> Cow<'_, str> {
    let mut before = "";
    let mut changed = false;
    let segments: Vec<&str> = path
        .split('/')
        .map(|segment| {
            let follows = BEFORE_TOKENS.iter().any(|word| before.eq_ignore_ascii_case(word));
            before = segment;
            let name = segment.split_once(';').map(|(_, parameter)| parameter.split('=').next().unwrap_or(parameter));
            let is_gone = has_email(&decoded_fully(segment))
                || follows && is_token(segment)
                || name.is_some_and(is_personal_parameter);
            changed |= is_gone;
            if is_gone { GONE } else { segment }
        })
        .collect();
    if changed { Cow::Owned(segments.join("/")) } else { Cow::Borrowed(path) }
}

/// `query` begins with its mark, or is empty.
fn query_without_personal(query: &str, depth: usize) -> Cow<'_, str> {
    let Some(pairs) = query.strip_prefix('?') else { return Cow::Borrowed(query) };
    let kept = kept_pairs(pairs, depth);
    match kept {
        None => Cow::Borrowed(query),
        Some(kept) if kept.is_empty() => Cow::Borrowed(""),
        Some(kept) => Cow::Owned(format!("?{kept}")),
    }
}

/// A fragment may be a place, a query as OAuth writes it, or the path and query of a page without a server.
fn fragment_without_personal(fragment: &str, depth: usize) -> Cow<'_, str> {
    let Some(inside) = fragment.strip_prefix('#') else { return Cow::Borrowed(fragment) };
    let (place, query) = split_before(inside, '?');
    let place_kept = match place.contains('=') {
        true => kept_pairs(place, depth).map_or(Cow::Borrowed(place), Cow::Owned),
        false => path_without_personal(place),
    };
    let query_kept = query_without_personal(query, depth);
    if place_kept == place && query_kept == query {
        return Cow::Borrowed(fragment);
    }
    let kept = format!("{place_kept}{query_kept}");
    if kept.is_empty() { Cow::Borrowed("") } else { Cow::Owned(format!("#{kept}")) }
}

/// The pairs that may stay; none where all may.
fn kept_pairs(pairs: &str, depth: usize) -> Option<String> {
    if !pairs.split('&').any(|pair| is_personal(pair, depth)) {
        return None;
    }
    let kept: Vec<&str> = pairs.split('&').filter(|pair| !is_personal(pair, depth)).collect();
    Some(kept.join("&"))
}

fn is_personal(pair: &str, depth: usize) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    if is_personal_parameter(name) && !value.is_empty() || has_email(&decoded_fully(pair)) {
        return true;
    }
    // An address as a value: where it leads next, with parameters of its own.
    let inner = percent_decode_str(value).decode_utf8_lossy();
    let is_address = inner.contains("//") || inner.starts_with('/') || inner.contains(['?', '&']);
    depth > 0 && is_address && strip_at(&inner, depth - 1).as_ref() != inner.as_ref()
}

/// Decoded until nothing changes, so that an address that was encoded twice is found too.
fn decoded_fully(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..=DEPTH_MAX {
        if !text.contains('%') {
            break;
        }
        text = Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned());
    }
    text
}

fn is_token(segment: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'=' | b'%' | b'~');
    let is_word = segment.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    segment.len() >= TOKEN_BYTES_MIN && segment.bytes().all(plain) && !is_word
}

/// Something, an `@`, and a domain of two labels whose last is of letters.
fn has_email(text: &str) -> bool {
    text.match_indices('@').any(|(at, _)| {
        let is_local = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '\'');
        let is_domain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
        let after = &text[at + 1..];
        let domain = &after[..after.find(|c: char| !is_domain(c)).unwrap_or(after.len())];
        let domain = domain.trim_end_matches(['.', '-']);
        let Some((name, last)) = domain.rsplit_once('.') else { return false };
        let is_top = last.chars().count() >= 2 && last.chars().all(char::is_alphabetic) || last.starts_with("xn--");
        let is_file = FILE_TYPES.iter().any(|file| last.eq_ignore_ascii_case(file));
        text[..at].ends_with(is_local) && !name.is_empty() && is_top && !is_file
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_personal_goes_and_the_rest_stays_byte_for_byte() {
        for (url, expected) in [
            ("https://a/p?mc_eid=1&x=%20+&_kx=2&mc_cid=c#top", "https://a/p?x=%20+&mc_cid=c#top"),
            ("https://a/p?_HSENC=1&_hsmi=2&mkt_tok=3", "https://a/p"),
            ("https://a/?gclid=Cj0&utm_source=x", "https://a/?gclid=Cj0&utm_source=x"),
            ("https://a/?q=ada@example.com&y=1", "https://a/?y=1"),
            ("https://a/?q=ada%40example.com", "https://a/"),
            ("https://a/?q=ada%2540example.com", "https://a/"),
            ("https://a/?ada@example.com", "https://a/"),
            ("https://a/?E-Mail=nobody", "https://a/"),
            ("https://a/u/ada@example.com/orders", "https://a/u/_removed_/orders"),
            ("https://a/u/Ada.L%2Bx%40example.co.uk", "https://a/u/_removed_"),
            ("https://a/#ada@example.com", "https://a/#_removed_"),
            ("https://a/#/login?email=x&tab=2", "https://a/#/login?tab=2"),
            ("https://a/cb#access_token=abc&state=1", "https://a/cb#state=1"),
            ("https://a/cb#access_token=abc", "https://a/cb"),
            ("https://user:pw@a:8443/p", "https://a:8443/p"),
            ("https://ada@example.com@a/p", "https://a/p"),
            ("//user@a/p", "//a/p"),
            ("https://a/?password=1&Access-Token=2&user[password]=3&x=4", "https://a/?user[password]=3&x=4"),
            ("https://a/?reset%5Ftoken=2&x", "https://a/?x"),
            ("https://a/reset/9f8a7b6c5d4e3f2a1b0c", "https://a/reset/_removed_"),
            ("https://a/reset/instructions", "https://a/reset/instructions"),
            ("https://a/p;jsessionid=1234/x", "https://a/_removed_/x"),
            ("https://a/?next=https%3A%2F%2Fb%2F%3Ftoken%3D1%26x%3D2&y=1", "https://a/?y=1"),
            ("https://a/?next=%2Fp%3Fx%3D2&y=1", "https://a/?next=%2Fp%3Fx%3D2&y=1"),
            ("https://a/logo@2x.png?pkg=left@1.2.3", "https://a/logo@2x.png?pkg=left@1.2.3"),
            ("https://a/@ada/status?token=&x=@example.com", "https://a/@ada/status?token=&x=@example.com"),
            ("/p?x=1&token=2", "/p?x=1"),
            ("https://a/?x=1&_tgl=l1.k1.1700000000.MDE5.c2ln&y=2", "https://a/?x=1&y=2"),
            ("mailto:ada@example.com", "_removed_"),
            ("", ""),
        ] {
            assert_eq!(strip(url), expected, "{url}");
        }
    }

    #[test]
    fn what_nothing_is_taken_out_of_is_not_copied() {
        assert!(matches!(strip("https://www.shop.example/p?x=1&utm_source=a#b"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn stripping_never_panics_and_is_done_once(url in "\\PC{0,80}") {
            let once = strip(&url).into_owned();
            let again = strip(&once).into_owned();
            prop_assert_eq!(again, once);
        }

        #[test]
        fn of_hostile_addresses_nothing_personal_is_left(url in "(https?://)?[a-z@:/?#&=%.;\\[\\]0-9]{0,60}") {
            let once = strip(&url).into_owned();
            prop_assert!(!has_email(&decoded_fully(&once)), "{} of {}", once, url);
            let again = strip(&once).into_owned();
            prop_assert_eq!(again, once);
        }
    }
}
