//! What operators are shown, as JSON: the same from the listener and from the command line.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidegate_event::{Consent, Event};
use tidegate_queue::{DeliveryJournal, Journal, State};
use tidegate_sandbox::contract;

use crate::quality::{Profile, Score};
use crate::record::{self, AttemptRecord, DeliveryRecord, EventRecord, RequestRecord};

/// What became of an event, a destination's part of it, or a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Delivered,
    Waiting,
    Dead,
    /// The visitor withdrew the consent that it relied on, before it was sent.
    Cancelled,
    Dropped,
    Refused,
    Duplicate,
}

impl Outcome {
    /// Its name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Delivered => "delivered",
            Outcome::Waiting => "waiting",
            Outcome::Dead => "dead",
            Outcome::Cancelled => "cancelled",
            Outcome::Dropped => "dropped",
            Outcome::Refused => "refused",
            Outcome::Duplicate => "duplicate",
        }
    }
}

/// One event, in a list.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub id: String,
    pub site: String,
    pub name: String,
    pub received_ms: u64,
    pub consent: Option<&'static str>,
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub duplicates: u32,
    pub destinations: Vec<DestinationSummary>,
}

/// One destination's part of an event, in a list.
#[derive(Debug, Clone, Serialize)]
pub struct DestinationSummary {
    pub name: String,
    pub outcome: Outcome,
    pub reason: Option<String>,
}

/// One event with everything that happened to it.
#[derive(Debug, Clone, Serialize)]
pub struct Trace {
    pub id: String,
    pub site: String,
    pub name: String,
    pub received_ms: u64,
    pub outcome: Outcome,
    pub reason: Option<String>,
    /// How often the same id came again.
    pub duplicates: u32,
    /// The event as far as its consent allowed.
    pub event: Option<Event>,
    pub consent: Option<Consent>,
    pub destinations: Vec<DestinationTrace>,
}

/// One destination's part of an event.
#[derive(Debug, Clone, Serialize)]
pub struct DestinationTrace {
    pub name: String,
    pub outcome: Outcome,
    pub reason: Option<String>,
    /// The plugin's name and version.
    pub plugin: Option<String>,
    /// SHA-256 of the component that ran.
    pub digest: Option<String>,
    /// How usable the event was to the platform.
    pub quality: Option<Score>,
    /// All attempts of all its deliveries.
    pub attempts: Vec<AttemptTrace>,
    pub deliveries: Vec<DeliveryTrace>,
}

/// One delivery.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryTrace {
    pub id: String,
    pub outcome: Outcome,
    pub reason: Option<String>,
    /// When a waiting one is due.
    pub due_ms: Option<u64>,
    /// What the plugin saw.
    pub saw: Option<Box<RawValue>>,
    /// What it produced.
    pub request: Option<RequestRecord>,
    pub attempts: Vec<AttemptTrace>,
}

/// One attempt.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptTrace {
    /// When it began, in Unix milliseconds.
    pub at: u64,
    pub status: Option<u16>,
    pub verdict: String,
    pub answer: Option<String>,
    pub duration_ms: u64,
    /// How many events its request carried.
    pub events: u32,
}

/// One dead letter, in a list.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    pub id: String,
    pub event_id: String,
    pub site: String,
    pub destination: String,
    pub reason: String,
    pub died_ms: u64,
    pub attempts: usize,
}

impl Trace {
    /// The trace of a journal's entry.
    pub fn of(journal: &Journal) -> Trace {
        let record = record::read::<EventRecord>(&journal.record);
        let (record, damage) = match record {
            Ok(record) => (Some(record), None),
            Err(error) => (None, Some(format!("the stored event {error}"))),
        };
        let destinations = destinations(journal, record.as_ref());
        let refused = record.as_ref().and_then(|record| record.refused.clone());
        let (outcome, reason) = match refused {
            Some(reason) => (Outcome::Refused, Some(reason)),
            None => overall(&destinations),
        };
        let event = record.as_ref().and_then(|record| record.event.clone());
        Trace {
            id: journal.key.id.clone(),
            site: record.as_ref().map_or_else(|| journal.key.scope.clone(), |record| record.site.clone()),
            name: record.as_ref().map_or_else(String::new, |record| record.name.clone()),
            received_ms: journal.received_ms,
            outcome,
            reason: damage.or(reason),
            duplicates: journal.duplicates,
            consent: event.as_ref().map(|event| event.consent),
            event,
            destinations,
        }
    }

    /// Adds how usable the event was to each destination, where it is known what its platform goes by.
    #[must_use]
    pub fn judged<'a>(mut self, profile: impl Fn(&str) -> Option<&'a Profile>) -> Trace {
        for destination in &mut self.destinations {
            let saw = destination.deliveries.iter().find_map(|delivery| delivery.saw.as_ref());
            let saw = saw.and_then(|saw| serde_json::from_str::<contract::Event>(saw.get()).ok());
            destination.quality = saw.and_then(|saw| Some(profile(&destination.name)?.score(&saw)));
        }
        self
    }
}

impl Summary {
    /// The summary of a journal's entry.
    pub fn of(journal: &Journal) -> Summary {
        let trace = Trace::of(journal);
        let destination =
            |d: DestinationTrace| DestinationSummary { name: d.name, outcome: d.outcome, reason: d.reason };
        Summary {
            id: trace.id,
            site: trace.site,
            name: trace.name,
            received_ms: trace.received_ms,
            consent: trace.consent.map(|consent| consent.level.as_str()),
            outcome: trace.outcome,
            reason: trace.reason,
            duplicates: trace.duplicates,
            destinations: trace.destinations.into_iter().map(destination).collect(),
        }
    }
}

impl DeadLetter {
    /// A dead letter as it is listed.
    pub fn of(letter: &tidegate_queue::DeadLetter) -> DeadLetter {
        DeadLetter {
            id: letter.key.to_string(),
            event_id: letter.entry.id.clone(),
            site: letter.entry.scope.clone(),
            destination: letter.destination.clone(),
            reason: letter.reason.clone(),
            died_ms: letter.died_ms,
            attempts: letter.attempts.len(),
        }
    }
}

impl DeliveryTrace {
    fn of(journal: &DeliveryJournal, record: Option<DeliveryRecord>) -> DeliveryTrace {
        let (outcome, due_ms) = match journal.state {
            State::Waiting(due_ms) => (Outcome::Waiting, Some(due_ms)),
            State::Delivered => (Outcome::Delivered, None),
            State::Dead => (Outcome::Dead, None),
            State::Cancelled => (Outcome::Cancelled, None),
        };
        let (saw, request) = record.map_or((None, None), |record| (Some(record.saw), record.request));
        let attempts = journal.attempts.iter().filter_map(|raw| record::read(raw).ok()).map(attempt).collect();
        DeliveryTrace {
            id: journal.key.to_string(),
            outcome,
            reason: journal.reason.clone(),
            due_ms,
            saw,
            request,
            attempts,
        }
    }
}

fn attempt(record: AttemptRecord) -> AttemptTrace {
    let AttemptRecord { v: _, at_ms, duration_ms, status, verdict, answer, events } = record;
    AttemptTrace { at: at_ms, status, verdict, answer, duration_ms, events }
}

/// Destinations that it goes to, then those that it does not.
fn destinations(journal: &Journal, record: Option<&EventRecord>) -> Vec<DestinationTrace> {
    let mut list: Vec<DestinationTrace> = Vec::new();
    for delivery in &journal.deliveries {
        let stored = record::read::<DeliveryRecord>(&delivery.payload).ok();
        let labels = stored.as_ref().map(|stored| (stored.plugin.clone(), stored.digest.clone()));
        let trace = DeliveryTrace::of(delivery, stored);
        let index = list.iter().position(|known| known.name == delivery.destination).unwrap_or_else(|| {
            list.push(DestinationTrace {
                name: delivery.destination.clone(),
                outcome: Outcome::Delivered,
                reason: None,
                plugin: None,
                digest: None,
                quality: None,
                attempts: Vec::new(),
                deliveries: Vec::new(),
            });
            list.len() - 1
        });
        let destination = &mut list[index];
        if let Some((plugin, digest)) = labels {
            (destination.plugin, destination.digest) = (Some(plugin), Some(digest));
        }
        destination.attempts.extend(trace.attempts.iter().cloned());
        destination.deliveries.push(trace);
    }
    for destination in &mut list {
        let worst = worst(destination.deliveries.iter().map(|delivery| delivery.outcome));
        destination.outcome = worst.unwrap_or(Outcome::Delivered);
        let of_worst = destination.deliveries.iter().find(|delivery| Some(delivery.outcome) == worst);
        let last_try = || {
            let attempt = destination.attempts.last()?;
            (destination.outcome == Outcome::Waiting).then(|| attempt.verdict.clone())
        };
        destination.reason = of_worst.and_then(|delivery| delivery.reason.clone()).or_else(last_try);
    }
    let dropped = record.into_iter().flat_map(|record| &record.dropped).map(|dropped| DestinationTrace {
        name: dropped.destination.clone(),
        outcome: Outcome::Dropped,
        reason: Some(dropped.reason.clone()),
        plugin: None,
        digest: None,
        quality: None,
        attempts: Vec::new(),
        deliveries: Vec::new(),
    });
    list.extend(dropped);
    list
}

fn worst(outcomes: impl Iterator<Item = Outcome> + Clone) -> Option<Outcome> {
    let order = [Outcome::Waiting, Outcome::Dead, Outcome::Delivered, Outcome::Cancelled, Outcome::Dropped];
    order.into_iter().find(|candidate| outcomes.clone().any(|outcome| outcome == *candidate))
}

fn overall(destinations: &[DestinationTrace]) -> (Outcome, Option<String>) {
    let Some(outcome) = worst(destinations.iter().map(|destination| destination.outcome)) else {
        return (Outcome::Dropped, Some("no destination".into()));
    };
    let first = destinations.iter().find(|destination| destination.outcome == outcome);
    let reason = first
        .and_then(|destination| destination.reason.as_ref().map(|reason| format!("{}: {reason}", destination.name)));
    (outcome, reason)
}
