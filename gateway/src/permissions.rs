//! What a plugin may do, as far as somebody has to approve it: whose code it is, what it sees, where it sends, with which
//! credentials, under which consent, and within which limits.
//!
//! Owns that list, which the audit shows, a diff compares and the lock file keeps. Reads and executes no component; every
//! word of it comes from the manifest and the component's digest.

mod compare;
pub mod gate;
pub mod lock;
pub mod signature;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

pub use compare::{Change, Effect, compare};
use serde::{Deserialize, Serialize};
use signature::Signer;
use tidegate_plugin_sdk::manifest::{Auth, Batch, Endpoint, Limits, Manifest, Purpose, Read};
use tidegate_sandbox::{Digest, Inspection};

/// What one plugin may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// The plugin's own name.
    pub plugin: String,
    pub version: String,
    /// SHA-256 of the component: exactly this code.
    pub digest: Digest,
    /// The contract that it was built for.
    pub world: String,
    /// Who signed the file. Nothing of a built-in plugin, or of a file whose signature nobody asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
    /// What it wants from outside of the sandbox. One that can be loaded wants nothing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub imports: BTreeSet<String>,
    /// Every purpose that an event's visitor must have granted.
    pub purposes: BTreeSet<Purpose>,
    /// The names of the secrets that the gateway adds to its requests; those that a destination may leave out too.
    pub secrets: BTreeSet<String>,
    /// The fields that it sees.
    #[serde(default)]
    pub reads: BTreeMap<String, Read>,
    /// Where its requests may go.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// The parts of their paths that it gives itself, with each request, where the configuration does not: `endpoint.name`.
    /// Not in locks of before it was kept.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub chosen: BTreeSet<String>,
    /// How the secrets are added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    pub batch: Batch,
    pub limits: Limits,
}

impl Permissions {
    /// What the plugin of this manifest and digest may do.
    pub fn new(manifest: &Manifest, digest: &Digest) -> Permissions {
        let auth = manifest.auth.as_ref();
        let secrets = auth.into_iter().flat_map(|auth| auth.secrets().into_iter().chain(auth.optional_secrets()));
        Permissions {
            plugin: manifest.name.clone(),
            version: manifest.version.to_string(),
            digest: digest.clone(),
            world: manifest.world.clone(),
            signer: None,
            imports: BTreeSet::new(),
            purposes: manifest.purposes.iter().copied().collect(),
            secrets: secrets.map(str::to_owned).collect(),
            reads: manifest.reads.clone(),
            endpoints: manifest.endpoints.clone(),
            chosen: manifest.chosen(),
            auth: manifest.auth.clone(),
            batch: manifest.batch.clone(),
            limits: manifest.limits.clone(),
        }
    }

    /// The same, signed by somebody.
    #[must_use]
    pub fn signed_by(self, signer: Option<Signer>) -> Permissions {
        Permissions { signer, ..self }
    }
}

impl From<&Inspection> for Permissions {
    fn from(inspection: &Inspection) -> Permissions {
        let imports = inspection.imports.iter().map(|import| import.name.clone()).collect();
        Permissions { imports, ..Permissions::new(&inspection.manifest, &inspection.digest) }
    }
}
