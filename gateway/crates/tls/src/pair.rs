//! A certificate chain with its key. Owns what makes one usable; knows nothing of where it came from.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as RustlsError, InconsistentKeys};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::error::Mistake;
use crate::host::{Host, normal, parent};

/// A chain is a leaf and one to three issuers; more is a mistake or an attack.
const CHAIN_MAX: usize = 10;
/// Let's Encrypt allows 100 names, others up to some hundreds.
const NAMES_MAX: usize = 1_000;

/// A chain that parses, with the key that belongs to it.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) certified: Arc<CertifiedKey>,
    /// In lower case; wildcards as `*.shop.example`.
    pub(crate) names: Vec<String>,
    pub(crate) not_before_ms: u64,
    pub(crate) not_after_ms: u64,
    pub(crate) issuer: String,
}

/// The texts of a pair, and what to call them when they are wrong. Both may be the same file.
pub(crate) struct Source<'a> {
    pub(crate) cert: &'a Path,
    pub(crate) key: &'a Path,
    pub(crate) cert_pem: &'a [u8],
    pub(crate) key_pem: &'a [u8],
}

/// What is read from a leaf.
struct Leaf {
    names: Vec<String>,
    not_before_ms: u64,
    not_after_ms: u64,
    issuer: String,
}

impl Pair {
    /// Checks all but whether it is valid now.
    pub(crate) fn parse(source: &Source<'_>, provider: &CryptoProvider) -> Result<Pair, Mistake> {
        let chain = chain(source)?;
        let leaf = leaf(source.cert, &chain)?;
        let key = key(source)?;
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            RustlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                Mistake::Mismatch { cert: source.cert.into(), key: source.key.into() }
            }
            RustlsError::InvalidCertificate(detail) => {
                Mistake::Malformed { file: source.cert.into(), number: 1, detail: format!("{detail:?}") }
            }
            other => Mistake::Key { file: source.key.into(), detail: other.to_string() },
        })?;
        Ok(Pair {
            certified: Arc::new(certified),
            names: leaf.names,
            not_before_ms: leaf.not_before_ms,
            not_after_ms: leaf.not_after_ms,
            issuer: leaf.issuer,
        })
    }

    pub(crate) fn covers(&self, host: &Host) -> bool {
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(rest) => parent(host.as_str()) == Some(rest),
            None => name == host.as_str(),
        })
    }

    pub(crate) fn life_ms(&self) -> u64 {
        self.not_after_ms.saturating_sub(self.not_before_ms)
    }

    /// Whether both are the same certificate.
    pub(crate) fn is(&self, other: &Pair) -> bool {
        self.certified.cert == other.certified.cert
    }
}

fn chain(source: &Source<'_>) -> Result<Vec<CertificateDer<'static>>, Mistake> {
    let file = source.cert;
    let mut chain = Vec::new();
    for (index, item) in CertificateDer::pem_slice_iter(source.cert_pem).enumerate() {
        if index == CHAIN_MAX {
            return Err(Mistake::TooMany { what: "certificates in one chain", count: index + 1, max: CHAIN_MAX });
        }
        chain.push(item.map_err(|error| Mistake::Malformed {
            file: file.into(),
            number: index + 1,
            detail: error.to_string(),
        })?);
    }
    if chain.is_empty() {
        return Err(Mistake::NoCertificate { file: file.into() });
    }
    Ok(chain)
}

/// Parses every certificate of the chain, sees that each was issued by the next, and keeps what the first one says.
fn leaf(file: &Path, chain: &[CertificateDer<'_>]) -> Result<Leaf, Mistake> {
    let mut parsed = Vec::with_capacity(chain.len());
    for (index, der) in chain.iter().enumerate() {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| Mistake::Malformed {
            file: file.into(),
            number: index + 1,
            detail: error.to_string(),
        })?;
        parsed.push(certificate);
    }
    for (index, pair) in parsed.windows(2).enumerate() {
        if pair[0].issuer().as_raw() != pair[1].subject().as_raw() {
            return Err(Mistake::Disordered { file: file.into(), number: index + 2 });
        }
    }
    let Some(first) = parsed.first() else {
        return Err(Mistake::NoCertificate { file: file.into() });
    };
    let names = names(first);
    if names.is_empty() {
        return Err(Mistake::NoNames { file: file.into() });
    }
    Ok(Leaf {
        names,
        not_before_ms: unix_ms(first.validity().not_before.timestamp()),
        not_after_ms: unix_ms(first.validity().not_after.timestamp()),
        issuer: first.issuer().to_string(),
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(normal(name)),
        _ => None,
    });
    names.filter(|name| Host::parse(name.strip_prefix("*.").unwrap_or(name)).is_ok()).take(NAMES_MAX).collect()
}

fn unix_ms(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000)
}

fn key(source: &Source<'_>) -> Result<PrivateKeyDer<'static>, Mistake> {
    let file = source.key;
    match PrivateKeyDer::from_pem_slice(source.key_pem) {
        Ok(key) => Ok(key),
        Err(rustls::pki_types::pem::Error::NoItemsFound) => {
            let encrypted = String::from_utf8_lossy(source.key_pem).contains("BEGIN ENCRYPTED PRIVATE KEY");
            Err(match encrypted {
                true => Mistake::EncryptedKey { file: file.into() },
                false => Mistake::NoKey { file: file.into() },
            })
        }
        Err(error) => Err(Mistake::Key { file: file.into(), detail: error.to_string() }),
    }
}
