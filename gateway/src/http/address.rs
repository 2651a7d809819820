//! Whose address a request comes from, which host it asks for, and whether it came by HTTPS: a trusted proxy's word, or the
//! connection's.

use std::net::{IpAddr, SocketAddr};

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use ipnet::IpNet;
use tidegate_identity::Scheme;

/// A name has 253 characters at most; there may be a port behind it.
const HOST_BYTES_MAX: usize = 260;

/// How a request reached us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) ip: IpAddr,
    pub(super) scheme: Scheme,
    /// The host that the client asked for, with its port; empty where it says none.
    pub(super) host: String,
}

/// The connection that a request came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) ip: IpAddr,
    pub(super) scheme: Scheme,
}

/// Reads the proxies' headers from the right, as long as they were written by a proxy that is trusted.
pub(super) fn peer(connection: Connection, head: &Parts, trusted: &[IpNet]) -> Peer {
    let headers = &head.headers;
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    let ip = connection.ip.to_canonical();
    let mut peer = Peer { ip, scheme: connection.scheme, host: host(head) };
    if !is_trusted(&ip) {
        return peer;
    }
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    for hop in hops.iter().rev().map_while(|hop| address(hop.trim())) {
        peer.ip = hop.to_canonical();
        if !is_trusted(&peer.ip) {
            break;
        }
    }
    // Of several the last one: the nearest proxy's.
    let last =
        |name| headers.get_all(name).iter().next_back().and_then(|value| value.to_str().ok()?.rsplit(',').next());
    if let Some(proto) = last("x-forwarded-proto") {
        let is_https = proto.trim().eq_ignore_ascii_case("https");
        peer.scheme = if is_https { Scheme::Https } else { Scheme::Http };
    }
    if let Some(host) = last("x-forwarded-host").map(str::trim).filter(|host| is_host(host)) {
        peer.host = host.to_owned();
    }
    peer
}

/// One entry of `X-Forwarded-For`: an address, bare or as in a URL, with its port where the proxy writes one.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    bare.parse().ok().or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()))
}

/// What the client asked for: HTTP/2 says it in place of the header.
fn host(head: &Parts) -> String {
    let named = head.headers.get(HOST).and_then(|value| value.to_str().ok()).map(str::trim);
    let named = named.or_else(|| head.uri.authority().map(Authority::as_str));
    named.filter(|host| is_host(host)).unwrap_or_default().to_owned()
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.len() <= HOST_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUSTED: [&str; 2] = ["127.0.0.1/32", "10.0.0.0/8"];

    fn asked(connection: &str, uri: &str, headers: &[(&str, &str)]) -> Peer {
        let mut request = http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        let trusted = TRUSTED.map(|network| network.parse().unwrap());
        peer(Connection { ip: connection.parse().unwrap(), scheme: Scheme::Http }, &head, &trusted)
    }

    fn seen(connection: &str, forwarded: &str) -> String {
        asked(connection, "/", &[("x-forwarded-for", forwarded)]).ip.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed_from_the_right() {
        assert_eq!(seen("203.0.113.9", "198.51.100.1"), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.3"), "198.51.100.1");
        assert_eq!(seen("::ffff:127.0.0.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", "nonsense"), "127.0.0.1");
    }

    #[test]
    fn a_forwarded_address_may_have_a_port_and_brackets() {
        for (forwarded, ip) in [
            ("203.0.113.7:51812", "203.0.113.7"),
            ("6.6.6.6, 203.0.113.7:51812, 10.0.0.3:443", "203.0.113.7"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("203.0.113.7:", "127.0.0.1"),
            ("[]:443", "127.0.0.1"),
        ] {
            assert_eq!(seen("127.0.0.1", forwarded), ip, "{forwarded}");
        }
    }

    #[test]
    fn the_host_is_the_headers_the_authoritys_or_a_trusted_proxys() {
        let host = |connection, uri, headers: &[(&str, &str)]| asked(connection, uri, headers).host;
        assert_eq!(host("203.0.113.9", "/", &[("host", "t.shop.example:8443")]), "t.shop.example:8443");
        assert_eq!(host("203.0.113.9", "https://t.shop.example/r", &[]), "t.shop.example", "HTTP/2");
        let forwarded = [("host", "10.0.0.7:8080"), ("x-forwarded-host", "other.example, shop.example")];
        assert_eq!(host("10.0.0.1", "/", &forwarded), "shop.example");
        assert_eq!(host("203.0.113.9", "/", &forwarded), "10.0.0.7:8080");
        assert_eq!(host("203.0.113.9", "/", &[]), "");
    }

    #[test]
    fn the_scheme_is_the_connections_unless_a_trusted_proxy_says_another() {
        let scheme = |connection, proto| asked(connection, "/", &[("x-forwarded-proto", proto)]).scheme;
        assert_eq!(scheme("203.0.113.9", "https"), Scheme::Http);
        assert_eq!(scheme("10.0.0.1", "HTTPS"), Scheme::Https);
        assert_eq!(scheme("10.0.0.1", "http, https"), Scheme::Https);
    }
}
