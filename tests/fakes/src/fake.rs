//! What a test holds: starts a platform, tells it how to behave, and asks what arrived. Does not serve: `server` does.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::behaviour::Script;
use crate::received::{Counts, Log};
use crate::server::{self, State};
use crate::{Behaviour, Clock, Keep, Platform, Received, WaitError};

const WAIT: Duration = Duration::from_secs(15);

/// The fake could not listen.
#[derive(Debug, thiserror::Error)]
#[error("listen on {address} for the fake `{platform}`")]
pub struct StartError {
    platform: &'static str,
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// How to start a fake.
pub struct Builder {
    platform: Arc<dyn Platform>,
    address: SocketAddr,
    clock: Clock,
    keep: Keep,
}

impl Builder {
    /// Where to listen, instead of a free port on the loopback.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Builder {
        self.address = address;
        self
    }

    /// The clock to judge by, instead of the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.clock = clock;
        self
    }

    /// How much to keep, instead of everything.
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Builder {
        self.keep = keep;
        self
    }

    pub async fn start(self) -> Result<Fake, StartError> {
        let failed = |source| StartError { platform: self.platform.name(), address: self.address, source };
        let listener = TcpListener::bind(self.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let state = Arc::new(State {
            platform: self.platform,
            clock: self.clock,
            log: Log::new(self.keep),
            script: Mutex::new(Script::normal()),
        });
        let (tracker, stopped) = (TaskTracker::new(), CancellationToken::new());
        tracker.spawn(server::accept(listener, state.clone(), tracker.clone(), stopped.clone()));
        Ok(Fake { address, state, tracker, stopped })
    }
}

/// A running platform. Dropping it stops listening and closes its connections.
pub struct Fake {
    address: SocketAddr,
    state: Arc<State>,
    tracker: TaskTracker,
    stopped: CancellationToken,
}

impl Fake {
    /// Starts the platform on a free port of the loopback, by the machine's clock, keeping everything.
    pub async fn start(platform: impl Platform) -> Result<Fake, StartError> {
        Fake::builder(platform).start().await
    }

    pub fn builder(platform: impl Platform) -> Builder {
        Fake::builder_of(Arc::new(platform))
    }

    pub(crate) fn builder_of(platform: Arc<dyn Platform>) -> Builder {
        Builder {
            platform,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clock: Clock::system(),
            keep: Keep::Everything,
        }
    }

    pub fn name(&self) -> &'static str {
        self.state.platform.name()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`, as a destination's `base_url` wants it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Queues behaviours for the next requests, one each; afterwards everything is as before.
    pub fn next(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.script().push(behaviours);
    }

    /// Behaves so from now on, until told otherwise; forgets what was queued.
    pub fn always(&self, behaviour: Behaviour) {
        self.script().always(behaviour);
    }

    /// Behaves as the platform does again.
    pub fn behave(&self) {
        self.always(Behaviour::Normal);
    }

    /// The requests that arrived, in order.
    pub fn requests(&self) -> Vec<Arc<Received>> {
        self.state.log.requests()
    }

    /// The events that the platform took, in order: none from a request that it refused or that was answered by the script.
    pub fn events(&self) -> Vec<Value> {
        self.requests().iter().flat_map(|request| request.events.clone()).collect()
    }

    /// What is wrong with what arrived, each with its request's number.
    pub fn problems(&self) -> Vec<String> {
        let describe = |request: &Arc<Received>| {
            let order = request.order;
            request.problems.iter().map(|problem| format!("request {order}: {problem}")).collect::<Vec<_>>()
        };
        self.requests().iter().flat_map(describe).collect()
    }

    /// How often each event id was taken. Only where the fake keeps [`Keep::EventIds`].
    pub fn event_ids(&self) -> BTreeMap<String, u64> {
        self.state.log.ids()
    }

    /// How many requests have arrived, ever.
    pub fn requests_count(&self) -> u64 {
        self.state.log.counts().requests
    }

    /// How many events the platform has taken, ever.
    pub fn events_count(&self) -> u64 {
        self.state.log.counts().events
    }

    /// Forgets what arrived so far. The counts go on.
    pub fn clear(&self) {
        self.state.log.clear();
    }

    /// Waits for so many requests in all; after 15 s an error that prints what arrived.
    pub async fn wait_for(&self, requests: u64) -> Result<Vec<Arc<Received>>, WaitError> {
        self.wait(WAIT, "requests", requests, |counts| counts.requests).await?;
        Ok(self.requests())
    }

    /// Waits for so many requests in all, this long.
    pub async fn wait_for_within(&self, requests: u64, within: Duration) -> Result<Vec<Arc<Received>>, WaitError> {
        self.wait(within, "requests", requests, |counts| counts.requests).await?;
        Ok(self.requests())
    }

    /// Waits until the platform has taken so many events in all; after 15 s an error that prints what arrived.
    pub async fn wait_for_events(&self, events: u64) -> Result<Vec<Value>, WaitError> {
        self.wait(WAIT, "events", events, |counts| counts.events).await?;
        Ok(self.events())
    }

    /// Waits until the platform has taken so many events in all, this long.
    pub async fn wait_for_events_within(&self, events: u64, within: Duration) -> Result<Vec<Value>, WaitError> {
        self.wait(within, "events", events, |counts| counts.events).await?;
        Ok(self.events())
    }

    /// Stops listening, closes the connections, and waits until all of it is gone.
    pub async fn stop(self) {
        self.stopped.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    async fn wait(
        &self,
        within: Duration,
        what: &'static str,
        wanted: u64,
        count: impl Fn(&Counts) -> u64,
    ) -> Result<(), WaitError> {
        match self.state.log.wait(within, |counts| count(counts) >= wanted).await {
            Some(()) => Ok(()),
            None => Err(WaitError {
                platform: self.name(),
                what,
                wanted,
                got: count(&self.state.log.counts()),
                within_ms: within.as_millis(),
                arrived: self.state.log.summary(),
            }),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.state.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stopped.cancel();
        self.tracker.close();
    }
}
