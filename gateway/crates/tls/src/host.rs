//! Host names, as certificates and clients spell them. Owns what is one and what covers which.

use crate::error::Mistake;

const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// A DNS name in lower case, without a dot at its end. No wildcard, no address; safe as a file's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Host(String);

impl Host {
    pub(crate) fn parse(raw: &str) -> Result<Host, Mistake> {
        let host = normal(raw);
        match check(&host) {
            Ok(()) => Ok(Host(host)),
            Err(why) => Err(Mistake::Host { host: raw.to_owned(), why }),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// As names are compared: in lower case, without the dot that may end them.
pub(crate) fn normal(raw: &str) -> String {
    raw.strip_suffix('.').unwrap_or(raw).to_ascii_lowercase()
}

/// What a wildcard that covers this name has after its `*.`: exactly one label less (RFC 6125, 6.4.3).
pub(crate) fn parent(name: &str) -> Option<&str> {
    let (label, parent) = name.split_once('.')?;
    (!label.is_empty() && !parent.is_empty()).then_some(parent)
}

fn check(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("it is empty");
    }
    if host.len() > HOST_BYTES_MAX {
        return Err("it is longer than 253 bytes");
    }
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Err("it is an address");
    }
    for label in host.split('.') {
        if label.is_empty() {
            return Err("it has an empty part");
        }
        if label.len() > LABEL_BYTES_MAX {
            return Err("a part of it is longer than 63 bytes");
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Err("only letters, digits, hyphens and dots are allowed");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("a part of it begins or ends with a hyphen");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_without_regard_to_case() {
        assert_eq!(Host::parse("T.Shop.Example.").unwrap().as_str(), "t.shop.example");
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = format!("{}.example", "a".repeat(64));
        for raw in ["", ".", "..", "a..b", "*.a.example", "../a", "a/b", "é.example", "192.0.2.1", "::1", "-a.b", &long]
        {
            assert!(Host::parse(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn a_wildcard_covers_exactly_one_label() {
        assert_eq!(parent("a.b.example"), Some("b.example"));
        for name in ["localhost", "", ".", ".b.example", "b."] {
            assert_eq!(parent(name), None, "{name}");
        }
    }
}
