//! The public side: the collector with its journey, and the sites, which a reload replaces.

use std::sync::Arc;
use std::time::Duration;

use tidegate_consent::Geo;
use tidegate_queue::Queue;
use tokio::net::TcpListener;

use super::{DAY, millis};
use crate::clock::Clock;
use crate::config::{self, Backend, Config};
use crate::destination::Destination;
use crate::ending::Ending;
use crate::http::{self, Collector, Sites};
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

impl Public {
    /// Lets clients in.
    pub(super) fn start(
        surroundings: Surroundings,
        listener: TcpListener,
        config: &Config,
        destinations: &[Arc<Destination>],
    ) -> Public {
        let Surroundings { queue, clock, switches, metrics, ending, geo } = surroundings;
        let timeout = match &config.store.backend {
            Backend::Sqlite { .. } => SQLITE_TIMEOUT,
            // The queue's own limits come first: they know more of what went wrong.
            Backend::Redis(redis) => redis.timeouts.connect + redis.timeouts.response * 2,
        };
        let bounds = Bounds { bytes_max: config.limits.pending_bytes_max, timeout };
        let profile_ms = millis(DAY * config.store.profile_days);
        let intake = Intake::new(queue, bounds);
        let journey = Journey { intake, clock, profile_ms, switches, geo };
        let sites = Snapshot::new(Sites::new(config, routes(config, destinations), None));
        let collector = Arc::new(Collector::new(config.limits.clone(), journey, sites.clone(), metrics));
        let Ending { stop, tracker, .. } = ending.clone();
        ending.tracker.spawn(http::serve(listener, collector, stop, tracker, config.delivery.shutdown_ms));
        Public { sites }
    }

    /// Lets every request from now on go by this configuration.
    pub(super) fn change(&self, config: &Config, destinations: &[Arc<Destination>]) {
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
