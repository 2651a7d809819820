//! Copies the file while a gateway writes to it: what was committed when the copy began, and nothing after. Refuses to
//! overwrite. The log cannot begin anew while the copy is read, so it grows by what is written meanwhile.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::open::{self, OpenError, Purpose, beside, directory_of};

/// Why a copy was not made. [`BackupError::hint`] says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("there is a file at `{}` already", path.display())]
    Exists { path: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("copy the queue to `{}`", path.display())]
    Copy {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("write the copy `{}`", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("copy the queue to `{}`: the thread has ended", path.display())]
    Thread { path: PathBuf },
}

impl BackupError {
    /// What to do about it, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "a backup overwrites nothing: give it another name, or move that file away",
            Self::Open(error) => error.hint(),
            Self::Copy { .. } | Self::Write { .. } => {
                "check that the target's directory exists, has space for the whole queue, and is writable"
            }
            Self::Thread { .. } => "try again, and look at the log for what ended it",
        }
    }
}

/// Copies the queue at `from` to a new file at `to`, synced; a gateway may serve it meanwhile. Blocks until it is done.
/// To restore it, stop the gateway and put it in the place of the file, without the old `-wal` and `-shm`.
pub fn backup(from: &Path, to: &Path) -> Result<(), BackupError> {
    open::check(from)?;
    if to.exists() {
        return Err(BackupError::Exists { path: to.into() });
    }
    // Half a copy never stands under the real name.
    let draft = beside(to, &format!(".{}.partial", std::process::id()));
    open::private(&draft).map_err(|source| BackupError::Write { path: draft.clone(), source })?;
    let made = copy(from, &draft).and_then(|()| publish(&draft, to));
    if made.is_err() {
        // What failed is told; that its remains could not be removed either would only hide it.
        let _ = std::fs::remove_file(&draft);
    }
    made
}

fn copy(from: &Path, draft: &Path) -> Result<(), BackupError> {
    let failed = |error| match open::refuse(from, error) {
        // Of the source or of the target, SQLite does not say which.
        OpenError::Store { source, .. } => BackupError::Copy { path: draft.into(), source },
        refusal => BackupError::Open(refusal),
    };
    let conn = open::connect(from, Purpose::Read)?;
    // A path that is no UTF-8 cannot be said to SQLite in a statement.
    let name = draft.to_str().ok_or_else(|| BackupError::Write {
        path: draft.into(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8"),
    })?;
    conn.execute("VACUUM INTO ?1", [name]).map_err(failed)?;
    // SQLite does not sync what it vacuums into.
    File::open(draft)
        .and_then(|file| file.sync_all())
        .map_err(|source| BackupError::Write { path: draft.into(), source })
}

/// Gives the finished copy its name, unless somebody else took it meanwhile.
fn publish(draft: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::Write { path: to.into(), source };
    match std::fs::hard_link(draft, to) {
        Ok(()) => std::fs::remove_file(draft).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists { path: to.into() });
        }
        // Some file systems have no links.
        Err(_) => std::fs::rename(draft, to).map_err(failed)?,
    }
    File::open(directory_of(to)).and_then(|directory| directory.sync_all()).map_err(failed)
}
