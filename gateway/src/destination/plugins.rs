//! Where plugins come from, and whether signature and lock let them in. Each is read and loaded once, whoever uses it.
//!
//! The order is what keeps strangers' bytes from being looked at: read, signature, lock, and only then parsed and compiled.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tidegate_sandbox::{Digest, LoadError, Plugin, Sandbox, WASM_BYTES_MAX, inspect};

use super::Archive;
use crate::causes::chain;
use crate::config::{self, Mistake, PluginSource};
use crate::permissions::Permissions;
use crate::permissions::gate::{Approval, Gate};
use crate::permissions::signature::{self, Signed};

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
    /// Its signature does not let it in.
    #[error("plugin file `{path}` refused")]
    Unsigned {
        path: String,
        #[source]
        source: signature::Error,
    },
    /// The sandbox refuses it.
    #[error("plugin refused")]
    Refused(#[source] Box<LoadError>),
}

impl PluginError {
    fn unsigned(plugin: &PluginSource, source: signature::Error) -> PluginError {
        let path = match plugin {
            PluginSource::File(path) => path.display().to_string(),
            PluginSource::BuiltIn(name) => name.clone(),
        };
        PluginError::Unsigned { path, source }
    }

    /// How to mend it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            PluginError::Refused(refused) => refused.hint(),
            PluginError::Unsigned { source, .. } => Some(source.hint()),
            PluginError::Unknown(_) | PluginError::File { .. } => None,
        }
    }
}

impl From<LoadError> for PluginError {
    fn from(error: LoadError) -> PluginError {
        PluginError::Refused(Box::new(error))
    }
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
            read(path).map_err(|source| PluginError::File { path: path.display().to_string(), source })
        }
    }
}

/// Reads a file no further than a plugin may be long. What is no file might never end, or never begin.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let refused = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    if !fs::metadata(path)?.is_file() {
        return Err(refused("it is no regular file".into()));
    }
    let mut wasm = Vec::new();
    File::open(path)?.take(WASM_BYTES_MAX as u64 + 1).read_to_end(&mut wasm)?;
    match wasm.len() > WASM_BYTES_MAX {
        true => Err(refused(format!("it has more than {WASM_BYTES_MAX} bytes"))),
        false => Ok(wasm),
    }
}

/// A component's bytes, their digest, and who signed them.
#[derive(Debug)]
pub struct Component {
    pub digest: Digest,
    pub wasm: Vec<u8>,
    pub signed: Option<Signed>,
}

impl Component {
    /// Reads a plugin's bytes and verifies their signature. Parses nothing.
    ///
    /// # Errors
    /// When there is no such plugin, its file cannot be read, or a signature is there that does not count.
    pub fn read(plugins: &config::Plugins, source: &PluginSource) -> Result<Component, PluginError> {
        let wasm = component(source)?;
        let signed = signature::of(plugins, source, &wasm).map_err(|error| PluginError::unsigned(source, error))?;
        Ok(Component { digest: Digest::of(&wasm), wasm, signed })
    }

    /// Whether its signature lets it run for a destination, where the lock holds `approved` for it.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(
        &self,
        plugins: &config::Plugins,
        destination: &config::Destination,
        approved: Option<&Digest>,
    ) -> Result<(), PluginError> {
        signature::admit(plugins, destination, self.signed.as_ref(), (&self.digest, approved))
            .map_err(|error| PluginError::unsigned(&destination.plugin, error))
    }

    /// What the lock keeps of the signature.
    pub fn signer(&self) -> Option<signature::Signer> {
        self.signed.as_ref().map(|signed| signed.signer.clone())
    }
}

/// The plugins of a configuration.
pub(super) struct Plugins<'a> {
    sandbox: &'a Sandbox,
    config: &'a config::Plugins,
    gate: Gate,
    /// What was read: what is verified, what is approved, and what is loaded, are the same bytes.
    read: HashMap<&'a PluginSource, Arc<Component>>,
    archive: Archive,
    loaded: HashMap<&'a PluginSource, Plugin>,
    /// Those that run already.
    known: Vec<Plugin>,
}

impl<'a> Plugins<'a> {
    pub(super) fn new(
        sandbox: &'a Sandbox,
        config: &'a config::Plugins,
        gate: Gate,
        known: Vec<Plugin>,
    ) -> Plugins<'a> {
        let archive = Archive::beside(&config.cache);
        Plugins { sandbox, config, gate, archive, read: HashMap::new(), loaded: HashMap::new(), known }
    }

    /// Loads what the lock lets in, as many at a time as there are processors: one that was never compiled here keeps one
    /// busy for a fraction of a second. What is wrong with a plugin is told when it is its turn.
    pub(super) fn load_ahead(&mut self, destinations: &'a [config::Destination]) {
        let mut wanted = HashMap::<&'a PluginSource, Arc<Component>>::new();
        for destination in destinations {
            let Ok(component) = self.component(destination) else { continue };
            if self.gate.admits(&destination.name, &component.digest) {
                wanted.insert(&destination.plugin, component);
            }
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let (next, sandbox) = (AtomicUsize::new(0), self.sandbox);
        let work = || {
            let one = || wanted.get(next.fetch_add(1, Ordering::Relaxed));
            let loaded = std::iter::from_fn(one).map(|(source, component)| (*source, sandbox.load(&component.wasm)));
            loaded.filter_map(|(source, plugin)| Some((source, plugin.ok()?))).collect::<Vec<_>>()
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(wanted.len());
        let loaded: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|worker| worker.join());
            joined.flat_map(|loaded| loaded.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        self.loaded.extend(loaded);
    }

    /// The plugin of a destination, and how it stands to the lock. Code that nobody approved is not even compiled.
    pub(super) fn of(&mut self, destination: &'a config::Destination) -> Result<(Plugin, Approval), Mistake> {
        let component = self.component(destination).map_err(|error| refusal(destination, &error))?;
        let Component { digest, wasm, .. } = &*component;
        if !self.gate.admits(&destination.name, digest) {
            let inspection = inspect(wasm).map_err(|error| refusal(destination, &LoadError::Inspect(error).into()))?;
            let approval =
                self.gate.judge(&destination.name, &Permissions::from(&inspection).signed_by(component.signer()));
            return Err(unapproved(destination, &approval, Mistake::error));
        }
        let plugin = self.load(&destination.plugin, &component).map_err(|error| refusal(destination, &error))?;
        let permissions = Permissions::new(plugin.manifest(), plugin.digest()).signed_by(component.signer());
        let approval = self.gate.judge(&destination.name, &permissions);
        match &approval {
            Approval::Unapproved { .. } if self.gate.is_enforced() => {
                Err(unapproved(destination, &approval, Mistake::error))
            }
            _ => {
                self.archive.keep(digest, wasm);
                Ok((plugin, approval))
            }
        }
    }

    /// The bytes of a destination's plugin, if their signature lets it run there.
    fn component(&mut self, destination: &'a config::Destination) -> Result<Arc<Component>, PluginError> {
        let source = &destination.plugin;
        let component = match self.read.get(source) {
            Some(read) => Arc::clone(read),
            None => {
                let read = Arc::new(Component::read(self.config, source)?);
                self.read.insert(source, Arc::clone(&read));
                read
            }
        };
        component.admit(self.config, destination, self.gate.approved(&destination.name))?;
        Ok(component)
    }

    fn load(&mut self, source: &'a PluginSource, component: &Component) -> Result<Plugin, PluginError> {
        if let Some(plugin) = self.loaded.get(source) {
            return Ok(plugin.clone());
        }
        let Component { digest, wasm, .. } = component;
        let plugin = match self.known.iter().find(|known| known.digest() == digest) {
            Some(known) => known.clone(),
            None => self.sandbox.load(wasm)?,
        };
        self.loaded.insert(source, plugin.clone());
        Ok(plugin)
    }
}

/// Says what of a destination's plugin the lock does not cover.
pub fn unapproved(
    destination: &config::Destination,
    approval: &Approval,
    mistake: impl Fn(Option<usize>, String) -> Mistake,
) -> Mistake {
    let lines = match approval {
        Approval::Unapproved { lines } => lines.join("; "),
        Approval::Off | Approval::NoLock | Approval::Approved { .. } => "nothing".to_owned(),
    };
    let name = &destination.name;
    let what = format!("destination `{name}`: `tidegate.lock` does not cover its plugin: {lines}; the destination is");
    mistake(Some(destination.line), what)
        .hint(format!("`tidegate plugin approve {name}` shows what is new, and asks whether that is meant"))
}

fn refusal(destination: &config::Destination, error: &PluginError) -> Mistake {
    Mistake::error(destination.line, format!("{}: destination `{}`", chain(error), destination.name))
        .hint(error.hint().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_a_file_of_a_bounded_size() {
        let dir = tempfile::tempdir().unwrap();
        let said = |path: &Path| component(&PluginSource::File(path.to_owned())).map_err(|error| chain(&error));
        let path = dir.path().join("long.wasm");
        // Nothing of it is on the disk.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = said(&path).unwrap_err();
        assert!(error.ends_with(&format!("it has more than {WASM_BYTES_MAX} bytes")), "{error}");
        for endless in [Path::new("/dev/zero"), dir.path()] {
            let error = said(endless).unwrap_err();
            assert!(error.ends_with("it is no regular file"), "{error}");
        }
        fs::write(&path, b"bytes").unwrap();
        assert_eq!(said(&path).unwrap(), b"bytes");
    }
}
