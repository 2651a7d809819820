//! Opens the file: takes its lock, creates or checks it, sets its connections up. Never makes a new file in place of
//! one that cannot be read, and never repairs.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::fault::WAY_OUT;
use super::schema;

/// How long an operation waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the file was not opened. [`OpenError::hint`] says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the queue `{}` is in use by another gateway{}", path.display(), holder.as_deref().unwrap_or(""))]
    InUse { path: PathBuf, holder: Option<String> },
    #[error("there is no queue at `{}`", path.display())]
    Missing { path: PathBuf },
    #[error("`{}` is not a queue of Tidegate", path.display())]
    Foreign { path: PathBuf },
    #[error("the queue `{}` is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("the queue `{}` is gone, but its write-ahead log `{}` is there", path.display(), log.display())]
    Orphaned { path: PathBuf, log: PathBuf },
    #[error(
        "the write-ahead log `{}` of the queue `{}` is cut or damaged: {whole} of {committed} pages are whole",
        log.display(), path.display()
    )]
    LogLost { path: PathBuf, log: PathBuf, whole: u32, committed: u32 },
    #[error("the queue `{}` is locked by another process", path.display())]
    Locked { path: PathBuf },
    #[error("the queue `{}` cannot be written to", path.display())]
    ReadOnly { path: PathBuf },
    #[error("the queue `{}` was written by a newer version (format {found}, this one knows {known})", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("the queue `{}` has the old format {found}, this version reads {known}", path.display())]
    Older { path: PathBuf, found: i64, known: i64 },
    #[error("open the queue's lock `{}`", path.display())]
    Lock {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("create the queue `{}`", path.display())]
    Create {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("open the queue `{}`", path.display())]
    Store {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("start the queue's writer thread")]
    Thread {
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// What to do about it, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "stop the other gateway, or give this one its own file in `[store] url`",
            Self::Missing { .. } => "check `[store] url`; `tidegate run` makes the file at its first start",
            Self::Foreign { .. } => {
                "if `[store] url` names a file of something else, choose another path; if it was a queue, its head is \
                 damaged: keep it and restore a backup"
            }
            Self::Damaged { .. } => WAY_OUT,
            Self::Orphaned { .. } => {
                "put the file back beside its log, which holds acknowledged events; move the log away to start empty"
            }
            Self::LogLost { .. } => {
                "put the whole log back; to start without what was acknowledged last, copy all files of the queue away \
                 and remove the one that ends in `-shm`"
            }
            Self::Locked { .. } => "wait for what copies or changes it, or end it",
            Self::ReadOnly { .. } => {
                "make the file and its directory writable for the gateway's user, and their file system too"
            }
            Self::Newer { .. } => "run the version that wrote it, or a later one; move the file away to start empty",
            Self::Older { .. } => "start this version's gateway once, it brings the file to its format",
            Self::Lock { .. } | Self::Create { .. } | Self::Store { .. } => {
                "check that the directory exists, is on a local disk with space, and is writable for the gateway's user"
            }
            Self::Thread { .. } => "check the limits on threads and memory of the gateway's user",
        }
    }
}

/// What a connection is for; decides its cache.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Write,
    Read,
}

/// Takes the exclusive lock of a serving gateway, until the file handed back is dropped.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = beside(path, ".lock");
    let failed = |source| OpenError::Lock { path: lock_path.clone(), source };
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let read = file.read_to_string(&mut holder).is_ok();
            let holder =
                (read && holder.trim().parse::<u32>().is_ok()).then(|| format!(" (process {})", holder.trim()));
            return Err(OpenError::InUse { path: path.into(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

/// Makes the file with its tables if there is none.
///
/// It is made under another name and moved into place when it is complete, so that an empty or half-made file under
/// the real name is always a loss to report, never a start to repeat.
pub(super) fn create_if_missing(path: &Path) -> Result<(), OpenError> {
    if path.exists() {
        return Ok(());
    }
    let log = beside(path, "-wal");
    if std::fs::metadata(&log).is_ok_and(|data| data.len() > 0) {
        return Err(OpenError::Orphaned { path: path.into(), log });
    }
    let draft = beside(path, ".new");
    let failed = |source| OpenError::Create { path: path.into(), source };
    for leftover in [draft.clone(), beside(&draft, "-wal"), beside(&draft, "-shm")] {
        match std::fs::remove_file(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    private(&draft).map_err(failed)?;
    let conn = connect(&draft, Purpose::Write)?;
    schema::migrate(&conn).map_err(|source| OpenError::Store { path: path.into(), source })?;
    conn.close().map_err(|(_, source)| OpenError::Store { path: path.into(), source })?;
    File::open(&draft).and_then(|file| file.sync_all()).map_err(failed)?;
    std::fs::rename(&draft, path).map_err(failed)?;
    File::open(directory_of(path)).and_then(|directory| directory.sync_all()).map_err(failed)
}

/// Opens a connection to a file that is there.
pub(super) fn connect(path: &Path, purpose: Purpose) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|error| refuse(path, error))?;
    set_up(&conn, purpose).map_err(|error| refuse(path, error))?;
    Ok(conn)
}

/// Checks that the file is ours, whole as far as a quick look tells, and of the version known; gives its version.
pub(super) fn check(path: &Path) -> Result<i64, OpenError> {
    let length = match std::fs::metadata(path) {
        Ok(data) => data.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::Missing { path: path.into() });
        }
        Err(source) => return Err(OpenError::Create { path: path.into(), source }),
    };
    if length == 0 {
        return Err(OpenError::Damaged { path: path.into(), why: "it is empty".into() });
    }
    // Before any pragma may change the file: what is not ours stays as it is.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|error| refuse(path, error))?;
    // SQLite goes on reading where it may not write, and fails with the first event.
    if conn.is_readonly("main").map_err(|error| refuse(path, error))? {
        return Err(OpenError::ReadOnly { path: path.into() });
    }
    let looked =
        conn.busy_timeout(BUSY_TIMEOUT).and_then(|()| Ok((schema::application_id(&conn)?, schema::version(&conn)?)));
    let (application_id, found) = looked.map_err(|error| refuse(path, error))?;
    let known = schema::version_known();
    if application_id != schema::APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.into() });
    }
    if found > known {
        return Err(OpenError::Newer { path: path.into(), found, known });
    }
    Ok(found)
}

/// Makes the name of the log as durable as what will be in it. SQLite syncs the directory too, but does not look at
/// what comes of it.
pub(super) fn sync_directory(path: &Path) -> Result<(), OpenError> {
    let synced = File::open(directory_of(path)).and_then(|directory| directory.sync_all());
    synced.map_err(|source| OpenError::Create { path: path.into(), source })
}

/// Looks for damage that would only show later: the first row of each table.
pub(super) fn look_at_tables(path: &Path, conn: &Connection) -> Result<(), OpenError> {
    for table in ["entry", "delivery", "payload", "attempt", "profile", "setting", "chain", "chain_end"] {
        let seen = conn.prepare(&format!("SELECT * FROM {table} LIMIT 1")).and_then(|mut all| all.exists([]));
        seen.map_err(|error| match refuse(path, error) {
            // A table that is not there at all in a file that says it is ours.
            OpenError::Store { path, source } => OpenError::Damaged { path, why: source.to_string() },
            refusal => refusal,
        })?;
    }
    Ok(())
}

/// The refusal that an error of SQLite stands for.
pub(super) fn refuse(path: &Path, error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { path: path.into() },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path: path.into(), why: error.to_string() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path: path.into() },
        Some(ErrorCode::ReadOnly) => OpenError::ReadOnly { path: path.into() },
        _ => OpenError::Store { path: path.into(), source: error },
    }
}

/// The path of a file beside another one: its name and an ending.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// The directory that a file is in.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn set_up(conn: &Connection, purpose: Purpose) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(64);
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some("the file system does not allow a write-ahead log".into()),
        ));
    }
    conn.pragma_update(None, "synchronous", "full")?;
    // The writer makes its checkpoints itself: the automatic one hides a failed sync.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    conn.pragma_update(
        None,
        "cache_size",
        match purpose {
            Purpose::Write => -16 << 10,
            Purpose::Read => -2 << 10,
        },
    )?;
    Ok(())
}

/// Makes an empty file that only its owner can read: it will hold what visitors gave. Its log inherits this.
pub(super) fn private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
