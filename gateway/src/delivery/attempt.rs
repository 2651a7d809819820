//! One attempt: a parcel is authenticated and sent, its answer classified, and each of its deliveries given an outcome.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tidegate_plugin_sdk::manifest;
use tidegate_queue::{Attempt, Outcome};
use tidegate_sandbox::contract::{self, Verdict};

use super::auth;
use super::egress::{Answer, Outgoing, SendError, Sender};
use super::excerpt::excerpt;
use super::merge::{Parcel, Part};
use super::retry::{self, Counts, Failure, Next};
use super::state::State;
use crate::clock::Clock;
use crate::destination::{Destination, Mode};
use crate::record::{self, AttemptRecord};

/// What an attempt needs.
pub(super) struct Attempting<'a> {
    pub(super) destination: &'a Destination,
    pub(super) policy: &'a retry::Policy,
    pub(super) state: &'a State,
    pub(super) sender: &'a dyn Sender,
    pub(super) clock: &'a dyn Clock,
    pub(super) response_bytes_max: usize,
}

/// What an attempt led to.
pub(super) enum Attempted {
    Settled(Vec<Attempt>),
    /// The platform does not say which part is bad: each is to be sent singly.
    Split(Vec<Parcel>),
}

/// An answer kept longer than this would fill the journal with what platforms say at length.
const ANSWER_CHARS: usize = 2_000;
/// Parking begins with so many times the first retry's wait.
const PARK_FACTOR: u64 = 30;
/// However long a destination has been parked, whoever mended its account does not wait longer than this.
const PARK_MAX_MS: u64 = 300_000;

impl Attempting<'_> {
    /// Makes one attempt.
    pub(super) async fn attempt(&self, mut parcel: Parcel) -> Attempted {
        let started = self.now();
        let may_split = parcel.parts.len() > 1;
        // Only a parcel that may have to be split is still needed once it has been sent.
        let body = if may_split { parcel.body.clone() } else { std::mem::take(&mut parcel.body) };
        let outgoing = match self.outgoing(&parcel, body, started.ms) {
            Ok(outgoing) => outgoing,
            Err(unsent) => {
                let reason = unsent.to_string();
                let verdict = match unsent {
                    Unsent::Auth(_) => Verdict::Credentials(reason.clone()),
                    Unsent::Request(_) => Verdict::Reject(reason.clone()),
                };
                return self.settle(parcel, verdict, Exchange::unsent(started, reason));
            }
        };
        let result = self.sender.send(outgoing).await;
        let exchange = Exchange::new(started, self.now(), &result);
        let verdict = match result {
            Ok(answer) => self.classify(answer, &parcel),
            Err(SendError::Forbidden(reason)) => Verdict::Credentials(format!("not sent: {reason}")),
            Err(error) => {
                let exchange = Exchange { failure: Some(error.to_string()), ..exchange };
                return self.settle(parcel, Verdict::Retry(None), exchange);
            }
        };
        self.settle(parcel, verdict, exchange)
    }

    fn now(&self) -> Moment {
        Moment { ms: self.clock.now_ms(), steady_ms: self.clock.steady_ms() }
    }

    fn outgoing(&self, parcel: &Parcel, mut body: Vec<u8>, now_ms: u64) -> Result<Outgoing, Unsent> {
        let destination = self.destination;
        let request = &parcel.request;
        let missing = || Unsent::Request(format!("`{}` is no endpoint of the plugin any more", request.endpoint));
        let endpoint = destination.endpoints.get(&request.endpoint).ok_or_else(missing)?;
        let mut url = endpoint.url(&request.path, &request.query).map_err(|e| Unsent::Request(e.to_string()))?;
        let mut headers = HeaderMap::with_capacity(request.headers.len() + 1);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &request.headers {
            // What cannot be a header was refused when the request was stored.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        if let Some(scheme) = &destination.auth {
            let parts = auth::Parts {
                url: &mut url,
                headers: &mut headers,
                body: &mut body,
                message_id: &message_id(parcel),
                now_s: now_ms / 1000,
            };
            auth::apply(scheme, &destination.secrets, parts).map_err(Unsent::Auth)?;
        }
        Ok(Outgoing {
            network: destination.network,
            method: method(endpoint.method),
            url,
            headers,
            body,
            timeout_ms: destination.timeout_ms,
            response_bytes_max: self.response_bytes_max,
        })
    }

    fn classify(&self, answer: Answer, parcel: &Parcel) -> Verdict {
        let first = parcel.parts.first();
        let context = contract::Context {
            now_ms: self.clock.now_ms(),
            seed: 0,
            attempt: first.map_or(1, |part| part.lease.attempts.saturating_add(1)),
            test_mode: self.destination.mode == Mode::Test,
            config: self.destination.config_json.clone(),
        };
        let count = u32::try_from(parcel.parts.len()).unwrap_or(u32::MAX);
        let Answer { status, headers, body } = answer;
        let response = contract::Response { status, headers, body };
        match self.destination.plugin.classify(&response, count, &context) {
            Ok(Verdict::Each(outcomes)) if outcomes.len() != parcel.parts.len() => {
                Verdict::Reject(format!("the plugin gave {} outcomes for {count} events", outcomes.len()))
            }
            Ok(verdict) => verdict,
            // The platform may have taken it: only a person can tell, so it is kept for one.
            Err(error) => Verdict::Reject(format!("HTTP {status}, and classifying it failed: {error}")),
        }
    }

    fn settle(&self, mut parcel: Parcel, mut verdict: Verdict, exchange: Exchange) -> Attempted {
        let now = exchange.ended;
        let events = u32::try_from(parcel.parts.len()).unwrap_or(u32::MAX);
        if !matches!(verdict, Verdict::Credentials(_)) && exchange.status.is_some() {
            self.state.unpark();
        }
        self.notice(&verdict, &exchange);
        if matches!(verdict, Verdict::Split) && parcel.parts.len() > 1 {
            parcel = match parcel.split(&self.destination.batch.join) {
                Ok(parcels) => return Attempted::Split(parcels),
                Err(whole) => *whole,
            };
            verdict = Verdict::Reject("the platform refused the batch, which cannot be taken apart again".into());
        }
        let retry = |part: &Part, asked_ms: Option<u64>, counts: Counts| {
            let failure = Failure {
                attempts: part.lease.attempts.saturating_add(1),
                retry_after_ms: asked_ms,
                at_ms: part.at_ms,
                counts,
            };
            match retry::decide(self.policy, failure, now.ms, rand::random::<f64>()) {
                Next::At(ms) => (Outcome::Retry(now.steady_at(ms)), exchange.retry_reason()),
                Next::Dead(reason) => {
                    let reason = format!("{reason}; last: {}", exchange.retry_reason());
                    (Outcome::Dead(reason.clone()), reason)
                }
            }
        };
        let decide = |position: usize, part: &Part| match &verdict {
            Verdict::Delivered => (Outcome::Delivered, "delivered".to_owned()),
            Verdict::Retry(asked_ms) => retry(part, *asked_ms, Counts::Yes),
            Verdict::Reject(reason) => rejected(reason),
            Verdict::Split => rejected("the platform refused it, and it was sent singly already"),
            Verdict::Credentials(reason) => {
                let until_ms = self.park(reason, now.steady_ms);
                let (outcome, _) = retry(part, Some(until_ms.saturating_sub(now.steady_ms)), Counts::No);
                (outcome, format!("credentials: {}", printable(reason)))
            }
            Verdict::Each(outcomes) => match outcomes.get(position) {
                Some(contract::Outcome::Delivered) => (Outcome::Delivered, "delivered".to_owned()),
                Some(contract::Outcome::Retry(asked_ms)) => retry(part, *asked_ms, Counts::Yes),
                Some(contract::Outcome::Reject(reason)) => rejected(reason),
                None => rejected("the plugin gave no outcome for it"),
            },
        };
        if let (Verdict::Retry(Some(asked_ms)), Some(429 | 503)) = (&verdict, exchange.status) {
            // The platform throttles the account, not this event: the others would only be refused as well.
            self.state.pause(now.steady_ms.saturating_add((*asked_ms).min(self.policy.backoff_max_ms)));
        }
        let attempts = parcel.parts.iter().enumerate().map(|(position, part)| {
            let (outcome, verdict) = decide(position, part);
            self.state.count(&outcome, now.ms);
            let record = AttemptRecord {
                v: record::VERSION,
                at_ms: exchange.started.ms,
                duration_ms: now.steady_ms.saturating_sub(exchange.started.steady_ms),
                status: exchange.status,
                verdict,
                answer: exchange.answer.clone(),
                events,
            };
            let (key, token) = (part.lease.key, part.lease.token);
            Attempt {
                key,
                token,
                record: record::write(&record),
                at_ms: exchange.started.ms,
                now_ms: now.steady_ms,
                outcome,
            }
        });
        Attempted::Settled(attempts.collect())
    }

    /// Keeps account of whether the platform works at all.
    fn notice(&self, verdict: &Verdict, exchange: &Exchange) {
        let name = &self.destination.name;
        let failed = matches!(verdict, Verdict::Retry(_)) && exchange.status.is_none_or(|status| status >= 500);
        if failed {
            let (last, now_ms) = (exchange.failure(), exchange.ended.steady_ms);
            if self.state.failed(&last, now_ms, self.policy.backoff_base_ms, self.policy.backoff_max_ms) {
                tracing::warn!(destination.name = %name, "`{name}` is down, its deliveries wait: {last}");
            }
        } else if exchange.status.is_some() && self.state.answered() {
            tracing::info!(destination.name = %name, "`{name}` is up again");
        }
    }

    fn park(&self, reason: &str, steady_ms: u64) -> u64 {
        let base_ms = self.policy.backoff_base_ms.saturating_mul(PARK_FACTOR);
        if self.state.parked().is_none() {
            let name = &self.destination.name;
            tracing::error!(destination.name = %name, "parked `{name}`: {}", printable(reason));
        }
        self.state.park(printable(reason), steady_ms, base_ms, self.policy.backoff_max_ms.min(PARK_MAX_MS))
    }
}

/// Why a request was not even sent.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("not sent: {0}")]
    Auth(auth::Error),
    #[error("not sent: {0}")]
    Request(String),
}

/// A moment by both times of the clock.
#[derive(Clone, Copy)]
struct Moment {
    ms: u64,
    steady_ms: u64,
}

impl Moment {
    /// The steady time of a moment that the machine's clock would show as `ms`.
    fn steady_at(self, ms: u64) -> u64 {
        self.steady_ms.saturating_add(ms.saturating_sub(self.ms))
    }
}

/// What happened on the wire.
struct Exchange {
    started: Moment,
    ended: Moment,
    status: Option<u16>,
    answer: Option<String>,
    failure: Option<String>,
}

impl Exchange {
    fn new(started: Moment, ended: Moment, result: &Result<Answer, SendError>) -> Exchange {
        let answer = result.as_ref().ok();
        Exchange {
            started,
            ended,
            status: answer.map(|answer| answer.status),
            answer: answer.map(|answer| excerpt(&answer.body, ANSWER_CHARS)).filter(|text| !text.is_empty()),
            failure: None,
        }
    }

    fn unsent(at: Moment, reason: String) -> Exchange {
        Exchange { started: at, ended: at, status: None, answer: None, failure: Some(reason) }
    }

    fn retry_reason(&self) -> String {
        format!("retry: {}", self.failure())
    }

    fn failure(&self) -> String {
        match (&self.failure, self.status) {
            (Some(failure), _) => failure.clone(),
            (None, Some(status)) => format!("HTTP {status}"),
            (None, None) => "no answer".to_owned(),
        }
    }
}

fn rejected(reason: &str) -> (Outcome, String) {
    let reason = format!("rejected: {}", printable(reason));
    (Outcome::Dead(reason.clone()), reason)
}

/// A plugin's text, for a person to read.
fn printable(text: &str) -> String {
    excerpt(text.as_bytes(), 500)
}

/// The same for every attempt, so that a receiver can tell a repetition; an event's further requests differ.
fn message_id(parcel: &Parcel) -> String {
    let Some(part) = parcel.parts.first() else { return String::new() };
    let id = &part.lease.entry.id;
    let plain = id.bytes().all(|b| b.is_ascii_graphic() && b != b'.');
    match (plain, part.index) {
        (true, 0) => id.clone(),
        (true, index) => format!("{id}-{index}"),
        // An id that no header takes, or that would blur what is signed.
        (false, _) => format!("msg_{}", part.lease.key),
    }
}

fn method(method: manifest::Method) -> Method {
    match method {
        manifest::Method::Post => Method::POST,
        manifest::Method::Put => Method::PUT,
        manifest::Method::Patch => Method::PATCH,
        manifest::Method::Get => Method::GET,
        manifest::Method::Delete => Method::DELETE,
    }
}
