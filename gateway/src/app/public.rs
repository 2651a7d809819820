//! The public side: the collector with its journey, and the sites, which a reload replaces.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_consent::Geo;
use tidegate_queue::Queue;
use tidegate_tls::Tls;
use tokio::net::TcpListener;

use super::{DAY, Error, listen, millis};
use crate::clock::Clock;
use crate::config::{self, Backend, Config};
use crate::destination::Destination;
use crate::ending::Ending;
use crate::http::{self, Collector, Door, Secured, Serving, Sites};
use crate::journey::intake::{Bounds, Intake};
use crate::journey::{Journey, Route};
use crate::metrics::Metrics;
use crate::snapshot::Snapshot;
use crate::switch::Switches;

/// How long a client waits for SQLite; for a Redis the configuration tells.
const SQLITE_TIMEOUT: Duration = Duration::from_secs(10);

/// What can be changed of a public side that is started.
pub(super) struct Public {
    sites: Snapshot<Sites>,
    tls: Option<Arc<Tls>>,
}

/// Where clients come in.
pub(super) struct Listeners {
    plain: TcpListener,
    http: SocketAddr,
    secure: Option<(TcpListener, Secured)>,
    https: Option<SocketAddr>,
}

/// What it is put into.
pub(super) struct Surroundings {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) switches: Switches,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ending: Ending,
    /// Where addresses are, if a database is configured.
    pub(super) geo: Option<Arc<Geo>>,
}

impl Listeners {
    /// Takes the addresses; nobody is let in yet.
    pub(super) async fn open(config: &Config, tls: Option<Arc<Tls>>) -> Result<Listeners, Error> {
        let (plain, http) = listen(config.listen.http).await?;
        let Some((address, tls)) = config.listen.https.zip(tls) else {
            return Ok(Listeners { plain, http, secure: None, https: None });
        };
        let (listener, https) = listen(address).await?;
        let secured = Secured { tls, port: https.port() };
        Ok(Listeners { plain, http, secure: Some((listener, secured)), https: Some(https) })
    }

    /// Where the plain one really is.
    pub(super) fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where the TLS one really is.
    pub(super) fn https(&self) -> Option<SocketAddr> {
        self.https
    }
}

impl Public {
    /// Lets clients in.
    pub(super) fn start(
        surroundings: Surroundings,
        listeners: Listeners,
        config: &Config,
        destinations: &[Arc<Destination>],
    ) -> Public {
        let Surroundings { queue, clock, switches, metrics, ending, geo } = surroundings;
        let Listeners { plain, secure, .. } = listeners;
        let timeout = match &config.store.backend {
            Backend::Sqlite { .. } => SQLITE_TIMEOUT,
            // The queue's own limits come first: they know more of what went wrong.
            Backend::Redis(redis) => redis.timeouts.connect + redis.timeouts.response * 2,
        };
        let bounds = Bounds { bytes_max: config.limits.pending_bytes_max, timeout };
        let profile_ms = millis(DAY * config.store.profile_days);
        let intake = Intake::new(queue, bounds);
        let journey = Journey { intake, clock: Arc::clone(&clock), profile_ms, switches, geo };
        let sites = Snapshot::new(Sites::new(config, routes(config, destinations), None));
        let secured = secure.as_ref().map(|(_, secured)| secured.clone());
        let tls = secured.as_ref().map(|secured| Arc::clone(&secured.tls));
        let collector = Collector::new(config.limits.clone(), journey, sites.clone(), metrics, secured);
        let collector = Arc::new(collector);
        let Ending { stop, tracker, .. } = ending.clone();
        let serving = Serving { collector, clock, stop, tracker, grace_ms: config.delivery.shutdown_ms };
        if let Some((listener, Secured { tls, .. })) = secure {
            let (keeper, stop) = (Arc::clone(&tls), ending.stop.clone());
            ending.tracker.spawn(async move { keeper.run(stop).await });
            ending.tracker.spawn(http::serve(listener, Door::Tls(tls), serving.clone()));
        }
        ending.tracker.spawn(http::serve(plain, Door::Plain, serving));
        Public { sites, tls }
    }

    /// Lets every request from now on go by this configuration.
    pub(super) fn change(&self, config: &Config, destinations: &[Arc<Destination>]) {
        if let Some((tls, new)) = self.tls.as_ref().zip(config.tls.as_ref()) {
            // They were opened before, aside: what fails now was changed since.
            if let Err(error) = tls.change(new.options.clone()) {
                tracing::error!("the certificates stay as they were: {error}");
            }
        }
        let before = self.sites.take();
        self.sites.put(Sites::new(config, routes(config, destinations), Some(&before)));
    }
}

fn routes(config: &Config, destinations: &[Arc<Destination>]) -> Vec<Route> {
    let route = |site: &config::Site| Route {
        destinations: destinations.iter().filter(|d| d.site == site.name).cloned().collect(),
        site: site.clone(),
    };
    config.sites.iter().map(route).collect()
}
