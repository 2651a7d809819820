//! The fake platforms that the demo's gateway delivers to, and what they received, as JSON for a page.

use anyhow::Context as _;
use serde_json::{Value, json};
use tidegate_fakes::{Fake, Ga4, Keep, Meta, Received, WebhookSink};

pub(crate) const META_TOKEN: &str = "demo-meta-token";
pub(crate) const GA4_SECRET: &str = "demo-ga4-secret";
/// `whsec_` and the base64 of a text that says what it is.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_dGlkZWdhdGUtZGVtby1zZWNyZXQ=";

const REQUESTS_KEPT: usize = 200;
const REQUESTS_SHOWN: usize = 40;

pub(crate) struct Platforms {
    pub(crate) meta: Fake,
    pub(crate) ga4: Fake,
    pub(crate) webhook: Fake,
}

impl Platforms {
    /// Starts them on free ports of the loopback.
    pub(crate) async fn start() -> anyhow::Result<Platforms> {
        let keep = Keep::Last(REQUESTS_KEPT);
        let webhook = WebhookSink::new(WEBHOOK_SECRET).context("the demo's webhook secret")?;
        Ok(Platforms {
            meta: Fake::builder(Meta::new(META_TOKEN)).keep(keep).start().await?,
            ga4: Fake::builder(Ga4::new().api_secret(GA4_SECRET)).keep(keep).start().await?,
            webhook: Fake::builder(webhook).keep(keep).start().await?,
        })
    }

    /// What each of them received, newest first.
    pub(crate) fn received(&self) -> Value {
        [&self.meta, &self.ga4, &self.webhook].into_iter().map(platform).collect()
    }
}

fn platform(fake: &Fake) -> Value {
    json!({
        "name": fake.name(),
        "url": fake.url(),
        "total": fake.requests_count(),
        "events": fake.events_count(),
        "requests": fake.requests().iter().rev().take(REQUESTS_SHOWN).map(|one| request(one)).collect::<Vec<_>>(),
    })
}

fn request(request: &Received) -> Value {
    let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let separator = if query.is_empty() { "" } else { "?" };
    let header = |(name, value): (&_, &axum::http::HeaderValue)| {
        let name: &axum::http::HeaderName = name;
        json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])
    };
    json!({
        "arrived_ms": request.arrived_ms,
        "method": request.method,
        "target": format!("{}{separator}{}", request.path, query.join("&")),
        "status": request.status,
        "problems": request.problems,
        "names": names(request),
        "json": request.json,
        "text": String::from_utf8_lossy(&request.body),
        "headers": request.headers.iter().map(header).collect::<Vec<_>>(),
    })
}

/// The names of the events in a request, whichever platform it was for.
fn names(request: &Received) -> Vec<&str> {
    let name = |event| ["event_name", "name", "event", "type"].iter().find_map(|key| Value::get(event, key)?.as_str());
    let Some(body) = &request.json else { return Vec::new() };
    let events = body.get("data").or_else(|| body.get("events")).and_then(Value::as_array);
    match events {
        Some(events) => events.iter().filter_map(name).collect(),
        None => name(body).into_iter().collect(),
    }
}
