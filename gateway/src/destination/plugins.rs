//! Where plugins come from, and whether the lock lets them in. Each is read and loaded once, whoever uses it.

use std::collections::HashMap;
use std::rc::Rc;

use tidegate_sandbox::{Digest, LoadError, Plugin, Sandbox, inspect};

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

/// The plugins of a configuration.
pub(super) struct Plugins<'a> {
    sandbox: &'a Sandbox,
    gate: Gate,
    /// What was read: what is approved, and what is loaded, are the same bytes.
    read: HashMap<&'a PluginSource, Rc<(Digest, Vec<u8>)>>,
    loaded: HashMap<&'a PluginSource, Plugin>,
}

impl<'a> Plugins<'a> {
    pub(super) fn new(sandbox: &'a Sandbox, gate: Gate) -> Plugins<'a> {
        Plugins { sandbox, gate, read: HashMap::new(), loaded: HashMap::new() }
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
        let plugin = self.load(&destination.plugin, wasm).map_err(|error| refusal(destination, &error))?;
        let permissions = Permissions::new(plugin.manifest(), plugin.digest());
        let approval = self.gate.judge(&destination.name, &permissions);
        match &approval {
            Approval::Unapproved { .. } if self.gate.is_enforced() => {
                Err(unapproved(destination, &approval, Mistake::error))
            }
            _ => Ok((plugin, approval)),
        }
    }

    fn component(&mut self, source: &'a PluginSource) -> Result<Rc<(Digest, Vec<u8>)>, PluginError> {
        if let Some(read) = self.read.get(source) {
            return Ok(Rc::clone(read));
        }
        let wasm = component(source)?;
        let read = Rc::new((Digest::of(&wasm), wasm));
        self.read.insert(source, Rc::clone(&read));
        Ok(read)
    }

    fn load(&mut self, source: &'a PluginSource, wasm: &[u8]) -> Result<Plugin, PluginError> {
        if let Some(plugin) = self.loaded.get(source) {
            return Ok(plugin.clone());
        }
        let plugin = self.sandbox.load(wasm)?;
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
