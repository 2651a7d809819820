//! The sites as a request finds them: keys, origins, cookies' keys, the limits of one request, where events go.
//!
//! A reload replaces all of it at once; a request keeps what it began with. Owns who may send what, not what becomes of it.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use ipnet::IpNet;
use tidegate_identity::domain::host_name;
use tidegate_identity::visitor::Ring;

use super::cookies;
use super::cors::{self, Origin};
use super::keys::{self, Grant, Keys, Trust};
use super::reply::{self, Reply};
use super::secure;
use super::throttle::Throttle;
use crate::config::{Config, Limits};
use crate::journey::Route;
use crate::journey::decode::Envelope;

/// What a request goes by from its beginning to its end.
#[derive(Debug)]
pub struct Sites {
    pub(super) routes: Vec<Route>,
    pub(super) ring: Ring,
    pub(super) limits: Limits,
    pub(super) trusted_proxies: Vec<IpNet>,
    /// What every answer by our own TLS tells browsers.
    pub(super) hsts: Option<HeaderValue>,
    keys: Keys,
    throttle: Throttle,
}

/// An answer that ends a request early.
pub(super) type Refusal = Box<Reply>;

impl Sites {
    /// `routes` are the configuration's sites, in its order. What `before` knows of a client's rate goes on.
    pub fn new(config: &Config, routes: Vec<Route>, before: Option<&Sites>) -> Sites {
        let rate = config.limits.requests_per_second;
        let site = |route: &Route| before?.routes.iter().position(|old| old.site.name == route.site.name);
        let throttle = match before {
            Some(before) => before.throttle.renewed(
                rate,
                routes.iter().flat_map(|route| {
                    let site = site(route);
                    [Trust::Public, Trust::Secret].map(|trust| Some(bucket(site?, trust)))
                }),
            ),
            None => Throttle::new(rate, routes.len() * 2),
        };
        Sites {
            keys: Keys::new(config),
            ring: cookies::ring(&config.visitor),
            limits: config.limits.clone(),
            trusted_proxies: config.listen.trusted_proxies.clone(),
            hsts: config.tls.as_ref().and_then(|tls| secure::hsts(tls.hsts_days)),
            throttle,
            routes,
        }
    }

    /// What a request's origin is to all sites together: a preflight brings no key.
    pub(super) fn origin(&self, headers: &HeaderMap, host: &str) -> Origin {
        cors::origin(headers, host, self.routes.iter().map(|route| &route.site))
    }

    /// The first site that is reached under a host.
    pub(super) fn of_host(&self, host: &str) -> Option<&Route> {
        self.routes.iter().find(|route| is_ours(host, &route.site.hosts))
    }

    /// Whose request it is, if it may send events now.
    pub(super) fn admit(&self, head: &Parts, host: &str, envelope: &Envelope, now_ms: u64) -> Result<Grant, Refusal> {
        let refuse = |status, error, hint| Err(Box::new(reply::failure(status, error, hint)));
        let presented = keys::presented(&head.headers, envelope.write_key.as_deref(), &head.uri);
        if presented.is_empty() {
            let hint = "give it as Basic user, Bearer token, X-Write-Key header, or `writeKey` in the body";
            return refuse(StatusCode::UNAUTHORIZED, "no write key", hint);
        }
        let Some(grant) = self.keys.grant(&presented) else {
            let hint = "compare it with `write_keys` and `api_keys` of the site";
            return refuse(StatusCode::UNAUTHORIZED, "unknown write key", hint);
        };
        let site = &self.routes[grant.site].site;
        if cors::origin(&head.headers, host, std::iter::once(site)) == Origin::Foreign {
            let hint = "add it to `origins` of the site";
            return refuse(StatusCode::FORBIDDEN, "pages of this origin may not send events here", hint);
        }
        match self.throttle.take(bucket(grant.site, grant.trust), now_ms) {
            Ok(()) => Ok(grant),
            Err(wait_ms) => {
                let error = "too many requests with this key";
                Err(Box::new(reply::later(StatusCode::TOO_MANY_REQUESTS, error, wait_ms.div_ceil(1000))))
            }
        }
    }

    /// Refuses a body of too many events, or with one that is too large.
    pub(super) fn measure(&self, envelope: &Envelope, bytes: usize) -> Result<(), Refusal> {
        let refuse = |error: String, hint| Err(Box::new(reply::failure(StatusCode::PAYLOAD_TOO_LARGE, &error, hint)));
        let max = self.limits.batch_events_max;
        if envelope.events.len() > max {
            let error = format!("the body has {} events; {max} are allowed", envelope.events.len());
            return refuse(error, "send them in several requests");
        }
        let event_max = self.limits.event_bytes_max;
        if bytes <= event_max {
            return Ok(());
        }
        let size = |event: &serde_json::Value| serde_json::to_string(event).map_or(usize::MAX, |text| text.len());
        match envelope.events.iter().position(|event| size(event) > event_max) {
            None => Ok(()),
            Some(index) => {
                refuse(format!("event {index} has more than {event_max} bytes"), "nothing of the request was taken")
            }
        }
    }
}

/// Whether a `Host` header is one of a site's hosts, with or without its port.
pub(super) fn is_ours(host: &str, hosts: &[String]) -> bool {
    hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host_name(host)) || ours.eq_ignore_ascii_case(host))
}

/// Each site has a bucket for browsers' keys, and one for backends'.
fn bucket(site: usize, trust: Trust) -> usize {
    site * 2 + usize::from(trust == Trust::Secret)
}
