//! Whose address a request comes from, and whether it came by HTTPS: a trusted proxy's word, or the connection's.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;
use tidegate_identity::Scheme;

/// How a request reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) ip: IpAddr,
    pub(super) scheme: Scheme,
}

/// Reads the proxies' headers from the right, as long as they were written by a proxy that is trusted.
pub(super) fn peer(connection: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Peer {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    let connection = connection.to_canonical();
    if !is_trusted(&connection) {
        return Peer { ip: connection, scheme: Scheme::Http };
    }
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    let addresses = hops.iter().rev().map_while(|hop| hop.trim().parse::<IpAddr>().ok()).map(|ip| ip.to_canonical());
    let mut ip = connection;
    for hop in addresses {
        ip = hop;
        if !is_trusted(&hop) {
            break;
        }
    }
    let proto = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let scheme =
        if proto.is_some_and(|p| p.trim().eq_ignore_ascii_case("https")) { Scheme::Https } else { Scheme::Http };
    Peer { ip, scheme }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(connection: &str, forwarded: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        let trusted = ["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        peer(connection.parse().unwrap(), &headers, &trusted).ip.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed_from_the_right() {
        assert_eq!(seen("203.0.113.9", "198.51.100.1"), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.3"), "198.51.100.1");
        assert_eq!(seen("::ffff:127.0.0.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", "nonsense"), "127.0.0.1");
    }
}
