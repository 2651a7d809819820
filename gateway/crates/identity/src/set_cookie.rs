//! One `Set-Cookie` line, which cannot say anything else than it is meant to.

use std::fmt;

use crate::Scheme;
use crate::domain::Domain;
use crate::platform::Readers;

/// Chromium keeps no cookie longer: 400 days.
pub const AGE_MAX_S: u32 = 34_560_000;
/// The longest name and value together that browsers keep.
const PAIR_BYTES_MAX: usize = 4_096;

/// A cookie to be set; `Display` gives the header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetCookie {
    name: String,
    value: String,
    age_s: u32,
    readers: Readers,
    place: Place,
}

/// Where cookies are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The domain, or the host alone. Behind the site's own proxy (path mode) the host is the page's; nothing else differs,
    /// for a cookie is of the whole site also where the gateway has only a path of it.
    pub domain: Option<Domain>,
    /// How the request came.
    pub scheme: Scheme,
    /// From whose pages cookies come back.
    pub same_site: SameSite,
}

/// From whose pages a browser sends cookies back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SameSite {
    /// The site's own, sub-domains included: enough for a gateway beside the site.
    #[default]
    Lax,
    /// Those of other sites too, where the gateway is on another domain than its pages.
    None,
    /// The same, one jar for each embedding site: for third-party embeds.
    Partitioned,
}

impl SetCookie {
    /// A cookie; none where name or value cannot stand in a header. Longer lives are cut to [`AGE_MAX_S`].
    pub fn new(name: &str, value: &str, age_s: u32, readers: Readers, place: &Place) -> Option<SetCookie> {
        let is_fit = is_name(name) && is_value(value) && name.len() + value.len() < PAIR_BYTES_MAX;
        let age_s = age_s.min(AGE_MAX_S);
        is_fit.then(|| SetCookie { name: name.into(), value: value.into(), age_s, readers, place: place.clone() })
    }

    /// The lines that take a cookie from the browser, whether it was set for the domain or for the host alone.
    pub fn expire<'a>(name: &'a str, readers: Readers, place: &'a Place) -> impl Iterator<Item = SetCookie> + 'a {
        let host_only = Place { domain: None, ..place.clone() };
        let places = place.domain.is_some().then(|| place.clone()).into_iter().chain([host_only]);
        places.filter_map(move |place| SetCookie::new(name, "", 0, readers, &place))
    }

    /// Whether the line takes the cookie from the browser.
    pub fn is_expiry(&self) -> bool {
        self.age_s == 0
    }

    /// The cookie's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cookie's value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { domain, scheme, same_site } = &self.place;
        let is_secure = *scheme == Scheme::Https;
        // Without `Secure` browsers refuse `None`.
        let same_site = if is_secure { *same_site } else { SameSite::Lax };
        let site = if same_site == SameSite::Lax { "Lax" } else { "None" };
        write!(f, "{}={}; Path=/; Max-Age={}; SameSite={site}", self.name, self.value, self.age_s)?;
        if let Some(domain) = domain {
            write!(f, "; Domain={domain}")?;
        }
        let secure = if is_secure { "; Secure" } else { "" };
        let http_only = if self.readers == Readers::Servers { "; HttpOnly" } else { "" };
        let partitioned = if same_site == SameSite::Partitioned { "; Partitioned" } else { "" };
        write!(f, "{secure}{http_only}{partitioned}")
    }
}

/// A token of RFC 9110, which RFC 6265 has cookies' names be.
fn is_name(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(token)
}

/// More than RFC 6265 lets servers write, for the platforms' scripts write more: all that no parser ends a value at.
fn is_value(value: &str) -> bool {
    value.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(domain: Option<&str>, scheme: Scheme, same_site: SameSite) -> Place {
        Place { domain: domain.map(|domain| Domain::parse(domain).unwrap()), scheme, same_site }
    }

    #[test]
    fn attributes_are_exactly_those_of_the_set_up() {
        use Readers::{Scripts, Servers};
        use Scheme::{Http, Https};
        for (domain, scheme, same_site, readers, expected) in [
            (
                Some("shop.example"),
                Https,
                SameSite::Lax,
                Servers,
                "SameSite=Lax; Domain=shop.example; Secure; HttpOnly",
            ),
            (Some("shop.example"), Https, SameSite::Lax, Scripts, "SameSite=Lax; Domain=shop.example; Secure"),
            (Some("shop.example"), Https, SameSite::None, Scripts, "SameSite=None; Domain=shop.example; Secure"),
            (None, Https, SameSite::Partitioned, Servers, "SameSite=None; Secure; HttpOnly; Partitioned"),
            (None, Http, SameSite::Lax, Servers, "SameSite=Lax; HttpOnly"),
            (None, Http, SameSite::Partitioned, Scripts, "SameSite=Lax"),
        ] {
            let line = SetCookie::new("n", "v", 60, readers, &place(domain, scheme, same_site)).unwrap().to_string();
            assert_eq!(line, format!("n=v; Path=/; Max-Age=60; {expected}"));
        }
    }

    #[test]
    fn no_cookie_is_set_for_longer_than_browsers_keep_it() {
        let cookie = SetCookie::new("n", "v", u32::MAX, Readers::Scripts, &place(None, Scheme::Https, SameSite::Lax));
        assert!(cookie.unwrap().to_string().contains("Max-Age=34560000;"));
    }

    #[test]
    fn a_cookie_is_taken_from_the_domain_and_from_the_host() {
        let here = place(Some("shop.example"), Scheme::Https, SameSite::Lax);
        let lines: Vec<String> = SetCookie::expire("n", Readers::Servers, &here).map(|line| line.to_string()).collect();
        let expected = [
            "n=; Path=/; Max-Age=0; SameSite=Lax; Domain=shop.example; Secure; HttpOnly",
            "n=; Path=/; Max-Age=0; SameSite=Lax; Secure; HttpOnly",
        ];
        assert_eq!(lines, expected);
        let localhost = place(None, Scheme::Http, SameSite::Lax);
        assert_eq!(SetCookie::expire("n", Readers::Servers, &localhost).count(), 1);
    }

    #[test]
    fn what_a_header_cannot_hold_is_no_cookie() {
        let here = place(None, Scheme::Https, SameSite::Lax);
        for (name, value) in [
            ("", "v"),
            ("a b", "v"),
            ("a;b", "v"),
            ("a=b", "v"),
            ("n", "a;b"),
            ("n", "a b"),
            ("n", "a\r\nb"),
            ("n", "é"),
        ] {
            assert_eq!(SetCookie::new(name, value, 1, Readers::Scripts, &here), None, "{name:?}={value:?}");
        }
        assert_eq!(SetCookie::new("n", &"x".repeat(5_000), 1, Readers::Scripts, &here), None);
    }
}
