//! The courier: carries one request to its platform, authenticated, and says what the answer means.
//!
//! Owns the exchange. What becomes of the deliveries that it carried, and when there is another attempt, is
//! [`super::attempt`]'s.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tidegate_plugin_sdk::manifest::{self, Auth};
use tidegate_sandbox::contract::{self, Verdict};

use super::auth::{self, Authenticator, Occasion, Token};
use super::egress::{Answer, Outgoing, SendError, Sender};
use super::excerpt::excerpt;
use crate::clock::Clock;
use crate::destination::{Destination, Mode};
use crate::ledger::Waybill;
use crate::record::RequestRecord;
use crate::switch::Switches;

/// What carries requests: one for all workers, so that they share what they have to ask for, the access tokens.
pub struct Courier {
    sender: Arc<dyn Sender>,
    clock: Arc<dyn Clock>,
    authenticator: Authenticator,
    switches: Switches,
    response_bytes_max: usize,
}

/// One request to carry.
#[derive(Debug)]
pub struct Shipment<'a> {
    /// The request without its body.
    pub request: &'a RequestRecord,
    pub body: Vec<u8>,
    /// What a receiver knows a repetition by.
    pub message_id: String,
    /// How many events it reports.
    pub events: usize,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// What the ledger has of it already.
    pub waybill: &'a Waybill,
}

/// How a request was carried, and what came back.
#[derive(Debug)]
pub struct Exchange {
    pub started: Moment,
    pub ended: Moment,
    /// Absent where no answer came.
    pub status: Option<u16>,
    /// The answer's beginning.
    pub answer: Option<String>,
    /// Why no answer came, or the request was not even sent.
    pub failure: Option<String>,
}

/// A moment by both times of the clock.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub ms: u64,
    pub steady_ms: u64,
}

/// An answer kept longer than this would fill the journal with what platforms say at length.
const ANSWER_CHARS: usize = 2_000;
const UNAUTHORIZED: u16 = 401;

impl Courier {
    /// A courier that sends through `sender` what the switches let, and reads no more than this of an answer.
    pub fn new(
        sender: Arc<dyn Sender>,
        clock: Arc<dyn Clock>,
        switches: Switches,
        response_bytes_max: usize,
    ) -> Courier {
        let authenticator = Authenticator::new(Arc::clone(&sender), Arc::clone(&clock));
        Courier { sender, clock, authenticator, switches, response_bytes_max }
    }

    /// Carries one request, and says what the answer means. It is sent once, but where its access token turns out to be
    /// withdrawn: then nothing was done with it, and it is sent once more with a new one. `None`: it was not sent, because
    /// the destination was switched off meanwhile.
    pub async fn carry(&self, destination: &Destination, shipment: Shipment<'_>) -> Option<(Exchange, Verdict)> {
        let started = self.now();
        let endpoint = shipment.request.endpoint.clone();
        let asked = Asked { endpoint, events: shipment.events, attempt: shipment.attempt };
        let waybill = shipment.waybill;
        let result = self.exchange(destination, shipment).await;
        let ended = self.now();
        let status = result.as_ref().ok().map(|answer| answer.status);
        let answer = result.as_ref().ok().map(|answer| excerpt(&answer.body, ANSWER_CHARS));
        let answer = answer.filter(|text| !text.is_empty());
        let failure = result.as_ref().err().map(ToString::to_string);
        let verdict = match result {
            Ok(answer) => self.classify(destination, answer, asked).await,
            Err(unsent) => unsent.verdict()?,
        };
        if status.is_some() {
            waybill.judged(&verdict);
        }
        Some((Exchange { started, ended, status, answer, failure }, verdict))
    }

    fn now(&self) -> Moment {
        Moment { ms: self.clock.now_ms(), steady_ms: self.clock.steady_ms() }
    }

    async fn exchange(&self, destination: &Destination, shipment: Shipment<'_>) -> Result<Answer, Unsent> {
        let (message_id, waybill) = (shipment.message_id.clone(), shipment.waybill);
        let mut outgoing = self.outgoing(destination, shipment)?;
        // A token may be withdrawn before its time.
        let again = destination.auth.as_ref().and_then(Auth::token_url).map(|_| outgoing.clone());
        let occasion = Occasion { message_id: &message_id, refused: None };
        let token = self.authenticate(destination, &mut outgoing, occasion).await?;
        let mut sent = auth::credentials(&outgoing.headers);
        let mut answer = self.send(destination, outgoing, waybill).await?;
        if let (UNAUTHORIZED, Some(refused), Some(mut outgoing)) = (answer.status, &token, again) {
            let occasion = Occasion { message_id: &message_id, refused: Some(refused) };
            self.authenticate(destination, &mut outgoing, occasion).await?;
            sent = auth::credentials(&outgoing.headers);
            answer = self.send(destination, outgoing, waybill).await?;
        }
        auth::conceal(&mut answer, &destination.redactor, &sent);
        Ok(answer)
    }

    /// Sends it once, and has the ledger count that. The switch is asked here once more: credentials may have been waited for.
    async fn send(&self, destination: &Destination, outgoing: Outgoing, waybill: &Waybill) -> Result<Answer, Unsent> {
        if !self.switches.lets_send(&destination.name) {
            return Err(Unsent::Switched);
        }
        let leaving = waybill.leaving();
        let result = self.sender.send(outgoing).await;
        match &result {
            Ok(_) => leaving.answered(),
            Err(SendError::Forbidden(_)) => leaving.held_back(),
            // It may have arrived or not.
            Err(SendError::Timeout(_) | SendError::Connection(_)) => drop(leaving),
        }
        result.map_err(Unsent::Send)
    }

    async fn authenticate(
        &self,
        destination: &Destination,
        outgoing: &mut Outgoing,
        occasion: Occasion<'_>,
    ) -> Result<Option<Token>, Unsent> {
        self.authenticator.authenticate(destination, outgoing, occasion).await.map_err(Unsent::Auth)
    }

    /// The request as it leaves, but for its credentials.
    fn outgoing(&self, destination: &Destination, shipment: Shipment<'_>) -> Result<Outgoing, Unsent> {
        let Shipment { request, body, .. } = shipment;
        let missing = || Unsent::Request(format!("`{}` is no endpoint of the plugin any more", request.endpoint));
        let endpoint = destination.endpoints.get(&request.endpoint).ok_or_else(missing)?;
        let url = endpoint.url(&request.path, &request.query).map_err(|e| Unsent::Request(e.to_string()))?;
        let mut headers = HeaderMap::with_capacity(request.headers.len() + 2);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &request.headers {
            // What cannot be a header was refused when the request was stored.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        Ok(Outgoing {
            network: destination.network,
            method: method(endpoint.method),
            url,
            headers,
            body: body.into(),
            timeout_ms: destination.timeout_ms,
            response_bytes_max: self.response_bytes_max,
        })
    }

    async fn classify(&self, destination: &Destination, answer: Answer, asked: Asked) -> Verdict {
        let context = contract::Context {
            now_ms: self.clock.now_ms(),
            seed: 0,
            attempt: asked.attempt,
            test_mode: destination.mode == Mode::Test,
            config: destination.config_json.clone(),
        };
        let count = u32::try_from(asked.events).unwrap_or(u32::MAX);
        let Answer { status, headers, body } = answer;
        let response = contract::Response { endpoint: asked.endpoint, status, headers, body };
        match destination.run(move |plugin| plugin.classify(&response, count, &context)).await {
            Ok(Verdict::Each(outcomes)) if outcomes.len() != asked.events => {
                Verdict::Reject(format!("the plugin gave {} outcomes for {count} events", outcomes.len()))
            }
            Ok(verdict) => verdict,
            // The platform may have taken it: only a person can tell, so it is kept for one.
            Err(error) => Verdict::Reject(format!("HTTP {status}, and classifying it failed: {error}")),
        }
    }
}

impl Exchange {
    /// What there is instead of a success.
    pub fn failure(&self) -> String {
        match (&self.failure, self.status) {
            (Some(failure), _) => failure.clone(),
            (None, Some(status)) => format!("HTTP {status}"),
            (None, None) => "no answer".to_owned(),
        }
    }
}

impl Moment {
    /// The steady time of a moment that the machine's clock would show as `ms`.
    pub fn steady_at(self, ms: u64) -> u64 {
        self.steady_ms.saturating_add(ms.saturating_sub(self.ms))
    }
}

/// What the plugin is told of the request that it classifies the answer to.
struct Asked {
    endpoint: String,
    events: usize,
    attempt: u32,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("not sent: {0}")]
    Auth(auth::Error),
    #[error("not sent: {0}")]
    Request(String),
    #[error("{0}")]
    Send(SendError),
    #[error("not sent: the destination was switched off")]
    Switched,
}

impl Unsent {
    /// What that means for the deliveries; nothing where they are not to be touched.
    fn verdict(&self) -> Option<Verdict> {
        Some(match self {
            Unsent::Switched => return None,
            Unsent::Auth(auth::Error::Unavailable { retry_after_ms, .. }) => Verdict::Retry(*retry_after_ms),
            Unsent::Send(SendError::Timeout(_) | SendError::Connection(_)) => Verdict::Retry(None),
            // Nothing is sent until somebody acts, and the event is not to blame.
            Unsent::Auth(_) | Unsent::Send(SendError::Forbidden(_)) => Verdict::Credentials(self.to_string()),
            Unsent::Request(_) => Verdict::Reject(self.to_string()),
        })
    }
}

/// What a receiver can tell a repetition of an event's request by; its further requests differ. `None` where no header
/// takes the id, or it would blur what is signed.
pub fn message_id(event_id: &str, index: u32) -> Option<String> {
    let plain = event_id.bytes().all(|b| b.is_ascii_graphic() && b != b'.');
    plain.then(|| if index == 0 { event_id.to_owned() } else { format!("{event_id}-{index}") })
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
