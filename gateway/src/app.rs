//! The application: the only place that builds concrete types, joins them, and takes them down in order.

mod approvals;
mod catch_up;
mod housekeeping;
mod roles;
pub mod store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_queue::{Queue, Retention};
use tidegate_sandbox::Sandbox;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::housekeeping::Housekeeping;
pub use self::roles::{Role, Roles};
use crate::admin::{self, Operator};
use crate::causes::chain;
use crate::clock::Clock;
use crate::config::{self, Backend, Config, Mistakes};
use crate::delivery::courier::Courier;
use crate::delivery::egress::Egress;
use crate::delivery::state::State;
use crate::delivery::worker::{self, Worker};
use crate::delivery::{Sender, retry};
use crate::destination::{self, Destination};
use crate::ending::Ending;
use crate::http::{self, Collector};
use crate::journey::intake::{Bounds, Intake};
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
    Store(#[source] store::OpenError),
    #[error("the store could not be read")]
    StoreRead(#[source] tidegate_queue::Error),
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
    /// Where the public listener really is; none where it does not collect.
    pub http: Option<SocketAddr>,
    /// Where the admin listener really is.
    pub admin: SocketAddr,
    ending: Ending,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    roles: Roles,
    shutdown_ms: u64,
    /// Its own clock ticks as long as it lives: without it no plugin would be stopped.
    _sandbox: Sandbox,
}

/// Every destination with the state of its worker.
type Running = Vec<(Arc<Destination>, Arc<State>)>;

/// How long a client waits for SQLite; for a Redis the configuration tells.
const SQLITE_TIMEOUT: Duration = Duration::from_secs(10);
/// What a stop has beyond `shutdown_ms`, in two steps: to give back what is under way, and to close the store.
const STEP: Duration = Duration::from_millis(900);
const DAY: Duration = Duration::from_secs(86_400);

/// Starts a gateway with both roles: when this returns, both listeners take connections.
///
/// # Errors
/// When the configuration, a plugin, the store or an address is not usable.
pub async fn start(config: Config) -> Result<Gateway, Error> {
    start_as(config, Roles::default()).await
}

/// Starts a gateway with these roles: when this returns, its listeners take connections.
///
/// # Errors
/// As [`start`].
pub async fn start_as(config: Config, roles: Roles) -> Result<Gateway, Error> {
    let sandbox = sandbox(&config)?;
    let destinations = destination::prepare(&config, &sandbox).map_err(Error::Config)?;
    approvals::tell(&config, &destinations);
    let queue = store::open(&config, store::Purpose::Serve).await.map_err(Error::Store)?;
    let clock = catch_up::clock(&config, queue.as_ref()).await.map_err(Error::StoreRead)?;
    let public = match roles.has(Role::Collect) {
        true => Some(listen(config.listen.http).await?),
        false => None,
    };
    let admin = listen(config.listen.admin).await?;
    let http = public.as_ref().map(|(_, address)| *address);
    let (ending, shutdown_ms) = (Ending::default(), config.delivery.shutdown_ms);
    let gateway = Gateway { http, admin: admin.1, ending, queue, clock, roles, shutdown_ms, _sandbox: sandbox };
    let metrics = Arc::new(Metrics::default());
    let workers = gateway.start_workers(&config, &destinations)?;
    gateway.start_admin(&config, admin.0, workers, &metrics);
    if let Some((listener, _)) = public {
        gateway.start_public(&config, listener, &destinations, metrics);
    }
    gateway.start_housekeeping(&config);
    gateway.announce(&config, destinations.len());
    Ok(gateway)
}

/// Runs a gateway until `shutdown` is cancelled or its store fails.
///
/// # Errors
/// As [`start`], and when the store fails for good.
pub async fn run(config: Config, roles: Roles, shutdown: CancellationToken) -> Result<(), Error> {
    let gateway = start_as(config, roles).await?;
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
            () = self.ending.stop.cancelled() => {}
        }
        self.stop().await
    }

    /// Stops: takes nothing new, finishes what is under way within the configured time, gives back what was leased,
    /// closes the store. Ends in time whatever the platforms and the store do.
    ///
    /// # Errors
    /// When the store had failed.
    pub async fn stop(self) -> Result<(), Error> {
        self.ending.stop.cancel();
        self.ending.tracker.close();
        let ended = || self.ending.tracker.wait();
        if tokio::time::timeout(Duration::from_millis(self.shutdown_ms), ended()).await.is_err() {
            tracing::info!("what is still under way is given back: it is sent again by the next gateway");
            self.ending.give_up.cancel();
            if tokio::time::timeout(STEP, ended()).await.is_err() {
                tracing::warn!("some tasks did not end in time; what they had leased is sent again later");
            }
        }
        let queue = Arc::clone(&self.queue);
        // In a task of its own: a store that hangs must not keep this one from going on.
        let closing = self.ending.tracker.spawn(async move {
            let health = queue.health().await;
            (health, queue.close().await)
        });
        let health = match tokio::time::timeout(STEP, closing).await {
            Ok(Ok((health, closed))) => {
                if let Err(error) = closed {
                    tracing::error!("the store did not close cleanly: {}", chain(&error));
                }
                health
            }
            Ok(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            Err(_) => {
                tracing::error!("the store did not close in time; what was acknowledged is in it all the same");
                Ok(())
            }
        };
        tracing::info!("stopped");
        match health {
            Err(error @ tidegate_queue::Error::Fatal { .. }) => Err(Error::StoreFailed(chain(&error))),
            _ => Ok(()),
        }
    }

    fn announce(&self, config: &Config, destinations: usize) {
        let collecting = match self.http {
            Some(http) => format!("collecting on http://{http}"),
            None => "not collecting".to_owned(),
        };
        let delivering = match self.roles.has(Role::Deliver) {
            true => format!("{destinations} destinations"),
            false => format!("not delivering to {destinations} destinations"),
        };
        let (admin, durability) = (self.admin, self.queue.durability());
        tracing::info!(
            "{collecting}, admin on http://{admin}, {delivering}; store `{}`, durability `{}`: {}",
            config.store.backend,
            durability.level.name(),
            durability.meaning
        );
    }

    fn start_workers(&self, config: &Config, destinations: &[Arc<Destination>]) -> Result<Running, Error> {
        let sender: Arc<dyn Sender> = Arc::new(Egress::new().map_err(Error::Egress)?);
        let delivery = &config.delivery;
        // One for all: destinations of the same account share their access token.
        let courier = Arc::new(Courier::new(sender, Arc::clone(&self.clock), delivery.response_bytes_max));
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
                courier: Arc::clone(&courier),
                clock: Arc::clone(&self.clock),
                lease_ms: worker::lease_ms(destination.timeout_ms),
                requests: Arc::new(Semaphore::new(destination.concurrency.max(1))),
                ending: self.ending.clone(),
            };
            if destination.switch == destination::Switch::On && self.roles.has(Role::Deliver) {
                self.ending.tracker.spawn(worker.run());
            }
            (Arc::clone(destination), state)
        };
        Ok(destinations.iter().map(with_state).collect())
    }

    fn start_admin(&self, config: &Config, listener: TcpListener, destinations: Running, metrics: &Arc<Metrics>) {
        let operator = Operator {
            token: config.admin.token.clone(),
            queue: Arc::clone(&self.queue),
            store: config.store.backend.to_string(),
            roles: self.roles.names(),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(metrics),
            destinations,
            started_ms: self.clock.steady_ms(),
            stopping: self.ending.stop.clone(),
        };
        let stop = self.ending.stop.clone();
        self.ending.tracker.spawn(async move {
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
        metrics: Arc<Metrics>,
    ) {
        let timeout = match &config.store.backend {
            Backend::Sqlite { .. } => SQLITE_TIMEOUT,
            // The queue's own limits come first: they know more of what went wrong.
            Backend::Redis(redis) => redis.timeouts.connect + redis.timeouts.response * 2,
        };
        let bounds = Bounds { bytes_max: config.limits.pending_bytes_max, timeout };
        let profile_ms = millis(DAY * config.store.profile_days);
        let intake = Intake::new(Arc::clone(&self.queue), bounds);
        let journey = Journey { intake, clock: Arc::clone(&self.clock), profile_ms };
        let route = |site: &config::Site| Route {
            destinations: destinations.iter().filter(|d| d.site == site.name).cloned().collect(),
            site: site.clone(),
        };
        let routes = config.sites.iter().map(route).collect();
        let collector = Arc::new(Collector::new(config, journey, routes, Arc::clone(&self.clock), metrics));
        let Ending { stop, tracker, .. } = self.ending.clone();
        self.ending.tracker.spawn(http::serve(listener, collector, stop, tracker, self.shutdown_ms));
    }

    fn start_housekeeping(&self, config: &Config) {
        let housekeeping = Housekeeping {
            queue: Arc::clone(&self.queue),
            clock: Arc::clone(&self.clock),
            retention: Retention {
                journal_ms: millis(config.store.journal),
                dead_ms: millis(DAY * config.store.dead_letters_days),
            },
            ending: self.ending.clone(),
        };
        housekeeping.start();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
