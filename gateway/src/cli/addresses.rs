//! Where the requests of a trace went, as far as the configuration of today still says. Loads and sends nothing.

use std::collections::BTreeMap;

use tidegate_sandbox::inspect;

use super::plugin;
use crate::config::{self, Config};
use crate::destination::{Endpoint, component};
use crate::record::RequestRecord;

/// The endpoints of every destination that is configured, by both names.
#[derive(Debug, Default)]
pub(super) struct Addresses(BTreeMap<(String, String), Endpoint>);

impl Addresses {
    /// Reads the plugins' manifests. A destination with a mistake is left out: `check` is there to explain it.
    pub(super) fn of(config: &Config) -> Addresses {
        Addresses(config.destinations.iter().flat_map(endpoints).collect())
    }

    /// The URL of a request, without credentials.
    pub(super) fn url(&self, destination: &str, request: &RequestRecord) -> Option<String> {
        let endpoint = self.0.get(&(destination.to_owned(), request.endpoint.clone()))?;
        let url = endpoint.url(&request.path, &request.query).ok()?;
        Some(format!("{} {url}", plugin::word(&endpoint.method)))
    }
}

fn endpoints(destination: &config::Destination) -> Vec<((String, String), Endpoint)> {
    let Some(inspection) = component(&destination.plugin).ok().and_then(|wasm| inspect(&wasm).ok()) else {
        return Vec::new();
    };
    let own = inspection.manifest.config_with_defaults(destination.config.clone());
    let named = inspection.manifest.endpoints.iter().filter_map(|(name, endpoint)| {
        let endpoint = Endpoint::new(endpoint, &own, destination.base_url.as_ref()).ok()?;
        Some(((destination.name.clone(), name.clone()), endpoint))
    });
    named.collect()
}
