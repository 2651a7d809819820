//! What one call may use: memory and tables summed, time, and the bytes that it returns.
//!
//! Owns the limits' enforcement while a plugin runs, and says afterwards which one was hit. Does not run a plugin.

use tidegate_plugin_sdk::manifest::Limits;
use wasmtime::{ResourceLimiter, Store, StoreContextMut, UpdateDeadline};

use crate::engine::Metering;
use crate::pool::{Runtime, Shape};

/// What wasmtime reserves for one element of a table.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// What a store carries: the use of one call so far.
pub(crate) struct State {
    memory_used: usize,
    memory_max: usize,
    memory_refused: bool,
    ticks: u32,
    ticks_max: u32,
    time_exceeded: bool,
    shape: Shape,
}

/// The limit that a call hit, if it hit one.
pub(crate) enum Hit {
    None,
    Memory,
    Time,
}

/// A fresh store within `limits`.
pub(crate) fn store(runtime: &Runtime, limits: &Limits) -> Store<State> {
    let mut store = Store::new(
        &runtime.engine,
        State {
            memory_used: 0,
            memory_max: usize::try_from(limits.memory_max.0).unwrap_or(usize::MAX),
            memory_refused: false,
            ticks: 0,
            ticks_max: limits.time_max_ms,
            time_exceeded: false,
            shape: runtime.weight.shape(),
        },
    );
    store.limiter(|state| state);
    // The callback is what kills; the deadline of one tick only makes it be asked once a tick. Ticks are counted while
    // the plugin runs: should the machine be so busy that the thread stands still, that is not the plugin's fault.
    store.epoch_deadline_callback(|mut store: StoreContextMut<'_, State>| Ok(store.data_mut().tick()));
    if runtime.metering == Metering::Fuel {
        // More than can be used in the longest time that a manifest may ask for. Where fuel is off this fails, and is
        // not asked.
        let _ = store.set_fuel(u64::MAX);
    }
    renew(&mut store, limits);
    store
}

/// Gives one more call its own time and output; memory and tables stay counted.
pub(crate) fn renew(store: &mut Store<State>, limits: &Limits) {
    let state = store.data_mut();
    (state.ticks, state.time_exceeded, state.memory_refused) = (0, false, false);
    store.set_epoch_deadline(1);
    // Every string and list is charged here before the host allocates for it, by the size that it will have in the
    // host's memory. That bounds what many small lists that point at the same large memory can cost.
    store.set_hostcall_fuel(usize::try_from(limits.output_max.0).unwrap_or(usize::MAX));
}

impl State {
    /// The bytes of memory and tables that the call has had.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_used as u64
    }

    /// The limit that a failed call hit. One that was refused memory, and failed then, failed of that.
    pub(crate) fn hit(&self) -> Hit {
        match (self.memory_refused, self.time_exceeded) {
            (true, _) => Hit::Memory,
            (false, true) => Hit::Time,
            (false, false) => Hit::None,
        }
    }

    fn tick(&mut self) -> UpdateDeadline {
        self.ticks += 1;
        // The first tick comes anywhere within the first millisecond.
        if self.ticks > self.ticks_max {
            self.time_exceeded = true;
            return UpdateDeadline::Interrupt;
        }
        UpdateDeadline::Continue(1)
    }

    /// Accounts for a growth. One past the limit is refused as wasm does, with -1: an allocator may then ask for less.
    ///
    /// Nothing is ever taken back, not even when a permitted growth fails after all: wasmtime also reports failures of
    /// growths that it never asked about, and a plugin could earn memory by provoking them.
    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>, unit: usize) -> bool {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return false;
        }
        let by = desired.saturating_sub(current).saturating_mul(unit);
        let used = self.memory_used.saturating_add(by);
        let within = used <= self.memory_max;
        if within {
            self.memory_used = used;
        }
        self.memory_refused |= !within;
        within
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, 1))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, TABLE_ELEMENT_BYTES))
    }

    fn instances(&self) -> usize {
        self.shape.core_instances as usize
    }

    fn tables(&self) -> usize {
        self.shape.tables as usize
    }

    fn memories(&self) -> usize {
        self.shape.memories as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Weight;

    fn state(memory_max: usize, ticks_max: u32) -> State {
        State {
            memory_used: 0,
            memory_max,
            memory_refused: false,
            ticks: 0,
            ticks_max,
            time_exceeded: false,
            shape: Weight::Light.shape(),
        }
    }

    #[test]
    fn memories_and_tables_are_summed() {
        let mut state = state(200_000, 1);
        assert!(state.memory_growing(0, 65_536, None).unwrap());
        assert!(state.memory_growing(0, 65_536, None).unwrap(), "a second memory");
        assert!(state.table_growing(0, 8_000, None).unwrap(), "64000 bytes");
        assert!(matches!(state.hit(), Hit::None));
        assert!(!state.memory_growing(65_536, 131_072, None).unwrap());
        assert!(matches!(state.hit(), Hit::Memory));
        assert!(state.table_growing(8_000, 8_500, None).unwrap(), "what is left can still be had");
    }

    #[test]
    fn asking_for_more_than_a_memory_can_have_costs_nothing() {
        let mut state = state(1 << 20, 1);
        assert!(!state.memory_growing(0, 10 << 20, Some(65_536)).unwrap());
        assert!(matches!(state.hit(), Hit::None));
        assert!(state.memory_growing(0, 1 << 20, Some(10 << 20)).unwrap());
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        let mut state = state(1 << 20, 1);
        assert!(!state.table_growing(0, usize::MAX, None).unwrap());
        assert!(!state.memory_growing(0, usize::MAX, None).unwrap());
    }

    #[test]
    fn as_many_ticks_as_milliseconds_are_allowed() {
        let mut state = state(0, 3);
        for _ in 0..3 {
            assert!(matches!(state.tick(), UpdateDeadline::Continue(1)));
        }
        assert!(matches!(state.tick(), UpdateDeadline::Interrupt));
        assert!(matches!(state.hit(), Hit::Time));
    }
}
