//! A value that many read and one replaces whole: whoever takes it keeps what it was at that moment.

use std::sync::{Arc, PoisonError, RwLock};

/// The value as it is now. Clones share it.
#[derive(Debug)]
pub struct Snapshot<T>(Arc<RwLock<Arc<T>>>);

impl<T> Snapshot<T> {
    /// With its first value.
    pub fn new(value: T) -> Snapshot<T> {
        Snapshot(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// What it is now.
    pub fn take(&self) -> Arc<T> {
        // Nothing panics while it holds the lock.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces it: whoever takes it from now on gets this.
    pub fn put(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Snapshot<T> {
        Snapshot(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_taken_a_value_keeps_it() {
        let here = Snapshot::new(1);
        let there = here.clone();
        let kept = there.take();
        here.put(2);
        assert_eq!((*kept, *there.take()), (1, 2));
    }
}
