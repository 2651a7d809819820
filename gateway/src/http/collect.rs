//! One request of the public listener: which route, whose key, which visitor; then the journey, then the answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{ACCEPT_LANGUAGE, CONNECTION, REFERER, USER_AGENT, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use tidegate_consent::{Region, Signals};
use tidegate_event::{Kind, VisitorId};
use tidegate_identity::answer::{self, Browser, Moment, Setting};
use tidegate_identity::cookieless::{Precision, Salts, Traits};
use tidegate_identity::domain::{Domain, host_name};
use tidegate_identity::jar::Jar;
use tidegate_identity::set_cookie::{Place, SetCookie};
use tidegate_identity::visitor::Found;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::address::{self, Connection, Peer};
use super::body::{self, Rest};
use super::cookies;
use super::cors::{self, Origin};
use super::keys::{Grant, Trust};
use super::pixel;
use super::redirect;
use super::reply::{self, Reply};
use super::secure::Secured;
use super::sites::{Refusal, Sites, is_ours};
use super::snippet;
use crate::causes::chain;
use crate::clock::Clock;
use crate::config::{Limits, Site};
use crate::journey::consent::{Deciding, region};
use crate::journey::decode::{self, Envelope};
use crate::journey::visit::{Authority, Lasts, Sender, Visit};
use crate::journey::{Arrivals, Identity, Journey, Post, Protocol};
use crate::metrics::{EventOutcome, Metrics};
use crate::snapshot::Snapshot;

/// What answers the public listener's requests.
pub struct Collector {
    journey: Journey,
    sites: Snapshot<Sites>,
    in_flight: Semaphore,
    /// Absent where TLS is a proxy's.
    secured: Option<Secured>,
    /// Those that hold for the listener as a whole; the others are the sites' own.
    limits: Limits,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// When the store was last complained about, in steady time.
    complained_ms: AtomicU64,
}

/// One request, with the sites as they were when it began.
pub(super) struct Answering<'a> {
    pub(super) collector: &'a Collector,
    pub(super) sites: &'a Sites,
    pub(super) head: &'a Parts,
    pub(super) connection: Connection,
    /// How the request reached us, by the connection or a trusted proxy's word.
    pub(super) peer: Peer,
}

/// Who a request comes from.
pub(super) struct Caller {
    pub(super) host: String,
    pub(super) ip: IpAddr,
    pub(super) place: Place,
    pub(super) jar: Jar,
    pub(super) found: Found,
    pub(super) now_ms: u64,
}

/// How long a client is asked to wait when the store does not take events.
const STORE_RETRY_S: u64 = 5;

impl Collector {
    /// Each request goes by the sites as they are when it begins.
    pub fn new(
        limits: Limits,
        journey: Journey,
        sites: Snapshot<Sites>,
        metrics: Arc<Metrics>,
        secured: Option<Secured>,
    ) -> Collector {
        Collector {
            secured,
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

    pub(super) fn secured(&self) -> Option<&Secured> {
        self.secured.as_ref()
    }

    pub(super) fn steady_ms(&self) -> u64 {
        self.clock.steady_ms()
    }

    /// A place among the requests that are worked on; none where there are too many.
    pub(super) fn permit(&self) -> Option<SemaphorePermit<'_>> {
        self.in_flight.try_acquire().ok()
    }

    /// Where an address is, if the site has a rule for that.
    pub(super) fn region(&self, ip: IpAddr, site: &Site) -> Option<Region> {
        let deciding = Deciding { rules: &site.consent, geo: self.journey.geo.as_deref() };
        region(Some(&ip.to_string()), None, deciding)
    }

    pub(super) fn new_id(&self) -> uuid::Uuid {
        self.clock.new_id()
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request<Incoming>, connection: Connection) -> Reply {
        let (head, mut body) = request.into_parts();
        let sites = self.sites.take();
        let peer = address::peer(connection, &head, &sites.trusted_proxies);
        let answering = Answering { collector: self, sites: &sites, head: &head, connection, peer };
        let mut reply = answering.route(&mut body).await;
        answering.mark_secure(&mut reply);
        // Who was too slow to send is not waited for again.
        if reply.status() == StatusCode::REQUEST_TIMEOUT
            || body::discard(&mut body, &sites.limits).await == Rest::Something
        {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.metrics.request(reply.status());
        reply.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
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
        if let Some(reply) = self.secure() {
            return reply;
        }
        let Some(protocol) = protocol(self.head.uri.path()) else {
            match self.head.uri.path() {
                redirect::PATH => return self.redirect(),
                pixel::PATH => return self.pixel().await,
                _ => {}
            }
            return self.snippet().unwrap_or_else(|| {
                reply::failure(StatusCode::NOT_FOUND, "there is nothing here", "events go to POST /v1/events")
            });
        };
        let origin = self.sites.origin(&self.head.headers, &self.peer.host);
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

    /// The snippet, where the path is one of it.
    fn snippet(&self) -> Option<Reply> {
        let path = self.head.uri.path();
        let named = self.sites.routes.iter().find_map(|route| snippet::named(path, &route.site.snippet))?;
        Some(match self.head.method {
            Method::GET | Method::HEAD => snippet::answer(named, &self.head.headers),
            _ => {
                let mut reply = reply::failure(StatusCode::METHOD_NOT_ALLOWED, "a script is asked for with GET", "");
                reply.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                reply
            }
        })
    }

    async fn collect(&self, body: &mut Incoming, protocol: Protocol) -> Reply {
        let Some(_permit) = self.collector.permit() else { return reply::crowded() };
        let taken = async {
            let bytes = body::read(body, &self.sites.limits).await.map_err(|error| unread(&error))?;
            // The body is parsed before the key is known: some clients have no other place for it.
            let envelope = decode::open(&bytes, protocol).map_err(|error| Box::new(reply::bad_envelope(&error)))?;
            let grant = self.sites.admit(self.head, &self.peer.host, &envelope, self.collector.clock.steady_ms())?;
            self.sites.measure(&envelope, bytes.len())?;
            Ok(self.take(&envelope, protocol, grant).await)
        };
        taken.await.unwrap_or_else(|refusal: Refusal| *refusal)
    }

    /// Sends a request's events on their journey, and says what became of them.
    pub(super) async fn take(&self, envelope: &Envelope, protocol: Protocol, grant: Grant) -> Reply {
        let route = &self.sites.routes[grant.site];
        let caller = self.caller(&route.site);
        let visit = self.visit(envelope, grant, &caller, &route.site);
        let post = Post { envelope, protocol, route, visit: &visit };
        match self.collector.journey.take(post).await {
            Ok(arrivals) => {
                self.collector.count(&arrivals);
                let Some(identity) = &arrivals.identity else { return reply::arrivals(&arrivals, None) };
                let link = self.link(envelope, &caller, identity, &route.site);
                let mut reply = reply::arrivals(&arrivals, link.as_deref());
                self.set_cookies(&caller, identity, &route.site, &mut reply);
                reply
            }
            Err(error) => {
                self.collector.complain(&error);
                reply::not_stored(&error, STORE_RETRY_S)
            }
        }
    }

    /// Who the request comes from, by its connection and its cookies.
    pub(super) fn caller(&self, site: &Site) -> Caller {
        let headers = &self.head.headers;
        let Peer { ip, scheme, host } = self.peer.clone();
        let domain = Domain::of_host(&host, &site.domains);
        let place = Place { domain, scheme, same_site: site.same_site };
        let jar = cookies::jar(headers);
        let found = self.sites.ring.find(&jar);
        if found == Found::Forged {
            self.collector.metrics.forged_cookie();
        }
        Caller { host, ip, place, jar, found, now_ms: self.collector.clock.now_ms() }
    }

    /// Sets what consent allows. A host that is not the site's sets nothing, and a site without cookies only takes back what
    /// it set before it was one.
    pub(super) fn set_cookies(&self, caller: &Caller, identity: &Identity, site: &Site, reply: &mut Reply) {
        if !is_ours(&caller.host, &site.hosts) {
            return;
        }
        let Caller { place, jar, found, now_ms, .. } = caller;
        let browser = Browser { visitor: identity.visitor, found: *found, clicks: &identity.clicks, jar };
        let moment = Moment { now_ms: *now_ms, chance: rand::random() };
        let setting = Setting { ring: &self.sites.ring, place };
        let mut lines = answer::cookies(&browser, identity.standing(*found), moment, &setting);
        match site.cookieless {
            true => lines.retain(SetCookie::is_expiry),
            false => {
                lines.extend(cookies::told(identity.told.map(|(_, stored)| stored), identity.consent.level, place))
            }
        }
        cookies::set(&lines, reply.headers_mut());
    }

    fn visit(&self, envelope: &Envelope, grant: Grant, caller: &Caller, site: &Site) -> Visit {
        let (headers, clock) = (&self.head.headers, &self.collector.clock);
        let user_agent = text(headers, USER_AGENT);
        let id_seed = clock.new_id();
        let sender = sender(headers, grant.trust);
        let visitor = match caller.found {
            _ if site.cookieless => self.visitor_of_day(caller, site, user_agent.as_deref()),
            Found::Visitor(signed) => Some(signed.visitor),
            Found::Absent | Found::Forged => None,
        };
        let passenger = self.passenger(envelope, caller, site).filter(|_| sender == Sender::Browser);
        let (brought, clicks) = passenger.map(|passenger| (passenger.visitor, passenger.clicks)).unzip();
        Visit {
            sender,
            authority: match grant.trust {
                Trust::Secret => Authority::Everybody,
                Trust::Public => Authority::Itself,
            },
            visitor: visitor.or(brought),
            visitor_new: VisitorId(clock.new_id()),
            lasts: if site.cookieless { Lasts::Today } else { Lasts::ForGood },
            clicks: clicks.unwrap_or_default(),
            cookies: if site.cookieless { Vec::new() } else { cookies::platforms(&caller.jar) },
            signals: self.signals(caller, sender),
            ip: Some(caller.ip),
            user_agent,
            locale: text(headers, ACCEPT_LANGUAGE).and_then(|list| first_language(&list)),
            referrer: text(headers, REFERER),
            idempotency_key: headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map(str::to_owned),
            received_ms: caller.now_ms,
            id_seed,
        }
    }

    /// What the request itself says of consent.
    pub(super) fn signals(&self, caller: &Caller, sender: Sender) -> Signals {
        let mut signals = Signals::default();
        if let Some(gpc) = self.head.headers.get("sec-gpc").and_then(|value| value.to_str().ok()) {
            signals.sec_gpc(gpc);
        }
        if sender == Sender::Browser {
            cookies::consent(&caller.jar, &mut signals);
        }
        signals
    }

    /// Who the browser is for today, by what it sends anyway.
    fn visitor_of_day(&self, caller: &Caller, site: &Site, user_agent: Option<&str>) -> Option<VisitorId> {
        let salts = Salts::of_ring(&self.sites.ring, caller.now_ms)?;
        let user_agent = user_agent.unwrap_or_default();
        let traits = Traits { site: &site.name, host: host_name(&caller.host), ip: caller.ip, user_agent };
        Some(salts.visitor(caller.now_ms, &traits, Precision::default()))
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

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty() && value.len() <= 2_048).then(|| value.to_owned())
}

fn first_language(list: &str) -> Option<String> {
    let first = list.split([',', ';']).next()?.trim();
    (!first.is_empty() && first != "*" && first.len() <= 35).then(|| first.to_owned())
}
