//! Makes destinations from the configuration: loads each plugin and checks the configuration against its manifest.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use tidegate_event::Purpose;
use tidegate_plugin_sdk::manifest::{self, Manifest};
use tidegate_sandbox::{LoadError, Plugin, Sandbox};
use url::Url;

use super::{Destination, Endpoint, Mode, Network, ResolveError, Switch};
use crate::causes::chain;
use crate::config::{self, Config, Mistake, Mistakes, PluginSource};
use crate::delivery::auth;
use crate::quality::{Meter, Profile};

/// Why a plugin is not there.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// No plugin of this name is built in.
    #[error("no plugin `{0}` is built in")]
    Unknown(String),
    /// The file cannot be read.
    #[error("plugin file `{path}` cannot be read")]
    File {
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// The sandbox refuses it.
    #[error("plugin refused")]
    Refused(#[source] Box<LoadError>),
}

/// The bytes of a plugin's component.
///
/// # Errors
/// When there is no such plugin, or its file cannot be read.
pub fn component(source: &PluginSource) -> Result<Vec<u8>, PluginError> {
    match source {
        PluginSource::BuiltIn(name) => tidegate_plugins::BUILT_IN
            .iter()
            .find(|plugin| plugin.name == name)
            .map(|plugin| plugin.wasm.to_vec())
            .ok_or_else(|| PluginError::Unknown(name.clone())),
        PluginSource::File(path) => {
            std::fs::read(path).map_err(|source| PluginError::File { path: path.display().to_string(), source })
        }
    }
}

/// Loads a plugin into the sandbox.
///
/// # Errors
/// When it is not there, or the sandbox refuses it.
pub fn load(sandbox: &Sandbox, source: &PluginSource) -> Result<Plugin, PluginError> {
    sandbox.load(&component(source)?).map_err(|e| PluginError::Refused(Box::new(e)))
}

/// Makes every destination of the configuration.
///
/// # Errors
/// Every mistake of every destination, with its line.
pub fn prepare(config: &Config, sandbox: &Sandbox) -> Result<Vec<Arc<Destination>>, Mistakes> {
    let mut mistakes: Vec<Mistake> = Vec::new();
    let loaded = load_each(config, sandbox);
    let mut ready = Vec::new();
    for destination in &config.destinations {
        match &loaded[&destination.plugin] {
            Err(error) => mistakes.push(refusal(destination, error)),
            Ok(plugin) => match one(config, destination, plugin.clone()) {
                Ok(destination) => ready.push(Arc::new(destination)),
                Err(mut found) => mistakes.append(&mut found),
            },
        }
    }
    if mistakes.is_empty() { Ok(ready) } else { Err(Mistakes::new(mistakes)) }
}

/// Loads each plugin once. One that was never compiled here keeps a processor busy for a fraction of a second: as many are
/// loaded at a time as there are processors.
fn load_each<'a>(config: &'a Config, sandbox: &Sandbox) -> HashMap<&'a PluginSource, Result<Plugin, PluginError>> {
    let sources = config.destinations.iter().map(|destination| &destination.plugin);
    let sources: Vec<&PluginSource> = sources.collect::<HashSet<_>>().into_iter().collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let one = || sources.get(next.fetch_add(1, Ordering::Relaxed));
        std::iter::from_fn(one).map(|source| (*source, load(sandbox, source))).collect::<Vec<_>>()
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(sources.len());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.flat_map(|loaded| loaded.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn refusal(destination: &config::Destination, error: &PluginError) -> Mistake {
    let what = chain(error);
    let hint = match error {
        PluginError::Refused(refused) => refused.hint(),
        PluginError::Unknown(_) | PluginError::File { .. } => None,
    };
    Mistake::error(destination.line, format!("{what}: destination `{}`", destination.name))
        .hint(hint.unwrap_or_default())
}

fn one(config: &Config, destination: &config::Destination, plugin: Plugin) -> Result<Destination, Vec<Mistake>> {
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
        token_url,
        batch: manifest.batch.clone(),
        age_max_ms: manifest.limits.age_max.as_ms(),
        network: if destination.allow_insecure { Network::Any } else { Network::Public },
        mode: if destination.test_mode { Mode::Test } else { Mode::Live },
        switch: if destination.enabled { Switch::On } else { Switch::Off },
        concurrency: destination.concurrency.unwrap_or(config.delivery.concurrency),
        timeout_ms: destination.timeout_ms.unwrap_or(config.delivery.timeout_ms),
        quality: Profile::of(manifest).map(|profile| Arc::new(Meter::new(profile))),
        plugin,
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
