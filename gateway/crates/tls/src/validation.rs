//! The certificate that answers a validation by TLS-ALPN-01 (RFC 8737): self-signed, with the digest of the key
//! authorization in it. Owns how it is made; it is made anew for each connection, for there are few.

use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};

use crate::acme::Posted;
use crate::host::Host;

pub(crate) fn certified(host: &Host, posted: &Posted, provider: &Arc<CryptoProvider>) -> Option<CertifiedKey> {
    match make(host, posted, provider) {
        Ok(certified) => Some(certified),
        Err(error) => {
            tracing::warn!("the challenge of `{}` cannot be answered: {error}", host.as_str());
            None
        }
    }
}

fn make(
    host: &Host,
    posted: &Posted,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Box<dyn std::error::Error + Send + Sync>> {
    let mut params = CertificateParams::new(vec![host.as_str().to_owned()])?;
    let digest = Sha256::digest(&posted.key_authorization);
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // Not by CertifiedKey::from_der: webpki refuses the critical extension that this certificate is all about.
    let key = provider.key_provider.load_private_key(key)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}
