//! Decides how far a failure of SQLite reaches, and remembers the one after which nothing more is taken.
//!
//! What is fatal: a failed read, write or sync of the file (`SQLITE_IOERR`), damage (`SQLITE_CORRUPT`,
//! `SQLITE_NOTADB`), a failed commit for any other reason than those below, and a rollback that fails. After a failed
//! sync the kernel may have dropped the pages and report success the next time, so trying again proves nothing.
//!
//! What is not: `SQLITE_BUSY` (another process holds the write lock longer than the timeout) and `SQLITE_FULL` (no
//! space), before or at the commit. A sync never reports `SQLITE_FULL`, only the writing of a frame to the WAL does;
//! the commit frame is the last one and carries a checksum over all before it, so nothing of the transaction can be
//! recovered by anyone: it certainly did not happen. The transaction is rolled back, everybody waiting gets
//! [`Error::Unavailable`], and the queue works again as soon as there is space, without a restart. The same goes for
//! the log's index (`SQLITE_IOERR_SHMSIZE`), but that fails after the frames were written: they are overwritten by the
//! next commit, and found again only if the process ends before it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rusqlite::{ErrorCode, ffi};

use crate::Error;

/// What can be done about a damaged file.
pub(super) const WAY_OUT: &str =
    "keep the file and restore it from a backup, or try `sqlite3 FILE .recover`; move it away to start empty";

/// Where in a transaction a failure came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Statement,
    Commit,
}

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// One request's own statements; the others of its group are sound.
    Request,
    /// The whole group; the next one may succeed.
    Group,
    /// Everything from now on.
    Store,
}

pub(super) fn reach(error: &rusqlite::Error, stage: Stage) -> Reach {
    match (error.sqlite_error_code(), stage) {
        _ if is_index_stuck(error) => Reach::Group,
        (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull), _) => Reach::Group,
        (Some(ErrorCode::OutOfMemory | ErrorCode::ReadOnly | ErrorCode::CannotOpen), Stage::Statement) => Reach::Group,
        (Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), Stage::Statement) => {
            Reach::Store
        }
        (_, Stage::Statement) => Reach::Request,
        (_, Stage::Commit) => Reach::Store,
    }
}

/// Whether the log's index, which is in memory and in a file, could not grow.
fn is_index_stuck(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|failure| failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE)
}

/// What SQLite said, for many to hold.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct Cause(Arc<str>);

impl Cause {
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    /// In words for people who never saw a code of SQLite, and with it for those who did.
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.display();
        let said = match error {
            rusqlite::Error::SqliteFailure(failure, _) => format!("{error} (SQLite code {})", failure.extended_code),
            other => other.to_string(),
        };
        Self::new(match error.sqlite_error_code() {
            _ if is_index_stuck(error) => format!("the disk is full, writing `{path}-shm`: {said}"),
            Some(ErrorCode::DiskFull) => format!("the disk is full, writing `{path}`: {said}"),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                format!("another process keeps `{path}` locked: {said}")
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                format!("`{path}` is damaged: {said}; {WAY_OUT}")
            }
            _ => format!("`{path}`: {said}"),
        })
    }

    pub(super) fn unavailable(&self, operation: &'static str) -> Error {
        Error::Unavailable { operation, source: Box::new(self.clone()) }
    }

    pub(super) fn fatal(&self, operation: &'static str) -> Error {
        Error::Fatal { operation, source: Box::new(self.clone()) }
    }
}

/// The error of a failed read, which harms nobody but who asked.
pub(super) fn reading(operation: &'static str, path: &Path, error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Corrupt { what: format!("`{}`", path.display()), why: format!("{error}; {WAY_OUT}") }
        }
        _ => Cause::of(path, error).unavailable(operation),
    }
}

/// Whether the queue takes anything; shared by the writer and all callers.
#[derive(Default)]
pub(super) struct Condition {
    closed: AtomicBool,
    fatal: OnceLock<Cause>,
    trouble: Mutex<Option<Cause>>,
}

impl Condition {
    /// Fails when the queue has been closed or has failed.
    pub(super) fn check(&self, operation: &'static str) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        self.fatal.get().map_or(Ok(()), |cause| Err(cause.fatal(operation)))
    }

    /// Marks it closed; tells whether it was open.
    pub(super) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn fail(&self, cause: Cause) {
        // The first cause is the one that matters; what fails after it fails because of it.
        if self.fatal.set(cause.clone()).is_ok() {
            tracing::error!(%cause, "the queue's file has failed, nothing more is taken: {cause}");
        }
    }

    pub(super) fn fatal(&self) -> Option<&Cause> {
        self.fatal.get()
    }

    /// The last commit's passing trouble, until one succeeds.
    pub(super) fn trouble(&self) -> Option<Cause> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_trouble(&self, trouble: Option<Cause>) {
        let mut current = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*current, &trouble) {
            (None, Some(cause)) => tracing::warn!(%cause, "the queue cannot commit at present: {cause}"),
            (Some(_), None) => tracing::info!("the queue commits again"),
            _ => {}
        }
        *current = trouble;
    }
}
