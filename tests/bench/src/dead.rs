//! Ten destinations, and what the tenth's death costs the nine others: at full rate, and at an offered rate that leaves
//! the machine room.
//!
//! The dead one refuses at once, or never answers. At full rate so many events are on their way that one waits for each
//! that all nine have got; at the offered rate each is sent at its time, whatever the others do, and its time to
//! delivery counts from then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::load::{CONNECTIONS, Client};
use crate::sink::{Flight, Manner, Sink, destination};
use crate::store::{Kind, Store};
use crate::table::{Row, median, quantile};

const HEALTHY: u8 = 9;
/// Events that are on their way at the same time, at full rate.
const ON_THEIR_WAY: usize = 256;
/// What the machine is offered, of what it did at full rate with all ten healthy.
const OFFERED: f64 = 0.5;
const WARM_UP: Duration = Duration::from_millis(1_500);
const MEASURED: Duration = Duration::from_secs(4);
/// What was sent last has arrived by then.
const LANDED_WITHIN: Duration = Duration::from_secs(15);
const ROUNDS: usize = 2;
/// A round in which the machine stumbled must not decide about a p99 of milliseconds.
const OFFERED_ROUNDS: usize = 7;
const EVENTS_MAX: u64 = 100_000;

const TENTH: [(Manner, &str); 3] =
    [(Manner::Taking, "healthy"), (Manner::Refusing, "refusing"), (Manner::Silent, "silent")];

/// What the nine had.
#[derive(Debug, Default)]
struct Measured {
    /// Events that reached all nine, for each round.
    per_s: Vec<f64>,
    /// From collect to delivery, for each round.
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
}

pub(crate) async fn measure() -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kind in [Kind::Sqlite, Kind::EverySecond] {
        let full = rounds(kind, None).await?;
        let offered = median(full[0].per_s.clone()) * OFFERED;
        let fixed = rounds(kind, Some(offered)).await?;
        for (rate, measured) in [("full", full), ("offered", fixed)] {
            rows.extend(compared(&format!("dead/{}/{rate}", kind.name()), measured));
        }
    }
    Ok(rows)
}

/// Each of the three manners in turn, so that what disturbs the machine disturbs all of them.
async fn rounds(kind: Kind, rate: Option<f64>) -> anyhow::Result<[Measured; 3]> {
    let mut all = <[Measured; 3]>::default();
    for _ in 0..if rate.is_some() { OFFERED_ROUNDS } else { ROUNDS } {
        for ((manner, _), measured) in TENTH.iter().zip(&mut all) {
            run(kind, rate, *manner, measured).await?;
        }
    }
    Ok(all)
}

/// The rows of the two dead ones, with the healthy one for a baseline.
fn compared(name: &str, measured: [Measured; 3]) -> Vec<Row> {
    let figures = measured.map(|Measured { per_s, p50_ms, p99_ms }| [per_s, p50_ms, p99_ms].map(median));
    let mut rows = Vec::new();
    for ((_, how), figures_of_one) in TENTH.iter().zip(&figures).skip(1) {
        for (at, (figure, unit)) in [("throughput", "events/s"), ("p50", "ms"), ("p99", "ms")].into_iter().enumerate() {
            rows.push(Row::new(format!("{name}/tenth {how}/{figure}"), figures_of_one[at], unit, figures[0][at]));
        }
    }
    rows
}

async fn run(kind: Kind, rate: Option<f64>, tenth: Manner, measured: &mut Measured) -> anyhow::Result<()> {
    let room = if rate.is_some() { EVENTS_MAX as usize } else { ON_THEIR_WAY };
    let flight = Arc::new(Flight::new(EVENTS_MAX, HEALTHY, room));
    // The tenth counts for itself: nobody waits for it.
    let apart = Arc::new(Flight::new(EVENTS_MAX, 1, 0));
    let mut sinks = Vec::new();
    let mut destinations = String::new();
    for n in 0..HEALTHY {
        let sink = Sink::start(&flight).await?;
        destinations += &destination(&format!("hook{n}"), &sink);
        sinks.push(sink);
    }
    let last = Sink::start(&apart).await?;
    last.behave(tenth);
    destinations += &destination("tenth", &last);
    let store = Store::start(kind)?;
    let gateway = Gateway::start(&store.configure(&destinations)?, "collect,deliver").await?;
    let began_us = flight.now_us();
    let sent = send(gateway.http()?, &flight, rate).await?;
    let clock = Instant::now();
    while sinks.iter().any(|sink| sink.count() < sent) {
        anyhow::ensure!(clock.elapsed() < LANDED_WITHIN, "the healthy destinations do not get their events");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let window = began_us + us(WARM_UP)..began_us + us(WARM_UP) + us(MEASURED);
    let (mut arrived, mut took_us) = (0, Vec::new());
    for sink in &sinks {
        for n in 0..sent {
            let at_us = sink.arrived_us(n).context("it has arrived")?;
            arrived += u64::from(window.contains(&at_us));
            if window.contains(&flight.sent_us(n)) {
                took_us.push(at_us.saturating_sub(flight.sent_us(n)));
            }
        }
    }
    took_us.sort_unstable();
    measured.p50_ms.push(quantile(&took_us, 0.5) / 1e3);
    measured.p99_ms.push(quantile(&took_us, 0.99) / 1e3);
    measured.per_s.push(arrived as f64 / f64::from(HEALTHY) / MEASURED.as_secs_f64());
    // A tenth that is silent to the end would hold up the stop.
    last.behave(Manner::Refusing);
    gateway.stop().await
}

/// Sends for as long as is measured; gives how many.
async fn send(address: SocketAddr, flight: &Arc<Flight>, rate: Option<f64>) -> anyhow::Result<u64> {
    let (next, until) = (Arc::new(AtomicU64::new(0)), Instant::now() + WARM_UP + MEASURED);
    let (began, began_us) = (Instant::now(), flight.now_us());
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (flight, next) = (Arc::clone(flight), Arc::clone(&next));
        senders.spawn(async move {
            let mut client = Client::connect(address).await?;
            let mut sent = 0;
            loop {
                let Ok(permit) = tokio::time::timeout_at(until, flight.room.acquire()).await else { break };
                permit?.forget();
                let n = next.fetch_add(1, Ordering::Relaxed);
                let at = rate.map(|rate| Duration::from_secs_f64(n as f64 / rate));
                if Instant::now().max(began + at.unwrap_or_default()) >= until {
                    break;
                }
                anyhow::ensure!(n < flight.events_max(), "there is no room for event {n}");
                if let Some(at) = at {
                    tokio::time::sleep_until(began + at).await;
                }
                let at_us = at.map_or_else(|| flight.now_us(), |at| began_us + at.as_micros() as u64);
                flight.sent(n, at_us);
                client.post(n).await?;
                sent += 1;
            }
            anyhow::Ok(sent)
        });
    }
    let mut sent = 0;
    while let Some(done) = senders.join_next().await {
        sent += done??;
    }
    Ok(sent)
}
