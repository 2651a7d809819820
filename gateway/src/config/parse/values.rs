//! The texts that have a form: addresses, networks, hosts, origins, URLs. Pure; each says what is wrong and how it
//! would be right.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use tidegate_identity::domain::Domain;
use url::{Host, Url};

use crate::config::reader::Complaint;

fn complain<T>(what: &'static str, hint: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint { what, hint: hint.into() })
}

/// `127.0.0.1:8080`
pub(super) fn address(text: &str) -> Result<SocketAddr, Complaint> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let hint = match text.rsplit_once(':') {
        Some(("" | "*", port)) if port.parse::<u16>().is_ok() => {
            format!("write `0.0.0.0:{port}` for every address of this machine, `127.0.0.1:{port}` for itself only")
        }
        Some(("localhost", port)) if port.parse::<u16>().is_ok() => format!("write `127.0.0.1:{port}`"),
        _ => "an IP address, a colon and a port, such as `127.0.0.1:8080`".to_owned(),
    };
    complain("is no address", hint)
}

/// `10.0.0.0/8`, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, Complaint> {
    let single = || text.parse::<IpAddr>().map(IpNet::from);
    match text.parse::<IpNet>().or_else(|_| single()) {
        Ok(network) => Ok(network.trunc()),
        Err(_) => complain("is no network", "an address and the length of its prefix, such as `10.0.0.0/8`"),
    }
}

/// `sqlite:data/tidegate.db`
pub(super) fn sqlite_path(text: &str) -> Result<PathBuf, Complaint> {
    let example = "write `sqlite:` and a path, such as `sqlite:data/tidegate.db`, or `redis://` and a host";
    let Some(("sqlite", rest)) = text.split_once(':') else { return complain("is no store", example) };
    let path = rest.strip_prefix("//").unwrap_or(rest);
    match path {
        "" => complain("has no path", example),
        ":memory:" => complain("would forget what was acknowledged", example),
        _ if path.ends_with('/') => complain("is a directory", "add the file's name, such as `tidegate.db`"),
        _ => Ok(path.into()),
    }
}

/// The user of a Redis.
pub(super) fn user_name(text: &str) -> Result<String, Complaint> {
    let plain = !text.is_empty() && text.len() <= 256 && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if plain { Ok(text.to_owned()) } else { complain("is no user", "a name without spaces, as `ACL LIST` shows it") }
}

/// What all keys in a Redis begin with.
pub(super) fn key_prefix(text: &str) -> Result<String, Complaint> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
        return complain("is no prefix", "letters, digits, `-`, `_`, `.` and `:`, at most 64");
    }
    Ok(text.to_owned())
}

/// The name of a cookie, a token of RFC 6265 without a prefix that HTTPS gives a meaning.
pub(super) fn cookie_name(text: &str) -> Result<String, Complaint> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
        return complain("is no cookie name", "letters, digits, `-`, `_` and `.`, at most 64");
    }
    if text.starts_with("__") {
        return complain("has a prefix", "it is added under HTTPS: leave out `__Host-` and `__Secure-`");
    }
    Ok(text.to_owned())
}

/// `track.shop.example`: a host as a browser names it, in lower case.
pub(super) fn host(text: &str) -> Result<String, Complaint> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(format!("[{address}]"));
    }
    match Host::parse(text) {
        Ok(host) if !text.contains('*') => Ok(host.to_string()),
        Ok(_) => complain("is no host", "name each host; `*` has no meaning here"),
        Err(_) => {
            let inside = |text: &str| Url::parse(text).ok()?.host_str().map(str::to_owned);
            let hint = inside(text)
                .or_else(|| inside(&format!("http://{text}")))
                .map(|host| format!("only the host, without scheme and port: `{host}`"));
            complain("is no host", hint.unwrap_or_else(|| "a name such as `track.shop.example`".to_owned()))
        }
    }
}

/// `/t.js`: where a site's pages load the snippet from. It sends events to the folder that it lies in.
pub(super) fn script_path(text: &str) -> Result<String, Complaint> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    let stem = text.strip_prefix('/').and_then(|rest| rest.strip_suffix(".js"));
    let is_fit = stem.is_some_and(|stem| !stem.is_empty() && !stem.contains('/'));
    if !is_fit || text.len() > 64 || !text.bytes().all(plain) {
        return complain("is no path for the snippet", "a file's name at the root, such as `/t.js` or `/main.js`");
    }
    Ok(text.to_owned())
}

/// `shop.example`: a domain that cookies may be set for.
pub(super) fn domain(text: &str) -> Result<Domain, Complaint> {
    Domain::parse(text).or_else(|why| complain("is no domain of cookies", format!("it {why}")))
}

/// `https://shop.example`: an origin as a browser's header has it.
pub(super) fn origin(text: &str) -> Result<String, Complaint> {
    let example = "scheme, host and port only, such as `https://shop.example`";
    let Ok(url) = Url::parse(text) else {
        let guess = format!("https://{text}");
        let hint = match Url::parse(&guess) {
            Ok(url) if !text.contains('*') && url.path() == "/" => format!("with its scheme: `{guess}`"),
            _ => example.to_owned(),
        };
        return complain("is no origin", hint);
    };
    if !matches!(url.scheme(), "http" | "https") || text.contains('*') {
        return complain("is no origin", example);
    }
    let origin = url.origin().ascii_serialization();
    let authority = text.get(url.scheme().len() + 3..).unwrap_or_default();
    if authority.contains(['/', '?', '#', '@', '\\']) {
        return complain("is more than an origin", format!("scheme, host and port only: `{origin}`"));
    }
    Ok(origin)
}

/// `http://127.0.0.1:9100`: what replaces scheme and authority of an endpoint.
pub(super) fn base_url(text: &str) -> Result<Url, Complaint> {
    let example = "scheme, host and port, such as `http://127.0.0.1:9100`";
    let Ok(url) = Url::parse(text) else { return complain("is no URL", example) };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return complain("is no HTTP URL", example);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return complain("contains credentials", "credentials belong to `secrets`");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        let origin = url.origin().ascii_serialization();
        let hint = format!("only scheme and authority of an endpoint are replaced: `{origin}`");
        return complain("has more than scheme and authority", hint);
    }
    Ok(url)
}

/// A key that clients show in a header, a body or a query: visible ASCII without a colon, for Basic authentication.
pub(super) fn is_key(text: &str) -> bool {
    text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint<T>(result: Result<T, Complaint>) -> String {
        result.err().map(|complaint| complaint.hint).unwrap_or_default()
    }

    #[test]
    fn addresses_are_numbers_with_a_port() {
        assert!(address("[::1]:8080").is_ok());
        assert_eq!(hint(address("localhost:80")), "write `127.0.0.1:80`");
        assert!(hint(address(":80")).starts_with("write `0.0.0.0:80`"));
        assert!(address("127.0.0.1").is_err());
    }

    #[test]
    fn a_network_may_be_one_address() {
        assert_eq!(network("10.1.2.3/8").ok().map(|n| n.to_string()), Some("10.0.0.0/8".to_owned()));
        assert_eq!(network("::1").ok().map(|n| n.to_string()), Some("::1/128".to_owned()));
        assert!(network("10.0.0.0/33").is_err());
    }

    #[test]
    fn hosts_are_as_browsers_name_them() {
        assert_eq!(host("Track.Shop.example").ok().as_deref(), Some("track.shop.example"));
        assert_eq!(host("::1").ok().as_deref(), Some("[::1]"));
        assert_eq!(hint(host("localhost:8080")), "only the host, without scheme and port: `localhost`");
        assert_eq!(hint(host("https://shop.example/x")), "only the host, without scheme and port: `shop.example`");
        assert!(host("*.shop.example").is_err());
        assert!(host("").is_err());
    }

    #[test]
    fn origins_have_no_path() {
        assert_eq!(origin("https://Shop.example:443").ok().as_deref(), Some("https://shop.example"));
        assert_eq!(hint(origin("https://shop.example/")), "scheme, host and port only: `https://shop.example`");
        assert_eq!(hint(origin("shop.example")), "with its scheme: `https://shop.example`");
        assert!(origin("*").is_err());
        assert!(origin("https://*.shop.example").is_err());
        assert!(origin("file:///x").is_err());
    }

    #[test]
    fn stores_are_sqlite_files() {
        assert_eq!(sqlite_path("sqlite:data/x.db").ok(), Some("data/x.db".into()));
        assert_eq!(sqlite_path("sqlite:///var/x.db").ok(), Some("/var/x.db".into()));
        for refused in ["postgres:x", "sqlite:", "sqlite::memory:", "data/x.db", "sqlite:data/"] {
            assert!(sqlite_path(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn base_urls_replace_scheme_and_authority_only() {
        assert!(base_url("http://127.0.0.1:9100").is_ok());
        assert!(base_url("http://127.0.0.1:9100/v1").is_err());
        assert!(base_url("http://u:p@127.0.0.1").is_err());
        assert!(base_url("ftp://127.0.0.1").is_err());
    }
}
