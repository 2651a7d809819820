//! Owns the connections that only read, and gives each reader one that is free.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use rusqlite::Connection;

use super::fault;
use super::open::{self, OpenError, Purpose};
use crate::Error;

/// Connections that only read.
pub(super) struct Readers {
    conns: Vec<Mutex<Option<Connection>>>,
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, OpenError> {
        let conns = (0..count).map(|_| Ok(Mutex::new(Some(open::connect(path, Purpose::Read)?))));
        Ok(Self { conns: conns.collect::<Result<_, OpenError>>()?, next: AtomicUsize::new(0) })
    }

    /// Reads on the first connection that is free, or waits for one.
    pub(super) fn read<T>(
        &self,
        operation: &'static str,
        path: &Path,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let free = (0..self.conns.len()).find_map(|offset| {
            match self.conns[first.wrapping_add(offset) % self.conns.len()].try_lock() {
                Ok(conn) => Some(conn),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        });
        let conn =
            free.unwrap_or_else(|| self.conns[first % self.conns.len()].lock().unwrap_or_else(PoisonError::into_inner));
        let conn = conn.as_ref().ok_or(Error::Closed)?;
        read(conn).map_err(|error| fault::reading(operation, path, &error))
    }

    pub(super) fn close(&self) {
        for conn in &self.conns {
            conn.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}
