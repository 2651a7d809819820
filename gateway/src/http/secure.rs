//! HTTPS beside HTTP: what the plain listener answers where the gateway speaks TLS itself, and what HTTPS adds.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, STRICT_TRANSPORT_SECURITY};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::Full;
use tidegate_identity::Scheme;
use tidegate_identity::domain::host_name;
use tidegate_tls::Tls;

use super::address::Peer;
use super::collect::Answering;
use super::reply::{self, Reply};

/// Where an authority asks for the proof that a host is ours (RFC 8555, 8.3).
const CHALLENGE: &str = "/.well-known/acme-challenge/";
const DAY_S: u64 = 86_400;

/// TLS as the listeners know it.
#[derive(Clone)]
pub struct Secured {
    pub tls: Arc<Tls>,
    /// The port that the TLS listener has.
    pub port: u16,
}

/// What tells a browser to keep to HTTPS; none for 0 days. It does not speak for subdomains: those of the site are not the
/// gateway's to decide on.
pub(super) fn hsts(days: u32) -> Option<HeaderValue> {
    let seconds = u64::from(days) * DAY_S;
    (days > 0).then(|| HeaderValue::try_from(format!("max-age={seconds}")).ok()).flatten()
}

impl Answering<'_> {
    /// An authority's proof, or that this is to be asked for by HTTPS; none where the request goes on.
    pub(super) fn secure(&self) -> Option<Reply> {
        let secured = self.collector.secured()?;
        let Peer { host, scheme, .. } = &self.peer;
        if let Some(token) = self.head.uri.path().strip_prefix(CHALLENGE) {
            let proof = secured.tls.challenge(host_name(host), token)?;
            let mut reply = Reply::new(Full::from(proof));
            reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            return Some(reply);
        }
        // Events go on: whoever sends them by plain HTTP has its reasons, and a redirect would lose them.
        let is_asking = matches!(self.head.method, Method::GET | Method::HEAD);
        if *scheme == Scheme::Https || !is_asking || self.sites.of_host(host).is_none() {
            return None;
        }
        // Who came to the usual port of HTTP finds HTTPS at its usual port, whatever they are mapped to behind it.
        let name = host_name(host);
        let port = if name.len() == host.len() { String::new() } else { format!(":{}", secured.port) };
        let path = self.head.uri.path_and_query().map_or("/", |path| path.as_str());
        let location = HeaderValue::try_from(format!("https://{name}{port}{path}")).ok()?;
        let mut reply = reply::empty(StatusCode::PERMANENT_REDIRECT);
        reply.headers_mut().insert(LOCATION, location);
        reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(reply)
    }

    /// What every answer by our own TLS has.
    pub(super) fn mark_secure(&self, reply: &mut Reply) {
        if let (Scheme::Https, Some(hsts)) = (self.connection.scheme, &self.sites.hsts) {
            reply.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
    }
}
