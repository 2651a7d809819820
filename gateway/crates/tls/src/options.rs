//! What the operator decides. Owns the shapes and their check; reads no file.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use url::Url;

use crate::clock::Clock;
use crate::error::Mistake;
use crate::host::Host;
use crate::precheck::Precheck;

/// Let's Encrypt's directory.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Let's Encrypt's directory for trying things out: generous limits, certificates that no browser trusts.
pub const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

const FILES_MAX: usize = 1_000;
const HOSTS_MAX: usize = 1_000;

/// Where certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Certificates in files. Where two cover a host, the first one that the client can use is shown.
    pub files: Vec<Files>,
    /// The host whose certificate is shown to clients that name none. Without it they are refused.
    pub default_host: Option<String>,
    /// Certificates by ACME (RFC 8555). Hosts that a file covers are not ordered.
    pub acme: Option<Acme>,
    /// How often files are looked at and renewals thought of, in seconds; at least 1.
    pub check_every_s: u64,
    /// How long a client may take for its handshake, in milliseconds.
    pub handshake_timeout_ms: u64,
}

/// A certificate chain and its key, both PEM; they may be one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The host's own certificate first, then each one's issuer.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// How certificates are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// The directory's URL: [`LETS_ENCRYPT`], for one.
    pub directory: String,
    /// An e-mail address that the authority may write to. It is told once, when the account is registered.
    pub contact: Option<String>,
    /// The authority's terms of service were read and agreed to. Nothing is ordered without.
    pub terms_agreed: bool,
    /// Exactly these hosts get a certificate, each its own.
    pub hosts: Vec<String>,
    /// A directory that keeps the account, certificates and backoff. Several gateways may share it.
    pub cache: PathBuf,
    /// PEM of further authorities that the *directory's own* certificate may be signed by: for private ones.
    pub root: Option<PathBuf>,
    pub challenge: Challenge,
    pub external_account: Option<ExternalAccount>,
}

/// How the authority is shown that a host is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Challenge {
    /// On port 443, in the handshake (RFC 8737). Needs the connection unterminated: no TLS proxy before us.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// On port 80 (RFC 8555, 8.3), by the plain listener: [`crate::Tls::challenge`].
    #[serde(rename = "http-01")]
    Http01,
}

/// What some authorities bind a new account to (RFC 8555, 7.3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    pub key_id: String,
    /// In base64url, as authorities show it.
    pub hmac_key: String,
}

/// What tests replace.
#[derive(Clone)]
pub struct Seams {
    pub clock: Arc<dyn Clock>,
    pub precheck: Arc<dyn Precheck>,
}

impl Default for Options {
    fn default() -> Options {
        Options { files: Vec::new(), default_host: None, acme: None, check_every_s: 30, handshake_timeout_ms: 10_000 }
    }
}

impl Default for Seams {
    fn default() -> Seams {
        Seams { clock: Arc::new(crate::SystemClock), precheck: Arc::new(crate::Resolves) }
    }
}

impl fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAccount").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Options {
    /// Finds what is wrong without looking at a file.
    pub(crate) fn check(&self, mistakes: &mut Vec<Mistake>) {
        if self.files.len() > FILES_MAX {
            mistakes.push(Mistake::TooMany { what: "certificate files", count: self.files.len(), max: FILES_MAX });
        }
        if let Some(host) = &self.default_host {
            mistakes.extend(Host::parse(host).err());
        }
        if let Some(acme) = &self.acme {
            acme.check(mistakes);
        }
    }
}

impl Acme {
    fn check(&self, mistakes: &mut Vec<Mistake>) {
        if self.hosts.len() > HOSTS_MAX {
            mistakes.push(Mistake::TooMany { what: "hosts of [tls.acme]", count: self.hosts.len(), max: HOSTS_MAX });
        }
        if !self.terms_agreed {
            mistakes.push(Mistake::Terms { directory: self.directory.clone() });
        }
        let url = Url::parse(&self.directory);
        if !url.is_ok_and(|url| url.scheme() == "https" && url.host().is_some()) {
            mistakes.push(Mistake::Directory { directory: self.directory.clone() });
        }
        if let Some(contact) = &self.contact
            && !is_address(contact)
        {
            mistakes.push(Mistake::Contact { contact: contact.clone() });
        }
        for host in &self.hosts {
            if host.starts_with("*.") {
                mistakes.push(Mistake::Wildcard { host: host.clone() });
            } else {
                mistakes.extend(Host::parse(host).err());
            }
        }
        if let Some(account) = &self.external_account
            && account.hmac_key().is_none()
        {
            mistakes.push(Mistake::ExternalAccount { key_id: account.key_id.clone() });
        }
    }
}

impl ExternalAccount {
    pub(crate) fn hmac_key(&self) -> Option<Vec<u8>> {
        let key = BASE64_URL_SAFE_NO_PAD.decode(self.hmac_key.trim_end_matches('=')).ok()?;
        (!key.is_empty()).then_some(key)
    }
}

/// Enough to find a URL, a name or a typing mistake in its place; whether mail arrives only the authority can tell.
fn is_address(contact: &str) -> bool {
    match contact.split_once('@') {
        Some((who, domain)) => {
            !who.is_empty()
                && !contact.contains(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | '?' | '<' | '>'))
                && domain.contains('.')
                && Host::parse(domain).is_ok()
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Acme {
        Acme {
            directory: LETS_ENCRYPT.into(),
            contact: Some("ops@shop.example".into()),
            terms_agreed: true,
            hosts: vec!["t.shop.example".into()],
            cache: "/var/lib/tidegate/acme".into(),
            root: None,
            challenge: Challenge::TlsAlpn01,
            external_account: Some(ExternalAccount { key_id: "1".into(), hmac_key: "c2VjcmV0".into() }),
        }
    }

    fn mistakes(acme: Acme) -> Vec<String> {
        let mut mistakes = Vec::new();
        Options { acme: Some(acme), ..Options::default() }.check(&mut mistakes);
        mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn sound_options_have_no_mistake() {
        assert!(mistakes(acme()).is_empty());
    }

    #[test]
    fn all_mistakes_are_found_at_once() {
        let wrong = Acme {
            directory: "http://ca.example/".into(),
            contact: Some("mailto:ops@shop.example".into()),
            terms_agreed: false,
            hosts: vec!["*.shop.example".into(), "192.0.2.1".into()],
            external_account: Some(ExternalAccount { key_id: "1".into(), hmac_key: "!".into() }),
            ..acme()
        };
        assert_eq!(
            mistakes(wrong),
            [
                "the terms of service of `http://ca.example/` are not agreed to",
                "the ACME directory `http://ca.example/` is no https:// URL",
                "the contact `mailto:ops@shop.example` is no e-mail address",
                "ACME cannot issue a certificate for `*.shop.example` by TLS-ALPN-01 or HTTP-01",
                "`192.0.2.1` is no host name: it is an address",
                "the key of the external account `1` is not base64url",
            ]
        );
    }

    #[test]
    fn the_secret_of_an_external_account_is_not_printed() {
        assert!(!format!("{:?}", acme()).contains("c2VjcmV0"));
    }
}
