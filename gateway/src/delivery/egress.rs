//! Egress: the one place where requests leave the gateway.
//!
//! HTTPS with verified certificates to public addresses, no redirects, no proxies, answers cut at a bound. Addresses
//! are checked after resolution, so that a name cannot lead inside. A destination with `allow_insecure` is exempt.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::destination::Network;

/// A request that is ready to leave.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub network: Network,
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub timeout_ms: u64,
    pub response_bytes_max: usize,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Cut at the bound.
    pub body: Vec<u8>,
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The address is not one that this destination may reach: sending again changes nothing until somebody acts.
    #[error("not sent: {0}")]
    Forbidden(String),
    /// The platform did not answer in time.
    #[error("no answer within {0} ms")]
    Timeout(u64),
    /// The connection failed.
    #[error("connection failed: {0}")]
    Connection(String),
}

/// What sends requests: the network, or a test.
pub trait Sender: Send + Sync + 'static {
    /// Sends one request, once.
    fn send(&self, outgoing: Outgoing) -> Pin<Box<dyn Future<Output = Result<Answer, SendError>> + Send + '_>>;
}

/// The network.
#[derive(Debug)]
pub struct Egress {
    public: reqwest::Client,
    any: reqwest::Client,
}

impl Egress {
    /// Makes the clients.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new() -> Result<Egress, reqwest::Error> {
        let builder = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .connect_timeout(Duration::from_secs(5))
                .pool_idle_timeout(Duration::from_secs(60))
                .pool_max_idle_per_host(16)
                .tcp_nodelay(true)
                .user_agent(concat!("Tidegate/", env!("CARGO_PKG_VERSION")))
        };
        let public = builder().https_only(true).dns_resolver(Arc::new(PublicOnly)).build()?;
        Ok(Egress { public, any: builder().build()? })
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Answer, SendError> {
        let client = match outgoing.network {
            Network::Public => {
                forbid_literal(&outgoing.url)?;
                &self.public
            }
            Network::Any => &self.any,
        };
        let timeout = Duration::from_millis(outgoing.timeout_ms);
        let request = client
            .request(outgoing.method, outgoing.url)
            .headers(outgoing.headers)
            .body(outgoing.body)
            .timeout(timeout);
        let failed = |e: reqwest::Error| failure(&e, outgoing.timeout_ms);
        let mut response = request.send().await.map_err(failed)?;
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers =
            response.headers().iter().take(64).map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            let room = outgoing.response_bytes_max.saturating_sub(body.len());
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() >= room {
                break;
            }
        }
        Ok(Answer { status, headers, body })
    }
}

impl Sender for Egress {
    fn send(&self, outgoing: Outgoing) -> Pin<Box<dyn Future<Output = Result<Answer, SendError>> + Send + '_>> {
        Box::pin(self.exchange(outgoing))
    }
}

/// The innermost cause says most; the outer ones repeat the URL, which may hold a secret.
fn failure(error: &reqwest::Error, timeout_ms: u64) -> SendError {
    use std::error::Error as _;
    if error.is_timeout() {
        return SendError::Timeout(timeout_ms);
    }
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(|outer| outer.source()) {
        cause = Some(inner);
    }
    match cause {
        None => SendError::Connection("the request could not be sent".into()),
        Some(cause) => match cause.downcast_ref::<PrivateAddress>() {
            Some(private) => SendError::Forbidden(private.to_string()),
            None => SendError::Connection(cause.to_string()),
        },
    }
}

/// A host that is an address needs no resolver, so it is checked here.
fn forbid_literal(url: &Url) -> Result<(), SendError> {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        _ => return Ok(()),
    };
    if is_public(ip) { Ok(()) } else { Err(SendError::Forbidden(PrivateAddress(ip.to_string()).to_string())) }
}

/// A name that leads only to addresses inside.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is a private address; `allow_insecure = true` would allow it")]
struct PrivateAddress(String);

/// The system's resolver without the addresses that are not public.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let all: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> = all.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(PrivateAddress(host).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is reachable by anybody: not loopback, private, link-local, shared, reserved or multicast.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match embedded_v4(ip) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let special = (a == 192 && b == 0 && c == 0) || (a == 198 && (b == 18 || b == 19)) || a >= 240 || a == 0;
    let unusual = ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_documentation();
    !(unusual || ip.is_broadcast() || ip.is_multicast() || ip.is_unspecified() || shared || special)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let first = ip.segments()[0];
    let documentation = first == 0x2001 && ip.segments()[1] == 0xdb8;
    // Global unicast is 2000::/3; everything else is loopback, local, multicast or unassigned.
    first & 0xe000 == 0x2000 && !documentation
}

/// The IPv4 address that an IPv6 address stands for: mapped, NAT64 or 6to4.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] if s != [0, 0, 0, 0, 0, 0, 0, 1] && s != [0; 8] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_not_public_in_any_spelling() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["1.1.1.1", "157.240.1.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn an_address_in_the_url_is_checked_without_a_resolver() {
        assert!(forbid_literal(&Url::parse("https://169.254.169.254/latest").unwrap()).is_err());
        assert!(forbid_literal(&Url::parse("https://[::ffff:7f00:1]/").unwrap()).is_err());
        assert!(forbid_literal(&Url::parse("https://0x7f.1/").unwrap()).is_err());
        assert!(forbid_literal(&Url::parse("https://graph.facebook.com/").unwrap()).is_ok());
    }
}
