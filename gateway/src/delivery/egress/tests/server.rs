//! A server that answers as a platform never should, over TLS with any certificate, and counts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// How it answers.
#[derive(Debug, Clone)]
pub(super) enum Way {
    Fine,
    Redirect(String),
    EndlessBody,
    EndlessHeaders,
    LargeHeaders,
    SlowBody,
    SlowHeaders,
    Silence,
}

/// A certificate with its key.
pub(super) struct Identity(CertificateDer<'static>, PrivateKeyDer<'static>);

/// A certificate authority of a test.
pub(super) struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    pub(super) fn certificate(&self) -> reqwest::Certificate {
        reqwest::Certificate::from_der(self.certificate.der()).unwrap()
    }

    pub(super) fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        identity(&certificate, &key)
    }
}

pub(super) fn self_signed(name: &str) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap();
    identity(&certificate, &key)
}

fn identity(certificate: &rcgen::Certificate, key: &KeyPair) -> Identity {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Identity(certificate.der().clone(), PrivateKeyDer::Pkcs8(key))
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
    sent: AtomicUsize,
}

pub(super) struct Server {
    address: SocketAddr,
    counts: Arc<Counts>,
    task: AbortHandle,
}

impl Server {
    pub(super) async fn plain(ip: IpAddr, way: Way) -> Server {
        Server::start((ip, 0), way, None).await
    }

    pub(super) async fn tls(ip: IpAddr, identity: Identity) -> Server {
        Server::tls_at(ip, 0, identity).await
    }

    pub(super) async fn tls_at(ip: IpAddr, port: u16, Identity(certificate, key): Identity) -> Server {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        Server::start((ip, port), Way::Fine, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start(at: (IpAddr, u16), way: Way, tls: Option<TlsAcceptor>) -> Server {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        #[expect(clippy::disallowed_methods, reason = "the server ends with its handle")]
        let task = tokio::spawn(async move {
            // One connection after another: a test has no more than one. They end with the task.
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Ordering::SeqCst);
                match &tls {
                    None => serve(stream, &way, &counted).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => serve(stream, &way, &counted).await,
                        Err(_) => continue,
                    },
                }
            }
        });
        Server { address, counts, task: task.abort_handle() }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(super) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    /// How many bytes the client let it send.
    pub(super) fn sent(&self) -> usize {
        self.counts.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one request; the connection is closed after it.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, way: &Way, counts: &Counts) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n{}") {
        match stream.read_buf(&mut head).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    counts.requests.fetch_add(1, Ordering::SeqCst);
    let (start, again, wait): (String, Option<String>, u64) = match way {
        Way::Fine => ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(), None, 0),
        Way::Redirect(to) => {
            (format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"), None, 0)
        }
        Way::EndlessBody => ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), Some("x".repeat(4096)), 0),
        Way::EndlessHeaders => ("HTTP/1.1 200 OK\r\n".to_owned(), Some(format!("x-more: {}\r\n", "x".repeat(4096))), 0),
        Way::LargeHeaders => {
            let large = format!("x-large: {}\r\n", "x".repeat(5_000)).repeat(20);
            (format!("HTTP/1.1 200 OK\r\n{large}content-length: 0\r\n\r\n"), None, 0)
        }
        Way::SlowBody => ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), Some("x".to_owned()), 20),
        Way::SlowHeaders => ("HTTP/1.1 200 OK\r\n".to_owned(), Some("x-more: x\r\n".to_owned()), 20),
        Way::Silence => (String::new(), Some(String::new()), 20),
    };
    let mut next = Some(start);
    while let Some(text) = next {
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
        counts.sent.fetch_add(text.len(), Ordering::SeqCst);
        next = again.clone();
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    let _ = stream.shutdown().await;
}
