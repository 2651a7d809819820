//! The parts of an address (URL), as a page or a referrer has one. Decodes what a query says; resolves and checks nothing.

use std::borrow::Cow;

/// The address, where it is one of the web: not `android-app://com.example`, which some platforms refuse an event for.
#[inline]
pub fn web(url: &str) -> Option<&str> {
    (url.starts_with("https://") || url.starts_with("http://")).then_some(url)
}

/// The host without a port: `shop.example`.
pub fn domain(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(host.split_once(':').map_or(host, |(host, _)| host)).filter(|host| !host.is_empty())
}

/// The path: `/shoes` of `https://shop.example/shoes?size=42`.
pub fn path(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    Some(rest.find('/').map_or("/", |at| &rest[at..]))
}

/// The query with its question mark, as browsers give it: `?size=42`.
pub fn search(url: &str) -> Option<&str> {
    let before = &url[..url.find('#').unwrap_or(url.len())];
    before.find('?').map(|at| &before[at..]).filter(|search| search.len() > 1)
}

/// The decoded value of a query's parameter, unless it is empty.
pub fn parameter<'a>(url: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let pairs = search(url)?.trim_start_matches('?').split('&');
    let mut values = pairs.filter_map(|pair| pair.split_once('=')).filter(|(known, _)| *known == name);
    values.next().map(|(_, value)| decode(value)).filter(|value| !value.trim().is_empty())
}

/// Percent-encoding undone, and `+` for a space. What is malformed stays as it is.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = |byte: &u8| (*byte as char).to_digit(16);
        match (first, after) {
            (b'%', [high, low, after @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                bytes.push((hex(high).unwrap_or(0) * 16 + hex(low).unwrap_or(0)) as u8);
                rest = after;
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(first),
        }
        rest = after;
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_a_path_and_a_query() {
        let url = "https://shop.example/shoes/?utm_source=a%20b+c&x=%zz#top?no=1";
        assert_eq!((path(url), search(url)), (Some("/shoes/"), Some("?utm_source=a%20b+c&x=%zz")));
        assert_eq!((domain(url), domain("https://a:b@c.example:8443?x")), (Some("shop.example"), Some("c.example")));
        assert_eq!(parameter(url, "utm_source").as_deref(), Some("a b c"));
        assert_eq!(parameter(url, "x").as_deref(), Some("%zz"));
        assert_eq!(parameter(url, "no"), None);
    }

    #[test]
    fn an_address_without_a_path_is_the_root() {
        assert_eq!((path("https://shop.example"), search("https://shop.example?")), (Some("/"), None));
        assert_eq!((path("app screen"), domain("app screen")), (None, None));
    }

    #[test]
    fn an_app_is_not_on_the_web() {
        assert_eq!(web("https://shop.example/"), Some("https://shop.example/"));
        assert_eq!(
            (web("http://shop.example/").is_some(), web("android-app://com.example"), web("")),
            (true, None, None)
        );
    }
}
