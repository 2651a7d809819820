//! Transform: each route's event through its plugin, and what came out as deliveries to begin.
//!
//! Whatever a plugin does costs its own destination this one event: it begins as a dead letter that says what happened.

use std::sync::Arc;

use serde_json::value::to_raw_value;
use sha2::{Digest as _, Sha256};
use tidegate_event::{Consent, EventId};
use tidegate_plugin_sdk::manifest::Instance;
use tidegate_queue::{DeliveryKey, NewDelivery, NewState};
use tidegate_sandbox::{CallError, Plugin, Transformed, contract};

use super::fan_out::{Route, Routes};
use crate::clock::Clock;
use crate::delivery::request;
use crate::destination::{Destination, Mode};
use crate::ledger;
use crate::record::{self, DeliveryRecord, Dropped, RequestRecord};
use crate::withdrawal::Who;

/// What an event's plugins made of it.
#[derive(Debug)]
pub struct Deliveries {
    pub(super) deliveries: Vec<NewDelivery>,
    pub(super) dropped: Vec<Dropped>,
    /// When they were made, by the steady time.
    pub(super) now_ms: u64,
}

/// The moments and marks of the event that every plugin's context and every delivery's record carry.
#[derive(Debug, Clone)]
pub struct Moment {
    pub at_ms: u64,
    pub received_ms: u64,
    pub seed: u64,
    pub consent: Consent,
    pub who: Option<Arc<Who>>,
}

/// The seed of an event: the same whenever the same event is transformed again.
pub fn seed(id: &EventId) -> u64 {
    let digest = Sha256::digest(id.as_str());
    digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

/// Where one event goes, and when it was.
#[derive(Debug)]
pub struct Routed {
    pub routes: Routes,
    pub moment: Moment,
}

/// What one plugin made of one event.
pub enum Made {
    Deliveries(Vec<NewDelivery>),
    Filtered(String),
}

/// One event for one plugin: what it may see, and when that was.
struct Call {
    /// Which of the request's events, and which of its routes.
    place: (usize, usize),
    saw: contract::Event,
    moment: Moment,
}

/// Runs every route's plugin on the events of one request. Each comes back, in their order, with what became of it.
///
/// A plugin whose manifest says `instance = "per-batch"` gets its events one after the other in one instance, which is gone
/// before this is over. Only events of the same consent share one: what it keeps of one event leaves under no other consent.
pub async fn transform<T>(events: Vec<(T, Routed)>, clock: &dyn Clock) -> Vec<(T, Deliveries)> {
    let mut calls: Vec<(Arc<Destination>, Vec<Call>)> = Vec::new();
    let mut all = Vec::with_capacity(events.len());
    for (event, (own, Routed { routes, moment })) in events.into_iter().enumerate() {
        for (route, Route { destination, saw }) in routes.routes.into_iter().enumerate() {
            let call = Call { place: (event, route), saw, moment: moment.clone() };
            let shares = destination.manifest().limits.instance == Instance::PerBatch;
            let is_for = |(known, calls): &(Arc<Destination>, Vec<Call>)| {
                let alike = |other: &Call| other.moment.consent == call.moment.consent;
                known.name == destination.name && calls.first().is_some_and(alike)
            };
            // Most plugins share nothing, and have nothing to look for.
            let group = if shares { calls.iter_mut().find(|group| is_for(group)) } else { None };
            match group {
                Some((_, together)) => together.push(call),
                None => calls.push((destination, vec![call])),
            }
        }
        all.push((own, Deliveries { deliveries: Vec::new(), dropped: routes.dropped, now_ms: 0 }));
    }
    let mut made = Vec::new();
    for (destination, calls) in calls {
        let places: Vec<(usize, usize)> = calls.iter().map(|call| call.place).collect();
        let each = together(&destination, calls, clock).await;
        made.extend(places.into_iter().zip(each).map(|(place, made)| (place, destination.name.clone(), made)));
    }
    made.sort_by_key(|(place, _, _)| *place);
    for ((event, _), destination, made) in made {
        let (_, so_far) = &mut all[event];
        match made {
            Made::Deliveries(made) => so_far.deliveries.extend(made),
            Made::Filtered(reason) => {
                so_far.dropped.push(Dropped { destination, reason: format!("filtered: {reason}") });
            }
        }
    }
    let now_ms = clock.steady_ms();
    all.iter_mut().for_each(|(_, deliveries)| deliveries.now_ms = now_ms);
    all
}

/// Runs one plugin on what it may see.
pub async fn one(destination: &Arc<Destination>, saw: contract::Event, moment: Moment, clock: &dyn Clock) -> Made {
    let call = Call { place: (0, 0), saw, moment };
    let made = together(destination, vec![call], clock).await.pop();
    made.unwrap_or_else(|| Made::Filtered("the plugin was not run".into()))
}

/// Runs one plugin on several events. As many answers as events, in their order.
async fn together(destination: &Arc<Destination>, calls: Vec<Call>, clock: &dyn Clock) -> Vec<Made> {
    let input = |Call { saw, moment, .. }: Call| {
        let context = context(destination, &moment);
        ((saw, context), moment)
    };
    let (inputs, moments): (Vec<Input>, Vec<Moment>) = calls.into_iter().map(input).unzip();
    let run = move |plugin: &Plugin| {
        let results = plugin.transform_each(&inputs);
        (inputs, results)
    };
    let (inputs, results) = destination.run(run).await;
    let each = inputs.into_iter().zip(results).zip(moments);
    each.map(|((input, result), moment)| made(destination, (input, moment), result, clock)).collect()
}

fn context(destination: &Destination, moment: &Moment) -> contract::Context {
    contract::Context {
        now_ms: moment.received_ms,
        seed: moment.seed,
        attempt: 1,
        test_mode: destination.mode == Mode::Test,
        config: destination.config_json.clone(),
    }
}

/// What a plugin is given.
type Input = (contract::Event, contract::Context);

/// What a plugin's answer becomes.
fn made(
    destination: &Destination,
    ((saw, context), moment): (Input, Moment),
    result: Result<Transformed, CallError>,
    clock: &dyn Clock,
) -> Made {
    let told = to_raw_value(&context).ok();
    let given = given(destination, &saw);
    let blank = |index: u32, request: Option<RequestRecord>| DeliveryRecord {
        v: record::VERSION,
        plugin: destination.plugin_label.clone(),
        digest: destination.plugin.digest().to_string(),
        consent: moment.consent,
        at_ms: moment.at_ms,
        index,
        given: Some(given.clone()),
        saw: to_raw_value(&saw).unwrap_or_default(),
        context: told.clone(),
        request,
        who: moment.who.as_deref().cloned(),
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

/// The granted fields that the plugin was given something of, as the record has them.
fn given(destination: &Destination, saw: &contract::Event) -> Vec<String> {
    let given = destination.plugin.projection().given(saw).into_iter();
    given.map(|granted| ledger::given(&granted.field, granted.form)).collect()
}

/// A plugin's text, for a person to read: bounded, and without control characters.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}
