//! The client: connections by TLS 1.3 and HTTP/1.1, each with the handshake that was asked for, or an error.
//!
//! It trusts every certificate: its own work is not what is measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, NamedGroup};
use tidegate_test_tls::Anyone;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::HOST;

/// Connections at the same time. Fewer than the tickets that a client keeps for a host.
const AT_ONCE: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(10);
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: track.shop.example\r\n\r\n";

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

#[derive(Clone)]
pub(super) struct Client {
    address: SocketAddr,
    connector: TlsConnector,
    group: NamedGroup,
    kind: HandshakeKind,
}

type Stream = TlsStream<TcpStream>;

impl Client {
    pub(super) fn new(address: SocketAddr, group: NamedGroup, kind: HandshakeKind) -> anyhow::Result<Client> {
        let known = [kx_group::X25519, kx_group::X25519MLKEM768];
        let kx_groups = known.into_iter().filter(|one| one.name() == group).collect();
        let provider = Arc::new(CryptoProvider { kx_groups, ..default_provider() });
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
        let anyone = Arc::new(Anyone(provider));
        let mut config = builder.dangerous().with_custom_certificate_verifier(anyone).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if kind == HandshakeKind::Full {
            config.resumption = Resumption::disabled();
        }
        Ok(Client { address, connector: TlsConnector::from(Arc::new(config)), group, kind })
    }

    /// One request over a connection of its own.
    pub(super) async fn ask(&self) -> anyhow::Result<Answer> {
        let mut stream = self.open().await?;
        let answer = exchange(&mut stream).await?;
        close(stream).await?;
        Ok(answer)
    }

    /// So many connections, with one request each.
    pub(super) async fn connect(&self, times: u64) -> anyhow::Result<()> {
        // The first handshake of all cannot be a resumed one.
        self.ask().await?;
        let others = Arc::new(AtomicU64::new(0));
        let noted = Arc::clone(&others);
        self.in_turn(times, move |client, turns| client.connections(turns, Arc::clone(&noted))).await?;
        // Connections at the same time may want the same ticket; that happens at the beginning only.
        let others = others.load(Ordering::Relaxed);
        anyhow::ensure!(others <= 2 * AT_ONCE, "{others} of {times} handshakes were not {:?}", self.kind);
        Ok(())
    }

    /// So many requests, over a few connections.
    pub(super) async fn request(&self, times: u64) -> anyhow::Result<()> {
        self.in_turn(times, Client::requests).await
    }

    async fn connections(self, turns: Turns, others: Arc<AtomicU64>) -> anyhow::Result<()> {
        while turns.next() {
            let mut stream = self.open().await?;
            exchange(&mut stream).await?;
            let is_other = stream.get_ref().1.handshake_kind() != Some(self.kind);
            others.fetch_add(u64::from(is_other), Ordering::Relaxed);
            close(stream).await?;
        }
        Ok(())
    }

    async fn requests(self, turns: Turns) -> anyhow::Result<()> {
        let mut stream = self.open().await?;
        while turns.next() {
            exchange(&mut stream).await?;
        }
        close(stream).await
    }

    /// Has it done by some tasks at the same time, which share the turns.
    async fn in_turn<F>(&self, times: u64, work: impl Fn(Client, Turns) -> F) -> anyhow::Result<()>
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let turns = Turns(Arc::new(AtomicU64::new(times)));
        let mut tasks = JoinSet::new();
        for _ in 0..AT_ONCE {
            tasks.spawn(work(self.clone(), turns.clone()));
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(())
    }

    async fn open(&self) -> anyhow::Result<Stream> {
        let opening = async {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            anyhow::Ok(self.connector.connect(ServerName::try_from(HOST)?, stream).await?)
        };
        let stream = tokio::time::timeout(PATIENCE, opening).await.context("shake hands in time")??;
        let group = stream.get_ref().1.negotiated_key_exchange_group().map(|group| group.name());
        anyhow::ensure!(group == Some(self.group), "the key exchange is {group:?}, not {:?}", self.group);
        Ok(stream)
    }
}

/// What is still to be done.
#[derive(Clone)]
struct Turns(Arc<AtomicU64>);

impl Turns {
    fn next(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

async fn exchange(stream: &mut Stream) -> anyhow::Result<Answer> {
    tokio::time::timeout(PATIENCE, async {
        stream.write_all(REQUEST.as_bytes()).await?;
        read(stream).await
    })
    .await
    .context("answer in time")?
}

/// Reads one answer that says how long it is.
async fn read(stream: &mut Stream) -> anyhow::Result<Answer> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if let Some(answer) = whole(&bytes)? {
            return Ok(answer);
        }
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "the server ended the connection");
    }
}

/// The answer, once it has all come.
fn whole(bytes: &[u8]) -> anyhow::Result<Option<Answer>> {
    let text = std::str::from_utf8(bytes)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    let (status, lines) = head.split_once("\r\n").context("an answer has headers")?;
    let status = status.strip_prefix("HTTP/1.1 ").context("it speaks HTTP/1.1")?.to_owned();
    let headers: Vec<(String, String)> = lines
        .split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").context("it says how long it is")?;
    let length: usize = length.1.parse()?;
    Ok((body.len() >= length).then(|| Answer { status, headers, body: body.to_owned() }))
}

/// Ends a connection as a browser does, and waits until the server has, too: all its work is done then.
async fn close(mut stream: Stream) -> anyhow::Result<()> {
    let ending = async {
        stream.shutdown().await?;
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest).await {
            Ok(_) => Ok(()),
            // It need not say that it ends.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error),
        }
    };
    Ok(tokio::time::timeout(PATIENCE, ending).await.context("end in time")??)
}
