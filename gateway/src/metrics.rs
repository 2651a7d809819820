//! Numbers for Prometheus. Labels have few values: outcomes, status codes, configured destinations.

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::reload;

/// What became of an event on arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOutcome {
    Accepted,
    Duplicate,
    Refused,
}

impl EventOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            EventOutcome::Accepted => "accepted",
            EventOutcome::Duplicate => "duplicate",
            EventOutcome::Refused => "refused",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDestination {
    destination: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByHost {
    host: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDestinationOutcome {
    destination: String,
    outcome: &'static str,
}

/// A destination's numbers at the moment of a scrape.
#[derive(Debug, Clone, Default)]
pub struct DestinationNumbers {
    pub name: String,
    pub waiting: u64,
    pub dead: u64,
    pub parked: bool,
    pub down: bool,
    /// Somebody switched it off, or paused it.
    pub stopped: bool,
    /// The mean of its events' match quality, from 0 to 100.
    pub quality: Option<u64>,
    pub delivered: u64,
    pub retried: u64,
    pub died: u64,
    pub cancelled: u64,
}

/// Whether the store takes events at the moment of a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreState {
    Ready,
    Trouble,
}

/// All numbers of the process.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: Family<ByStatus, Counter>,
    events: Family<ByOutcome, Counter>,
    forged_cookies: Counter,
    reloads: Family<ByOutcome, Counter>,
    reload_failed: Gauge,
}

impl Metrics {
    /// Counts an answered request.
    pub fn request(&self, status: StatusCode) {
        self.requests.get_or_create(&ByStatus { status: status.as_u16() }).inc();
    }

    /// Counts an event.
    pub fn event(&self, outcome: EventOutcome) {
        self.events.get_or_create(&ByOutcome { outcome: outcome.as_str() }).inc();
    }

    /// Counts a visitor cookie that no key of ours signed.
    pub fn forged_cookie(&self) {
        self.forged_cookies.inc();
    }

    /// Counts a reload, and keeps in mind whether the last one failed.
    pub fn reloaded(&self, status: &reload::Status) {
        let (outcome, failed) = match status {
            reload::Status::Never => return,
            reload::Status::Done { .. } => ("done", 0),
            reload::Status::Failed { .. } => ("failed", 1),
        };
        self.reloads.get_or_create(&ByOutcome { outcome }).inc();
        self.reload_failed.set(failed);
    }

    /// Everything in Prometheus's text format.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn encode(
        &self,
        store: StoreState,
        destinations: &[DestinationNumbers],
        certificates: &[tidegate_tls::Status],
    ) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix("tidegate");
        registry.register("requests", "Requests answered on the public listener", self.requests.clone());
        registry.register("events", "Events by what became of them on arrival", self.events.clone());
        registry.register("forged_cookies", "Visitor cookies without a valid signature", self.forged_cookies.clone());
        registry.register("reloads", "Reloads of the configuration by what they came to", self.reloads.clone());
        registry.register(
            "reload_failed",
            "1 while the last reload was refused: what runs is not what the configuration says",
            self.reload_failed.clone(),
        );
        let ready = Gauge::<i64>::default();
        ready.set(i64::from(store == StoreState::Ready));
        registry.register("store_ready", "1 while the store takes events, 0 while they are answered with 503", ready);
        let (waiting, dead, parked, down, stopped) = (gauges(), gauges(), gauges(), gauges(), gauges());
        let quality = gauges();
        let attempts = Family::<ByDestinationOutcome, Counter>::default();
        for numbers in destinations {
            let label = || ByDestination { destination: numbers.name.clone() };
            set(&waiting, label(), numbers.waiting);
            set(&dead, label(), numbers.dead);
            set(&parked, label(), u64::from(numbers.parked));
            set(&down, label(), u64::from(numbers.down));
            set(&stopped, label(), u64::from(numbers.stopped));
            if let Some(percent) = numbers.quality {
                set(&quality, label(), percent);
            }
            for (outcome, count) in [
                ("delivered", numbers.delivered),
                ("retried", numbers.retried),
                ("dead", numbers.died),
                ("cancelled", numbers.cancelled),
            ] {
                let labels = ByDestinationOutcome { destination: numbers.name.clone(), outcome };
                attempts.get_or_create(&labels).inc_by(count);
            }
        }
        registry.register("deliveries_waiting", "Deliveries that wait or are under way", waiting);
        registry.register("dead_letters", "Dead letters", dead);
        registry.register("destination_parked", "1 while a destination's credentials are refused", parked);
        registry.register("destination_down", "1 while all that a destination is sent fails", down);
        registry.register(
            "destination_stopped",
            "1 while somebody has switched a destination off, or paused it",
            stopped,
        );
        registry.register(
            "match_quality_percent",
            "How much of what a platform finds people and conversions by its events brought, since the start",
            quality,
        );
        registry.register("attempts", "Delivery attempts since the start by outcome", attempts);
        register_certificates(&mut registry, certificates);
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

fn register_certificates(registry: &mut Registry, certificates: &[tidegate_tls::Status]) {
    if certificates.is_empty() {
        return;
    }
    let (ends, failing) = (Family::<ByHost, Gauge>::default(), Family::<ByHost, Gauge>::default());
    for status in certificates {
        let label = || ByHost { host: status.host.clone() };
        let not_after_ms = status.certificate.as_ref().map_or(0, |certificate| certificate.not_after_ms);
        ends.get_or_create(&label()).set(i64::try_from(not_after_ms / 1000).unwrap_or(i64::MAX));
        failing.get_or_create(&label()).set(i64::from(status.last_error.is_some()));
    }
    registry.register(
        "tls_certificate_not_after_timestamp_seconds",
        "When a host's certificate ends; 0 while it has none",
        ends,
    );
    registry.register("tls_certificate_failing", "1 while a host's certificate cannot be renewed or read", failing);
}

fn gauges() -> Family<ByDestination, Gauge> {
    Family::default()
}

fn set(family: &Family<ByDestination, Gauge>, label: ByDestination, value: u64) {
    family.get_or_create(&label).set(i64::try_from(value).unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The operator's guide, whose table is held against what is told.
    const GUIDE: &str = include_str!("../../docs/guides/operate.md");

    #[test]
    fn the_guide_has_every_metric_and_no_other() {
        let metrics = Metrics::default();
        metrics.request(StatusCode::OK);
        metrics.event(EventOutcome::Accepted);
        metrics.reloaded(&reload::Status::Done { at_ms: 1, took_ms: 1, changes: reload::Changes::default() });
        let numbers = DestinationNumbers { name: "meta".into(), quality: Some(50), ..DestinationNumbers::default() };
        let certificate = tidegate_tls::Status {
            host: "track.shop.example".into(),
            source: tidegate_tls::Source::Acme { directory: String::new() },
            certificate: None,
            last_error: None,
            next_attempt_ms: None,
            warnings: Vec::new(),
        };
        let text = metrics.encode(StoreState::Ready, &[numbers], &[certificate]).unwrap();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let told: BTreeSet<&str> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
        let rows = GUIDE.lines().filter_map(|line| line.strip_prefix("| `tidegate_")?.split('`').next());
        let listed: BTreeSet<String> = rows.map(|name| format!("tidegate_{name}")).collect();
        assert_eq!(told, listed.iter().map(String::as_str).collect());
    }
}
