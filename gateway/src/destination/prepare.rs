//! Makes destinations from the configuration: loads each plugin and checks the configuration against its manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tidegate_event::Purpose;
use tidegate_plugin_sdk::manifest::{self, Manifest};
use tidegate_sandbox::{Plugin, Sandbox};
use url::Url;

use super::plugins::Plugins;
use super::{Destination, Endpoint, Mode, Network, ResolveError, Room, Switch};
use crate::causes::chain;
use crate::config::{self, Config, Mistake, Mistakes};
use crate::delivery::auth::{self, Redactor};
use crate::permissions::gate::{Approval, Gate};
use crate::quality::{Meter, Profile};

/// Makes every destination of the configuration.
///
/// # Errors
/// Every mistake of every destination, with its line.
pub fn prepare(config: &Config, sandbox: &Sandbox) -> Result<Vec<Arc<Destination>>, Mistakes> {
    make(config, sandbox, &Running { destinations: &[], haste: Haste::Full })
}

/// The same while others run: on this thread alone, and without compiling what runs already. A destination of which
/// nothing changed is the one that runs.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_beside(
    config: &Config,
    sandbox: &Sandbox,
    running: &[Arc<Destination>],
) -> Result<Vec<Arc<Destination>>, Mistakes> {
    make(config, sandbox, &Running { destinations: running, haste: Haste::Low })
}

/// What runs meanwhile.
struct Running<'a> {
    destinations: &'a [Arc<Destination>],
    haste: Haste,
}

fn make(config: &Config, sandbox: &Sandbox, running: &Running<'_>) -> Result<Vec<Arc<Destination>>, Mistakes> {
    let gate = Gate::open(&config.plugins).map_err(|error| {
        let hint = "`tidegate plugin approve --all` writes it; `[plugins] lock = \"report\"` only tells what it lacks";
        Mistakes::new(vec![Mistake::error(None, format!("{}: `plugins.lock`", chain(&error))).hint(hint)])
    })?;
    let known = running.destinations.iter().map(|destination| destination.plugin.clone());
    let mut plugins = Plugins::new(sandbox, &config.plugins, gate, known.collect());
    if running.haste == Haste::Full {
        plugins.load_ahead(&config.destinations);
    }
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut ready = Vec::new();
    // What runs meanwhile uses the same sandbox.
    let room = running.destinations.first().map_or_else(Room::default, |running| running.room.clone());
    for destination in &config.destinations {
        let made = plugins.of(destination).map_err(|mistake| vec![mistake]);
        match made.and_then(|plugin| one(config, destination, plugin, room.clone())) {
            Ok(destination) => ready.push(running.instead_of(destination)),
            Err(mut found) => mistakes.append(&mut found),
        }
    }
    if mistakes.is_empty() { Ok(ready) } else { Err(Mistakes::new(mistakes)) }
}

/// How much of the machine may be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Haste {
    /// All of it.
    Full,
    /// One thread.
    Low,
}

impl Running<'_> {
    /// The destination that runs, where the new one is the same; else the new one, which goes on counting where the
    /// plugin is the same.
    fn instead_of(&self, mut new: Destination) -> Arc<Destination> {
        let Some(old) = self.destinations.iter().find(|old| old.name == new.name) else { return Arc::new(new) };
        if old.is_same(&new) {
            return Arc::clone(old);
        }
        if old.plugin.digest() == new.plugin.digest() {
            new.quality.clone_from(&old.quality);
        }
        Arc::new(new)
    }
}

fn one(
    config: &Config,
    destination: &config::Destination,
    (plugin, approval): (Plugin, Approval),
    room: Room,
) -> Result<Destination, Vec<Mistake>> {
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut mistake = |what: String, hint: &str| {
        let what = format!("destination `{}`: {what}", destination.name);
        mistakes.push(Mistake::error(destination.line, what).hint(hint));
    };
    let manifest = plugin.manifest();
    let own = manifest.config_with_defaults(destination.config.clone());
    for problem in schema_problems(manifest, &own) {
        mistake(problem, "`tidegate plugin inspect` shows what the plugin takes");
    }
    let mut endpoints = BTreeMap::new();
    for (name, endpoint) in &manifest.endpoints {
        match Endpoint::new(endpoint, &own, destination.base_url.as_ref()) {
            Ok(made) if made.base().scheme() != "https" && !destination.allow_insecure => {
                mistake(format!("endpoint `{name}` is not https"), "set `allow_insecure = true` if that is meant");
            }
            Ok(made) => drop(endpoints.insert(name.clone(), made)),
            Err(e) => mistake(format!("endpoint `{name}`: {e}"), "give it in `config`"),
        }
    }
    let needed = manifest.auth.as_ref().map(|auth| auth.secrets()).unwrap_or_default();
    let optional = manifest.auth.as_ref().map(|auth| auth.optional_secrets()).unwrap_or_default();
    let may_lack = manifest.auth.as_ref().is_some_and(|auth| auth.is_optional()) && destination.secrets.is_empty();
    for secret in needed.iter().filter(|_| !may_lack) {
        if !destination.secrets.contains_key(*secret) {
            mistake(format!("secret `{secret}` is missing"), &format!("add `secrets = {{ {secret} = \"env:…\" }}`"));
        }
    }
    let is_known = |secret: &str| needed.contains(&secret) || optional.contains(&secret);
    for secret in destination.secrets.keys().filter(|secret| !is_known(secret)) {
        let more = if optional.is_empty() { String::new() } else { format!("; it may have: {}", optional.join(", ")) };
        mistake(
            format!("secret `{secret}` is none of the plugin's"),
            &format!("it needs: {}{more}", needed.join(", ")),
        );
    }
    if let Some(Err(e)) = manifest.auth.as_ref().map(|auth| auth::check(auth, &destination.secrets)) {
        mistake(e.to_string(), "the plugin's README says where the platform gives it");
    }
    let token_url = match token_url(manifest, destination, &own) {
        Ok(url) => url,
        Err(e) => {
            mistake(format!("`token_url`: {e}"), "");
            None
        }
    };
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(Destination {
        name: destination.name.clone(),
        site: destination.site.clone(),
        plugin_label: format!("{} {}", manifest.name, manifest.version),
        purposes: manifest.purposes.iter().copied().map(purpose).collect(),
        config_json: own.to_string(),
        endpoints,
        auth: manifest.auth.clone(),
        secrets: destination.secrets.clone(),
        redactor: Redactor::new(&destination.secrets),
        token_url,
        batch: manifest.batch.clone(),
        age_max_ms: manifest.limits.age_max.as_ms(),
        network: if destination.allow_insecure { Network::Any } else { Network::Public },
        mode: if destination.test_mode { Mode::Test } else { Mode::Live },
        switch: if destination.enabled { Switch::On } else { Switch::Off },
        concurrency: destination.concurrency.unwrap_or(config.delivery.concurrency),
        timeout_ms: destination.timeout_ms.unwrap_or(config.delivery.timeout_ms),
        quality: Profile::of(manifest).map(|profile| Arc::new(Meter::new(profile))),
        approval,
        plugin,
        room,
    })
}

/// Where access tokens are asked for: `base_url` stands in for that as for any endpoint.
fn token_url(manifest: &Manifest, from: &config::Destination, own: &Value) -> Result<Option<Url>, ResolveError> {
    let Some(url) = manifest.auth.as_ref().and_then(manifest::Auth::token_url) else { return Ok(None) };
    let endpoint = manifest::Endpoint { url: url.to_owned(), method: manifest::Method::Post };
    Endpoint::new(&endpoint, own, from.base_url.as_ref())?.url(&[], &[]).map(Some)
}

fn schema_problems(manifest: &Manifest, own: &Value) -> Vec<String> {
    match jsonschema::validator_for(&manifest.config) {
        Err(e) => vec![format!("the plugin's `[config]` is no JSON Schema: {e}")],
        Ok(schema) => schema
            .iter_errors(own)
            .map(|error| match error.instance_path.to_string() {
                path if path.is_empty() => format!("`config`: {error}"),
                path => format!("`config{}`: {error}", path.replace('/', ".")),
            })
            .collect(),
    }
}

fn purpose(purpose: manifest::Purpose) -> Purpose {
    match purpose {
        manifest::Purpose::Analytics => Purpose::Analytics,
        manifest::Purpose::AdStorage => Purpose::AdStorage,
        manifest::Purpose::AdUserData => Purpose::AdUserData,
        manifest::Purpose::AdPersonalization => Purpose::AdPersonalization,
    }
}
