//! A trial of a destination: one event through its plugin, authenticated, sent for real, and its answer classified; told
//! with all that was said on the wire, without the secrets.
//!
//! Everything is done by the functions of the journey and of the delivery. Of a store it touches the ledger alone: what is
//! tried has left as well.

mod sample;
mod wire;

use std::sync::Arc;

use serde::Serialize;
use tidegate_sandbox::contract::{self, Verdict};

pub use self::sample::sample;
use self::wire::Watched;
pub use self::wire::{Reply, Wire};
use crate::causes::chain;
use crate::clock::Clock;
use crate::delivery::Sender;
use crate::delivery::courier::{self, Courier, Exchange, Shipment};
use crate::destination::{Destination, Mode};
use crate::journey::consent::Consented;
use crate::journey::trial::{Obstacle, requests};
use crate::ledger::{Ledger, Origin, Target, Waybill};
use crate::record::{Body, RequestRecord};
use crate::switch::Switches;

/// What a trial needs.
pub struct Trial {
    pub destination: Arc<Destination>,
    pub sender: Arc<dyn Sender>,
    pub clock: Arc<dyn Clock>,
    pub response_bytes_max: usize,
    /// None where there is no store yet.
    pub ledger: Option<Arc<Ledger>>,
}

/// What became of an event. Holds no secret.
#[derive(Debug, Serialize)]
pub struct Report {
    pub destination: String,
    pub plugin: String,
    pub mode: &'static str,
    pub id: String,
    pub event: String,
    /// Whether every request was taken.
    pub outcome: Outcome,
    /// Why no request was made, where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub requests: Vec<Tried>,
    /// Where the platform shows events that are tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_view: Option<String>,
}

/// How a trial ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The platform took everything.
    Delivered,
    /// It did not.
    NotDelivered,
    /// The event does not go there, and nothing was sent.
    Dropped,
    /// The plugin refuses the event, and nothing was sent.
    Refused,
    /// The plugin refuses it because it is a test, and nothing was sent: as a real one it would be taken.
    NoTestFacility,
}

/// One request of the event's.
#[derive(Debug, Serialize)]
pub struct Tried {
    /// All that left for it, in order: an access token may have been asked for first.
    pub wire: Vec<Wire>,
    pub delivered: bool,
    /// What the answer means, in words.
    pub verdict: String,
}

impl Trial {
    /// Tries the destination with an event.
    pub async fn run(&self, event: &Consented) -> Report {
        let (id, name) = event.id_and_name();
        let mut report = Report {
            destination: self.destination.name.clone(),
            plugin: self.destination.plugin_label.clone(),
            mode: if self.destination.mode == Mode::Test { "test" } else { "live" },
            id: id.to_owned(),
            event: name.to_owned(),
            outcome: Outcome::Delivered,
            reason: None,
            requests: Vec::new(),
            test_view: self.destination.manifest().test_view.clone(),
        };
        match requests(event, &self.destination, self.clock.as_ref()).await {
            Ok(requests) => report.requests = self.send(id, requests).await,
            Err(obstacle) => (report.outcome, report.reason) = self.explain(obstacle, event).await,
        }
        if report.requests.iter().any(|tried| !tried.delivered) {
            report.outcome = Outcome::NotDelivered;
        }
        report
    }

    async fn send(&self, id: &str, requests: Vec<(RequestRecord, Origin)>) -> Vec<Tried> {
        let watched = Arc::new(Watched::new(Arc::clone(&self.sender)));
        let sender = Arc::clone(&watched) as Arc<dyn Sender>;
        let courier = Courier::new(sender, Arc::clone(&self.clock), Switches::default(), self.response_bytes_max);
        let mut redactor = self.destination.redactor.clone();
        let mut tried = Vec::with_capacity(requests.len());
        for (index, (mut request, origin)) in (0..).zip(requests) {
            let waybill = match self.declare(&request, &origin).await {
                Ok(waybill) => waybill,
                Err(error) => {
                    let verdict = format!("not sent: the ledger cannot be written: {}", chain(&error));
                    tried.push(Tried { wire: Vec::new(), delivered: false, verdict });
                    continue;
                }
            };
            let body = std::mem::replace(&mut request.body, Body::Text(String::new())).into_bytes();
            let own = || format!("msg_{}", self.clock.new_id());
            let message_id = courier::message_id(id, index).unwrap_or_else(own);
            let shipment = Shipment { request: &request, body, message_id, events: 1, attempt: 1, waybill: &waybill };
            // No switch is asked, so that none withholds it.
            let Some((exchange, verdict)) = courier.carry(&self.destination, shipment).await else { continue };
            let wire = watched.take();
            wire.iter().for_each(|passed| passed.teach(&mut redactor));
            let (delivered, words) = words(&verdict, &exchange);
            tried.push(Tried {
                wire: wire.iter().map(|passed| passed.show(&self.destination, &redactor)).collect(),
                delivered,
                verdict: redactor.clean(&words),
            });
        }
        tried
    }

    async fn declare(&self, request: &RequestRecord, origin: &Origin) -> Result<Waybill, tidegate_queue::Error> {
        match (&self.ledger, self.destination.endpoints.get(&request.endpoint)) {
            (Some(ledger), Some(endpoint)) => {
                let target = Target { destination: &self.destination.name, host: &endpoint.host() };
                ledger.declare(target, std::iter::once(origin)).await
            }
            _ => Ok(Waybill::none()),
        }
    }

    /// Why nothing was sent: whether the plugin refuses the event, or only refuses it as a test.
    async fn explain(&self, obstacle: Obstacle, event: &Consented) -> (Outcome, Option<String>) {
        let reason = match obstacle {
            Obstacle::Dropped(reason) => return (Outcome::Dropped, Some(reason)),
            Obstacle::Refused(reason) => reason,
        };
        let live = Arc::new(Destination { mode: Mode::Live, ..(*self.destination).clone() });
        let as_live = self.destination.mode == Mode::Test && requests(event, &live, self.clock.as_ref()).await.is_ok();
        (if as_live { Outcome::NoTestFacility } else { Outcome::Refused }, Some(reason))
    }
}

/// Whether a verdict is a success, and what it means for a person.
fn words(verdict: &Verdict, exchange: &Exchange) -> (bool, String) {
    let rejected = |reason: &str| (false, format!("rejected: {reason}"));
    let retry = |after_ms: Option<u64>| {
        let after = after_ms.map(|ms| format!(" after {} s, as the platform asks", ms.div_ceil(1_000)));
        let failure = exchange.failure();
        (false, format!("not taken: {failure}; the gateway would send it again{}", after.unwrap_or_default()))
    };
    match verdict {
        Verdict::Delivered => (true, "delivered: the platform took it".to_owned()),
        Verdict::Retry(after_ms) => retry(*after_ms),
        Verdict::Reject(reason) => rejected(reason),
        Verdict::Split => rejected("the platform does not take it"),
        Verdict::Credentials(reason) => {
            (false, format!("credentials refused: {reason}; the gateway would park the destination"))
        }
        Verdict::Each(outcomes) => match outcomes.first() {
            Some(contract::Outcome::Delivered) => words(&Verdict::Delivered, exchange),
            Some(contract::Outcome::Retry(after_ms)) => retry(*after_ms),
            Some(contract::Outcome::Reject(reason)) => rejected(reason),
            None => rejected("the plugin gave no outcome for it"),
        },
    }
}
