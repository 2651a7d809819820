//! Transform: each route's event through its plugin, and what came out as deliveries to begin.
//!
//! Whatever a plugin does costs its own destination this one event: it begins as a dead letter that says what happened.

use std::sync::Arc;

use serde_json::value::to_raw_value;
use sha2::{Digest as _, Sha256};
use tidegate_event::{Consent, EventId};
use tidegate_queue::{DeliveryKey, NewDelivery, NewState};
use tidegate_sandbox::{Transformed, contract};

use super::fan_out::{Route, Routes};
use crate::clock::Clock;
use crate::delivery::request;
use crate::destination::{Destination, Mode};
use crate::record::{self, DeliveryRecord, Dropped, RequestRecord};

/// What an event's plugins made of it.
#[derive(Debug)]
pub struct Deliveries {
    pub(super) deliveries: Vec<NewDelivery>,
    pub(super) dropped: Vec<Dropped>,
    /// When they were made, by the steady time.
    pub(super) now_ms: u64,
}

/// The moments and marks of the event that every plugin's context and every delivery's record carry.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub at_ms: u64,
    pub received_ms: u64,
    pub seed: u64,
    pub consent: Consent,
}

/// The seed of an event: the same whenever the same event is transformed again.
pub fn seed(id: &EventId) -> u64 {
    let digest = Sha256::digest(id.as_str());
    digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

/// Runs every route's plugin.
pub async fn transform(routes: Routes, moment: Moment, clock: &dyn Clock) -> Deliveries {
    let Routes { routes, mut dropped } = routes;
    let mut deliveries = Vec::with_capacity(routes.len());
    for Route { destination, saw } in routes {
        match one(&destination, saw, moment, clock).await {
            Made::Deliveries(made) => deliveries.extend(made),
            Made::Filtered(reason) => {
                dropped.push(Dropped { destination: destination.name.clone(), reason: format!("filtered: {reason}") });
            }
        }
    }
    Deliveries { deliveries, dropped, now_ms: clock.steady_ms() }
}

/// What one plugin made of one event.
pub enum Made {
    Deliveries(Vec<NewDelivery>),
    Filtered(String),
}

/// Runs one plugin on what it may see.
pub async fn one(destination: &Arc<Destination>, saw: contract::Event, moment: Moment, clock: &dyn Clock) -> Made {
    let context = context(destination, moment);
    let told = to_raw_value(&context).ok();
    let (saw, result) = call(destination, saw, context).await;
    let blank = |index: u32, request: Option<RequestRecord>| DeliveryRecord {
        v: record::VERSION,
        plugin: destination.plugin_label.clone(),
        digest: destination.plugin.digest().to_string(),
        consent: moment.consent,
        at_ms: moment.at_ms,
        index,
        saw: to_raw_value(&saw).unwrap_or_default(),
        context: told.clone(),
        request,
    };
    let new = |record: &DeliveryRecord, state: NewState| NewDelivery {
        key: DeliveryKey(*clock.new_id().as_bytes()),
        destination: destination.name.clone(),
        payload: record::write(record),
        state,
    };
    let dead = |reason: String| Made::Deliveries(vec![new(&blank(0, None), NewState::Dead(reason))]);
    let requests = match result {
        Ok(Transformed::Requests(requests)) if requests.is_empty() => {
            return Made::Filtered("the plugin made no request".into());
        }
        Ok(Transformed::Requests(requests)) => requests,
        Ok(Transformed::Skip(reason)) => return Made::Filtered(printable(&reason)),
        Ok(Transformed::Invalid(reason)) => return dead(format!("invalid: {}", printable(&reason))),
        Err(error) => return dead(format!("transform failed: {error}")),
    };
    if let Some(problem) = requests.iter().find_map(|r| request::problem(destination, r)) {
        return dead(format!("transform failed: {problem}"));
    }
    if let Some(quality) = &destination.quality {
        quality.count(&saw);
    }
    let records = requests.into_iter().zip(0..).map(|(request, index)| blank(index, Some(request.into())));
    Made::Deliveries(records.map(|record| new(&record, NewState::Due(clock.steady_ms()))).collect())
}

fn context(destination: &Destination, moment: Moment) -> contract::Context {
    contract::Context {
        now_ms: moment.received_ms,
        seed: moment.seed,
        attempt: 1,
        test_mode: destination.mode == Mode::Test,
        config: destination.config_json.clone(),
    }
}

async fn call(
    destination: &Arc<Destination>,
    saw: contract::Event,
    context: contract::Context,
) -> (contract::Event, Result<Transformed, tidegate_sandbox::CallError>) {
    if !destination.plugin.is_slow() {
        let result = destination.plugin.transform(&saw, &context);
        return (saw, result);
    }
    // A plugin that is slow of late must not hold a thread that other requests wait for.
    let plugin = destination.plugin.clone();
    let task = tokio::task::spawn_blocking(move || {
        let result = plugin.transform(&saw, &context);
        (saw, result)
    });
    match task.await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// A plugin's text, for a person to read: bounded, and without control characters.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}
