//! The room that instances run in: small plugins share one pool of many small places, heavy guests another of large ones.
//!
//! Owns wasmtime's configuration and the sizes. A pool's sizes are for its largest guest: in one pool for all, each small
//! plugin would pay for an interpreter that it does not have.

use std::sync::Arc;

use serde::Serialize;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::cache::Cache;
use crate::engine::{Metering, Options, plain};
use crate::error::{Error, LoadError};
use crate::inspect::Inspection;
use crate::limits::State;
use crate::ticker::Ticker;

/// The most of the host's stack that a plugin uses. A thread of tokio has 2 MiB.
const STACK_BYTES_MAX: usize = 512 << 10;
/// The most that a manifest's `memory_max` may be, and so the size of the pools' memories.
const MEMORY_BYTES_MAX: usize = 64 << 20;
/// The most elements of one table, to which it may grow.
const TABLE_ELEMENTS_MAX: usize = 65_536;

/// What a component needs to run, by what can be seen of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Code of its own and little else, as the SDK makes it.
    Light,
    /// It brings an engine or an interpreter along: JavaScript, Python.
    Heavy,
}

/// How large a pool's places are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The most core instances, memories and tables of one component.
    pub(crate) core_instances: u32,
    pub(crate) memories: u32,
    pub(crate) tables: u32,
    /// The most elements that a table has from the start.
    start_elements: u64,
    /// The most that the memories hold from the start.
    start_bytes: u64,
    /// The part of a memory that is cleared by hand after a call instead of being given back to the system.
    memory_resident_bytes: usize,
    /// The same for tables.
    table_resident_bytes: usize,
}

/// A component of `wit-component` has one of each; more of them appear where components were composed. A plugin of the SDK
/// begins with 128 KiB (`--initial-memory=131072`) and has a table of some dozens. Giving memory back costs a system call
/// and page faults, about 10 µs: as much as the rest of a fresh instance.
const LIGHT: Shape = Shape {
    core_instances: 16,
    memories: 4,
    tables: 4,
    start_elements: 4_096,
    start_bytes: 1 << 20,
    memory_resident_bytes: 131_072,
    table_resident_bytes: 8_192,
};

/// Python brings 38 core modules, and begins with 13 MiB and a table of 5,670; JavaScript with 9.5 MiB and 7,688. Both touch
/// one or two MiB of that for an event: all of it is given back, for what is kept clear by hand is written whole each time.
const HEAVY: Shape = Shape {
    core_instances: 128,
    memories: 4,
    tables: 8,
    start_elements: TABLE_ELEMENTS_MAX as u64,
    start_bytes: MEMORY_BYTES_MAX as u64,
    memory_resident_bytes: 0,
    table_resident_bytes: 65_536,
};

impl Weight {
    /// What this component is.
    pub fn of(inspection: &Inspection) -> Weight {
        let fits = |count: usize, most: u32| count <= most as usize;
        let start = inspection.memories.iter().fold(0, |sum, memory| memory.initial.saturating_add(sum));
        let is_light = fits(inspection.modules, LIGHT.core_instances)
            && fits(inspection.memories.len(), LIGHT.memories)
            && fits(inspection.tables.len(), LIGHT.tables)
            && inspection.tables.iter().all(|table| table.initial <= LIGHT.start_elements)
            && start <= LIGHT.start_bytes;
        if is_light { Weight::Light } else { Weight::Heavy }
    }

    pub(crate) fn shape(self) -> Shape {
        match self {
            Weight::Light => LIGHT,
            Weight::Heavy => HEAVY,
        }
    }
}

/// What a loaded plugin needs for as long as it lives.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) metering: Metering,
    pub(crate) weight: Weight,
}

/// One engine with its places, its clock and its part of the cache.
pub(crate) struct Pool {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) linker: Linker<State>,
    cache: Option<Cache>,
}

impl Pool {
    /// Sets up the engine, its places and its clock.
    pub(crate) fn new(options: &Options, weight: Weight) -> Result<Pool, Error> {
        let engine = Engine::new(&config(options, weight)).map_err(|e| Error::Engine(e.into()))?;
        let cache = options.cache_dir.as_deref().map(|dir| Cache::open(dir, &engine)).transpose()?;
        let ticker = Ticker::start(engine.clone()).map_err(Error::Clock)?;
        // Nothing is ever added to this linker: it is what makes "no imports" true even if a check should fail.
        let linker = Linker::new(&engine);
        Ok(Pool { runtime: Arc::new(Runtime { engine, ticker, metering: options.metering, weight }), linker, cache })
    }

    /// The compiled component, from the cache where it is there.
    pub(crate) fn compile(&self, wasm: &[u8], inspection: &Inspection) -> Result<Component, LoadError> {
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

fn config(options: &Options, weight: Weight) -> Config {
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
        .allocation_strategy(InstanceAllocationStrategy::Pooling(places(options.instances_max.max(1), weight.shape())));
    config
}

fn places(instances_max: u32, shape: Shape) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances_max)
        .max_core_instances_per_component(shape.core_instances)
        .max_memories_per_component(shape.memories)
        .max_tables_per_component(shape.tables)
        .total_core_instances(instances_max.saturating_mul(shape.core_instances.min(48)).max(shape.core_instances))
        .total_memories(instances_max.saturating_add(shape.memories))
        .total_tables(instances_max.saturating_mul(2).max(shape.tables))
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(shape.memory_resident_bytes)
        .table_keep_resident(shape.table_resident_bytes);
    pool
}
