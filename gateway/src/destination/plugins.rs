//! Where plugins come from, and whether the lock lets them in. Each is read and loaded once, whoever uses it.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tidegate_sandbox::{Digest, LoadError, Plugin, Sandbox, inspect};

use super::Archive;
use crate::causes::chain;
use crate::config::{self, Mistake, PluginSource};
use crate::permissions::Permissions;
use crate::permissions::gate::{Approval, Gate};

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
            std::fs::read(path).map_err(|source| PluginError::File { path: path.display().to_string(), source })
        }
    }
}

/// Loads a plugin into the sandbox.
///
/// # Errors
/// When it is not there, or the sandbox refuses it.
pub fn load(sandbox: &Sandbox, source: &PluginSource) -> Result<Plugin, PluginError> {
    Ok(sandbox.load(&component(source)?)?)
}

/// A component's bytes, and their digest.
type Component = (Digest, Vec<u8>);

/// The plugins of a configuration.
pub(super) struct Plugins<'a> {
    sandbox: &'a Sandbox,
    gate: Gate,
    /// What was read: what is approved, and what is loaded, are the same bytes.
    read: HashMap<&'a PluginSource, Arc<Component>>,
    archive: Archive,
    loaded: HashMap<&'a PluginSource, Plugin>,
    /// Those that run already.
    known: Vec<Plugin>,
}

impl<'a> Plugins<'a> {
    pub(super) fn new(sandbox: &'a Sandbox, gate: Gate, archive: Archive, known: Vec<Plugin>) -> Plugins<'a> {
        Plugins { sandbox, gate, archive, read: HashMap::new(), loaded: HashMap::new(), known }
    }

    /// Loads what the lock lets in, as many at a time as there are processors: one that was never compiled here keeps one
    /// busy for a fraction of a second. What is wrong with a plugin is told when it is its turn.
    pub(super) fn load_ahead(&mut self, destinations: &'a [config::Destination]) {
        let mut wanted = HashMap::<&'a PluginSource, Arc<Component>>::new();
        for destination in destinations {
            let Ok(component) = self.component(&destination.plugin) else { continue };
            if self.gate.admits(&destination.name, &component.0) {
                wanted.insert(&destination.plugin, component);
            }
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let (next, sandbox) = (AtomicUsize::new(0), self.sandbox);
        let work = || {
            let one = || wanted.get(next.fetch_add(1, Ordering::Relaxed));
            let loaded = std::iter::from_fn(one).map(|(source, component)| (*source, sandbox.load(&component.1)));
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
        let component = self.component(&destination.plugin).map_err(|error| refusal(destination, &error))?;
        let (digest, wasm) = &*component;
        if !self.gate.admits(&destination.name, digest) {
            let inspection = inspect(wasm).map_err(|error| refusal(destination, &LoadError::Inspect(error).into()))?;
            let approval = self.gate.judge(&destination.name, &Permissions::from(&inspection));
            return Err(unapproved(destination, &approval, Mistake::error));
        }
        let plugin = self.load(&destination.plugin, &component).map_err(|error| refusal(destination, &error))?;
        let permissions = Permissions::new(plugin.manifest(), plugin.digest());
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

    fn component(&mut self, source: &'a PluginSource) -> Result<Arc<Component>, PluginError> {
        if let Some(read) = self.read.get(source) {
            return Ok(Arc::clone(read));
        }
        let wasm = component(source)?;
        let read = Arc::new((Digest::of(&wasm), wasm));
        self.read.insert(source, Arc::clone(&read));
        Ok(read)
    }

    fn load(&mut self, source: &'a PluginSource, component: &Component) -> Result<Plugin, PluginError> {
        if let Some(plugin) = self.loaded.get(source) {
            return Ok(plugin.clone());
        }
        let (digest, wasm) = component;
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
    let what = chain(error);
    let hint = match error {
        PluginError::Refused(refused) => refused.hint(),
        PluginError::Unknown(_) | PluginError::File { .. } => None,
    };
    Mistake::error(destination.line, format!("{what}: destination `{}`", destination.name))
        .hint(hint.unwrap_or_default())
}
