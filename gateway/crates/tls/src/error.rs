//! What is wrong with the configuration or a certificate, and how to mend it.
//!
//! Owns the words. All mistakes of a configuration are told at once.

use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;

use crate::clock::readable;

/// Why [`crate::Tls::open`] or [`crate::Tls::change`] refused its options: every mistake in them.
///
/// As text each mistake is one paragraph, what is wrong and then `hint:` how to mend it.
#[derive(Debug)]
pub struct Error {
    pub mistakes: Vec<Mistake>,
}

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Mistake {
    #[error("`{}` cannot be read", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("`{}` is larger than a certificate or key can be ({bytes_max} bytes)", file.display())]
    TooLarge { file: PathBuf, bytes_max: u64 },
    #[error("`{}` has no certificate in PEM format", file.display())]
    NoCertificate { file: PathBuf },
    #[error("certificate {number} in `{}` cannot be parsed: {detail}", file.display())]
    Malformed { file: PathBuf, number: usize, detail: String },
    #[error("certificate {number} in `{}` did not sign the one before it", file.display())]
    Disordered { file: PathBuf, number: usize },
    #[error("`{}` has no private key in PEM format", file.display())]
    NoKey { file: PathBuf },
    #[error("the private key in `{}` is encrypted", file.display())]
    EncryptedKey { file: PathBuf },
    #[error("the private key in `{}` is of a kind that is not supported: {detail}", file.display())]
    Key { file: PathBuf, detail: String },
    #[error("the private key in `{}` does not belong to the certificate in `{}`", key.display(), cert.display())]
    Mismatch { cert: PathBuf, key: PathBuf },
    #[error("the certificate in `{}` expired at {}", file.display(), readable(*at_ms))]
    Expired { file: PathBuf, at_ms: u64 },
    #[error("the certificate in `{}` names no host: it has no DNS name among its subject alternative names", file.display())]
    NoNames { file: PathBuf },
    #[error("the default host `{host}` is in none of the certificates")]
    DefaultUnknown { host: String },
    #[error("`{host}` is no host name: {why}")]
    Host { host: String, why: &'static str },
    #[error("ACME cannot issue a certificate for `{host}` by TLS-ALPN-01 or HTTP-01")]
    Wildcard { host: String },
    #[error("the terms of service of `{directory}` are not agreed to")]
    Terms { directory: String },
    #[error("the ACME directory `{directory}` is no https:// URL")]
    Directory { directory: String },
    #[error("the contact `{contact}` is no e-mail address")]
    Contact { contact: String },
    #[error("the key of the external account `{key_id}` is not base64url")]
    ExternalAccount { key_id: String },
    #[error("the ACME cache `{}` cannot be used", dir.display())]
    Cache { dir: PathBuf, source: io::Error },
    #[error("{what}: {count} are more than {max}")]
    TooMany { what: &'static str, count: usize, max: usize },
    #[error("the TLS library refuses its settings: {detail}")]
    Library { detail: String },
}

impl Mistake {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Mistake::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check the path; a relative one begins where the gateway was started".into()
            }
            Mistake::Read { .. } => "let the user that the gateway runs as read it".into(),
            Mistake::TooLarge { .. } => "name the PEM file of one certificate and its chain, or of its key".into(),
            Mistake::NoCertificate { .. } => {
                "it has to hold `-----BEGIN CERTIFICATE-----`; DER: openssl x509 -inform der -in FILE -out FILE.pem"
                    .into()
            }
            Mistake::Malformed { .. } => "copy the file again from where it was issued".into(),
            Mistake::Disordered { .. } => {
                "put the host's own certificate first, then each one's issuer; leave the root out".into()
            }
            Mistake::NoKey { .. } => {
                "it has to hold `-----BEGIN PRIVATE KEY-----` (or RSA or EC PRIVATE KEY); is it the certificate's file?"
                    .into()
            }
            Mistake::EncryptedKey { .. } => {
                "decrypt it: openssl pkey -in FILE -out FILE.plain; and let only the gateway's user read it".into()
            }
            Mistake::Key { .. } => "use an ECDSA P-256 or P-384, RSA (2048 bits or more) or Ed25519 key".into(),
            Mistake::Mismatch { .. } => {
                "name the key that the certificate was requested with; `openssl x509 -pubkey -noout -in CERT` and \
                 `openssl pkey -pubout -in KEY` have to print the same"
                    .into()
            }
            Mistake::Expired { .. } => "renew it, or let [tls.acme] get one; and check the machine's clock".into(),
            Mistake::NoNames { .. } => {
                "have it issued with the host as subjectAltName; browsers do not look at the common name".into()
            }
            Mistake::DefaultUnknown { .. } => "name a host of one of the certificates, or of [tls.acme]".into(),
            Mistake::Host { .. } => {
                "write it as in a URL's host, like `t.shop.example`; other letters as `xn--…`".into()
            }
            Mistake::Wildcard { .. } => {
                "name each host, or get the wildcard certificate by other means and name its files in tls.certificates"
                    .into()
            }
            Mistake::Terms { .. } => "read them, then set terms_agreed = true in [tls.acme]".into(),
            Mistake::Directory { .. } => {
                format!(
                    "Let's Encrypt's is {}; to try things out: {}",
                    crate::LETS_ENCRYPT,
                    crate::LETS_ENCRYPT_STAGING
                )
            }
            Mistake::Contact { .. } => "write it as `ops@shop.example`, without mailto:".into(),
            Mistake::ExternalAccount { .. } => "copy the HMAC key as the certificate authority shows it".into(),
            Mistake::Cache { .. } => {
                "create the directory and give it to the user that the gateway runs as; it has to be writable".into()
            }
            Mistake::TooMany { .. } => "divide them among several gateways".into(),
            Mistake::Library { .. } => "this is a defect of the gateway: please report it".into(),
        }
    }
}

impl From<Vec<Mistake>> for Error {
    fn from(mistakes: Vec<Mistake>) -> Error {
        Error { mistakes }
    }
}

impl From<Mistake> for Error {
    fn from(mistake: Mistake) -> Error {
        Error { mistakes: vec![mistake] }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}\nhint: {}", with_causes(mistake), mistake.hint())?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// An error and what caused it, in one line.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// A mistake with its causes and hint in one line, for a log and for [`crate::Status`].
pub(crate) fn in_one_line(mistake: &Mistake) -> String {
    format!("{} ({})", with_causes(mistake), mistake.hint())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_told_with_their_causes_and_hints() {
        let error = Error::from(vec![
            Mistake::Read { file: "/a.pem".into(), source: io::Error::from(io::ErrorKind::NotFound) },
            Mistake::Expired { file: "/b.pem".into(), at_ms: 0 },
        ]);
        let text = error.to_string();
        assert!(text.starts_with("`/a.pem` cannot be read: entity not found\nhint: check the path"), "{text}");
        assert!(
            text.contains("\nthe certificate in `/b.pem` expired at 1970-01-01T00:00:00Z\nhint: renew it"),
            "{text}"
        );
    }
}
