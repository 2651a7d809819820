//! The listeners: accept connections within their number, give each its limits, and let them end when it is time. One is
//! plain, another may speak TLS; what they take is answered alike.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tidegate_identity::Scheme;
use tidegate_tls::Tls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::address::Connection;
use super::collect::Collector;

/// Out of file descriptors, most likely: the next connection would fail at once as well.
const ACCEPT_PAUSE_MS: u64 = 50;
const STREAMS_MAX: u32 = 128;

/// What is said before the first request.
#[derive(Clone)]
pub enum Door {
    Plain,
    Tls(Arc<Tls>),
}

/// One connection, before it says anything.
struct Guest {
    collector: Arc<Collector>,
    builder: auto::Builder<TokioExecutor>,
    watcher: Watcher,
    ip: IpAddr,
}

/// What all listeners have in common.
#[derive(Clone)]
pub struct Serving {
    pub collector: Arc<Collector>,
    pub stop: CancellationToken,
    pub tracker: TaskTracker,
    pub grace_ms: u64,
}

/// Serves until `stop`; then finishes the requests under way, for at most `grace_ms`.
pub async fn serve(listener: TcpListener, door: Door, serving: Serving) {
    let Serving { collector, stop, tracker, grace_ms } = serving;
    let connections = Arc::new(Semaphore::new(collector.limits().connections_max));
    let builder = builder(&collector);
    let graceful = GracefulShutdown::new();
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
        let (door, watcher) = (door.clone(), graceful.watcher());
        let guest = Guest { collector: Arc::clone(&collector), builder: builder.clone(), watcher, ip: peer.ip() };
        tracker.spawn(async move {
            match door {
                Door::Plain => guest.converse(stream, Scheme::Http).await,
                Door::Tls(tls) => guest.shake_hands(&tls, stream).await,
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(Duration::from_millis(grace_ms), graceful.shutdown()).await.is_err() {
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
        let Guest { collector, builder, watcher, ip } = self;
        let head_timeout_ms = collector.limits().head_timeout_ms;
        let begun = Arc::new(AtomicBool::new(false));
        let service = service_fn({
            let begun = Arc::clone(&begun);
            move |request| {
                begun.store(true, Ordering::Relaxed);
                let collector = Arc::clone(&collector);
                async move { Ok::<_, Infallible>(collector.answer(request, Connection { ip, scheme }).await) }
            }
        });
        let watched = watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
        tokio::select! {
            // A client that goes away, or sends what is not HTTP, is no event of ours.
            ended = watched => if let Err(error) = ended {
                tracing::debug!("a connection ended early: {error}");
            },
            () = silence(head_timeout_ms, &begun) => tracing::debug!("a connection began no request in time"),
        }
    }
}

/// Ends when no request has begun in time; never, when one has. HTTP/1's own limit begins only with bytes that cannot
/// be HTTP/2's, and HTTP/2 has none: whoever sends nothing would keep its place for ever.
async fn silence(head_timeout_ms: u64, begun: &AtomicBool) {
    tokio::time::sleep(Duration::from_millis(head_timeout_ms)).await;
    if begun.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
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
