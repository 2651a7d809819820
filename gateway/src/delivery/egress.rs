//! Egress: the one place where requests leave the gateway.
//!
//! HTTPS with verified certificates to public addresses, no redirects, no proxies, answers cut at a bound. Addresses
//! are checked after resolution, and the connection goes to an address that was checked: a name cannot lead inside, nor
//! begin to between the check and the connection. A destination with `allow_insecure` is exempt.

mod address;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use address::is_public;
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

/// An answer's headers, names and values, as far as they go to the plugin.
const HEADERS_MAX: usize = 64;
const HEADERS_BYTES_MAX: usize = 16 << 10;

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
        Egress::within(Reach { lookup, is_public }, Vec::new())
    }

    /// Makes them with another idea of names and addresses, and with further certificate authorities.
    fn within(reach: Reach, authorities: Vec<reqwest::Certificate>) -> Result<Egress, reqwest::Error> {
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
        let public = builder().https_only(true).tls_certs_merge(authorities).dns_resolver(Arc::new(reach)).build()?;
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
        let headers = headers(response.headers());
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

/// The headers that fit.
fn headers(all: &HeaderMap) -> Vec<(String, String)> {
    let mut room = HEADERS_BYTES_MAX;
    let fits = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        room = room.checked_sub(name.as_str().len() + value.len())?;
        Some((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    };
    all.iter().take(HEADERS_MAX).map_while(fits).collect()
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

/// The addresses of a name.
type Lookup = fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// A resolver without the addresses that are not public.
#[derive(Debug, Clone, Copy)]
struct Reach {
    lookup: Lookup,
    is_public: fn(IpAddr) -> bool,
}

/// What the system says.
fn lookup(host: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
    Box::pin(async move {
        let addresses = tokio::net::lookup_host((host.as_str(), 0)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    })
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let Reach { lookup, is_public } = *self;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let mut public = lookup(host.clone()).await?;
            public.retain(|address| is_public(*address));
            if public.is_empty() {
                return Err(PrivateAddress(host).into());
            }
            Ok(Box::new(public.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
