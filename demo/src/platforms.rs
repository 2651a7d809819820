//! The fake platforms that the demo's gateway delivers to, and what they received, as JSON for a page.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidegate_fakes::{Behaviour, Fake, Ga4, Keep, Meta, Received, WebhookSink};

pub(crate) const META_TOKEN: &str = "demo-meta-token";
pub(crate) const GA4_SECRET: &str = "demo-ga4-secret";
/// `whsec_` and the base64 of a text that says what it is.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_dGlkZWdhdGUtZGVtby1zZWNyZXQ=";

/// More than one page shows, so that what came in a burst is there to be looked at.
pub(crate) const REQUESTS_KEPT: usize = 200;
const REQUESTS_SHOWN: usize = 40;

pub(crate) struct Platforms {
    pub(crate) meta: Fake,
    pub(crate) ga4: Fake,
    pub(crate) webhook: Fake,
    /// What each was last told, by name; normal where nothing was.
    moods: Mutex<BTreeMap<&'static str, Mood>>,
}

impl Platforms {
    /// Starts them on free ports of the loopback; each keeps so many requests.
    pub(crate) async fn start(requests_kept: usize) -> anyhow::Result<Platforms> {
        let keep = Keep::Last(requests_kept);
        let webhook = WebhookSink::new(WEBHOOK_SECRET).context("the demo's webhook secret")?;
        Ok(Platforms {
            meta: Fake::builder(Meta::new(META_TOKEN)).keep(keep).start().await?,
            ga4: Fake::builder(Ga4::new().api_secret(GA4_SECRET)).keep(keep).start().await?,
            webhook: Fake::builder(webhook).keep(keep).start().await?,
            moods: Mutex::default(),
        })
    }

    /// What each of them received, newest first.
    pub(crate) fn received(&self) -> Value {
        let moods = self.moods.lock().unwrap_or_else(PoisonError::into_inner);
        let mood = |fake: &Fake| moods.get(fake.name()).copied().unwrap_or(Mood::Normal);
        self.all().into_iter().map(|fake| platform(fake, mood(fake))).collect()
    }

    /// Makes a platform answer so from now on; nothing where there is no such platform.
    pub(crate) fn behave(&self, name: &str, mood: Mood) -> Option<()> {
        let fake = self.all().into_iter().find(|fake| fake.name() == name)?;
        fake.always(match mood {
            Mood::Normal => Behaviour::Normal,
            Mood::Down => Behaviour::status(500),
            Mood::Throttled => Behaviour::too_many_requests("5"),
            Mood::Refusing => Behaviour::status(400),
            Mood::Unauthorized => Behaviour::status(401),
            Mood::Silent => Behaviour::NeverAnswer,
        });
        self.moods.lock().unwrap_or_else(PoisonError::into_inner).insert(fake.name(), mood);
        Some(())
    }

    fn all(&self) -> [&Fake; 3] {
        [&self.meta, &self.ga4, &self.webhook]
    }
}

/// How a platform can be told to answer, from its page.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mood {
    Normal,
    Down,
    Throttled,
    Refusing,
    Unauthorized,
    Silent,
}

fn platform(fake: &Fake, mood: Mood) -> Value {
    json!({
        "name": fake.name(),
        "url": fake.url(),
        "mood": mood,
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
