//! One attempt: a parcel is carried to its platform, and each of its deliveries given an outcome by the verdict.

use tidegate_queue::{Attempt, Outcome};
use tidegate_sandbox::contract::{self, Verdict};

use super::courier::{self, Courier, Exchange, Shipment};
use super::excerpt::excerpt;
use super::merge::{Parcel, Part};
use super::retry::{self, Counts, Failure, Next};
use super::state::State;
use crate::destination::Destination;
use crate::ledger::Waybill;
use crate::record::{self, AttemptRecord};

/// What an attempt needs.
pub(super) struct Attempting<'a> {
    pub(super) destination: &'a Destination,
    pub(super) policy: &'a retry::Policy,
    pub(super) state: &'a State,
    pub(super) courier: &'a Courier,
}

/// What an attempt led to.
pub(super) enum Attempted {
    Settled(Vec<Attempt>),
    /// The platform does not say which part is bad: these smaller ones are to be sent.
    Split(Vec<Parcel>),
    /// The destination was switched off before it was sent: it waits on, as it is.
    Withheld(Parcel),
}

/// Parking begins with so many times the first retry's wait.
const PARK_FACTOR: u64 = 30;
/// However long a destination has been parked, whoever mended its account does not wait longer than this.
const PARK_MAX_MS: u64 = 300_000;

impl Attempting<'_> {
    /// Makes one attempt.
    pub(super) async fn attempt(&self, mut parcel: Parcel, waybill: Waybill) -> Attempted {
        // Only a parcel that may have to be split is still needed once it has been sent.
        let body = if parcel.parts.len() > 1 { parcel.body.clone() } else { std::mem::take(&mut parcel.body) };
        let shipment = Shipment {
            request: &parcel.request,
            body,
            message_id: message_id(&parcel),
            events: parcel.parts.len(),
            attempt: parcel.parts.first().map_or(1, |part| part.lease.attempts.saturating_add(1)),
            waybill: &waybill,
        };
        match self.courier.carry(self.destination, shipment).await {
            Some((exchange, verdict)) => self.settle(parcel, verdict, exchange),
            None => Attempted::Withheld(parcel),
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
            let join = self.destination.batch.join_to(&parcel.request.endpoint);
            parcel = match parcel.split(join) {
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
                Next::At(ms) => (Outcome::Retry(now.steady_at(ms)), retry_reason(&exchange)),
                Next::Dead(reason) => {
                    let reason = format!("{reason}; last: {}", retry_reason(&exchange));
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
        if let (Verdict::Retry(Some(asked_ms)), Some(429 | 503) | None) = (&verdict, exchange.status) {
            // The platform, or whoever gives access tokens to it, throttles the account and not this event: the others
            // would only be refused as well.
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

fn retry_reason(exchange: &Exchange) -> String {
    format!("retry: {}", exchange.failure())
}

fn rejected(reason: &str) -> (Outcome, String) {
    let reason = format!("rejected: {}", printable(reason));
    (Outcome::Dead(reason.clone()), reason)
}

/// A plugin's text, for a person to read.
fn printable(text: &str) -> String {
    excerpt(text.as_bytes(), 500)
}

/// The same for every attempt.
fn message_id(parcel: &Parcel) -> String {
    let Some(part) = parcel.parts.first() else { return String::new() };
    courier::message_id(&part.lease.entry.id, part.index).unwrap_or_else(|| format!("msg_{}", part.lease.key))
}
