//! How much may wait, as it is at the moment: whoever began something with one answer ends it with the same.

use std::sync::{Arc, PoisonError, RwLock};

use crate::Limits;

/// Limits that may be changed while the queue is in use.
#[derive(Debug)]
pub(crate) struct Limiting(RwLock<Arc<Limits>>);

impl Limiting {
    pub(crate) fn new(limits: Limits) -> Limiting {
        Limiting(RwLock::new(Arc::new(limits)))
    }

    pub(crate) fn now(&self) -> Arc<Limits> {
        // Nothing panics while it holds the lock.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn change(&self, limits: Limits) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }
}
