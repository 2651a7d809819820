//! The application: the only place that builds concrete types, joins them, and takes them down in order.

mod approvals;
mod aside;
mod catch_up;
mod certificates;
mod crew;
mod housekeeping;
mod public;
mod reload;
mod roles;
mod stopping;
pub mod store;
mod switching;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_consent::Geo;
use tidegate_queue::{Queue, Retention};
use tidegate_sandbox::Sandbox;
use tidegate_tls::Tls;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use self::crew::{Crew, Manner, Tools};
use self::housekeeping::Housekeeping;
use self::public::{Listeners, Public};
use self::reload::Reloading;
pub use self::roles::{Role, Roles};
use crate::admin::{self, Operator};
use crate::clock::Clock;
use crate::config::{Config, Mistakes, Source};
use crate::delivery::Sender;
use crate::delivery::courier::Courier;
use crate::delivery::egress::Egress;
use crate::destination::{self, Destination};
use crate::ending::Ending;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::reload::{Asked, Reloads};
use crate::switch::Switches;

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
    #[error("the database of `geo.database` could not be taken")]
    Geo(#[source] tidegate_consent::geo::Error),
    #[error("the client for requests could not be set up")]
    Egress(#[source] reqwest::Error),
    #[error("the store has failed: {0}")]
    StoreFailed(String),
}

/// What a gateway is started with.
#[derive(Debug, Clone)]
pub struct Setup {
    pub config: Config,
    /// Where a reload reads the configuration again; without it there is none.
    pub source: Option<Source>,
    pub roles: Roles,
}

/// What tells a gateway something from outside.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// Cancelled: it is to stop.
    pub shutdown: CancellationToken,
    /// Notified: it is to reload its configuration.
    pub reload: Arc<Notify>,
}

/// A gateway that runs.
pub struct Gateway {
    /// Where the public listener really is; none where it does not collect.
    pub http: Option<SocketAddr>,
    /// Where the TLS listener really is, if there is one.
    pub https: Option<SocketAddr>,
    /// Where the admin listener really is.
    pub admin: SocketAddr,
    reloads: Reloads,
    ending: Ending,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    ledger: Arc<Ledger>,
    roles: Roles,
    shutdown_ms: u64,
    /// Its own clock ticks as long as it lives: without it no plugin would be stopped.
    sandbox: Arc<Sandbox>,
}

const DAY: Duration = Duration::from_secs(86_400);

/// Starts a gateway with both roles that never reloads: when this returns, both listeners take connections.
///
/// # Errors
/// When the configuration, a plugin, the store or an address is not usable.
pub async fn start(config: Config) -> Result<Gateway, Error> {
    start_as(config, Roles::default()).await
}

/// Starts a gateway with these roles that never reloads: when this returns, its listeners take connections.
///
/// # Errors
/// As [`start`].
pub async fn start_as(config: Config, roles: Roles) -> Result<Gateway, Error> {
    set_up(Setup { config, source: None, roles }).await
}

/// Starts a gateway: when this returns, its listeners take connections.
///
/// # Errors
/// As [`start`].
pub async fn set_up(setup: Setup) -> Result<Gateway, Error> {
    let Setup { config, source, roles } = setup;
    let sandbox = Arc::new(sandbox(&config)?);
    let destinations = destination::prepare(&config, &sandbox).map_err(Error::Config)?;
    approvals::tell(&config, &destinations);
    let geo = geo(&config)?.map(Arc::new);
    let tls = certificates::open(&config, roles).map_err(Error::Config)?;
    let queue = store::open(&config, store::Purpose::Serve).await.map_err(Error::Store)?;
    let clock = catch_up::clock(&config, queue.as_ref()).await.map_err(Error::StoreRead)?;
    let switches = Switches::default();
    switches.learn(queue.as_ref()).await.map_err(Error::StoreRead)?;
    let listeners = match roles.has(Role::Collect) {
        true => Some(Listeners::open(&config, tls.clone()).await?),
        false => None,
    };
    let admin = listen(config.listen.admin).await?;
    let http = listeners.as_ref().map(Listeners::http);
    let https = listeners.as_ref().and_then(Listeners::https);
    let (reloads, asked) = Reloads::new();
    let (ending, shutdown_ms) = (Ending::default(), config.delivery.shutdown_ms);
    let ledger = Arc::new(Ledger::new(Arc::clone(&queue), Arc::clone(&clock)));
    let gateway =
        Gateway { http, https, admin: admin.1, reloads, ending, queue, clock, ledger, roles, shutdown_ms, sandbox };
    let metrics = Arc::new(Metrics::default());
    gateway.start_switching(&switches);
    let mut crew = gateway.crew(&config, &switches)?;
    crew.change(&destinations, &config.delivery);
    let mut parts = Parts { config, source, crew, switches, metrics, tls, public: None };
    gateway.start_admin(&parts, admin.0);
    if let Some(listeners) = listeners {
        parts.public = Some(gateway.start_public(&parts, listeners, &destinations, geo));
    }
    gateway.start_housekeeping(&parts.config);
    gateway.announce(&parts.config, destinations.len());
    gateway.start_reloading(parts, asked);
    Ok(gateway)
}

/// What is put together at a start, and changed by a reload.
struct Parts {
    config: Config,
    source: Option<Source>,
    crew: Crew,
    switches: Switches,
    metrics: Arc<Metrics>,
    /// Absent where TLS is a proxy's, or it does not collect.
    tls: Option<Arc<Tls>>,
    /// Absent where it does not collect.
    public: Option<Public>,
}

/// Runs a gateway until it is told to stop or its store fails.
///
/// # Errors
/// As [`start`], and when the store fails for good.
pub async fn run(setup: Setup, signals: Signals) -> Result<(), Error> {
    let gateway = set_up(setup).await?;
    gateway.run_until(signals).await
}

/// Checks a configuration as far as it can be without listening or opening the store.
///
/// # Errors
/// Every mistake; or the sandbox cannot be set up.
pub fn check(config: &Config) -> Result<Vec<Arc<Destination>>, Error> {
    geo(config)?;
    let certificates = certificates::open(config, Roles::default());
    match (destination::prepare(config, &sandbox(config)?), certificates) {
        (Ok(destinations), Ok(_)) => Ok(destinations),
        (Err(mistakes), Ok(_)) | (Ok(_), Err(mistakes)) => Err(Error::Config(mistakes)),
        (Err(mut mistakes), Err(mut others)) => {
            mistakes.append(&mut others);
            Err(Error::Config(mistakes))
        }
    }
}

/// The database of a configuration, loaded.
fn geo(config: &Config) -> Result<Option<Geo>, Error> {
    config.geo.database.as_deref().map(Geo::open).transpose().map_err(Error::Geo)
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
    /// Waits until it is told to stop or the store fails, then stops. Reloads meanwhile when it is told to.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn run_until(self, signals: Signals) -> Result<(), Error> {
        loop {
            tokio::select! {
                () = signals.shutdown.cancelled() => break,
                () = self.ending.stop.cancelled() => break,
                () = signals.reload.notified() => {
                    let reloads = self.reloads.clone();
                    // What comes of it is in the log, and in the status.
                    self.ending.tracker.spawn(async move { reloads.reload().await });
                }
            }
        }
        self.stop().await
    }

    /// Where reloads are asked for.
    pub fn reloads(&self) -> Reloads {
        self.reloads.clone()
    }

    fn announce(&self, config: &Config, destinations: usize) {
        let collecting = match self.http {
            Some(http) => {
                let https = self.https.map(|https| format!(" and https://{https}")).unwrap_or_default();
                format!("collecting on http://{http}{https}")
            }
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

    fn crew(&self, config: &Config, switches: &Switches) -> Result<Crew, Error> {
        let sender: Arc<dyn Sender> = Arc::new(Egress::new().map_err(Error::Egress)?);
        self.ending.tracker.spawn(Arc::clone(&self.ledger).keep(self.ending.stop.clone()));
        let (clock, switches) = (Arc::clone(&self.clock), switches.clone());
        // One for all: destinations of the same account share their access token, and keep it over a reload.
        let courier = Courier::new(sender, Arc::clone(&clock), switches.clone(), config.delivery.response_bytes_max);
        Ok(Crew::new(Tools {
            queue: Arc::clone(&self.queue),
            courier: Arc::new(courier),
            ledger: Arc::clone(&self.ledger),
            clock,
            switches,
            ending: self.ending.clone(),
            manner: if self.roles.has(Role::Deliver) { Manner::Deliver } else { Manner::CollectOnly },
        }))
    }

    fn start_switching(&self, switches: &Switches) {
        let (queue, stop) = (Arc::clone(&self.queue), self.ending.stop.clone());
        self.ending.tracker.spawn(switching::obey(switches.clone(), queue, stop));
    }

    fn start_admin(&self, parts: &Parts, listener: TcpListener) {
        let operator = Operator {
            token: parts.config.admin.token.clone(),
            queue: Arc::clone(&self.queue),
            store: parts.config.store.backend.to_string(),
            roles: self.roles.names(),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&parts.metrics),
            posts: parts.crew.posts(),
            switches: parts.switches.clone(),
            tls: parts.tls.clone(),
            reloads: self.reloads.clone(),
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
        parts: &Parts,
        listeners: Listeners,
        destinations: &[Arc<Destination>],
        geo: Option<Arc<Geo>>,
    ) -> Public {
        let surroundings = public::Surroundings {
            geo,
            queue: Arc::clone(&self.queue),
            clock: Arc::clone(&self.clock),
            switches: parts.switches.clone(),
            metrics: Arc::clone(&parts.metrics),
            ending: self.ending.clone(),
        };
        Public::start(surroundings, listeners, &parts.config, destinations)
    }

    fn start_reloading(&self, parts: Parts, asked: mpsc::Receiver<Asked>) {
        let reloading = Reloading {
            parts,
            sandbox: Arc::clone(&self.sandbox),
            queue: Arc::clone(&self.queue),
            clock: Arc::clone(&self.clock),
            reloads: self.reloads.clone(),
            roles: self.roles,
            stop: self.ending.stop.clone(),
        };
        self.ending.tracker.spawn(reloading.run(asked));
    }

    fn start_housekeeping(&self, config: &Config) {
        let housekeeping = Housekeeping {
            queue: Arc::clone(&self.queue),
            clock: Arc::clone(&self.clock),
            retention: Retention {
                journal_ms: millis(config.store.journal),
                dead_ms: millis(DAY * config.store.dead_letters_days),
                chain_ms: millis(DAY * config.store.ledger_days),
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
