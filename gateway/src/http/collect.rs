//! One request of the public listener: which route, whose key, which visitor; then the journey, then the answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{ACCEPT_LANGUAGE, CONNECTION, HOST, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use tidegate_event::{Kind, VisitorId};
use tokio::sync::Semaphore;

use super::address::{self, Peer};
use super::body::{self, Rest};
use super::cookies::{self, Found, Ring};
use super::cors::{self, Origin};
use super::keys::{self, Grant, Keys, Trust};
use super::reply::{self, Reply};
use super::throttle::Throttle;
use crate::causes::chain;
use crate::clock::Clock;
use crate::config::{Config, Limits, Listen};
use crate::journey::decode::{self, Envelope};
use crate::journey::visit::{Gpc, Sender, Visit};
use crate::journey::{Arrivals, Journey, Post, Protocol, Route};
use crate::metrics::{EventOutcome, Metrics};

/// What answers the public listener's requests.
pub struct Collector {
    journey: Journey,
    routes: Vec<Route>,
    keys: Keys,
    ring: Ring,
    throttle: Throttle,
    in_flight: Semaphore,
    limits: Limits,
    listen: Listen,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// When the store was last complained about, in steady time.
    complained_ms: AtomicU64,
}

/// An answer that ends a request early.
type Refusal = Box<Reply>;

/// A request that was admitted, as it came.
struct Arrived<'a> {
    head: &'a Parts,
    connection: IpAddr,
    now_ms: u64,
}

/// How long a client is asked to wait when the store does not take events.
const STORE_RETRY_S: u64 = 5;

impl Collector {
    /// `routes` are the configuration's sites, in its order.
    pub fn new(
        config: &Config,
        journey: Journey,
        routes: Vec<Route>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Collector {
        Collector {
            journey,
            keys: Keys::new(config),
            ring: Ring::new(&config.visitor),
            throttle: Throttle::new(config.limits.requests_per_second, routes.len() * 2),
            in_flight: Semaphore::new(config.limits.in_flight_max),
            limits: config.limits.clone(),
            listen: config.listen.clone(),
            routes,
            clock,
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
        let mut reply = self.route(&head, &mut body, connection).await;
        // Who was too slow to send is not waited for again.
        if reply.status() == StatusCode::REQUEST_TIMEOUT
            || body::discard(&mut body, &self.limits).await == Rest::Something
        {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.metrics.request(reply.status());
        reply
    }

    async fn route(&self, head: &Parts, body: &mut Incoming, connection: IpAddr) -> Reply {
        let Some(protocol) = protocol(head.uri.path()) else {
            return reply::failure(StatusCode::NOT_FOUND, "there is nothing here", "events go to POST /v1/events");
        };
        let any_origin = self.routes.iter().flat_map(|route| &route.site.origins);
        let origin = cors::origin(&head.headers, any_origin);
        let mut reply = match head.method {
            Method::POST => self.collect(head, body, connection, protocol).await,
            Method::OPTIONS => {
                let mut reply = reply::empty(StatusCode::NO_CONTENT);
                if matches!(origin, Origin::Allowed(_)) {
                    cors::preflight(&head.headers, reply.headers_mut());
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

    async fn collect(&self, head: &Parts, body: &mut Incoming, connection: IpAddr, protocol: Protocol) -> Reply {
        let Ok(_permit) = self.in_flight.try_acquire() else {
            return reply::later(StatusCode::SERVICE_UNAVAILABLE, "too many requests are under way", 1);
        };
        let taken = async {
            let bytes = body::read(body, &self.limits).await.map_err(|error| unread(&error))?;
            // The body is parsed before the key is known: some clients have no other place for it.
            let envelope = decode::open(&bytes, protocol).map_err(|error| Box::new(reply::bad_envelope(&error)))?;
            let now_ms = self.clock.now_ms();
            let grant = self.admit(head, &envelope)?;
            self.oversized(&envelope, bytes.len())?;
            let arrived = Arrived { head, connection, now_ms };
            Ok(self.take(&envelope, protocol, grant, arrived).await)
        };
        taken.await.unwrap_or_else(|refusal: Refusal| *refusal)
    }

    /// Whose request it is, if it may send events now.
    fn admit(&self, head: &Parts, envelope: &Envelope) -> Result<Grant, Refusal> {
        let refuse = |status, error, hint| Err(Box::new(reply::failure(status, error, hint)));
        let Some(presented) = keys::presented(&head.headers, envelope.write_key.as_deref(), &head.uri) else {
            let hint = "give it as Basic user, Bearer token, X-Write-Key header, or `writeKey` in the body";
            return refuse(StatusCode::UNAUTHORIZED, "no write key", hint);
        };
        let Some(grant) = self.keys.grant(&presented) else {
            let hint = "compare it with `write_keys` and `api_keys` of the site";
            return refuse(StatusCode::UNAUTHORIZED, "unknown write key", hint);
        };
        if cors::origin(&head.headers, self.routes[grant.site].site.origins.iter()) == Origin::Foreign {
            let hint = "add it to `origins` of the site";
            return refuse(StatusCode::FORBIDDEN, "pages of this origin may not send events here", hint);
        }
        let bucket = grant.site * 2 + usize::from(grant.trust == Trust::Secret);
        match self.throttle.take(bucket, self.clock.steady_ms()) {
            Ok(()) => Ok(grant),
            Err(wait_ms) => {
                let error = "too many requests with this key";
                Err(Box::new(reply::later(StatusCode::TOO_MANY_REQUESTS, error, wait_ms.div_ceil(1000))))
            }
        }
    }

    /// Sends a request's events on their journey, and says what became of them.
    async fn take(&self, envelope: &Envelope, protocol: Protocol, grant: Grant, arrived: Arrived<'_>) -> Reply {
        let route = &self.routes[grant.site];
        let headers = &arrived.head.headers;
        let host = text(headers, HOST).unwrap_or_default();
        let domain = cookies::domain(&host);
        let peer = address::peer(arrived.connection, headers, &self.listen.trusted_proxies);
        let visit = self.visit(headers, grant, peer, domain, arrived.now_ms);
        let post = Post { envelope, protocol, route, visit: &visit };
        match self.journey.take(post).await {
            Ok(arrivals) => {
                self.count(&arrivals);
                let mut reply = reply::arrivals(&arrivals);
                if let Some(identity) = arrivals.identity.as_ref().filter(|_| is_ours(&host, &route.site.hosts)) {
                    cookies::set(&self.ring, identity, &visit, domain, peer.scheme, reply.headers_mut());
                }
                reply
            }
            Err(error) => {
                self.complain(&error);
                reply::not_stored(&error, STORE_RETRY_S)
            }
        }
    }

    fn visit(&self, headers: &HeaderMap, grant: Grant, peer: Peer, domain: Option<&str>, now_ms: u64) -> Visit {
        let found = self.ring.visitor(headers);
        if found == Found::Forged {
            self.metrics.forged_cookie();
        }
        let id_seed = self.clock.new_id();
        Visit {
            sender: sender(headers, grant.trust),
            visitor: if let Found::Visitor(visitor) = found { Some(visitor) } else { None },
            visitor_new: VisitorId(self.clock.new_id()),
            cookies: cookies::platform(headers),
            gpc: if headers.get("sec-gpc").is_some_and(|value| value == "1") { Gpc::On } else { Gpc::Off },
            ip: Some(peer.ip),
            user_agent: text(headers, USER_AGENT),
            locale: text(headers, ACCEPT_LANGUAGE).and_then(|list| first_language(&list)),
            referrer: text(headers, REFERER),
            idempotency_key: headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map(str::to_owned),
            domain_labels: domain.map_or(1, |domain| domain.split('.').count()),
            received_ms: now_ms,
            id_seed,
        }
    }

    fn oversized(&self, envelope: &Envelope, bytes: usize) -> Result<(), Refusal> {
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
