//! The listeners: accept connections within their number, give each its limits, and let them end when it is time. One is
//! plain, another may speak TLS; what they take is answered alike.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tidegate_identity::Scheme;
use tidegate_tls::Tls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::address::Connection;
use super::collect::Collector;
use super::stay::Stay;
use crate::clock::Clock;

/// Out of file descriptors, most likely: the next connection would fail at once as well.
const ACCEPT_PAUSE_MS: u64 = 50;
/// Requests under way in one connection of HTTP/2: few connections are not to have all of `in_flight_max`.
const STREAMS_MAX: u32 = 16;

/// What is said before the first request.
#[derive(Clone)]
pub enum Door {
    Plain,
    Tls(Arc<Tls>),
}

/// One connection, before it says anything.
struct Guest {
    collector: Arc<Collector>,
    clock: Arc<dyn Clock>,
    builder: auto::Builder<TokioExecutor>,
    stop: CancellationToken,
    ip: IpAddr,
    /// Who waits for all connections to end waits for this one.
    _present: TaskTrackerToken,
}

/// What all listeners have in common.
#[derive(Clone)]
pub struct Serving {
    pub collector: Arc<Collector>,
    pub clock: Arc<dyn Clock>,
    pub stop: CancellationToken,
    pub tracker: TaskTracker,
    pub grace_ms: u64,
}

/// Serves until `stop`; then finishes the requests under way, for at most `grace_ms`.
pub async fn serve(listener: TcpListener, door: Door, serving: Serving) {
    let Serving { collector, clock, stop, tracker, grace_ms } = serving;
    let connections = Arc::new(Semaphore::new(collector.limits().connections_max));
    let builder = builder(&collector);
    let present = TaskTracker::new();
    loop {
        // Waiting for a place before accepting leaves the next clients in the kernel's queue, which has a bound too.
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&connections).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("TCP_NODELAY could not be set: {error}");
        }
        let door = door.clone();
        let guest = Guest {
            collector: Arc::clone(&collector),
            clock: Arc::clone(&clock),
            builder: builder.clone(),
            stop: stop.clone(),
            ip: peer.ip(),
            _present: present.token(),
        };
        tracker.spawn(async move {
            match door {
                Door::Plain => guest.converse(stream, Scheme::Http).await,
                Door::Tls(tls) => guest.shake_hands(&tls, stream).await,
            }
            drop(place);
        });
    }
    drop(listener);
    present.close();
    if tokio::time::timeout(Duration::from_millis(grace_ms), present.wait()).await.is_err() {
        tracing::warn!("some connections did not end within {grace_ms} ms");
    }
}

impl Guest {
    async fn shake_hands(self, tls: &Tls, stream: TcpStream) {
        match tls.accept(stream).await {
            Ok(Some(stream)) => self.converse(stream, Scheme::Https).await,
            // An authority saw that the host is ours.
            Ok(None) => {}
            Err(error) => tracing::debug!("a handshake failed: {error}"),
        }
    }

    async fn converse<IO>(self, stream: IO, scheme: Scheme)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Guest { collector, clock, builder, stop, ip, _present } = self;
        let head_timeout_ms = collector.limits().head_timeout_ms;
        let stay = Stay::begin(clock);
        let service = service_fn({
            let stay = Arc::clone(&stay);
            move |request| {
                let (collector, busy) = (Arc::clone(&collector), stay.request());
                async move {
                    let _busy = busy;
                    Ok::<_, Infallible>(collector.answer(request, Connection { ip, scheme }).await)
                }
            }
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).into_owned());
        // HTTP/1's own limit begins only with bytes that cannot be HTTP/2's, and HTTP/2 has none, neither before the first
        // request nor after the last one: who sends nothing more would keep its place for ever.
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = stop.cancelled() => None,
            () = stay.idle(head_timeout_ms) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                // HTTP/2 says it with GOAWAY; what came meanwhile is answered still. A client may take no notice of it.
                connection.as_mut().graceful_shutdown();
                stay.renew();
                tokio::select! {
                    ended = connection => ended,
                    () = stay.idle(head_timeout_ms) => Ok(()),
                }
            }
        };
        // A client that goes away, or sends what is not HTTP, is no event of ours.
        if let Err(error) = ended {
            tracing::debug!("a connection ended early: {error}");
        }
    }
}

fn builder(collector: &Collector) -> auto::Builder<TokioExecutor> {
    let limits = collector.limits();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.head_timeout_ms))
        // Smaller than this hyper does not allow; a larger head is answered with 431.
        .max_buf_size(limits.header_bytes_max.max(8192))
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(30));
    builder
}
