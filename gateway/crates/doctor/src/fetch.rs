//! Connects to a host's addresses and exchanges one request: every read and wait has a bound.
//!
//! A certificate is never refused here, so that the other checks can be made beside a bad one; [`crate::certificate`]
//! judges it. Nothing secret is ever sent.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use url::Url;

use crate::certificate;
use crate::domain;
use crate::site::Options;

/// Enough for any page that a browser would wait for.
pub(crate) const BODY_BYTES_MAX: usize = 2 << 20;
/// The addresses of a host that are tried, one after the other.
const ADDRESSES_TRIED_MAX: usize = 3;

/// Where and how to connect.
pub(crate) struct Network {
    addresses: BTreeMap<String, Vec<IpAddr>>,
    connect: BTreeMap<(String, u16), SocketAddr>,
    timeout: Duration,
    started: (SystemTime, Instant),
}

/// A request without a body.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Url,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether there was more of the body than is read.
    pub(crate) is_cut: bool,
    /// When its headers had come.
    pub(crate) at: SystemTime,
}

/// What a handshake showed.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    NoAddress,
    Connect {
        address: SocketAddr,
        why: String,
    },
    Timeout {
        during: &'static str,
    },
    /// The server knows the host's name for none of its own.
    NoCertificate,
    Tls(String),
    Http(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NoAddress => f.write_str("its address is not known"),
            Failure::Connect { address, why } => write!(f, "{address} does not take connections: {why}"),
            Failure::Timeout { during } => write!(f, "it took too long {during}"),
            Failure::NoCertificate => f.write_str("the server has no certificate for this name"),
            Failure::Tls(why) => write!(f, "TLS failed: {why}"),
            Failure::Http(why) => write!(f, "the answer is no HTTP: {why}"),
        }
    }
}

impl Network {
    pub(crate) fn new(options: &Options, addresses: BTreeMap<String, Vec<IpAddr>>) -> Network {
        let started = (options.now, Instant::now());
        Network { addresses, connect: options.connect.clone(), timeout: options.timeout, started }
    }

    /// What time it is, by the clock that the options gave.
    pub(crate) fn now(&self) -> SystemTime {
        self.started.0 + self.started.1.elapsed()
    }

    /// Exchanges one request.
    pub(crate) async fn exchange(&self, ask: Ask<'_>) -> Result<Answer, Failure> {
        let exchange = async {
            let tcp = self.connect(ask.url).await?;
            if ask.url.scheme() != "https" {
                return self.speak(tcp, ask).await;
            }
            let tls = handshake(tcp, ask.url, rustls::ALL_VERSIONS).await?;
            self.speak(tls, ask).await
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Timeout { during: "to answer" }),
        }
    }

    /// Gets an address as a browser's script or link would.
    pub(crate) async fn get(&self, url: &Url, headers: Vec<(HeaderName, String)>) -> Result<Answer, Failure> {
        self.exchange(Ask { method: Method::GET, url, headers }).await
    }

    /// Makes a handshake and nothing more.
    pub(crate) async fn handshake(
        &self,
        url: &Url,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Result<(Session, Option<ProtocolVersion>), Failure> {
        let attempt = async {
            let tls = handshake(self.connect(url).await?, url, versions).await?;
            let connection = tls.get_ref().1;
            let chain = connection.peer_certificates().unwrap_or_default().to_vec();
            Ok((Session { chain }, connection.protocol_version()))
        };
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Timeout { during: "to shake hands" }),
        }
    }

    async fn connect(&self, url: &Url) -> Result<TcpStream, Failure> {
        let host = domain::plain(url.host_str().unwrap_or_default());
        let port = url.port_or_known_default().unwrap_or(443);
        let targets: Vec<SocketAddr> = match self.connect.get(&(host.clone(), port)) {
            Some(target) => vec![*target],
            None => {
                let known = self.addresses.get(&host).into_iter().flatten();
                known.take(ADDRESSES_TRIED_MAX).map(|address| SocketAddr::new(*address, port)).collect()
            }
        };
        let share = self.timeout / u32::try_from(targets.len() + 1).unwrap_or(1);
        let mut failure = Failure::NoAddress;
        for address in targets {
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = Failure::Connect { address, why: in_words(&error) },
                Err(_) => failure = Failure::Connect { address, why: "no answer in time".into() },
            }
        }
        Err(failure)
    }

    async fn speak<S>(&self, stream: S, ask: Ask<'_>) -> Result<Answer, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let request = request(ask)?;
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_headers(200)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(http)?;
        let work = async {
            let response = sender.send_request(request).await.map_err(http)?;
            let at = self.now();
            let (head, body) = response.into_parts();
            let (body, is_cut) = read(body).await?;
            Ok(Answer { status: head.status, headers: head.headers, body, is_cut, at })
        };
        tokio::pin!(work);
        // The connection is driven beside the request; when it ends first, what it has read is still to be taken.
        tokio::select! {
            result = &mut work => result,
            _ = connection => work.await,
        }
    }
}

/// The beginning of a body, and whether it was cut.
async fn read(mut body: hyper::body::Incoming) -> Result<(Bytes, bool), Failure> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(http)?.into_data() else { continue };
        let room = BODY_BYTES_MAX - read.len();
        read.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((read.into(), true));
        }
    }
    Ok((read.into(), false))
}

fn request(ask: Ask<'_>) -> Result<Request<Empty<Bytes>>, Failure> {
    let target = &ask.url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &ask.url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut request = Request::builder()
        .method(ask.method)
        .uri(target)
        .body(Empty::new())
        .map_err(|error| Failure::Http(error.to_string()))?;
    let fixed = [
        (HOST, authority),
        (USER_AGENT, concat!("tidegate-doctor/", env!("CARGO_PKG_VERSION"))),
        (ACCEPT, "*/*"),
        (ACCEPT_ENCODING, "identity"),
        (CONNECTION, "close"),
    ];
    let given = ask.headers.iter().map(|(name, value)| (name.clone(), value.as_str()));
    for (name, value) in fixed.into_iter().chain(given) {
        let value = HeaderValue::from_str(value).map_err(|error| Failure::Http(error.to_string()))?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

async fn handshake(
    tcp: TcpStream,
    url: &Url,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<TlsStream<TcpStream>, Failure> {
    let host = url.host_str().unwrap_or_default();
    let name = match domain::address(host) {
        Some(address) => ServerName::IpAddress(address.into()),
        None => ServerName::try_from(domain::plain(host)).map_err(|error| Failure::Tls(error.to_string()))?,
    };
    let config = certificate::looking_config(versions).map_err(|error| Failure::Tls(error.to_string()))?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.map_err(|error| refused(&error))
}

fn refused(error: &io::Error) -> Failure {
    let alert = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match alert {
        Some(rustls::Error::AlertReceived(AlertDescription::UnrecognisedName)) => Failure::NoCertificate,
        _ => Failure::Tls(in_words(error)),
    }
}

fn http(error: hyper::Error) -> Failure {
    Failure::Http(error.to_string())
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "it was refused".into(),
        io::ErrorKind::UnexpectedEof => "the connection was closed".into(),
        _ => error.to_string(),
    }
}
