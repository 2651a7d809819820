//! Receivers of webhooks in this process, which note when each event arrived and can refuse or say nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::load::number_of;

/// What a sink answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Taking,
    /// 503, at once.
    Refusing,
    /// Nothing, until it has another manner.
    Silent,
}

/// What becomes of events on their way: shared by whoever sends and the sinks that count.
pub(crate) struct Flight {
    began: Instant,
    sent_us: Vec<AtomicU64>,
    /// How many sinks have yet to get it.
    missing: Vec<AtomicU8>,
    /// Events that every sink has got, or that may still be sent.
    pub(crate) room: Semaphore,
}

impl Flight {
    /// For events below `events_max`, which go to so many sinks each, `room` of them at a time.
    pub(crate) fn new(events_max: u64, sinks: u8, room: usize) -> Flight {
        let all = 0..events_max;
        Flight {
            began: Instant::now(),
            sent_us: all.clone().map(|_| AtomicU64::new(0)).collect(),
            missing: all.map(|_| AtomicU8::new(sinks)).collect(),
            room: Semaphore::new(room),
        }
    }

    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn events_max(&self) -> u64 {
        self.sent_us.len() as u64
    }

    /// An event is sent, or was to be sent at that time.
    pub(crate) fn sent(&self, n: u64, at_us: u64) {
        self.sent_us[n as usize].store(at_us, Ordering::Relaxed);
    }

    pub(crate) fn sent_us(&self, n: u64) -> u64 {
        self.sent_us[n as usize].load(Ordering::Relaxed)
    }

    fn arrived(&self, n: u64) {
        if self.missing[n as usize].fetch_sub(1, Ordering::Relaxed) == 1 {
            self.room.add_permits(1);
        }
    }
}

/// One receiver. Dropped, it ends.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    _serving: JoinSet<()>,
}

struct State {
    manner: watch::Sender<Manner>,
    flight: Arc<Flight>,
    /// When each event arrived first; 0: not yet.
    arrived_us: Vec<AtomicU64>,
    count: AtomicU64,
}

impl Sink {
    pub(crate) async fn start(flight: &Arc<Flight>) -> anyhow::Result<Sink> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            manner: watch::Sender::new(Manner::Taking),
            flight: Arc::clone(flight),
            arrived_us: (0..flight.events_max()).map(|_| AtomicU64::new(0)).collect(),
            count: AtomicU64::new(0),
        });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&state)));
        Ok(Sink { address, state, _serving: serving })
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.state.manner.send_replace(manner);
    }

    /// How many events have arrived.
    pub(crate) fn count(&self) -> u64 {
        self.state.count.load(Ordering::Relaxed)
    }

    /// When an event arrived, in the flight's time.
    pub(crate) fn arrived_us(&self, n: u64) -> Option<u64> {
        Some(self.state.arrived_us[n as usize].load(Ordering::Relaxed)).filter(|at_us| *at_us > 0)
    }

    /// Waits until so many have arrived.
    pub(crate) async fn wait_for(&self, count: u64, within: Duration) -> anyhow::Result<()> {
        let clock = Instant::now();
        while self.count() < count {
            anyhow::ensure!(clock.elapsed() < within, "{} of {count} events arrived in {within:?}", self.count());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

async fn serve(listener: tokio::net::TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(Arc::clone(&state), request));
        connections.spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let id = request.headers().get("webhook-id").and_then(|id| id.to_str().ok());
    let number = id.and_then(number_of).filter(|n| *n < state.flight.events_max());
    let is_whole = request.into_body().collect().await.is_ok();
    let manner = state.manner.subscribe().wait_for(|manner| *manner != Manner::Silent).await.map(|manner| *manner);
    let mut response = Response::new(Empty::new());
    match (manner, number) {
        (Ok(Manner::Taking), Some(n)) if is_whole => {
            let at_us = state.flight.now_us().max(1);
            let first = state.arrived_us[n as usize].compare_exchange(0, at_us, Ordering::Relaxed, Ordering::Relaxed);
            if first.is_ok() {
                state.count.fetch_add(1, Ordering::Relaxed);
                state.flight.arrived(n);
            }
        }
        _ => *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE,
    }
    Ok(response)
}

/// A destination named `name` that posts to this sink.
pub(crate) fn destination(name: &str, sink: &Sink) -> String {
    format!(
        "[[destination]]\nname = \"{name}\"\nsite = \"shop\"\nplugin = \"webhook\"\n\
         config = {{ url = \"http://{}/\" }}\nsecrets = {{ signing_secret = \"env:WEBHOOK_SECRET\" }}\n\
         allow_insecure = true\n\n",
        sink.address
    )
}
