//! The reference model keeps the contract too: otherwise it would be no reference.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

#[macro_use]
mod contract;

use std::sync::{Arc, Mutex};

use contract::Backend;
use contract::memory::{MemoryQueue, Store};
use tidegate_queue::{Limits, Queue};

#[derive(Default)]
struct Memory {
    store: Arc<Mutex<Store>>,
}

impl Backend for Memory {
    fn open(&mut self, limits: Limits) -> Arc<dyn Queue> {
        Arc::new(MemoryQueue::open(self.store.clone(), limits))
    }

    fn crash(&mut self) {}
}

contract!(Memory::default);
