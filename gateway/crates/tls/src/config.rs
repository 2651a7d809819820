//! How we speak TLS. Owns versions, algorithms, ALPN and sessions: rustls' own defaults, which are modern, with a
//! post-quantum key exchange before the others.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::error::Mistake;

/// RFC 8737.
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";
/// Sessions of TLS 1.2 clients that know no tickets; all others keep theirs themselves.
const SESSIONS_MAX: usize = 4_096;

/// aws-lc-rs, with X25519MLKEM768 first. Set here and not by the `prefer-post-quantum` feature of rustls, which would
/// change what the gateway offers to the platforms, too.
pub(crate) fn provider() -> CryptoProvider {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    CryptoProvider { kx_groups: vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1], ..aws_lc_rs::default_provider() }
}

/// For visitors: HTTP/2 and HTTP/1.1, sessions resumed by tickets whose keys change every six hours.
pub(crate) fn visitors(
    provider: Arc<CryptoProvider>,
    resolver: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, Mistake> {
    let mut config = base(provider, resolver)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(library)?;
    // Early data can be replayed by whoever recorded it: an event would count twice.
    config.max_early_data_size = 0;
    Ok(config)
}

/// For one validation by TLS-ALPN-01.
pub(crate) fn validation(provider: Arc<CryptoProvider>, certified: CertifiedKey) -> Result<ServerConfig, Mistake> {
    let mut config = base(provider, Arc::new(SingleCertAndKey::from(certified)))?;
    config.alpn_protocols = vec![ACME_TLS.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn base(provider: Arc<CryptoProvider>, resolver: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, Mistake> {
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(library)?;
    Ok(builder.with_no_client_auth().with_cert_resolver(resolver))
}

fn library(error: rustls::Error) -> Mistake {
    Mistake::Library { detail: error.to_string() }
}
