//! Compiled plugins on disk, so that a restart does not compile them again.
//!
//! Owns one directory that only the gateway's own user can write: what is in it is machine code that the gateway will run.
//! A file that is not exactly what was written is not used. Nothing in it is needed; losing it costs time.

use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::Digest;
use crate::error::Error;

/// How a file begins; the number is the version of the layout: magic, SHA-256 of the file's name and of what follows, the
/// compiled component.
const MAGIC: &[u8; 8] = b"tidecw\x00\x01";
const SUM_BYTES: usize = 32;
/// The most files that are kept. Each version of a plugin, and of wasmtime, adds one.
const FILES_MAX: usize = 128;
/// The most that they have together. A plugin of the SDK is compiled to half a megabyte, an interpreter to 33.
const BYTES_MAX: u64 = 1 << 30;

/// The directory of compiled plugins.
pub(crate) struct Cache {
    dir: PathBuf,
    /// Stands for wasmtime's version and the engine's configuration.
    compatibility: u64,
}

impl Cache {
    /// Opens, or creates, the directory.
    pub(crate) fn open(dir: &Path, engine: &Engine) -> Result<Cache, Error> {
        let io = |source| Error::CacheIo { path: dir.to_owned(), source };
        let unsafe_because = |reason| Error::CacheUnsafe { path: dir.to_owned(), reason };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
        let metadata = fs::symlink_metadata(dir).map_err(io)?;
        if !metadata.is_dir() {
            return Err(unsafe_because("it is no directory of its own (a link leads elsewhere)"));
        }
        if metadata.permissions().mode() & 0o022 != 0 {
            return Err(unsafe_because("others can write to it; make it yours alone, `chmod 700`"));
        }
        // A file that this process has just made belongs to this process's user, without asking the system who that is.
        let probe = dir.join(temporary("probe"));
        let owner = create(&probe).and_then(|file| file.metadata()).map_err(io)?.uid();
        fs::remove_file(&probe).map_err(io)?;
        if owner != metadata.uid() {
            return Err(unsafe_because("it belongs to another user"));
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Cache { dir: dir.to_owned(), compatibility: hasher.finish() })
    }

    /// The compiled component, if it is there and whole.
    pub(crate) fn get(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let name = self.name(digest);
        let stored = fs::read(self.dir.join(&name)).ok()?;
        let Some(compiled) = verify(&name, &stored) else {
            tracing::warn!(file = name, "the compiled plugin `{name}` is damaged; compiling it again");
            return None;
        };
        // SAFETY: deserialising trusts its input like code. These bytes come from a directory that only this user can
        // write, were written by `put` below, and are the very ones (not the file's, which could change in between)
        // whose sum was just compared. Wasmtime itself refuses those of another version or configuration.
        #[expect(unsafe_code, reason = "see above; the only place where compiled code is loaded")]
        let component = unsafe { Component::deserialize(engine, compiled) };
        component.inspect_err(|e| tracing::warn!(file = name, "compiling `{name}` again: {e}")).ok()
    }

    /// Keeps a compiled component. Failing to costs only time, at the next start.
    pub(crate) fn put(&self, digest: &Digest, component: &Component) {
        let name = self.name(digest);
        let bytes = component.serialize().map_err(io::Error::other);
        let stored = bytes.and_then(|bytes| self.write(&name, &bytes)).and_then(|()| self.prune());
        if let Err(e) = stored {
            tracing::warn!(file = name, "could not keep the compiled plugin `{name}`: {e}");
        }
    }

    fn name(&self, digest: &Digest) -> String {
        format!("{digest}-{:016x}.cwasm", self.compatibility)
    }

    fn write(&self, name: &str, compiled: &[u8]) -> io::Result<()> {
        let temporary = self.dir.join(temporary(name));
        let mut file = create(&temporary)?;
        file.write_all(MAGIC)?;
        file.write_all(&sum(name, compiled))?;
        file.write_all(compiled)?;
        drop(file);
        fs::rename(&temporary, self.dir.join(name))
    }

    /// Removes the oldest files past the bounds. What is gone meanwhile was another thread's, or another gateway's: they
    /// write under a temporary name first, and prune as well.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == "cwasm") {
                match entry.metadata() {
                    Ok(metadata) => files.push((metadata.modified()?, entry.path(), metadata.len())),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(e),
                }
            }
        }
        files.sort();
        let mut bytes = 0u64;
        let kept = files.iter().rev().take(FILES_MAX).take_while(|(_, _, size)| {
            bytes = bytes.saturating_add(*size);
            bytes <= BYTES_MAX
        });
        // The one that was just made stays in any case.
        let surplus = files.len() - kept.count().max(1).min(files.len());
        files.iter().take(surplus).try_for_each(|(_, path, _)| match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        })
    }
}

/// A name that nobody else has: containers share directories, and each has a process 1. What a killed process leaves
/// behind counts as a compiled plugin, and goes when it is the oldest.
fn temporary(name: &str) -> String {
    let chance = RandomState::new().build_hasher().finish();
    format!(".{name}-{chance:016x}.cwasm")
}

/// A new file that only this user can read and write.
fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// The compiled part of a file, if the file is what `write` wrote under this name.
fn verify<'a>(name: &str, stored: &'a [u8]) -> Option<&'a [u8]> {
    let (expected, compiled) = stored.strip_prefix(MAGIC)?.split_at_checked(SUM_BYTES)?;
    (sum(name, compiled)[..] == *expected).then_some(compiled)
}

fn sum(name: &str, compiled: &[u8]) -> [u8; SUM_BYTES] {
    Sha256::new().chain_update(name).chain_update(compiled).finalize().into()
}
