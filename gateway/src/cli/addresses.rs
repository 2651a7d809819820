//! Where the requests of a trace went, and what their platforms go by, as far as the configuration of today still says.
//! Loads and sends nothing.

use std::collections::BTreeMap;

use tidegate_sandbox::inspect;

use super::output::clean;
use crate::config::{self, Config};
use crate::destination::{Component, Endpoint};
use crate::permissions::words::name_of;
use crate::quality::Profile;
use crate::record::RequestRecord;

/// What is known of every destination that is configured, by its name.
#[derive(Debug, Default)]
pub(super) struct Addresses(BTreeMap<String, Known>);

#[derive(Debug)]
struct Known {
    endpoints: BTreeMap<String, Endpoint>,
    profile: Option<Profile>,
}

impl Addresses {
    /// Reads the plugins' manifests. A destination with a mistake is left out: `check` is there to explain it.
    pub(super) fn of(config: &Config) -> Addresses {
        let named = |one: &config::Destination| Some((one.name.clone(), known(config, one)?));
        Addresses(config.destinations.iter().filter_map(named).collect())
    }

    /// The URL of a request, without credentials.
    pub(super) fn url(&self, destination: &str, request: &RequestRecord) -> Option<String> {
        let endpoint = self.0.get(destination)?.endpoints.get(&request.endpoint)?;
        let url = endpoint.url(&request.path, &request.query).ok()?;
        Some(format!("{} {url}", clean(&name_of(&endpoint.method))))
    }

    /// What a destination's platform finds people and conversions by.
    pub(super) fn profile(&self, destination: &str) -> Option<&Profile> {
        self.0.get(destination)?.profile.as_ref()
    }
}

fn known(config: &Config, destination: &config::Destination) -> Option<Known> {
    let component = Component::read(&config.plugins, &destination.plugin).ok()?;
    // Nothing runs: a retired key's signature is good enough.
    component.admit(&config.plugins, destination, Some(&component.digest)).ok()?;
    let manifest = inspect(&component.wasm).ok()?.manifest;
    let own = manifest.config_with_defaults(destination.config.clone());
    let made = |endpoint| Endpoint::new(endpoint, &own, destination.base_url.as_ref()).ok();
    let endpoints =
        manifest.endpoints.iter().filter_map(|(name, endpoint)| Some((name.clone(), made(endpoint)?))).collect();
    Some(Known { endpoints, profile: Profile::of(&manifest) })
}
