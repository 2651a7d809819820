//! What the admin listener says of the gateway's state: whether it takes events, what is in the store, the numbers.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tidegate_queue::Count;

use super::listener::{Operator, Shared, problem, store_problem};
use super::ops;
use crate::causes::chain;
use crate::delivery::state::Post;
use crate::destination::{Destination, Switch};
use crate::metrics::{DestinationNumbers, StoreState};
use crate::quality::Meter;
use crate::switch::Switched;

/// How long the store may take to say how it is, and for the rest.
const HEALTH_MAX: Duration = Duration::from_secs(2);
const NUMBERS_MAX: Duration = Duration::from_secs(10);

/// `/readyz`: whether events are taken, and if not, why.
pub(super) async fn ready(State(operator): State<Shared>) -> Response {
    if operator.stopping.is_cancelled() {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping", "");
    }
    match store_trouble(&operator).await {
        None => {
            let durability = durability(&operator);
            Json(json!({ "ready": true, "roles": operator.roles, "durability": durability })).into_response()
        }
        Some(trouble) => problem(StatusCode::SERVICE_UNAVAILABLE, &trouble, ""),
    }
}

/// What an acknowledgement means: a level, and a sentence for people.
fn durability(operator: &Operator) -> Value {
    let durability = operator.queue.durability();
    json!({ "level": durability.level.name(), "meaning": durability.meaning })
}

/// Why the store takes nothing at the moment.
async fn store_trouble(operator: &Operator) -> Option<String> {
    match tokio::time::timeout(HEALTH_MAX, operator.queue.health()).await {
        Ok(Ok(())) => None,
        Ok(Err(tidegate_queue::Error::Unavailable { source, .. })) => {
            Some(format!("the store is unavailable: {}", chain(source.as_ref())))
        }
        Ok(Err(error)) => Some(chain(&error)),
        Err(_) => Some(format!("the store did not answer within {} s", HEALTH_MAX.as_secs())),
    }
}

async fn numbers(operator: &Operator) -> Result<Vec<(DestinationNumbers, Value)>, Box<Response>> {
    let counts = match tokio::time::timeout(NUMBERS_MAX, operator.queue.counts()).await {
        Ok(counts) => counts.map_err(|error| Box::new(store_problem(&error)))?,
        Err(_) => {
            let late = format!("the store did not answer within {} s", NUMBERS_MAX.as_secs());
            return Err(Box::new(problem(StatusCode::SERVICE_UNAVAILABLE, &late, "")));
        }
    };
    let posts = operator.posts.take();
    let each = posts.iter().map(|Post { destination, state }| {
        let count = counts.iter().find(|count| count.destination == destination.name);
        let (totals, parked, down) = (state.totals(), state.parked(), state.down());
        let quality = destination.quality.as_deref().and_then(Meter::read);
        let switched = operator.switches.of(&destination.name);
        let numbers = DestinationNumbers {
            name: destination.name.clone(),
            waiting: count.map_or(0, |count| count.waiting),
            dead: count.map_or(0, |count| count.dead),
            parked: parked.is_some(),
            down: down.is_some(),
            stopped: switched.is_some(),
            quality: quality.as_ref().map(|quality| quality.percent),
            delivered: totals.delivered,
            retried: totals.retried,
            died: totals.died,
            cancelled: totals.cancelled,
        };
        let status = json!({
            "name": destination.name,
            "site": destination.site,
            "plugin": destination.plugin_label,
            "digest": destination.plugin.digest().to_string(),
            "approval": destination.approval,
            "switch": switch(destination, switched.as_deref()),
            "waiting": numbers.waiting,
            "dead": numbers.dead,
            "delivered": totals.delivered,
            "retried": totals.retried,
            "cancelled": totals.cancelled,
            "delivered_ms": (totals.delivered_ms > 0).then_some(totals.delivered_ms),
            "parked": parked,
            "down": down,
            "quality": quality,
            "oldest_queued_ms": count.and_then(|count| count.oldest_queued_ms),
        });
        (numbers, status)
    });
    let mut all: Vec<_> = each.collect();
    let is_gone = |count: &&Count| !posts.iter().any(|post| post.destination.name == count.destination);
    all.extend(counts.iter().filter(is_gone).filter(|count| count.waiting + count.dead > 0).map(gone));
    Ok(all)
}

/// A destination that is not configured any more, of which the store still holds something.
fn gone(count: &Count) -> (DestinationNumbers, Value) {
    let Count { destination: name, waiting, dead, oldest_queued_ms } = count;
    let numbers = DestinationNumbers { name: name.clone(), waiting: *waiting, dead: *dead, ..Default::default() };
    let status = json!({
        "name": name,
        "removed": true,
        "waiting": waiting,
        "dead": dead,
        "oldest_queued_ms": oldest_queued_ms,
    });
    (numbers, status)
}

/// How a destination's switch stands, and who says so.
fn switch(destination: &Destination, switched: Option<&Switched>) -> Value {
    match (destination.switch, switched) {
        (Switch::Off, _) => {
            json!({ "position": "off", "by": "the configuration", "reason": "`enabled = false`" })
        }
        (Switch::On, switched) => ops::shown(switched),
    }
}

/// `/api/status`.
pub(super) async fn status(State(operator): State<Shared>) -> Response {
    match numbers(&operator).await {
        Err(answer) => *answer,
        Ok(numbers) => {
            let trouble = store_trouble(&operator).await;
            let destinations: Vec<Value> = numbers.into_iter().map(|(_, status)| status).collect();
            Json(json!({
                "version": env!("CARGO_PKG_VERSION"),
                "uptime_ms": operator.clock.steady_ms().saturating_sub(operator.started_ms),
                "roles": operator.roles,
                "store": { "url": operator.store, "durability": durability(&operator), "trouble": trouble },
                "destinations": destinations,
                "certificates": operator.tls.as_ref().map(|tls| tls.status()),
                "reload": operator.reloads.status(),
            }))
            .into_response()
        }
    }
}

/// `/metrics`.
pub(super) async fn metrics(State(operator): State<Shared>) -> Response {
    let numbers = match numbers(&operator).await {
        Ok(numbers) => numbers,
        Err(answer) => return *answer,
    };
    let numbers: Vec<DestinationNumbers> = numbers.into_iter().map(|(numbers, _)| numbers).collect();
    let store = match store_trouble(&operator).await {
        None => StoreState::Ready,
        Some(_) => StoreState::Trouble,
    };
    let certificates = operator.tls.as_ref().map(|tls| tls.status()).unwrap_or_default();
    match operator.metrics.encode(store, &numbers, &certificates) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the numbers could not be written", ""),
    }
}
