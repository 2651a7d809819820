//! The components that ran, by digest, so that what an earlier version did can be run again after it has been replaced.
//!
//! Owns a directory beside the compiled plugins. What is read is checked against its digest; nothing in it is needed to
//! deliver, and losing it costs old records their reproduction.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tidegate_sandbox::Digest;

/// The most components that are kept, and the most bytes of them; of more, the oldest go.
const FILES_MAX: usize = 128;
const BYTES_MAX: u64 = 1 << 30;

/// The directory.
#[derive(Debug, Clone)]
pub struct Archive {
    dir: PathBuf,
}

impl Archive {
    /// The archive that belongs to a cache of compiled plugins. Nothing is made yet.
    pub fn beside(cache: &Path) -> Archive {
        Archive { dir: cache.join("components") }
    }

    /// Keeps a component. Failing to costs nothing now, and is told once here.
    pub fn keep(&self, digest: &Digest, wasm: &[u8]) {
        if let Err(error) = self.write(digest, wasm) {
            let dir = self.dir.display();
            tracing::warn!("a plugin's component could not be kept in `{dir}` for `plugin replay`: {error}");
        }
    }

    /// The component of a digest, if it is there and whole.
    pub fn find(&self, digest: &Digest) -> Option<Vec<u8>> {
        let wasm = fs::read(self.path(digest)).ok()?;
        (Digest::of(&wasm) == *digest).then_some(wasm)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(format!("{digest}.wasm"))
    }

    fn write(&self, digest: &Digest, wasm: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let path = self.path(digest);
        if path.exists() {
            return Ok(());
        }
        // Two processes may write the same: each has a name of its own until it is whole.
        let temporary = self.dir.join(format!(".{digest}.{}", std::process::id()));
        fs::write(&temporary, wasm)?;
        fs::rename(&temporary, path)?;
        self.prune()
    }

    fn prune(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, length, _)| length).sum();
        let mut count = files.len();
        for (_, length, path) in files {
            if count <= FILES_MAX && bytes <= BYTES_MAX {
                break;
            }
            fs::remove_file(path)?;
            count -= 1;
            bytes -= length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_found_by_its_digest_and_only_whole() {
        let dir = tempfile::tempdir().unwrap();
        let archive = Archive::beside(dir.path());
        let digest = Digest::of(b"component");
        assert_eq!(archive.find(&digest), None);
        archive.keep(&digest, b"component");
        archive.keep(&digest, b"component");
        assert_eq!(archive.find(&digest).as_deref(), Some(&b"component"[..]));
        let file = fs::read_dir(dir.path().join("components")).unwrap().next().unwrap().unwrap().path();
        fs::write(file, b"another").unwrap();
        assert_eq!(archive.find(&digest), None);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let archive = Archive::beside(dir.path());
        for number in 0..FILES_MAX + 5 {
            let wasm = number.to_string();
            archive.keep(&Digest::of(wasm.as_bytes()), wasm.as_bytes());
        }
        assert_eq!(fs::read_dir(dir.path().join("components")).unwrap().count(), FILES_MAX);
    }
}
