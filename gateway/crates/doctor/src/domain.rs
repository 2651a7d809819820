//! Registrable domains, by the Public Suffix List with its private part.

use std::net::IpAddr;

/// What cookies can be shared over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All hosts of this domain.
    Domain(String),
    /// The one host: an address, or a name without a dot.
    Host,
    /// Nothing: the host is a public suffix itself.
    Suffix,
}

/// The reach of cookies that a host sets.
pub(crate) fn reach(host: &str) -> Reach {
    let host = plain(host);
    if address(&host).is_some() || !host.contains('.') {
        return Reach::Host;
    }
    psl::domain_str(&host).map_or(Reach::Suffix, |domain| Reach::Domain(domain.to_owned()))
}

/// The registrable domain of a host; of a host without one, the host.
pub(crate) fn registrable(host: &str) -> String {
    match reach(host) {
        Reach::Domain(domain) => domain,
        Reach::Host | Reach::Suffix => plain(host),
    }
}

/// Whether two hosts are of one site, so that cookies go between them.
pub(crate) fn same_site(a: &str, b: &str) -> bool {
    registrable(a) == registrable(b)
}

/// The address that a host is, if it is one. IPv6 may stand in brackets, as in a URL.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// A host's name in lower case, without the root's dot.
pub(crate) fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_suffixes_are_suffixes() {
        assert_eq!(reach("track.shop.co.uk"), Reach::Domain("shop.co.uk".into()));
        assert_eq!(reach("shop.github.io"), Reach::Domain("shop.github.io".into()));
        assert_eq!(reach("github.io"), Reach::Suffix);
        assert_eq!(reach("co.uk."), Reach::Suffix);
        for host in ["localhost", "192.0.2.1", "[2001:db8::1]"] {
            assert_eq!(reach(host), Reach::Host, "{host}");
        }
        assert!(same_site("www.shop.example", "Track.Shop.Example."));
        assert!(!same_site("a.github.io", "b.github.io"));
        assert!(!same_site("192.0.2.1", "192.0.2.2"));
    }
}
