//! The application: the only place that builds concrete types, joins them, and takes them down in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_queue::{Limits, Queue, Retention, SqliteQueue, Swept, sqlite};
use tidegate_sandbox::Sandbox;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{self, Operator};
use crate::causes::chain;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, Mistakes};
use crate::delivery::egress::Egress;
use crate::delivery::retry;
use crate::delivery::state::State;
use crate::delivery::worker::Worker;
use crate::destination::{self, Destination};
use crate::http::{self, Collector};
use crate::journey::{Journey, Route};
use crate::metrics::Metrics;

/// Why the gateway does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the configuration has mistakes")]
    Config(#[source] Mistakes),
    #[error("the sandbox could not be set up")]
    Sandbox(#[source] tidegate_sandbox::Error),
    #[error("the store could not be opened")]
    Store(#[source] sqlite::OpenError),
    #[error("could not listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the client for requests could not be set up")]
    Egress(#[source] reqwest::Error),
    #[error("the store has failed: {0}")]
    StoreFailed(String),
}

/// A gateway that runs.
pub struct Gateway {
    /// Where the public listener really is.
    pub http: SocketAddr,
    /// Where the admin listener really is.
    pub admin: SocketAddr,
    stop: CancellationToken,
    tracker: TaskTracker,
    /// The public listener's and the workers' tasks: they end before the store is closed.
    queue: Arc<dyn Queue>,
    shutdown_ms: u64,
}

/// Every destination with the state of its worker.
type Running = Vec<(Arc<Destination>, Arc<State>)>;

/// How often the store is swept and its health looked at.
const HOUSEKEEPING_MS: u64 = 5_000;
const DAY_MS: u64 = 86_400_000;

/// Starts a gateway: when this returns, both listeners take connections.
///
/// # Errors
/// When the configuration, a plugin, the store or an address is not usable.
pub async fn start(config: Config) -> Result<Gateway, Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sandbox = sandbox(&config)?;
    let destinations = destination::prepare(&config, &sandbox).map_err(Error::Config)?;
    let queue = open(&config)?;
    let public = listen(config.listen.http).await?;
    let admin = listen(config.listen.admin).await?;
    let gateway = Gateway {
        http: public.1,
        admin: admin.1,
        stop: CancellationToken::new(),
        tracker: TaskTracker::new(),
        queue,
        shutdown_ms: config.delivery.shutdown_ms,
    };
    let metrics = Arc::new(Metrics::default());
    let workers = gateway.start_workers(&config, &destinations, &clock)?;
    gateway.start_admin(&config, admin.0, workers, &clock, &metrics);
    gateway.start_public(&config, public.0, &destinations, &clock, metrics);
    gateway.start_housekeeping(&config, sandbox, Arc::clone(&clock));
    tracing::info!(
        "collecting on http://{}, admin on http://{}, {} destinations; {}",
        gateway.http,
        gateway.admin,
        destinations.len(),
        gateway.queue.durability().meaning
    );
    Ok(gateway)
}

/// Runs a gateway until `shutdown` is cancelled or its store fails.
///
/// # Errors
/// As [`start`], and when the store fails for good.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let gateway = start(config).await?;
    gateway.run_until(shutdown).await
}

/// Checks a configuration as far as it can be without listening or opening the store.
///
/// # Errors
/// Every mistake; or the sandbox cannot be set up.
pub fn check(config: &Config) -> Result<Vec<Arc<Destination>>, Error> {
    destination::prepare(config, &sandbox(config)?).map_err(Error::Config)
}

/// The sandbox of a configuration.
///
/// # Errors
/// When it cannot be set up.
pub fn sandbox(config: &Config) -> Result<Sandbox, Error> {
    let options = tidegate_sandbox::Options {
        cache_dir: Some(config.plugins.cache.clone()),
        ..tidegate_sandbox::Options::default()
    };
    Sandbox::new(options).map_err(Error::Sandbox)
}

impl Gateway {
    /// Waits until `shutdown` is cancelled or the store fails, then stops.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn run_until(self, shutdown: CancellationToken) -> Result<(), Error> {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.stop.cancelled() => {}
        }
        self.stop().await
    }

    /// Stops: takes nothing new, finishes what is under way within the configured time, closes the store.
    ///
    /// # Errors
    /// When the store had failed.
    pub async fn stop(self) -> Result<(), Error> {
        let health = self.queue.health().await;
        self.stop.cancel();
        self.tracker.close();
        // The listener and the requests to platforms each have a bound of their own; this one is above both.
        let bound = Duration::from_millis(self.shutdown_ms.saturating_add(2_000));
        if tokio::time::timeout(bound, self.tracker.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time; what they had leased is tried again at the next start");
        }
        if let Err(error) = self.queue.close().await {
            tracing::error!("the store did not close cleanly: {}", chain(&error));
        }
        tracing::info!("stopped");
        match health {
            Err(error @ tidegate_queue::Error::Fatal { .. }) => Err(Error::StoreFailed(chain(&error))),
            _ => Ok(()),
        }
    }

    fn start_workers(
        &self,
        config: &Config,
        destinations: &[Arc<Destination>],
        clock: &Arc<dyn Clock>,
    ) -> Result<Running, Error> {
        let sender = Arc::new(Egress::new().map_err(Error::Egress)?);
        let delivery = &config.delivery;
        let with_state = |destination: &Arc<Destination>| {
            let state = Arc::new(State::default());
            let worker = Worker {
                destination: Arc::clone(destination),
                policy: retry::Policy {
                    attempts_max: delivery.attempts_max,
                    backoff_base_ms: delivery.backoff_base_ms,
                    backoff_max_ms: delivery.backoff_max_ms,
                    age_max_ms: destination.age_max_ms,
                },
                state: Arc::clone(&state),
                queue: Arc::clone(&self.queue),
                sender: Arc::clone(&sender) as Arc<dyn crate::delivery::Sender>,
                clock: Arc::clone(clock),
                response_bytes_max: delivery.response_bytes_max,
                requests: Arc::new(Semaphore::new(destination.concurrency.max(1))),
                stop: self.stop.clone(),
                tracker: self.tracker.clone(),
            };
            if destination.switch == destination::Switch::On {
                self.tracker.spawn(worker.run());
            }
            (Arc::clone(destination), state)
        };
        Ok(destinations.iter().map(with_state).collect())
    }

    fn start_admin(
        &self,
        config: &Config,
        listener: TcpListener,
        destinations: Running,
        clock: &Arc<dyn Clock>,
        metrics: &Arc<Metrics>,
    ) {
        let operator = Operator {
            token: config.admin.token.clone(),
            queue: Arc::clone(&self.queue),
            clock: Arc::clone(clock),
            metrics: Arc::clone(metrics),
            destinations,
            started_ms: clock.now_ms(),
            stopping: self.stop.clone(),
        };
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            if let Err(error) = admin::serve(listener, operator, stop).await {
                tracing::error!("the admin listener failed: {error}");
            }
        });
    }

    fn start_public(
        &self,
        config: &Config,
        listener: TcpListener,
        destinations: &[Arc<Destination>],
        clock: &Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) {
        let journey = Journey {
            queue: Arc::clone(&self.queue),
            clock: Arc::clone(clock),
            profile_ms: u64::from(config.store.profile_days).saturating_mul(DAY_MS),
        };
        let route = |site: &config::Site| Route {
            destinations: destinations.iter().filter(|d| d.site == site.name).cloned().collect(),
            site: site.clone(),
        };
        let routes = config.sites.iter().map(route).collect();
        let collector = Arc::new(Collector::new(config, journey, routes, Arc::clone(clock), metrics));
        let serving = http::serve(listener, collector, self.stop.clone(), self.tracker.clone(), self.shutdown_ms);
        self.tracker.spawn(serving);
    }

    /// Sweeps the store, and stops the gateway when the store has failed for good: what it said it took, it has, and
    /// it must not go on to say so.
    fn start_housekeeping(&self, config: &Config, sandbox: Sandbox, clock: Arc<dyn Clock>) {
        let (stop, queue) = (self.stop.clone(), Arc::clone(&self.queue));
        let retention = Retention {
            journal_ms: u64::from(config.store.journal_days).saturating_mul(DAY_MS),
            dead_ms: u64::from(config.store.dead_letters_days).saturating_mul(DAY_MS),
        };
        self.tracker.spawn(async move {
            // The sandbox's clock ticks as long as it lives.
            let _sandbox = sandbox;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(HOUSEKEEPING_MS)) => {}
                }
                if let Err(error @ tidegate_queue::Error::Fatal { .. }) = queue.health().await {
                    tracing::error!("stopping, for {}", chain(&error));
                    stop.cancel();
                    return;
                }
                match queue.sweep(clock.now_ms(), retention).await {
                    Ok(Swept { records: 0, fields: 0 }) => {}
                    Ok(Swept { records, fields }) => {
                        tracing::debug!("swept {records} old records and {fields} fields of profiles");
                    }
                    Err(error) => tracing::warn!("could not sweep the store: {}", chain(&error)),
                }
            }
        });
    }
}

fn open(config: &Config) -> Result<Arc<dyn Queue>, Error> {
    let options = sqlite::Options { mode: sqlite::Mode::Serve, limits: Limits::overall(config.store.waiting_max) };
    Ok(Arc::new(SqliteQueue::open(&config.store.path, options).map_err(Error::Store)?))
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
