//! Judges a certificate as browsers do, and looks behind a bad one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use serde::Serialize;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::domain;

const DAY_S: i64 = 86_400;
/// A certificate may be for hundreds of names; the report shows some.
const NAMES_MAX: usize = 20;

/// A certificate, as a report shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The host that was asked for.
    pub host: String,
    /// Who signed it.
    pub issuer: String,
    /// The names that it is for.
    pub names: Vec<String>,
    /// When it begins to be valid, in Unix seconds.
    pub not_before_s: i64,
    /// When it ends.
    pub not_after_s: i64,
    /// Whole days left; negative when it has expired.
    pub days_left: i64,
    /// The versions of TLS that the server speaks, of 1.2 and 1.3.
    pub versions: Vec<&'static str>,
}

/// What browsers make of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judgement {
    Valid,
    Expired,
    NotYetValid,
    WrongName,
    Untrusted(String),
    Broken(String),
    /// There is nothing to judge it by.
    NoRoots,
}

/// The authorities that are trusted.
pub(crate) fn roots(extra: &[CertificateDer<'static>]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    store.add_parsable_certificates(extra.iter().cloned());
    store
}

/// Judges a chain for a host at a time.
pub(crate) fn judge(chain: &[CertificateDer<'_>], host: &str, roots: RootCertStore, now: SystemTime) -> Judgement {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return Judgement::Broken("the server shows none".into());
    };
    if roots.is_empty() {
        return Judgement::NoRoots;
    }
    let name = match domain::address(host) {
        Some(address) => ServerName::IpAddress(address.into()),
        None => match ServerName::try_from(domain::plain(host)) {
            Ok(name) => name,
            Err(error) => return Judgement::Broken(error.to_string()),
        },
    };
    let verifier = match WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build() {
        Ok(verifier) => verifier,
        Err(error) => return Judgement::Broken(error.to_string()),
    };
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    match verifier.verify_server_cert(leaf, intermediates, &name, &[], UnixTime::since_unix_epoch(since)) {
        Ok(_) => Judgement::Valid,
        Err(Error::InvalidCertificate(error)) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Judgement::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Judgement::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Judgement::WrongName,
            CertificateError::UnknownIssuer => Judgement::Untrusted("its issuer is not known".into()),
            // A private authority that was made anew has the name of the old one, and another key.
            CertificateError::BadSignature => {
                Judgement::Untrusted("an authority of its issuer's name is known, but has not signed it".into())
            }
            other => Judgement::Broken(other.to_string()),
        },
        Err(error) => Judgement::Broken(error.to_string()),
    }
}

/// What a certificate says of itself; `None` if it cannot be read.
pub(crate) fn read(chain: &[CertificateDer<'_>], host: &str, now: SystemTime) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
    let validity = certificate.validity();
    let now_s =
        now.duration_since(SystemTime::UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok())?;
    let not_after_s = validity.not_after.timestamp();
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => ip(bytes),
        _ => None,
    });
    Some(Certificate {
        host: host.to_owned(),
        issuer: certificate.issuer().to_string(),
        names: names.take(NAMES_MAX).collect(),
        not_before_s: validity.not_before.timestamp(),
        not_after_s,
        days_left: not_after_s.saturating_sub(now_s).div_euclid(DAY_S),
        versions: Vec::new(),
    })
}

fn ip(bytes: &[u8]) -> Option<String> {
    let address = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    address.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
}

/// A configuration that shakes hands with whatever certificate there is.
pub(crate) fn looking_config(versions: &[&'static SupportedProtocolVersion]) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions)?;
    let looking = Arc::new(Looking(provider()));
    let mut config = builder.dangerous().with_custom_certificate_verifier(looking).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Takes any certificate: it is judged afterwards, and nothing secret is sent to whoever shows it.
#[derive(Debug)]
struct Looking(Arc<CryptoProvider>);

impl ServerCertVerifier for Looking {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
