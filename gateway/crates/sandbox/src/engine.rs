//! The engine that all plugins share, and the way from a plugin's bytes to one that may run.
//!
//! Owns wasmtime's configuration, the pool of instances and the refusals. Does not run events; `plugin` does.

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::cache::Cache;
use crate::contract::interface;
use crate::error::{Error, LoadError};
use crate::inspect::{Inspection, inspect};
use crate::limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, State, TABLES_MAX};
use crate::plugin::Plugin;
use crate::ticker::Ticker;

/// The most that a manifest's `memory_max` may be, and so the size of the pool's memories.
const MEMORY_BYTES_MAX: usize = 64 << 20;
/// The most elements of one table. A plugin of the SDK has some dozens.
const TABLE_ELEMENTS_MAX: usize = 65_536;
/// The part of a memory that is cleared by hand after a call instead of being given back to the system: as large as a
/// plugin of the SDK begins (`--initial-memory=131072`). Giving back costs a system call and page faults, about 10 µs.
const MEMORY_RESIDENT_BYTES: usize = 131_072;
/// The same for tables: about a thousand elements.
const TABLE_RESIDENT_BYTES: usize = 8_192;
/// The most of the host's stack that a plugin uses. A thread of tokio has 2 MiB.
const STACK_BYTES_MAX: usize = 512 << 10;

/// How a sandbox is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where compiled plugins are kept; `None` compiles them at each start.
    pub cache_dir: Option<PathBuf>,
    /// The most plugins that run at the same time, over all threads; one more is refused as busy. Each reserves some
    /// gigabytes of address space, and memory only when it is used.
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
    runtime: Arc<Runtime>,
    linker: Linker<State>,
    cache: Option<Cache>,
}

/// What a loaded plugin needs for as long as it lives.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) metering: Metering,
}

impl Sandbox {
    /// Sets up the engine, its pool and its clock.
    ///
    /// # Errors
    /// When the system does not give what the pool reserves, or others can write to the cache's directory.
    pub fn new(options: Options) -> Result<Sandbox, Error> {
        let engine = Engine::new(&config(&options)).map_err(|e| Error::Engine(e.into()))?;
        let cache = options.cache_dir.as_deref().map(|dir| Cache::open(dir, &engine)).transpose()?;
        let ticker = Ticker::start(engine.clone()).map_err(Error::Clock)?;
        // Nothing is ever added to this linker: it is what makes "no imports" true even if a check should fail.
        let linker = Linker::new(&engine);
        Ok(Sandbox { runtime: Arc::new(Runtime { engine, ticker, metering: options.metering }), linker, cache })
    }

    /// Makes a component ready to run: reads it, refuses what must not run, compiles it, and starts it once for trial.
    ///
    /// # Errors
    /// Says why it must not run.
    pub fn load(&self, wasm: &[u8]) -> Result<Plugin, LoadError> {
        let inspection = inspect(wasm)?;
        refuse(&inspection)?;
        let component = self.compile(wasm, &inspection)?;
        let instance = self.linker.instantiate_pre(&component).map_err(|e| LoadError::Compile(plain(&e)))?;
        let plugin = Plugin::new(Arc::clone(&self.runtime), inspection, instance)?;
        plugin.start_once()?;
        Ok(plugin)
    }

    fn compile(&self, wasm: &[u8], inspection: &Inspection) -> Result<Component, LoadError> {
        let engine = &self.runtime.engine;
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.get(engine, &inspection.digest)) {
            return Ok(component);
        }
        let component = Component::from_binary(engine, wasm).map_err(|e| LoadError::Compile(plain(&e)))?;
        if let Some(cache) = &self.cache {
            cache.put(&inspection.digest, &component);
        }
        Ok(component)
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

fn config(options: &Options) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .cranelift_opt_level(OptLevel::Speed)
        // The one source of chance that a core module has: the bits of a NaN.
        .cranelift_nan_canonicalization(true)
        .epoch_interruption(true)
        .consume_fuel(options.metering == Metering::Fuel)
        .max_wasm_stack(STACK_BYTES_MAX)
        .memory_init_cow(true)
        // Nobody looks at a backtrace of a plugin, and the maps for one are larger than its code.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        // A panic's message lies in the memory of the instance that trapped.
        .coredump_on_trap(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options.instances_max.max(1))));
    config
}

fn pool(instances_max: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances_max)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .total_core_instances(instances_max.saturating_mul(2).max(CORE_INSTANCES_MAX))
        .total_memories(instances_max.saturating_add(MEMORIES_MAX))
        .total_tables(instances_max.saturating_mul(2).max(TABLES_MAX))
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(MEMORY_RESIDENT_BYTES)
        .table_keep_resident(TABLE_RESIDENT_BYTES);
    pool
}
