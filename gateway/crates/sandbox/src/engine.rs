//! The way from a plugin's bytes to one that may run.
//!
//! Owns the refusals, and which pool a plugin runs in. Does not run events; `plugin` does.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::contract::interface;
use crate::error::{Error, LoadError};
use crate::inspect::{Inspection, inspect};
use crate::plugin::Plugin;
use crate::pool::{Pool, Weight};

/// How a sandbox is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where compiled plugins are kept; `None` compiles them at each start.
    pub cache_dir: Option<PathBuf>,
    /// The most plugins of a weight that run at the same time, over all threads; one more is refused as busy. Each reserves
    /// some gigabytes of address space, and memory only when it is used.
    pub instances_max: u32,
    /// Whether what a plugin executes is counted.
    pub metering: Metering,
}

/// Whether what a plugin executes is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// As the gateway runs plugins.
    Off,
    /// Its instructions are counted as fuel: the same input costs the same, on every machine. Its code is another for
    /// that, and slower by a tenth or more; limits hold as ever. For tools.
    Fuel,
}

impl Default for Options {
    fn default() -> Self {
        Options { cache_dir: None, instances_max: 64, metering: Metering::Off }
    }
}

/// Where plugins are loaded.
pub struct Sandbox {
    options: Options,
    light: Arc<Pool>,
    /// Made when the first heavy guest is loaded: most gateways have none.
    heavy: Mutex<Option<Arc<Pool>>>,
}

impl Sandbox {
    /// Sets up the engine, its pool and its clock.
    ///
    /// # Errors
    /// When the system does not give what the pool reserves, or others can write to the cache's directory.
    pub fn new(options: Options) -> Result<Sandbox, Error> {
        let light = Arc::new(Pool::new(&options, Weight::Light)?);
        Ok(Sandbox { options, light, heavy: Mutex::new(None) })
    }

    /// Makes a component ready to run: reads it, refuses what must not run, compiles it, and starts it once for trial.
    ///
    /// # Errors
    /// Says why it must not run.
    pub fn load(&self, wasm: &[u8]) -> Result<Plugin, LoadError> {
        let inspection = inspect(wasm)?;
        refuse(&inspection)?;
        let pool = self.pool(Weight::of(&inspection))?;
        let component = pool.compile(wasm, &inspection)?;
        let instance = pool.linker.instantiate_pre(&component).map_err(|e| LoadError::Compile(plain(&e)))?;
        let plugin = Plugin::new(Arc::clone(&pool.runtime), inspection, instance)?;
        plugin.start_once()?;
        Ok(plugin)
    }

    fn pool(&self, weight: Weight) -> Result<Arc<Pool>, LoadError> {
        if weight == Weight::Light {
            return Ok(Arc::clone(&self.light));
        }
        let mut heavy = self.heavy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = heavy.as_ref() {
            return Ok(Arc::clone(pool));
        }
        let pool = Arc::new(Pool::new(&self.options, weight).map_err(|error| LoadError::Room(reasons(&error)))?);
        Ok(Arc::clone(heavy.insert(pool)))
    }
}

/// Refuses what can be seen from outside.
fn refuse(inspection: &Inspection) -> Result<(), LoadError> {
    obstacles(inspection).into_iter().next().map_or(Ok(()), Err)
}

/// Everything that can be seen from outside and keeps a component from being loaded. One without any may still turn out
/// not to compile, or not to have the contract's types.
pub fn obstacles(inspection: &Inspection) -> Vec<LoadError> {
    let imports = (!inspection.imports.is_empty()).then(|| LoadError::Imports(inspection.imports.clone()));
    // The manifest's world was checked with the rest of it; what the component really exports counts as well.
    let declared = interface(&inspection.manifest.world);
    let exports = (!inspection.exports.contains(&declared)).then(|| {
        let other = inspection.exports.iter().find(|name| name.starts_with("tidegate:destination/"));
        match other {
            Some(other) => LoadError::World { found: other.clone(), declared },
            None => LoadError::Contract(format!("it does not export `{declared}`")),
        }
    });
    let tables = inspection.tables.iter().map(|table| table.initial.saturating_mul(size_of::<usize>() as u64));
    let needed = inspection.memories.iter().map(|memory| memory.initial).chain(tables).fold(0, u64::saturating_add);
    let allowed = inspection.manifest.limits.memory_max;
    let memory = (needed > allowed.0).then_some(LoadError::Memory { needed, allowed });
    [imports, exports, memory].into_iter().flatten().collect()
}

/// An error of wasmtime with its causes, in one line.
pub(crate) fn plain(error: &wasmtime::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An error of ours with its causes, in one line.
fn reasons(error: &Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
