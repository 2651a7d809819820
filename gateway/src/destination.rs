//! A destination as it runs: its plugin, its own configuration, where its requests may go.
//!
//! Owns the making of one from the configuration and the plugin's manifest, with every mistake reported. Sends nothing.

mod archive;
mod endpoint;
mod plugins;
mod prepare;
mod room;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use archive::Archive;
pub use endpoint::{Endpoint, ResolveError};
pub use plugins::{Component, PluginError, component, unapproved};
pub use prepare::{prepare, prepare_beside};
use tidegate_event::{Consent, Purpose};
use tidegate_plugin_sdk::manifest::{Auth, Batch, Manifest};
use tidegate_sandbox::Plugin;
use url::Url;

pub use room::Room;

use crate::config::Secret;
use crate::delivery::auth::Redactor;
use crate::permissions::gate::Approval;
use crate::quality::Meter;

/// A destination that is ready to transform and to send.
#[derive(Clone)]
pub struct Destination {
    pub name: String,
    pub site: String,
    pub plugin: Plugin,
    /// Where a slow plugin runs; all destinations share it.
    pub room: Room,
    /// The plugin's name and version, for records.
    pub plugin_label: String,
    /// What an event's visitor must have granted.
    pub purposes: Vec<Purpose>,
    /// The plugin's own configuration, as JSON text.
    pub config_json: String,
    pub endpoints: BTreeMap<String, Endpoint>,
    pub auth: Option<Auth>,
    pub secrets: BTreeMap<String, Secret>,
    /// Takes them out of what a platform answers.
    pub redactor: Redactor,
    /// Where access tokens are asked for, of a scheme that needs some.
    pub token_url: Option<Url>,
    pub batch: Batch,
    pub age_max_ms: u64,
    pub network: Network,
    pub mode: Mode,
    pub switch: Switch,
    pub concurrency: usize,
    pub timeout_ms: u64,
    /// How usable its events are, where the plugin says what its platform goes by.
    pub quality: Option<Arc<Meter>>,
    /// Whether somebody approved its plugin.
    pub approval: Approval,
}

/// Which addresses a destination's requests may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// Public addresses, by HTTPS.
    Public,
    /// Any, by HTTP too: `allow_insecure = true`.
    Any,
}

/// Whether events are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Live,
    Test,
}

/// Whether the destination gets events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("name", &self.name)
            .field("plugin", &self.plugin_label)
            .finish_non_exhaustive()
    }
}

impl Destination {
    /// What of the purposes that events come here for a consent does not grant, as a reason for a person; `None` if it
    /// grants them all.
    pub fn consent_obstacle(&self, consent: &Consent) -> Option<String> {
        let missing: Vec<&str> =
            self.purposes.iter().filter(|p| !consent.granted.contains(**p)).map(|p| p.as_str()).collect();
        (!missing.is_empty())
            .then(|| format!("consent `{}` does not grant {}", consent.level.as_str(), missing.join(", ")))
    }

    /// Whether it is, in all that matters, what another one is: one may go on in the other's place.
    pub fn is_same(&self, other: &Destination) -> bool {
        // Taken apart, so that whoever adds a field has to say here whether it matters.
        let Destination {
            name,
            site,
            plugin,
            plugin_label: _,
            purposes: _,
            config_json,
            endpoints,
            auth: _,
            secrets,
            redactor: _,
            token_url,
            batch: _,
            age_max_ms: _,
            network,
            mode,
            switch,
            concurrency,
            timeout_ms,
            quality: _,
            approval,
            room: _,
        } = self;
        // What else there is comes from the plugin's own manifest.
        plugin.digest() == other.plugin.digest()
            && (name, site, config_json) == (&other.name, &other.site, &other.config_json)
            && (endpoints, secrets, token_url) == (&other.endpoints, &other.secrets, &other.token_url)
            && (network, mode, switch) == (&other.network, &other.mode, &other.switch)
            && (concurrency, timeout_ms, approval) == (&other.concurrency, &other.timeout_ms, &other.approval)
    }

    /// The plugin's manifest.
    pub fn manifest(&self) -> &Manifest {
        self.plugin.manifest()
    }
}

/// The destinations of one site, in the configuration's order.
pub type Destinations = Arc<[Arc<Destination>]>;
