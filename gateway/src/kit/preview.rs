//! A preview: what a plugin makes of one event, as it would leave but for the credentials.
//!
//! Owns the form for people and programs. Sends nothing, and needs no secret.

use serde::Serialize;
use serde_json::Value;
use tidegate_event::{EventId, Level};
use tidegate_identity::clicks::Aliases;
use tidegate_identity::redirect::Allowed;
use tidegate_identity::set_cookie::SameSite;
use tidegate_plugin_sdk::manifest::Manifest;
use tidegate_sandbox::{Plugin, Transformed, contract, fixtures};
use url::Url;

use super::test::Used;
use crate::clock::SystemClock;
use crate::config::Site;
use crate::delivery::request;
use crate::journey::decode::FieldError;
use crate::journey::{transform, trial};

/// An event as the plugin is given it, and with what.
#[derive(Debug, Clone)]
pub struct Sample {
    pub event: contract::Event,
    pub context: contract::Context,
    /// Replaces scheme and authority of every endpoint, as in a destination's configuration.
    pub base_url: Option<Url>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    pub plugin: String,
    /// The event's name.
    pub event: String,
    pub outcome: Outcome,
    pub used: Used,
}

/// What a plugin makes of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Requests(Vec<Request>),
    /// It is none of this destination's business.
    Skip(String),
    /// The platform would refuse or ignore it.
    Invalid(String),
    /// The call gave no answer: a panic, or a limit.
    Failed(String),
}

/// A request as it would leave, but for what the gateway adds: credentials, and the gateway's own headers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Request {
    pub endpoint: String,
    pub method: String,
    /// With the manifest's `{parameters}` where neither the configuration nor the plugin gives them.
    pub url: String,
    /// Why the gateway would refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// The site that an event is posted to where no configuration says which: one that takes every event.
pub fn site() -> Site {
    Site {
        name: "preview".into(),
        hosts: Vec::new(),
        origins: Vec::new(),
        write_keys: Vec::new(),
        api_keys: Vec::new(),
        domains: Vec::new(),
        click_aliases: Aliases::default(),
        redirect_hosts: Allowed::default(),
        snippet: String::new(),
        cookieless: false,
        same_site: SameSite::Lax,
        consent: tidegate_consent::Rules {
            default: Level::Marketing,
            segment_categories: [].into(),
            ..tidegate_consent::Rules::default()
        },
    }
}

/// An event as a backend posts it, in the form that this plugin is given it.
///
/// # Errors
/// When it would be refused.
pub fn posted(body: &[u8], site: &Site, plugin: &Plugin) -> Result<contract::Event, FieldError> {
    Ok(trial::seen_by(plugin, &trial::event(body, site, &SystemClock)?))
}

/// The context of an event, with a destination's own configuration.
pub fn context(event: &contract::Event, config: &Value) -> contract::Context {
    contract::Context {
        now_ms: event.received_ms,
        seed: EventId::parse(&event.id).map_or(1, |id| transform::seed(&id)),
        attempt: 1,
        test_mode: false,
        config: config.to_string(),
    }
}

/// Shows what a plugin makes of an event.
pub fn preview(plugin: &Plugin, sample: &Sample) -> Preview {
    let used = std::cell::Cell::new(Used::default());
    let answer = fixtures::patiently(|| {
        let (answer, usage) = plugin.transform_metered(&sample.event, &sample.context);
        used.set(usage.into());
        answer
    });
    let outcome = match answer {
        Ok(Transformed::Requests(requests)) => {
            Outcome::Requests(requests.into_iter().map(|it| shown(plugin.manifest(), sample, it)).collect())
        }
        Ok(Transformed::Skip(reason)) => Outcome::Skip(reason),
        Ok(Transformed::Invalid(reason)) => Outcome::Invalid(reason),
        Err(error) => Outcome::Failed(error.to_string()),
    };
    let manifest = plugin.manifest();
    let plugin = format!("{} {}", manifest.name, manifest.version);
    Preview { plugin, event: sample.event.name.clone(), outcome, used: used.get() }
}

fn shown(manifest: &Manifest, sample: &Sample, request: contract::Request) -> Request {
    let config: Value = serde_json::from_str(&sample.context.config).unwrap_or_default();
    let declared = manifest.endpoints.get(&request.endpoint);
    let request::Judged { url, problem } = request::judged(manifest, &config, sample.base_url.as_ref(), &request);
    let template = declared.map(|endpoint| endpoint.url.clone()).unwrap_or_default();
    let url = url.map_or(template, |url| url.to_string());
    let method = declared.map(|it| crate::permissions::words::name_of(&it.method)).unwrap_or_default();
    let body = String::from_utf8_lossy(&request.body).into_owned();
    Request { endpoint: request.endpoint, method, url, problem, headers: request.headers, body }
}
