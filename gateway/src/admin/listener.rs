//! The admin listener: health, numbers, traces and dead letters, behind a bearer token, and the dashboard's page.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use tidegate_queue::{DeadFilter, DeliveryKey, Queue};
use tidegate_tls::Tls;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ops::{self, How, Wanted};
use super::{control, status};
use crate::causes::chain;
use crate::clock::Clock;
use crate::config::Secret;
use crate::delivery::state::{Post, Posts};
use crate::destination::Destination;
use crate::ledger::filter::{self, Filter};
use crate::metrics::Metrics;
use crate::quality::Meter;
use crate::reload::Reloads;
use crate::snapshot::Snapshot;
use crate::switch::Switches;

/// What the admin listener operates on.
pub struct Operator {
    pub token: Secret,
    pub queue: Arc<dyn Queue>,
    /// Where the store is, without a password.
    pub store: String,
    /// What this process does.
    pub roles: Vec<&'static str>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    /// Every destination that runs, with its worker's state.
    pub posts: Snapshot<Posts>,
    pub switches: Switches,
    /// Absent where TLS is a proxy's.
    pub tls: Option<Arc<Tls>>,
    pub reloads: Reloads,
    /// In steady time.
    pub started_ms: u64,
    /// Cancelled when the gateway begins to stop: it is not ready any more.
    pub stopping: CancellationToken,
}

pub(super) type Shared = Arc<Operator>;

const DASHBOARD: &str = include_str!("../../assets/dashboard.html");
/// The page's script, and the modules that it imports, by their paths.
const SCRIPTS: [(&str, &str); 7] = [
    ("/dashboard.js", include_str!("../../assets/dashboard.js")),
    ("/dashboard/certificates.js", include_str!("../../assets/dashboard/certificates.js")),
    ("/dashboard/destinations.js", include_str!("../../assets/dashboard/destinations.js")),
    ("/dashboard/ledger.js", include_str!("../../assets/dashboard/ledger.js")),
    ("/dashboard/parts.js", include_str!("../../assets/dashboard/parts.js")),
    ("/dashboard/switch.js", include_str!("../../assets/dashboard/switch.js")),
    ("/dashboard/trace.js", include_str!("../../assets/dashboard/trace.js")),
];
const DASHBOARD_CSS: &str = include_str!("../../assets/dashboard.css");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const GUARDS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];
const BODY_BYTES_MAX: usize = 1 << 20;

/// Serves until `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, operator: Operator, stop: CancellationToken) -> std::io::Result<()> {
    let operator = Arc::new(operator);
    let app = router(operator);
    axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn router(operator: Shared) -> Router {
    let api = Router::new()
        .route("/api/status", get(status::status))
        .route("/api/events", get(events))
        .route("/api/events/{id}", get(event))
        .route("/api/dead-letters", get(dead_letters))
        .route("/api/ledger", get(ledger))
        .route("/api/dead-letters/replay", post(replay))
        .route("/api/dead-letters/purge", post(purge))
        .route("/api/reload", post(control::reload))
        .route("/api/destinations/{name}/{position}", post(control::turn))
        .route("/metrics", get(status::metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(&operator), authorise));
    let scripts = SCRIPTS.into_iter().fold(Router::new(), |router, (path, script)| {
        router.route(path, get(move || page("text/javascript; charset=utf-8", script)))
    });
    Router::new()
        .merge(api)
        .merge(scripts)
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(status::ready))
        .route("/", get(|| page("text/html; charset=utf-8", DASHBOARD)))
        .route("/dashboard.css", get(|| page("text/css; charset=utf-8", DASHBOARD_CSS)))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is nothing here", "") })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::map_response(guarded))
        .with_state(operator)
}

async fn authorise(State(operator): State<Shared>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if bool::from(token.as_bytes().ct_eq(operator.token.reveal().as_bytes())) {
        return next.run(request).await;
    }
    let mut response =
        problem(StatusCode::UNAUTHORIZED, "the admin token is missing or wrong", "Authorization: Bearer <admin.token>");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// What every answer tells a browser: to take it for what it says it is, and to show it to no other page.
async fn guarded(mut response: Response) -> Response {
    for (name, value) in GUARDS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

async fn page(kind: &'static str, body: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache"), (CONTENT_SECURITY_POLICY, POLICY)], body).into_response()
}

#[derive(Deserialize)]
struct Limit {
    limit: Option<usize>,
}

async fn events(State(operator): State<Shared>, Query(query): Query<Limit>) -> Response {
    match ops::recent(operator.queue.as_ref(), query.limit.unwrap_or(50)).await {
        Ok(events) => Json(json!({ "events": events })).into_response(),
        Err(error) => store_problem(&error),
    }
}

async fn event(State(operator): State<Shared>, Path(id): Path<String>) -> Response {
    match ops::trace(operator.queue.as_ref(), &id).await {
        // The same id at several sites is rare; the one that was taken tells more than one that was refused.
        Ok(mut traces) if !traces.is_empty() => {
            traces.sort_by_key(|trace| trace.event.is_none());
            let posts = operator.posts.take();
            let profile = |name: &str| {
                let post = posts.iter().find(|post| post.destination.name == name)?;
                post.destination.quality.as_deref().map(Meter::profile)
            };
            Json(traces.swap_remove(0).judged(profile)).into_response()
        }
        Ok(_) => problem(StatusCode::NOT_FOUND, "no event has this id", "traces are kept for `store.journal_days`"),
        Err(error) => store_problem(&error),
    }
}

#[derive(Deserialize)]
struct LedgerQuery {
    destination: Option<String>,
    host: Option<String>,
    field: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

async fn ledger(State(operator): State<Shared>, Query(query): Query<LedgerQuery>) -> Response {
    let now_ms = operator.clock.now_ms();
    let time = |text: Option<String>| text.map(|text| filter::time(&text, now_ms)).transpose();
    let LedgerQuery { destination, host, field, since, until } = query;
    let (since_ms, until_ms) = match (time(since), time(until)) {
        (Ok(since_ms), Ok(until_ms)) => (since_ms, until_ms),
        (Err(what), _) | (_, Err(what)) => return problem(StatusCode::BAD_REQUEST, &what, ""),
    };
    let filter = Filter { destination, host, field, since_ms, until_ms };
    match ops::left(operator.queue.as_ref(), filter).await {
        Ok(summary) => Json(summary).into_response(),
        Err(error) => store_problem(&error),
    }
}

#[derive(Deserialize)]
struct DeadQuery {
    destination: Option<String>,
    event: Option<String>,
    reason: Option<String>,
    before: Option<String>,
    limit: Option<usize>,
}

async fn dead_letters(State(operator): State<Shared>, Query(query): Query<DeadQuery>) -> Response {
    let before = match query.before.as_deref().map(key) {
        Some(None) => return problem(StatusCode::BAD_REQUEST, "before: expected a dead letter's id", ""),
        before => before.flatten(),
    };
    let filter = DeadFilter {
        destination: query.destination,
        entry_id: query.event,
        reason: query.reason,
        before,
        limit: query.limit.unwrap_or(100),
    };
    match ops::dead_letters(operator.queue.as_ref(), filter).await {
        Ok(letters) => Json(json!({ "dead_letters": letters })).into_response(),
        Err(error) => store_problem(&error),
    }
}

/// Which dead letters: `{"ids": […]}`, or `{"destination": …}` and `{"all": true}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    ids: Option<Vec<String>>,
    destination: Option<String>,
    #[serde(default)]
    all: bool,
    /// Through the plugin as it is now.
    #[serde(default)]
    fresh: bool,
}

impl Which {
    /// Reads a choice, however the body is labelled; `None` is all that its filter lets through.
    fn of(body: &[u8]) -> Result<(Which, Option<Vec<DeliveryKey>>), Box<Response>> {
        let refuse = |what: &str, hint: &str| Err(Box::new(problem(StatusCode::BAD_REQUEST, what, hint)));
        const HINT: &str = "give `{\"ids\": […]}`, `{\"destination\": …}`, or `{\"all\": true}`";
        let which: Which = match serde_json::from_slice(body) {
            Ok(which) => which,
            Err(error) => return refuse(&format!("which dead letters? {error}"), HINT),
        };
        match &which.ids {
            Some(ids) => match ids.iter().map(|id| key(id)).collect::<Option<Vec<_>>>() {
                Some(keys) => Ok((which, Some(keys))),
                None => refuse("ids: expected dead letters' ids", "GET /api/dead-letters lists them"),
            },
            None if which.destination.is_some() || which.all => Ok((which, None)),
            None => refuse("which dead letters?", HINT),
        }
    }
}

async fn replay(State(operator): State<Shared>, body: Bytes) -> Response {
    let (which, keys) = match Which::of(&body) {
        Ok(which) => which,
        Err(refusal) => return *refusal,
    };
    let wanted = Wanted {
        filter: DeadFilter { destination: which.destination, ..DeadFilter::default() },
        ids: keys,
        how: if which.fresh { How::Fresh } else { How::Recorded },
    };
    let destinations: Vec<Arc<Destination>> =
        operator.posts.take().iter().map(|Post { destination, .. }| Arc::clone(destination)).collect();
    let (queue, clock) = (operator.queue.as_ref(), operator.clock.as_ref());
    match ops::replay(queue, wanted, &destinations, clock).await {
        Ok(report) => {
            let queued = report.iter().filter(|replayed| replayed.queued).count();
            Json(json!({ "replayed": queued, "dead_letters": report })).into_response()
        }
        Err(error) => store_problem(&error),
    }
}

async fn purge(State(operator): State<Shared>, body: Bytes) -> Response {
    let purged = match Which::of(&body) {
        Err(refusal) => return *refusal,
        Ok((_, Some(keys))) => operator.queue.purge(keys).await,
        Ok((which, None)) => {
            let filter = DeadFilter { destination: which.destination, ..DeadFilter::default() };
            ops::purge(operator.queue.as_ref(), filter).await
        }
    };
    match purged {
        Ok(purged) => Json(json!({ "purged": purged })).into_response(),
        Err(error) => store_problem(&error),
    }
}

/// A delivery's id as it is written: 32 hexadecimal digits, hyphens allowed.
fn key(text: &str) -> Option<DeliveryKey> {
    uuid::Uuid::try_parse(text).ok().map(|uuid| DeliveryKey(*uuid.as_bytes()))
}

pub(super) fn store_problem(error: &tidegate_queue::Error) -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, &chain(error), "")
}

pub(super) fn problem(status: StatusCode, error: &str, hint: &str) -> Response {
    let body = if hint.is_empty() { json!({ "error": error }) } else { json!({ "error": error, "hint": hint }) };
    (status, Json(body)).into_response()
}
