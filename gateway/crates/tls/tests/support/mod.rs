//! Clients that trust an authority of the tests' own, and a clock that goes when told.
#![allow(dead_code, unreachable_pub, reason = "each test program uses some of it")]

pub mod pebble;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
pub use tidegate_test_tls::{Anyone, Authority, Pem};
use tidegate_tls::{AcceptError, Clock, Files, Options, Seams, SystemClock, Tls};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const DAY_MS: u64 = 24 * 3_600_000;

/// A clock that goes when told.
pub struct FakeClock(AtomicU64);

impl FakeClock {
    /// Begins with the time that it is: certificates of other programs are valid by that.
    pub fn now() -> Arc<FakeClock> {
        Arc::new(FakeClock(AtomicU64::new(SystemClock.now_ms())))
    }

    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn set(&self, ms: u64) {
        self.0.store(ms, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A client's settings that trust an authority, and only it.
pub fn trusting(authority: &Authority) -> ClientConfig {
    Arc::unwrap_or_clone(with_provider(rustls::crypto::aws_lc_rs::default_provider(), authority))
}

/// Writes a certificate and its key into a directory.
pub fn write(pem: &Pem, dir: &Path, name: &str) -> Files {
    let (cert, key) = pem.write(dir, name);
    Files { cert, key }
}

/// A client with this provider that trusts the authority.
pub fn with_provider(provider: CryptoProvider, authority: &Authority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(der(&authority.pem).into()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(rustls::ALL_VERSIONS);
    Arc::new(builder.unwrap().with_root_certificates(roots).with_no_client_auth())
}

pub fn files(files: &[Files]) -> Options {
    Options { files: files.to_vec(), ..Options::default() }
}

pub fn open(options: Options) -> Arc<Tls> {
    Tls::open(options, Seams::default()).unwrap()
}

pub fn refused(options: Options) -> String {
    match Tls::open(options, Seams::default()) {
        Ok(_) => panic!("the options were taken"),
        Err(error) => error.to_string(),
    }
}

/// A client's end of a connection, after a handshake and one answer; or why there was none.
pub type Met = Result<TlsStream<tokio::io::DuplexStream>, String>;

/// Connects, and hears one byte: what a server sends after its handshake (tickets, for one) has arrived then.
pub async fn meet(tls: &Tls, config: &Arc<ClientConfig>, name: &str) -> Met {
    meet_both(tls, config, name).await.0
}

pub async fn meet_both(tls: &Tls, config: &Arc<ClientConfig>, name: &str) -> (Met, Result<(), AcceptError>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let server = async {
        if let Some(stream) = tls.accept(theirs).await? {
            speak(stream).await;
        }
        Ok(())
    };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let client = async {
        let connector = TlsConnector::from(Arc::clone(config));
        let mut stream = connector.connect(name, ours).await.map_err(|error| error.to_string())?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await.map_err(|error| error.to_string())?;
        Ok(stream)
    };
    let (met, accepted) = tokio::join!(client, server);
    (met, accepted)
}

async fn speak(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    stream.write_all(b"!").await.unwrap();
    stream.flush().await.unwrap();
}

/// The first certificate that the server showed, in DER.
pub fn shown(met: &Met) -> Vec<u8> {
    let (_, session) = met.as_ref().unwrap().get_ref();
    session.peer_certificates().unwrap()[0].to_vec()
}

pub fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

/// Every file below a directory.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}
