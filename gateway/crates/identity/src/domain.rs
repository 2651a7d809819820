//! The domain that cookies are set for, by the Public Suffix List: the registrable one, so that a site and all its hosts
//! share them.

use std::fmt;
use std::net::IpAddr;

/// A domain that cookies may be set for: in lower case, of two labels at least, and no public suffix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Domain(String);

/// Why no cookie can be set for a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is no host name in ASCII; one with other letters is written in its `xn--` form.
    #[error("is no host name")]
    NoName,
    /// Cookies of an address are its own alone.
    #[error("is an address, whose cookies are always its own alone")]
    Address,
    /// `localhost` and its like.
    #[error("has only one label: cookies are the host's own")]
    OneLabel,
    /// `co.uk`: browsers refuse it.
    #[error("is a public suffix, and no browser keeps a cookie for it")]
    PublicSuffix,
    /// `github.io`: its sub-domains belong to strangers of one another.
    #[error("is a private suffix, whose sub-domains belong to different people")]
    PrivateSuffix,
}

impl Domain {
    /// Takes a domain as an operator writes it. It may be below the registrable one.
    ///
    /// # Errors
    /// When no browser would keep a cookie for it.
    pub fn parse(text: &str) -> Result<Domain, Unfit> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.parse::<IpAddr>().is_ok() || name.starts_with('[') {
            return Err(Unfit::Address);
        }
        if !is_name(&name) {
            return Err(Unfit::NoName);
        }
        if !name.contains('.') {
            return Err(Unfit::OneLabel);
        }
        if psl::domain_str(&name).is_some() {
            return Ok(Domain(name));
        }
        let of = psl::suffix(name.as_bytes()).and_then(|suffix| suffix.typ());
        Err(if of == Some(psl::Type::Private) { Unfit::PrivateSuffix } else { Unfit::PublicSuffix })
    }

    /// The registrable domain of a `Host` header. An address, `localhost` and a public suffix have none: their cookies are
    /// the host's own.
    pub fn registrable(host: &str) -> Option<Domain> {
        let whole = Domain::parse(host_name(host)).ok()?;
        psl::domain_str(&whole.0).map(|domain| Domain(domain.to_owned()))
    }

    /// The domain of a `Host` header: the longest of the site's own that covers it, else the registrable one.
    pub fn of_host(host: &str, own: &[Domain]) -> Option<Domain> {
        let covering = own.iter().filter(|domain| domain.covers(host)).max_by_key(|domain| domain.0.len());
        covering.cloned().or_else(|| Domain::registrable(host))
    }

    /// Whether a host is this domain or below it.
    pub fn covers(&self, host: &str) -> bool {
        let host = host_name(host);
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        host.strip_suffix(&self.0).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    }

    /// The domain as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many labels it has.
    pub fn labels(&self) -> usize {
        self.0.split('.').count()
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A `Host` header without its port.
pub fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Nothing else gets into a `Domain` attribute, whatever a request's `Host` says.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        plain && !label.is_empty() && label.len() <= 63
    };
    let is_number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(is_label) && !is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registrable(host: &str) -> Option<String> {
        Domain::registrable(host).map(|domain| domain.to_string())
    }

    #[test]
    fn a_host_loses_its_port_and_nothing_else() {
        assert_eq!(host_name("track.shop.example:8443"), "track.shop.example");
        assert_eq!(host_name("localhost"), "localhost");
        assert_eq!(host_name("[::1]:80"), "[::1]");
        assert_eq!(host_name("[::1]"), "[::1]");
    }

    #[test]
    fn cookies_are_set_for_the_registrable_domain_or_the_host_alone() {
        assert_eq!(registrable("track.shop.example.co.uk:8080").as_deref(), Some("example.co.uk"));
        assert_eq!(registrable("Track.Shop.example.").as_deref(), Some("shop.example"));
        assert_eq!(registrable("shop.github.io").as_deref(), Some("shop.github.io"));
        assert_eq!(registrable("www.xn--mnchen-3ya.de").as_deref(), Some("xn--mnchen-3ya.de"));
        for none in [
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "::1",
            "github.io",
            "co.uk",
            "",
            ".",
            "a..b",
            "1.2.3",
            "shop.example;x",
            "shop.example\r\nx",
        ] {
            assert_eq!(registrable(none), None, "{none}");
        }
    }

    #[test]
    fn a_domain_that_no_browser_keeps_cookies_for_is_refused() {
        for (text, expected) in [
            ("shop.example", Ok("shop.example")),
            ("EU.shop.example", Ok("eu.shop.example")),
            ("co.uk", Err(Unfit::PublicSuffix)),
            ("github.io", Err(Unfit::PrivateSuffix)),
            ("localhost", Err(Unfit::OneLabel)),
            ("10.0.0.1", Err(Unfit::Address)),
            ("[::1]", Err(Unfit::Address)),
            ("münchen.de", Err(Unfit::NoName)),
            ("https://shop.example", Err(Unfit::NoName)),
            (".shop.example", Err(Unfit::NoName)),
        ] {
            assert_eq!(Domain::parse(text).as_ref().map(Domain::as_str).map_err(|why| *why), expected, "{text}");
        }
    }

    #[test]
    fn of_several_domains_the_longest_that_covers_the_host_counts() {
        let own = ["shop.example", "eu.shop.example", "shop.co.uk"].map(|text| Domain::parse(text).unwrap());
        for (host, expected) in [
            ("track.shop.example", "shop.example"),
            ("t.eu.shop.example:443", "eu.shop.example"),
            ("shop.co.uk", "shop.co.uk"),
            ("notshop.example", "notshop.example"),
            ("evil-shop.co.uk", "evil-shop.co.uk"),
        ] {
            assert_eq!(Domain::of_host(host, &own).unwrap().as_str(), expected, "{host}");
        }
    }
}
