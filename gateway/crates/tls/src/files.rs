//! Certificates in files. Owns when they are read and what is kept when a new one is bad.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;

use crate::clock::readable;
use crate::error::{Mistake, in_one_line};
use crate::options::Files;
use crate::pair::{Pair, Source};
use crate::status::Trouble;

const BYTES_MAX: u64 = 1024 * 1024;
pub(crate) const SOON_MS: u64 = 14 * 24 * 3_600_000;

/// A pair of files, and the last good certificate from them.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) files: Files,
    pub(crate) pair: Arc<Pair>,
    /// Why the files as they are now are not used.
    pub(crate) trouble: Option<Trouble>,
    seen: [Stamp; 2],
}

/// When to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    IfChanged,
    Always,
}

/// What a check found.
#[derive(Debug)]
pub(crate) enum Found {
    Same,
    Renewed,
    Bad(Mistake),
}

/// Changes whenever a file is written or replaced; `None` where it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(Option<(SystemTime, u64, u64)>);

impl Stamp {
    pub(crate) fn of(path: &Path) -> Stamp {
        let of = |metadata: Metadata| {
            (metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), inode(&metadata))
        };
        Stamp(fs::metadata(path).ok().map(of))
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

impl Watched {
    pub(crate) fn open(files: &Files, provider: &CryptoProvider, now_ms: u64) -> Result<Watched, Mistake> {
        let seen = stamps(files);
        let pair = load(files, provider, now_ms)?;
        warn(files, &pair, now_ms);
        Ok(Watched { files: files.clone(), pair: Arc::new(pair), trouble: None, seen })
    }

    /// Reads the files again. What cannot be used leaves the certificate as it is, and is told once for each change.
    pub(crate) fn check(&mut self, check: Check, provider: &CryptoProvider, now_ms: u64) -> Found {
        // Before reading: a file that changes in between is read again the next time.
        let seen = stamps(&self.files);
        if check == Check::IfChanged && seen == self.seen {
            return Found::Same;
        }
        self.seen = seen;
        match load(&self.files, provider, now_ms) {
            Ok(pair) => {
                self.trouble = None;
                if pair.is(&self.pair) {
                    return Found::Same;
                }
                warn(&self.files, &pair, now_ms);
                self.pair = Arc::new(pair);
                Found::Renewed
            }
            Err(mistake) => {
                self.trouble = Some(Trouble { at_ms: now_ms, message: in_one_line(&mistake) });
                Found::Bad(mistake)
            }
        }
    }
}

fn stamps(files: &Files) -> [Stamp; 2] {
    [Stamp::of(&files.cert), Stamp::of(&files.key)]
}

fn load(files: &Files, provider: &CryptoProvider, now_ms: u64) -> Result<Pair, Mistake> {
    let cert_pem = read(&files.cert)?;
    let key_pem = read(&files.key)?;
    let source = Source { cert: &files.cert, key: &files.key, cert_pem: &cert_pem, key_pem: &key_pem };
    let pair = Pair::parse(&source, provider)?;
    if pair.not_after_ms <= now_ms {
        return Err(Mistake::Expired { file: files.cert.clone(), at_ms: pair.not_after_ms });
    }
    Ok(pair)
}

/// Reads a file that is no larger than certificates are.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Mistake> {
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>| -> io::Result<()> {
        File::open(file)?.take(BYTES_MAX + 1).read_to_end(bytes)?;
        Ok(())
    };
    read(&mut bytes).map_err(|source| Mistake::Read { file: file.into(), source })?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Mistake::TooLarge { file: file.into(), bytes_max: BYTES_MAX });
    }
    Ok(bytes)
}

fn warn(files: &Files, pair: &Pair, now_ms: u64) {
    for warning in warnings(files, pair, now_ms) {
        tracing::warn!("{warning}");
    }
}

/// What works today and will not, or should not.
pub(crate) fn warnings(files: &Files, pair: &Pair, now_ms: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    let cert = files.cert.display();
    if pair.not_after_ms <= now_ms {
        warnings.push(format!("the certificate in `{cert}` expired at {}: renew it", readable(pair.not_after_ms)));
    } else if pair.not_after_ms - now_ms < SOON_MS {
        warnings.push(format!(
            "the certificate in `{cert}` expires at {}: renew it; a new file is taken up by itself",
            readable(pair.not_after_ms)
        ));
    }
    if pair.not_before_ms > now_ms {
        warnings.push(format!(
            "the certificate in `{cert}` is valid only from {}: is this machine's clock right?",
            readable(pair.not_before_ms)
        ));
    }
    if others_may_read(&files.key) {
        warnings.push(format!("every user may read the private key in `{}`: chmod o-rwx", files.key.display()));
    }
    warnings
}

#[cfg(unix)]
fn others_may_read(key: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(key).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn others_may_read(_: &Path) -> bool {
    false
}
