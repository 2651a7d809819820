//! What TLS costs the server: full handshakes, and requests over connections that resume a session, in a second of CPU.
//!
//! `handshakes` measures this crate's acceptor, in a thread of its own. `handshakes ADDRESS PID…` measures another server
//! that is there already, by the CPU time of these processes (each with one thread, like nginx's workers).
//! Prints `name value unit` lines. Linux only: CPU time is from `/proc/…/schedstat`.
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, thread};

use futures_util::StreamExt as _;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, HandshakeKind, NamedGroup};
use tidegate_tls::{Files, Options, Seams, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

type Failure = Box<dyn Error + Send + Sync>;

const NAME: &str = "t.shop.test";
const AT_ONCE: usize = 8;
const CONNECTIONS: usize = 4_000;
const WARM_UP: usize = 200;

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let (address, counters) = match arguments.next() {
        None => serve()?,
        Some(address) => {
            let counters = arguments.map(|pid| PathBuf::from(format!("/proc/{pid}/schedstat"))).collect();
            (address.parse()?, counters)
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for group in [NamedGroup::X25519, NamedGroup::X25519MLKEM768] {
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let client = client(group, kind)?;
            runtime.block_on(connect_many(address, &client, kind, WARM_UP))?;
            let before = cpu_ns(&counters)?;
            runtime.block_on(connect_many(address, &client, kind, CONNECTIONS))?;
            let spent_s = (cpu_ns(&counters)? - before) as f64 / 1e9;
            let what = if kind == HandshakeKind::Full { "full_handshakes" } else { "resumed_requests" };
            let group = format!("{group:?}").to_lowercase();
            println!("{what}_{group} {:.0} per_cpu_second", CONNECTIONS as f64 / spent_s);
        }
    }
    Ok(())
}

/// A server with an ECDSA certificate, in a thread; and where its CPU time is told.
fn serve() -> Result<(SocketAddr, Vec<PathBuf>), Failure> {
    let (told, tell) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let tls = gateway()?;
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let counter = fs::read_link("/proc/thread-self")?;
            told.send((listener.local_addr()?, vec![PathBuf::from("/proc").join(counter).join("schedstat")]))?;
            let tracker = TaskTracker::new();
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let tls = Arc::clone(&tls);
                tracker.spawn(async move {
                    // A client that went away costs the others nothing.
                    let _ = answer(&tls, stream).await;
                });
            }
            #[expect(unreachable_code, reason = "it says what the block returns")]
            Ok::<(), Failure>(())
        })
    });
    Ok(tell.recv()?)
}

fn gateway() -> Result<Arc<Tls>, Failure> {
    let dir = tempfile::tempdir()?;
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let files = Files { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    fs::write(&files.cert, cert.pem())?;
    fs::write(&files.key, signing_key.serialize_pem())?;
    Ok(Tls::open(Options { files: vec![files], ..Options::default() }, Seams::default())?)
}

async fn answer(tls: &Tls, stream: TcpStream) -> Result<(), Failure> {
    let Some(mut stream) = tls.accept(stream).await? else { return Ok(()) };
    let mut head = [0; 1024];
    if stream.read(&mut head).await? > 0 {
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await?;
        stream.shutdown().await?;
    }
    Ok(())
}

async fn connect_many(
    address: SocketAddr,
    client: &Arc<ClientConfig>,
    kind: HandshakeKind,
    connections: usize,
) -> Result<(), Failure> {
    // Fills the session cache.
    for _ in 0..AT_ONCE {
        connect(address, client).await?;
    }
    let mut others = 0;
    let mut done =
        futures_util::stream::iter(0..connections).map(|_| connect(address, client)).buffer_unordered(AT_ONCE);
    while let Some(met) = done.next().await {
        others += usize::from(met? != Some(kind));
    }
    // Two connections at once may want the same ticket.
    if others * 20 > connections {
        return Err(format!("{others} of {connections} handshakes were not {kind:?}").into());
    }
    Ok(())
}

/// One connection with one request.
async fn connect(address: SocketAddr, client: &Arc<ClientConfig>) -> Result<Option<HandshakeKind>, Failure> {
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(NAME)?;
        let mut stream = TlsConnector::from(Arc::clone(client)).connect(name, stream).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: t.shop.test\r\nConnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(stream.get_ref().1.handshake_kind())
    };
    tokio::time::timeout(Duration::from_secs(10), exchange).await?
}

fn client(group: NamedGroup, kind: HandshakeKind) -> Result<Arc<ClientConfig>, Failure> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups.retain(|known| known.name() == group);
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(Anyone(provider));
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if kind == HandshakeKind::Full {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

fn cpu_ns(counters: &[PathBuf]) -> Result<u64, Failure> {
    let mut sum = 0;
    for counter in counters {
        let text = fs::read_to_string(counter)?;
        sum += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(sum)
}

/// The server's certificate is not what is measured.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
