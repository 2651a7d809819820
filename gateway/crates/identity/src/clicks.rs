//! Click IDs: found in addresses, cookies and what a client names, in the order of their weight.
//!
//! A parameter's name matches without regard to case; its value is kept byte for byte after one percent-decoding. The
//! registry of the names is [`tidegate_event::PARAMETERS`], the cookies' is [`platform::COOKIES`].

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use tidegate_event::{Carries, ClickId, PARAMETERS, Parameter, clicks_merge};

use crate::platform;

/// The longest value of a click ID.
const VALUE_BYTES_MAX: usize = 500;
/// There are fewer platforms than that.
const CLICKS_MAX: usize = 32;

/// Where click IDs may stand, each place with more weight than the next.
#[derive(Debug, Clone, Default)]
pub struct Sources<'a> {
    /// Kind and value, as a client names them itself.
    pub named: &'a [(String, String)],
    /// The page's address.
    pub url: Option<&'a str>,
    /// The address of the page before.
    pub referrer: Option<&'a str>,
    /// Names and values of the platforms' cookies.
    pub cookies: &'a [(String, String)],
    /// What the visitor's profile keeps.
    pub profile: &'a [ClickId],
}

/// The click IDs of a visit, one of each kind: a different one of more weight wins, the same one keeps its first time.
pub fn gather(sources: &Sources<'_>, now_ms: u64) -> Vec<ClickId> {
    let mut found = Vec::new();
    let named = sources.named.iter().filter(|(_, value)| !value.is_empty() && value.len() <= VALUE_BYTES_MAX);
    clicks_merge(
        &mut found,
        named.map(|(kind, value)| ClickId { kind: canonical(kind).to_owned(), value: value.clone(), seen_ms: now_ms }),
    );
    for url in [sources.url, sources.referrer].into_iter().flatten() {
        clicks_merge(&mut found, in_url(url, now_ms));
    }
    let cookies = sources.cookies.iter();
    clicks_merge(&mut found, cookies.filter_map(|(name, value)| platform::click_in(name, value, now_ms)));
    clicks_merge(&mut found, sources.profile.iter().filter(|click| !click.value.is_empty()).cloned());
    found.truncate(CLICKS_MAX);
    found
}

/// The click IDs in an address, each kind at most once; the first counts.
pub fn in_url(url: &str, seen_ms: u64) -> Vec<ClickId> {
    let mut found: Vec<ClickId> = Vec::new();
    for (name, raw) in pairs(url) {
        let Some(kind) = kind_of(name) else { continue };
        let value = decoded(raw);
        if is_value(&value) && !found.iter().any(|click| click.kind == kind) {
            found.push(ClickId { kind: kind.into(), value: value.into_owned(), seen_ms });
        }
    }
    found
}

/// Whether a click ID of this kind is collected.
pub fn is_kind(kind: &str) -> bool {
    PARAMETERS.iter().any(|parameter| matches!(parameter.carries, Carries::Click { kind: known, .. } if known == kind))
}

/// For how many days after a click of this kind its platform counts a conversion, where it says so.
pub fn window_days(kind: &str) -> Option<u16> {
    PARAMETERS.iter().find_map(|parameter| match parameter.carries {
        Carries::Click { kind: known, window_days } if known == kind => window_days,
        _ => None,
    })
}

/// Other names that a site has its click IDs sent under, for Safari's private mode strips those that it knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases(Vec<(String, &'static str)>);

/// Why an alias cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misnamed {
    /// It is empty, too long, or has characters that need encoding in a query.
    #[error("is no parameter's name: letters, digits, `-`, `_` and `.`, at most 64")]
    Name,
    /// It is a parameter that platforms use.
    #[error("is a platform's own parameter")]
    Known,
    /// What it stands for is no click ID's parameter.
    #[error("stands for no click ID that is known")]
    Unknown,
}

impl Aliases {
    /// Adds an alias: `x` for `gclid`.
    ///
    /// # Errors
    /// When either is not what it has to be.
    pub fn add(&mut self, alias: &str, parameter: &str) -> Result<(), Misnamed> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if alias.is_empty() || alias.len() > 64 || !alias.bytes().all(plain) {
            return Err(Misnamed::Name);
        }
        if Parameter::find(alias).is_some() {
            return Err(Misnamed::Known);
        }
        let known = Parameter::find(parameter).filter(|known| matches!(known.carries, Carries::Click { .. }));
        self.0.push((alias.to_owned(), known.ok_or(Misnamed::Unknown)?.name));
        Ok(())
    }

    /// The parameter that an alias stands for.
    pub fn parameter(&self, name: &str) -> Option<&'static str> {
        self.0.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, parameter)| *parameter)
    }

    /// The address with the platforms' own names in place of the aliases, so that whatever reads it, or strips it, knows
    /// them. Everything else stays as it is.
    pub fn restore<'a>(&self, url: &'a str) -> Cow<'a, str> {
        let (before, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
        let Some((address, query)) = before.split_once('?') else { return Cow::Borrowed(url) };
        if !pairs(url).any(|(name, _)| self.parameter(name).is_some()) {
            return Cow::Borrowed(url);
        }
        let restored = query.split('&').map(|pair| {
            let known = pair.split_once('=').and_then(|(name, value)| Some((self.parameter(name)?, value)));
            known.map_or(Cow::Borrowed(pair), |(name, value)| Cow::Owned(format!("{name}={value}")))
        });
        let query: Vec<Cow<'_, str>> = restored.collect();
        Cow::Owned(format!("{address}?{}{fragment}", query.join("&")))
    }
}

/// Whether a value can be a click ID: visible ASCII that a cookie can hold.
pub(crate) fn is_value(value: &str) -> bool {
    let plain = |b: u8| (0x21..0x7f).contains(&b) && b != b';';
    !value.is_empty() && value.len() <= VALUE_BYTES_MAX && value.bytes().all(plain)
}

/// The pairs of an address's query, undecoded.
pub(crate) fn pairs(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let url = url.split('#').next().unwrap_or(url);
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(|pair| pair.split_once('='))
}

fn kind_of(name: &str) -> Option<&'static str> {
    match Parameter::find(name)?.carries {
        Carries::Click { kind, .. } => Some(kind),
        _ => None,
    }
}

/// A kind as plugins know it, however a client spells it.
fn canonical(kind: &str) -> &str {
    kind_of(kind).unwrap_or(kind)
}

fn decoded(raw: &str) -> Cow<'_, str> {
    percent_decode_str(raw).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(clicks: &[ClickId]) -> Vec<(&str, &str, u64)> {
        clicks.iter().map(|click| (click.kind.as_str(), click.value.as_str(), click.seen_ms)).collect()
    }

    fn click(kind: &str, value: &str, seen_ms: u64) -> ClickId {
        ClickId { kind: kind.into(), value: value.into(), seen_ms }
    }

    #[test]
    fn names_match_in_any_case_and_values_keep_theirs() {
        let found = in_url("https://shop.example/p?utm_source=x&FBCLID=IwAR_aBc-9&sclid=z#top", 5);
        assert_eq!(texts(&found), [("fbclid", "IwAR_aBc-9", 5), ("ScCid", "z", 5)]);
    }

    #[test]
    fn a_plus_stays_a_plus_and_percent_is_decoded_once() {
        for (query, expected) in [
            ("gclid=A+b_%2Bc", Some("A+b_+c")),
            ("gclid=a%252Fb", Some("a%2Fb")),
            ("gclid=A%3Bb", None),
            ("gclid=", None),
            ("gclid", None),
            ("gclid=a%0d%0ab", None),
            ("gclid=%C3%A9", None),
            ("x=1&gclid=first&GCLID=second", Some("first")),
            ("gclid=&gclid=second", Some("second")),
        ] {
            let found = in_url(&format!("https://a/?{query}"), 1);
            assert_eq!(found.first().map(|click| click.value.as_str()), expected, "{query}");
        }
        assert!(in_url(&format!("https://a/?gclid={}", "x".repeat(501)), 1).is_empty());
        assert_eq!(in_url(&format!("https://a/?gclid={}", "x".repeat(500)), 1).len(), 1);
        assert!(in_url("https://a/#?gclid=x", 1).is_empty(), "a fragment is no query");
    }

    #[test]
    fn every_parameter_that_carries_a_click_is_found_under_its_canonical_kind() {
        for parameter in PARAMETERS {
            let found = in_url(&format!("https://a/?{}=V1", parameter.name.to_ascii_uppercase()), 1);
            let expected = match parameter.carries {
                Carries::Click { kind, .. } => vec![(kind, "V1", 1)],
                _ => vec![],
            };
            assert_eq!(texts(&found), expected, "{}", parameter.name);
        }
        assert!(is_kind("ranSiteID") && is_kind("ScCid") && !is_kind("utm_source") && !is_kind("gclsrc"));
        assert_eq!((window_days("gclid"), window_days("fbclid"), window_days("awc")), (Some(90), Some(7), None));
    }

    #[test]
    fn the_page_weighs_more_than_the_referrer_than_the_cookie_than_the_profile() {
        let cookies = [
            ("_fbc".to_owned(), "fb.1.1000.cookie".to_owned()),
            ("ttclid".to_owned(), "cookie".to_owned()),
            ("li_fat_id".to_owned(), String::new()),
        ];
        let profile = [click("ttclid", "cookie", 7), click("twclid", "profile", 8), click("fbclid", "profile", 9)];
        let sources = Sources {
            named: &[("MSCLKID".into(), "named".into()), ("epik".into(), String::new())],
            url: Some("https://a/?gclid=page&msclkid=page"),
            referrer: Some("https://b/?gclid=referrer&fbclid=referrer"),
            cookies: &cookies,
            profile: &profile,
        };
        let found = gather(&sources, 50_000);
        let expected = [
            ("msclkid", "named", 50_000),
            ("gclid", "page", 50_000),
            ("fbclid", "referrer", 50_000),
            ("ttclid", "cookie", 7),
            ("twclid", "profile", 8),
        ];
        assert_eq!(texts(&found), expected);
    }

    #[test]
    fn an_alias_becomes_the_platforms_own_name_and_nothing_else_changes() {
        let mut aliases = Aliases::default();
        aliases.add("x", "gclid").unwrap();
        aliases.add("s-click", "ScCid").unwrap();
        for (url, expected) in [
            ("https://a/p?X=Cj0%2B&y=%20#x=1", "https://a/p?gclid=Cj0%2B&y=%20#x=1"),
            ("https://a/?a=b&s-click=1&x", "https://a/?a=b&sccid=1&x"),
            ("https://a/x=1", "https://a/x=1"),
            ("https://a/#?x=1", "https://a/#?x=1"),
        ] {
            assert_eq!(aliases.restore(url), expected);
        }
        assert_eq!(aliases.add("fbclid", "gclid"), Err(Misnamed::Known));
        assert_eq!(aliases.add("y", "utm_source"), Err(Misnamed::Unknown));
        assert_eq!(aliases.add("a b", "gclid"), Err(Misnamed::Name));
    }
}
