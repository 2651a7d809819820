//! Opens connections: TCP with keepalive, TLS, the login. Owns the tasks that drive them. Does not reconnect.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo, Value, cmd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::trouble::Trouble;
use crate::redis::Timeouts;
use crate::redis::address::{Address, Login, Node};

/// When a silent connection is probed first, how often then, and how many probes may be lost: a peer that is gone is
/// noticed in half a minute without a single command.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);
/// How many requests may wait in front of one connection.
const QUEUED_MAX: usize = 256;

/// Opens connections to the servers of one store.
pub(super) struct Dialer {
    tls: Option<TlsConnector>,
    login: Login,
    sentinel_login: Login,
    database: u32,
    pub(super) timeouts: Timeouts,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// What a connection is for.
pub(super) enum Purpose {
    Calls,
    /// To a sentinel instead of a server.
    Sentinel,
    /// What is published goes to this channel. The connection ends when it is full: then something would be missed.
    Listening(mpsc::Sender<PushInfo>),
}

/// One connection. It ends with its last owner, or when it is shut.
pub(super) struct Connection {
    /// Where it leads, for messages.
    pub(super) node: String,
    pub(super) requests: MultiplexedConnection,
    /// Cancelled when the connection has ended.
    pub(super) ended: CancellationToken,
    shut: CancellationToken,
    _shut_on_drop: DropGuard,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Dialer {
    /// Fails when the certificate authorities cannot be read.
    pub(super) fn new(address: &Address, ca_file: Option<&Path>, timeouts: Timeouts) -> io::Result<Dialer> {
        Ok(Dialer {
            tls: if address.tls() { Some(tls(ca_file)?) } else { None },
            login: address.login().clone(),
            sentinel_login: address.sentinel_login().clone(),
            database: address.database(),
            timeouts,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// A connection that is logged in, within the time to connect.
    pub(super) async fn dial(&self, node: &Node, purpose: Purpose) -> Result<Connection, Trouble> {
        if self.stop.is_cancelled() {
            return Err(Trouble::Closed);
        }
        let limit = self.timeouts.connect;
        match timeout(limit, Box::pin(self.dial_slowly(node, purpose))).await {
            Ok(dialed) => dialed,
            Err(_) => {
                let why = format!("no answer within {} ms", limit.as_millis());
                Err(Trouble::Connect { node: node.to_string(), why })
            }
        }
    }

    async fn dial_slowly(&self, node: &Node, purpose: Purpose) -> Result<Connection, Trouble> {
        let stream = self.open(node).await.map_err(|error| Trouble::of_connecting(node, &error))?;
        let (login, database) = match purpose {
            Purpose::Sentinel => (&self.sentinel_login, 0),
            Purpose::Calls | Purpose::Listening(_) => (&self.login, self.database),
        };
        let mut info = RedisConnectionInfo::default()
            .set_db(database.into())
            .set_protocol(ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        if let Some(user) = &login.user {
            info = info.set_username(user);
        }
        if let Some(password) = &login.password {
            info = info.set_password(password);
        }
        let mut config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(self.timeouts.response))
            .set_pipeline_buffer_size(QUEUED_MAX);
        let shut = self.stop.child_token();
        if let Purpose::Listening(sender) = purpose {
            info = info.set_protocol(ProtocolVersion::RESP3);
            let full = shut.clone();
            config = config.set_push_sender(move |push| sender.try_send(push).map_err(|_| full.cancel()));
        }
        let (requests, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
            .await
            .map_err(|error| Trouble::of_login(node, &error))?;
        let ended = CancellationToken::new();
        let (until, at_end) = (shut.clone(), ended.clone().drop_guard());
        self.tasks.spawn(async move {
            let _at_end = at_end;
            until.run_until_cancelled(driver).await;
        });
        let connection = Connection {
            node: node.to_string(),
            requests,
            ended,
            shut: shut.clone(),
            _shut_on_drop: shut.drop_guard(),
        };
        connection.greet(node).await?;
        Ok(connection)
    }

    async fn open(&self, node: &Node) -> io::Result<Box<dyn Stream>> {
        let tcp = TcpStream::connect((node.host.as_str(), node.port)).await?;
        tcp.set_nodelay(true)?;
        let (first, then, count) = KEEPALIVE;
        let socket = SockRef::from(&tcp);
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(first).with_interval(then).with_retries(count))?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let name = match node.host.parse::<IpAddr>() {
            Ok(address) => ServerName::from(address),
            Err(_) => ServerName::try_from(node.host.clone()).map_err(io::Error::other)?,
        };
        Ok(Box::new(tls.connect(name, tcp).await?))
    }
}

impl Connection {
    /// Fails when the server is stuck, loading, or does not let us in. The system accepts connections for a process that
    /// is stopped, and the login may have nothing to say.
    async fn greet(&self, node: &Node) -> Result<(), Trouble> {
        let answer = self.requests.clone().send_packed_command(&cmd("PING")).await;
        match answer.map_err(|error| Trouble::of_connecting(node, &error))? {
            Value::ServerError(error) if error.code() != "NOPERM" => {
                let why = Trouble::from(error).to_string();
                Err(Trouble::Connect { node: self.node.clone(), why })
            }
            _ => Ok(()),
        }
    }

    /// Ends it now. Requests under way fail.
    pub(super) fn shut(&self) {
        self.shut.cancel();
    }
}

fn tls(ca_file: Option<&Path>) -> io::Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(authorities(ca_file)?)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn authorities(ca_file: Option<&Path>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        let about = |error: &dyn std::fmt::Display| {
            io::Error::other(format!("the file of authorities `{}` cannot be used: {error}", path.display()))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| about(&error))? {
            let certificate = certificate.map_err(|error| about(&error))?;
            roots.add(certificate).map_err(|error| about(&error))?;
        }
        if roots.is_empty() {
            return Err(about(&"it holds no certificate"));
        }
        return Ok(roots);
    }
    // A single certificate that cannot be read does not take the others away.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(io::Error::other("the system has no certificate authorities: name a file of them"));
    }
    Ok(roots)
}
