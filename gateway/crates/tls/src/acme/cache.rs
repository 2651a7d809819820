//! The directory that keeps what ACME gave us. Owns its layout, its locks, and that nothing in it is ever half written.
//!
//! `CACHE/AUTHORITY/account.json`, and for each host `CACHE/AUTHORITY/HOST/` with `certificate.pem` (key and chain),
//! `record.json` and, while one is answered, `challenge.json`. Several gateways may share it: whoever writes into a
//! directory holds its `lock`. What is read needs none, for files are replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::Mistake;
use crate::files::Stamp;
use crate::host::Host;

const BYTES_MAX: u64 = 256 * 1024;
const CHALLENGE_VERSION: u32 = 1;

/// One authority's part of the cache.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    dir: PathBuf,
}

/// A directory of the cache, of a host or the authority's own.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    dir: PathBuf,
}

/// Held by the only one that writes; given back when dropped, or when the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// A challenge that waits for the authority's question, for whichever gateway it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Posted {
    version: u32,
    pub(crate) token: String,
    pub(crate) key_authorization: String,
    pub(crate) expires_ms: u64,
}

impl Posted {
    pub(super) fn new(token: String, key_authorization: String, expires_ms: u64) -> Posted {
        Posted { version: CHALLENGE_VERSION, token, key_authorization, expires_ms }
    }
}

impl Cache {
    /// Creates what is missing, and sees whether it can be written.
    pub(super) fn open(dir: &Path, directory: &str) -> Result<Cache, Mistake> {
        let cache = Cache { dir: dir.join(authority(directory)) };
        let writable = create(&cache.dir).and_then(|()| cache.account().open_lock().map(drop));
        writable.map_err(|source| Mistake::Cache { dir: dir.into(), source })?;
        Ok(cache)
    }

    pub(super) fn account(&self) -> Place {
        Place { dir: self.dir.clone() }
    }

    pub(super) fn host(&self, host: &Host) -> Place {
        Place { dir: self.dir.join(host.as_str()) }
    }
}

impl Place {
    pub(super) const ACCOUNT: &'static str = "account.json";
    pub(super) const CERTIFICATE: &'static str = "certificate.pem";
    pub(super) const RECORD: &'static str = "record.json";
    const CHALLENGE: &'static str = "challenge.json";

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn stamp(&self, name: &str) -> Stamp {
        Stamp::of(&self.path(name))
    }

    /// `None` while another holds it.
    pub(super) fn lock(&self) -> io::Result<Option<Lock>> {
        create(&self.dir)?;
        let file = self.open_lock()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn open_lock(&self) -> io::Result<File> {
        private().write(true).create(true).truncate(false).open(self.path("lock"))
    }

    /// `None` where there is none.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {BYTES_MAX} bytes")));
        }
        Ok(Some(bytes))
    }

    /// Replaces a file whole: a reader, or a start after a crash, finds the old one or the new one.
    pub(super) fn write(&self, _lock: &Lock, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.path(&format!("{name}.new"));
        let mut file = private().write(true).create(true).truncate(true).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.path(name))?;
        File::open(&self.dir)?.sync_all()
    }

    pub(super) fn remove(&self, _lock: &Lock, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn post(&self, lock: &Lock, challenge: &Posted) -> io::Result<()> {
        self.write(lock, Place::CHALLENGE, &serde_json::to_vec(challenge)?)
    }

    pub(super) fn take_down(&self, lock: &Lock) -> io::Result<()> {
        self.remove(lock, Place::CHALLENGE)
    }

    /// The challenge that is to be answered now, by whichever gateway posted it.
    pub(super) fn posted(&self, now_ms: u64) -> Option<Posted> {
        let bytes = self.read(Place::CHALLENGE).ok()??;
        let posted: Posted = serde_json::from_slice(&bytes).ok()?;
        (posted.version == CHALLENGE_VERSION && posted.expires_ms > now_ms).then_some(posted)
    }
}

/// Only our own user reads keys.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// A name for an authority: certificates of a staging directory are never taken for real ones.
fn authority(directory: &str) -> String {
    let host = url::Url::parse(directory).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    let digest = Sha256::digest(directory);
    format!("{host}-{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(dir: &Path) -> Place {
        let cache = Cache::open(dir, crate::LETS_ENCRYPT).unwrap();
        cache.host(&Host::parse("t.shop.example").unwrap())
    }

    #[test]
    fn only_one_holds_a_lock() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (place(dir.path()), place(dir.path()));
        let held = one.lock().unwrap();
        assert!(held.is_some());
        assert!(other.lock().unwrap().is_none());
        drop(held);
        assert!(other.lock().unwrap().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_what_is_written() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        let lock = place.lock().unwrap().unwrap();
        place.write(&lock, Place::CERTIFICATE, b"key").unwrap();
        place.write(&lock, Place::CERTIFICATE, b"new").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&place.path(Place::CERTIFICATE)), 0o600);
        assert_eq!(mode(&place.dir), 0o700);
        assert_eq!(place.read(Place::CERTIFICATE).unwrap().unwrap(), b"new");
    }

    #[test]
    fn a_challenge_is_answered_until_it_expires_or_is_taken_down() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        let lock = place.lock().unwrap().unwrap();
        let posted = Posted::new("token".into(), "token.thumb".into(), 10);
        place.post(&lock, &posted).unwrap();
        assert_eq!(place.posted(9), Some(posted));
        assert_eq!(place.posted(10), None);
        place.take_down(&lock).unwrap();
        place.take_down(&lock).unwrap();
        assert_eq!(place.posted(9), None);
    }

    #[test]
    fn authorities_do_not_share_what_is_kept() {
        assert!(authority(crate::LETS_ENCRYPT).starts_with("acme-v02.api.letsencrypt.org-"));
        assert_ne!(authority("https://ca.example/a"), authority("https://ca.example/b"));
        assert!(!authority("https://[::1]/../x").contains(['/', ':', '[']));
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Cache::open(&file, crate::LETS_ENCRYPT).unwrap_err();
        assert!(error.to_string().contains("file` cannot be used"), "{error}");
    }
}
