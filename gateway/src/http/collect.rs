//! One request of the public listener: which route, whose key, which visitor; then the journey, then the answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{ACCEPT_LANGUAGE, CONNECTION, HOST, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use tidegate_consent::Signals;
use tidegate_event::{Kind, VisitorId};
use tokio::sync::Semaphore;

use super::address::{self, Peer};
use super::body::{self, Rest};
use super::cookies::{self, Found};
use super::cors::{self, Origin};
use super::keys::{Grant, Trust};
use super::reply::{self, Reply};
use super::sites::{Refusal, Sites};
use crate::causes::chain;
use crate::clock::Clock;
use crate::config::Limits;
use crate::journey::decode::{self, Envelope};
use crate::journey::visit::{Sender, Visit};
use crate::journey::{Arrivals, Journey, Post, Protocol};
use crate::metrics::{EventOutcome, Metrics};
use crate::snapshot::Snapshot;

/// What answers the public listener's requests.
pub struct Collector {
    journey: Journey,
    sites: Snapshot<Sites>,
    in_flight: Semaphore,
    /// Those that hold for the listener as a whole; the others are the sites' own.
    limits: Limits,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// When the store was last complained about, in steady time.
    complained_ms: AtomicU64,
}

/// One request, with the sites as they were when it began.
struct Answering<'a> {
    collector: &'a Collector,
    sites: &'a Sites,
    head: &'a Parts,
    connection: IpAddr,
}

/// How long a client is asked to wait when the store does not take events.
const STORE_RETRY_S: u64 = 5;

impl Collector {
    /// Each request goes by the sites as they are when it begins.
    pub fn new(limits: Limits, journey: Journey, sites: Snapshot<Sites>, metrics: Arc<Metrics>) -> Collector {
        Collector {
            in_flight: Semaphore::new(limits.in_flight_max),
            clock: Arc::clone(&journey.clock),
            journey,
            sites,
            limits,
            metrics,
            complained_ms: AtomicU64::new(0),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request<Incoming>, connection: IpAddr) -> Reply {
        let (head, mut body) = request.into_parts();
        let sites = self.sites.take();
        let answering = Answering { collector: self, sites: &sites, head: &head, connection };
        let mut reply = answering.route(&mut body).await;
        // Who was too slow to send is not waited for again.
        if reply.status() == StatusCode::REQUEST_TIMEOUT
            || body::discard(&mut body, &sites.limits).await == Rest::Something
        {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.metrics.request(reply.status());
        reply
    }

    /// While the store is away every request fails for the same reason: once a second is enough to say so.
    fn complain(&self, error: &tidegate_queue::Error) {
        let now_ms = self.clock.steady_ms();
        let last_ms = self.complained_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(last_ms) >= 1_000 {
            self.complained_ms.store(now_ms, Ordering::Relaxed);
            tracing::error!("events are not stored, and answered with 503: {}", chain(error));
        }
    }

    fn count(&self, arrivals: &Arrivals) {
        for arrival in &arrivals.events {
            self.metrics.event(match arrival.result {
                Ok(tidegate_queue::Appended::Stored) => EventOutcome::Accepted,
                Ok(tidegate_queue::Appended::Duplicate) => EventOutcome::Duplicate,
                Err(_) => EventOutcome::Refused,
            });
        }
    }
}

impl Answering<'_> {
    async fn route(&self, body: &mut Incoming) -> Reply {
        let Some(protocol) = protocol(self.head.uri.path()) else {
            return reply::failure(StatusCode::NOT_FOUND, "there is nothing here", "events go to POST /v1/events");
        };
        let origin = self.sites.origin(&self.head.headers);
        let mut reply = match self.head.method {
            Method::POST => self.collect(body, protocol).await,
            Method::OPTIONS => {
                let mut reply = reply::empty(StatusCode::NO_CONTENT);
                if matches!(origin, Origin::Allowed(_)) {
                    cors::preflight(&self.head.headers, reply.headers_mut());
                }
                reply
            }
            _ => {
                let mut reply = reply::failure(StatusCode::METHOD_NOT_ALLOWED, "events are sent with POST", "");
                reply.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
                reply
            }
        };
        cors::allow(&origin, reply.headers_mut());
        reply
    }

    async fn collect(&self, body: &mut Incoming, protocol: Protocol) -> Reply {
        let Ok(_permit) = self.collector.in_flight.try_acquire() else {
            return reply::later(StatusCode::SERVICE_UNAVAILABLE, "too many requests are under way", 1);
        };
        let taken = async {
            let bytes = body::read(body, &self.sites.limits).await.map_err(|error| unread(&error))?;
            // The body is parsed before the key is known: some clients have no other place for it.
            let envelope = decode::open(&bytes, protocol).map_err(|error| Box::new(reply::bad_envelope(&error)))?;
            let grant = self.sites.admit(self.head, &envelope, self.collector.clock.steady_ms())?;
            self.sites.measure(&envelope, bytes.len())?;
            Ok(self.take(&envelope, protocol, grant).await)
        };
        taken.await.unwrap_or_else(|refusal: Refusal| *refusal)
    }

    /// Sends a request's events on their journey, and says what became of them.
    async fn take(&self, envelope: &Envelope, protocol: Protocol, grant: Grant) -> Reply {
        let route = &self.sites.routes[grant.site];
        let headers = &self.head.headers;
        let host = text(headers, HOST).unwrap_or_default();
        let domain = cookies::domain(&host);
        let peer = address::peer(self.connection, headers, &self.sites.trusted_proxies);
        let scheme = peer.scheme;
        let visit = self.visit(grant, peer, domain);
        let post = Post { envelope, protocol, route, visit: &visit };
        match self.collector.journey.take(post).await {
            Ok(arrivals) => {
                self.collector.count(&arrivals);
                let mut reply = reply::arrivals(&arrivals);
                if let Some(identity) = arrivals.identity.as_ref().filter(|_| is_ours(&host, &route.site.hosts)) {
                    cookies::set(&self.sites.ring, identity, &visit, domain, scheme, reply.headers_mut());
                }
                reply
            }
            Err(error) => {
                self.collector.complain(&error);
                reply::not_stored(&error, STORE_RETRY_S)
            }
        }
    }

    fn visit(&self, grant: Grant, peer: Peer, domain: Option<&str>) -> Visit {
        let (headers, clock) = (&self.head.headers, &self.collector.clock);
        let found = self.sites.ring.visitor(headers);
        if found == Found::Forged {
            self.collector.metrics.forged_cookie();
        }
        let id_seed = clock.new_id();
        let sender = sender(headers, grant.trust);
        Visit {
            sender,
            visitor: if let Found::Visitor(visitor) = found { Some(visitor) } else { None },
            visitor_new: VisitorId(clock.new_id()),
            cookies: cookies::platform(headers),
            signals: signals(headers, sender),
            ip: Some(peer.ip),
            user_agent: text(headers, USER_AGENT),
            locale: text(headers, ACCEPT_LANGUAGE).and_then(|list| first_language(&list)),
            referrer: text(headers, REFERER),
            idempotency_key: headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map(str::to_owned),
            domain_labels: domain.map_or(1, |domain| domain.split('.').count()),
            received_ms: clock.now_ms(),
            id_seed,
        }
    }
}

fn protocol(path: &str) -> Option<Protocol> {
    Some(match path {
        "/v1/events" => Protocol::Own,
        "/v1/batch" | "/v1/b" | "/v1/import" => Protocol::SegmentBatch,
        "/v1/track" | "/v1/t" => Protocol::Segment(Kind::Track),
        "/v1/page" | "/v1/p" => Protocol::Segment(Kind::Page),
        "/v1/screen" | "/v1/s" => Protocol::Segment(Kind::Screen),
        "/v1/identify" | "/v1/i" => Protocol::Segment(Kind::Identify),
        "/v1/group" | "/v1/g" => Protocol::Segment(Kind::Group),
        "/v1/alias" | "/v1/a" => Protocol::Segment(Kind::Alias),
        _ => return None,
    })
}

/// A request's own signals of consent. The cookies that a backend's library sends are not the visitor's.
fn signals(headers: &HeaderMap, sender: Sender) -> Signals {
    let mut signals = Signals::default();
    if let Some(gpc) = headers.get("sec-gpc").and_then(|value| value.to_str().ok()) {
        signals.sec_gpc(gpc);
    }
    if sender == Sender::Browser {
        cookies::consent(headers, &mut signals);
    }
    signals
}

/// A browser says where a request comes from; a backend's library does not, and its address is not the visitor's.
fn sender(headers: &HeaderMap, trust: Trust) -> Sender {
    let browser = ["origin", "sec-fetch-site", "cookie"].iter().any(|name| headers.contains_key(*name));
    if trust == Trust::Public && browser { Sender::Browser } else { Sender::Backend }
}

fn unread(error: &body::Error) -> Refusal {
    let (status, hint) = match error {
        body::Error::TooLarge(_) | body::Error::TooLargeInflated(_) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "send fewer events in one request")
        }
        body::Error::TooSlow(_) => (StatusCode::REQUEST_TIMEOUT, ""),
        body::Error::Broken | body::Error::Gzip => (StatusCode::BAD_REQUEST, ""),
    };
    Box::new(reply::failure(status, &error.to_string(), hint))
}

fn is_ours(host: &str, hosts: &[String]) -> bool {
    hosts.iter().any(|ours| ours.eq_ignore_ascii_case(address::host_name(host)) || ours.eq_ignore_ascii_case(host))
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty() && value.len() <= 2_048).then(|| value.to_owned())
}

fn first_language(list: &str) -> Option<String> {
    let first = list.split([',', ';']).next()?.trim();
    (!first.is_empty() && first != "*" && first.len() <= 35).then(|| first.to_owned())
}
