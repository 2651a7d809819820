//! Which certificate answers which name. Owns the lookup; every handshake goes through it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::host::{Host, normal, parent};
use crate::pair::Pair;

/// Certificates by the names in them. It never changes: a new one replaces it whole.
#[derive(Debug, Default)]
pub(crate) struct Table {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    default_host: Option<Host>,
}

/// The table as it is at each handshake.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    table: RwLock<Arc<Table>>,
}

impl Table {
    pub(crate) fn new(default_host: Option<Host>) -> Table {
        Table { default_host, ..Table::default() }
    }

    /// Adds a certificate under all its names, behind those that are there.
    pub(crate) fn add(&mut self, pair: &Pair) {
        for name in &pair.names {
            let (names, key) = match name.strip_prefix("*.") {
                Some(rest) => (&mut self.wildcard, rest),
                None => (&mut self.exact, name.as_str()),
            };
            names.entry(key.to_owned()).or_default().push(Arc::clone(&pair.certified));
        }
    }

    /// Adds a certificate under this name alone.
    pub(crate) fn add_host(&mut self, host: &Host, pair: &Pair) {
        self.exact.entry(host.as_str().to_owned()).or_default().push(Arc::clone(&pair.certified));
    }

    /// Those for a name: with the name itself, else with a wildcard. Without a name, those of the default host.
    pub(crate) fn find(&self, name: Option<&str>) -> Option<&[Arc<CertifiedKey>]> {
        let name = match (name, &self.default_host) {
            (Some(name), _) => normal(name),
            (None, Some(host)) => host.as_str().to_owned(),
            (None, None) => return None,
        };
        let wildcard = || parent(&name).and_then(|parent| self.wildcard.get(parent));
        self.exact.get(&name).or_else(wildcard).map(Vec::as_slice)
    }
}

impl Resolver {
    pub(crate) fn replace(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.table();
        choose(table.find(hello.server_name())?, hello.signature_schemes())
    }
}

/// The first one whose key the client can check: a host may have an ECDSA and an RSA certificate.
fn choose(found: &[Arc<CertifiedKey>], offered: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
    let usable = found.iter().find(|certified| certified.key.choose_scheme(offered).is_some());
    usable.or(found.first()).cloned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm};

    use super::*;
    use crate::pair::Source;

    fn pair(name: &str, algorithm: &'static SignatureAlgorithm) -> Pair {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let (cert_pem, key_pem) = (certificate.pem(), key.serialize_pem());
        let path = Path::new("test.pem");
        let source = Source { cert: path, key: path, cert_pem: cert_pem.as_bytes(), key_pem: key_pem.as_bytes() };
        Pair::parse(&source, &crate::config::provider()).unwrap()
    }

    #[test]
    fn a_client_gets_the_certificate_whose_key_it_can_check() {
        let ecdsa = pair("t.shop.test", &PKCS_ECDSA_P256_SHA256);
        let rsa = pair("t.shop.test", &PKCS_RSA_SHA256);
        let mut table = Table::new(None);
        table.add(&ecdsa);
        table.add(&rsa);
        let chosen = |offered: &[SignatureScheme]| choose(table.find(Some("t.shop.test")).unwrap(), offered).unwrap();
        let both = [SignatureScheme::RSA_PSS_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256];
        assert!(Arc::ptr_eq(&chosen(&both), &ecdsa.certified));
        assert!(Arc::ptr_eq(&chosen(&both[..1]), &rsa.certified));
        assert!(Arc::ptr_eq(&chosen(&[]), &ecdsa.certified));
    }

    #[test]
    fn a_name_itself_comes_before_a_wildcard() {
        let wild = pair("*.shop.test", &PKCS_ECDSA_P256_SHA256);
        let exact = pair("t.shop.test", &PKCS_ECDSA_P256_SHA256);
        let mut table = Table::new(Host::parse("other.shop.test").ok());
        table.add(&wild);
        table.add(&exact);
        let found = |name| table.find(name).map(|found| Arc::clone(&found[0]));
        assert!(Arc::ptr_eq(&found(Some("T.shop.test.")).unwrap(), &exact.certified));
        assert!(Arc::ptr_eq(&found(Some("a.shop.test")).unwrap(), &wild.certified));
        assert!(Arc::ptr_eq(&found(None).unwrap(), &wild.certified));
        for name in ["shop.test", "a.b.shop.test", "", ".", ".shop.test.", "*.shop.test.x"] {
            assert!(found(Some(name)).is_none(), "{name}");
        }
    }
}
