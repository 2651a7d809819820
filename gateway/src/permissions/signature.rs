//! Who signed a plugin's file: minisign's `FILE.minisig`, verified over the file's bytes before anything else looks at them.
//!
//! Owns which signature counts. Parses no component, signs nothing, and asks no network: the keys are the configuration's.
//! Built-in plugins are part of the gateway's own release and have no signature of their own.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidegate_sandbox::Digest;

use crate::config::{self, Key, KeyId, PluginSource, Publisher, Signatures};

/// A signature has four lines; the one that a person may write is no novel.
const SIGNATURE_BYTES_MAX: u64 = 16 << 10;

/// Why a plugin's file does not count as signed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is not signed: there is no `{}`", path.display())]
    Missing { path: PathBuf },
    #[error("read the signature `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("its signature is none of minisign's: {what}")]
    Malformed { what: &'static str },
    #[error("its signature is of the old form, which does not hash the file first")]
    Legacy,
    #[error("it is signed by the key `{key}`, which is no publisher's")]
    UnknownKey { key: KeyId },
    #[error("its signature by `{publisher}` (key `{key}`) is not of this file: it was changed, or the signature was")]
    Forged { publisher: String, key: KeyId },
    #[error("it is signed by `{publisher}` with the retired key `{key}`, and the lock does not hold this file")]
    Retired { publisher: String, key: KeyId },
    #[error("it is signed by `{found}`; the configuration wants `{expected}`")]
    Publisher { expected: String, found: String },
}

impl Error {
    /// How to mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Missing { .. } => "put the publisher's `.minisig` beside the file: `minisign -Sm FILE` makes one",
            Error::Read { .. } => "it has to be a file of text that the gateway's user may read",
            Error::Malformed { .. } => "take the `.minisig` that the publisher gives with this file",
            Error::Legacy => "have it signed again by minisign 0.8 or later, without `-l`",
            Error::UnknownKey { .. } => "add the key to `[[plugins.publisher]]` if it really is the publisher's",
            Error::Forged { .. } => {
                "do not use it; take file and signature from the publisher again, and ask how that came"
            }
            Error::Retired { .. } => "ask the publisher for a signature by a current key",
            Error::Publisher { .. } => "`publisher` of the destination says who has to have signed its plugin",
        }
    }
}

/// Who signed, as the lock keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    pub publisher: String,
    pub key: KeyId,
}

/// A signature that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signed {
    #[serde(flatten)]
    pub signer: Signer,
    pub standing: Standing,
    /// What the signer wrote beside it: signed as well.
    pub comment: String,
}

/// What a key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Anything.
    Current,
    /// What the lock approved already.
    Retired,
}

/// The signature of a plugin, where the configuration has anybody to verify one by. That one is missing is no error yet:
/// [`admit`] says whether it matters.
///
/// # Errors
/// When there is one that does not count.
pub fn of(plugins: &config::Plugins, source: &PluginSource, wasm: &[u8]) -> Result<Option<Signed>, Error> {
    let PluginSource::File(path) = source else { return Ok(None) };
    if plugins.publishers.is_empty() && plugins.signatures == Signatures::Optional {
        return Ok(None);
    }
    read(path)?.map(|text| verify(wasm, &text, &plugins.publishers)).transpose()
}

/// Whether a destination may run a plugin that is signed like this. `approved` is the digest that the lock holds for it.
///
/// # Errors
/// Why not.
pub fn admit(
    plugins: &config::Plugins,
    destination: &config::Destination,
    signed: Option<&Signed>,
    (digest, approved): (&Digest, Option<&Digest>),
) -> Result<(), Error> {
    let PluginSource::File(path) = &destination.plugin else { return Ok(()) };
    let Some(Signed { signer, standing, .. }) = signed else {
        let needed = plugins.signatures == Signatures::Required || destination.publisher.is_some();
        return if needed { Err(Error::Missing { path: beside(path) }) } else { Ok(()) };
    };
    let Signer { publisher, key } = signer.clone();
    if let Some(expected) = destination.publisher.as_ref().filter(|expected| **expected != publisher) {
        return Err(Error::Publisher { expected: expected.clone(), found: publisher });
    }
    if *standing == Standing::Retired && approved != Some(digest) {
        return Err(Error::Retired { publisher, key });
    }
    Ok(())
}

/// Where the signature of a file lies.
pub fn beside(component: &Path) -> PathBuf {
    let mut path = component.as_os_str().to_owned();
    path.push(".minisig");
    path.into()
}

/// The text of a file's signature; `None` where there is none.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(component: &Path) -> Result<Option<String>, Error> {
    let path = beside(component);
    let mut text = String::new();
    match File::open(&path).and_then(|file| file.take(SIGNATURE_BYTES_MAX + 1).read_to_string(&mut text)) {
        Ok(_) if text.len() as u64 > SIGNATURE_BYTES_MAX => Err(Error::Malformed { what: "it is too long" }),
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read { path, source }),
    }
}

/// Verifies a signature over these bytes by the key that it names.
///
/// # Errors
/// Why it does not count.
pub fn verify(wasm: &[u8], signature: &str, publishers: &[Publisher]) -> Result<Signed, Error> {
    let Ok(decoded) = minisign_verify::Signature::decode(signature) else {
        return Err(Error::Malformed { what: "it has not the four lines of one" });
    };
    let id = signature.lines().nth(1).and_then(|line| KeyId::of(line.trim()));
    let key = id.ok_or(Error::Malformed { what: "it names no key" })?;
    let (publisher, known, standing) =
        publishers.iter().find_map(|publisher| named(publisher, &key)).ok_or(Error::UnknownKey { key: key.clone() })?;
    let signer = Signer { publisher: publisher.name.clone(), key };
    match known.public().verify(wasm, &decoded, false) {
        Ok(()) => Ok(Signed { signer, standing, comment: decoded.trusted_comment().to_owned() }),
        Err(minisign_verify::Error::UnexpectedAlgorithm | minisign_verify::Error::UnsupportedLegacyMode) => {
            Err(Error::Legacy)
        }
        Err(_) => Err(Error::Forged { publisher: signer.publisher, key: signer.key }),
    }
}

fn named<'a>(publisher: &'a Publisher, id: &KeyId) -> Option<(&'a Publisher, &'a Key, Standing)> {
    let of = |keys: &'a [Key], standing| keys.iter().find(|key| key.id() == id).map(|key| (publisher, key, standing));
    of(&publisher.keys, Standing::Current).or_else(|| of(&publisher.retired_keys, Standing::Retired))
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
