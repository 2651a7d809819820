//! The whole path over each store, side by side: `meta-capi` with full purchases, one gateway and two of them on one
//! Redis. What a commit costs the gateway and the server, and what an event that waits costs in memory.

use std::time::Duration;

use tidegate_fakes::{Fake, Keep, Meta};
use tidegate_tests::META_TOKEN;
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::load;
use crate::proc::memory_mb;
use crate::store::{Kind, Store, Vitals};
use crate::table::{Row, median};

const WARM_UP: u64 = 4_000;
const EVENTS: u64 = 20_000;
/// Each set-up is measured so often, in turn, and the middle counts.
const ROUNDS: usize = 3;
/// What waits when memory is measured.
const BACKLOG: u64 = 20_000;
const DELIVERED_WITHIN: Duration = Duration::from_secs(60);

/// A store with a number of gateways on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Setup {
    kind: Kind,
    gateways: usize,
}

const SETUPS: [Setup; 5] = [
    Setup { kind: Kind::Sqlite, gateways: 1 },
    Setup { kind: Kind::EverySecond, gateways: 1 },
    Setup { kind: Kind::Always, gateways: 1 },
    Setup { kind: Kind::EverySecond, gateways: 2 },
    Setup { kind: Kind::Always, gateways: 2 },
];

/// What one run cost.
#[derive(Debug, Clone, Copy)]
struct Run {
    events_per_cpu_s: f64,
    events_per_s: f64,
    memory_peak_mb: f64,
    server: Option<Server>,
}

/// What it cost the server, for each event.
#[derive(Debug, Clone, Copy)]
struct Server {
    cpu_us: f64,
    sent: f64,
    inside: f64,
    transactions: f64,
}

pub(crate) async fn measure() -> anyhow::Result<Vec<Row>> {
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); SETUPS.len()];
    for _ in 0..ROUNDS {
        for (setup, runs) in SETUPS.iter().zip(&mut runs) {
            runs.push(run(*setup).await?);
        }
    }
    let middle = |runs: &[Run], figure: fn(&Run) -> f64| median(runs.iter().map(figure));
    let sqlite = &runs[0];
    let (sqlite_cpu, sqlite_wall) =
        (middle(sqlite, |run| run.events_per_cpu_s), middle(sqlite, |run| run.events_per_s));
    let mut rows = Vec::new();
    for (setup, runs) in SETUPS.iter().zip(&runs) {
        let name = |figure: &str| format!("stores/{} x{}/{figure}", setup.kind.name(), setup.gateways);
        let cpu = middle(runs, |run| run.events_per_cpu_s);
        rows.push(Row::new(name("throughput_cpu"), cpu, "events/CPU-s", sqlite_cpu));
        rows.push(Row::new(name("throughput_wall"), middle(runs, |run| run.events_per_s), "events/s", sqlite_wall));
        let memory = middle(runs, |run| run.memory_peak_mb);
        rows.push(Row::new(name("memory_peak"), memory, "MB", middle(sqlite, |run| run.memory_peak_mb)));
        let of_server = |figure: fn(&Server) -> f64| {
            let figures: Vec<f64> = runs.iter().filter_map(|run| run.server.as_ref().map(figure)).collect();
            (!figures.is_empty()).then(|| median(figures))
        };
        let figures: [Figure; 4] = [
            ("redis_cpu", "us/event", |server| server.cpu_us),
            ("commands_sent", "1/event", |server| server.sent),
            ("commands_in_scripts", "1/event", |server| server.inside),
            ("transactions", "1/event", |server| server.transactions),
        ];
        for (figure, unit, of) in figures {
            rows.extend(of_server(of).map(|value| Row::alone(name(figure), value, unit)));
        }
    }
    rows.extend(memory().await?);
    Ok(rows)
}

/// A figure's name and unit, and how to read it.
type Figure = (&'static str, &'static str, fn(&Server) -> f64);

async fn run(setup: Setup) -> anyhow::Result<Run> {
    let sink = Fake::builder(Meta::new(META_TOKEN)).keep(Keep::EventIds).start().await?;
    let store = Store::start(setup.kind)?;
    let config = store.configure(&destination(&sink))?;
    let mut gateways = Vec::new();
    for _ in 0..setup.gateways {
        gateways.push(Gateway::start(&config, "collect,deliver").await?);
    }
    let addresses = gateways.iter().map(Gateway::http).collect::<anyhow::Result<Vec<_>>>()?;
    let cpu_s = || gateways.iter().map(Gateway::cpu_s).sum::<anyhow::Result<f64>>();
    let vitals = || store.server().map(Vitals::of).transpose();
    load::send(&addresses, 0, WARM_UP).await?;
    sink.wait_for_events_within(WARM_UP, DELIVERED_WITHIN).await?;
    let (cpu_before, before, clock) = (cpu_s()?, vitals()?, Instant::now());
    load::send(&addresses, WARM_UP, WARM_UP + EVENTS).await?;
    sink.wait_for_events_within(WARM_UP + EVENTS, DELIVERED_WITHIN).await?;
    let (elapsed, cpu, after) = (clock.elapsed(), cpu_s()? - cpu_before, vitals()?);
    let mut memory_peak_mb: f64 = 0.0;
    for gateway in &gateways {
        memory_peak_mb = memory_peak_mb.max(memory_mb(gateway.id, "VmHWM")?);
    }
    let server = before.zip(after).map(|(before, after)| {
        let (sent, inside) = after.commands_since(&before);
        let each = |count: u64| count as f64 / EVENTS as f64;
        Server {
            cpu_us: (after.cpu_s - before.cpu_s) * 1e6 / EVENTS as f64,
            sent: each(sent),
            inside: each(inside),
            transactions: each(after.calls_since(&before, "exec")),
        }
    });
    for gateway in gateways {
        gateway.stop().await?;
    }
    let events = EVENTS as f64;
    Ok(Run { events_per_cpu_s: events / cpu, events_per_s: events / elapsed.as_secs_f64(), memory_peak_mb, server })
}

/// What the server holds for an event that waits: nobody delivers. Then for the same events when they are delivered.
async fn memory() -> anyhow::Result<Vec<Row>> {
    let sink = Fake::builder(Meta::new(META_TOKEN)).keep(Keep::EventIds).start().await?;
    let store = Store::start(Kind::EverySecond)?;
    let Some(server) = store.server() else { return Ok(Vec::new()) };
    let config = store.configure(&destination(&sink))?;
    let collector = Gateway::start(&config, "collect").await?;
    let before = Vitals::of(server)?.used_memory;
    load::send(&[collector.http()?], 0, BACKLOG).await?;
    let each = |bytes: f64| bytes / BACKLOG as f64;
    let mut rows =
        vec![Row::alone("stores/memory/queued", each(Vitals::of(server)?.used_memory - before), "bytes/event")];
    // What of it is what: the payload alone, as the server holds it, and the record in the journal.
    for (figure, key) in
        [("of it payloads", "payload"), ("of it journal records", "entry"), ("of it states", "delivery")]
    {
        let mut bytes = 0;
        for partition in 0..64 {
            let key = format!("tidegate:{{q:{partition:02}}}:{key}");
            bytes += server.cli(&["MEMORY", "USAGE", &key, "SAMPLES", "0"]).map_or(0, |reply| match reply {
                tidegate_test_redis::Reply::Integer(bytes) => bytes,
                _ => 0,
            });
        }
        rows.push(Row::alone(format!("stores/memory/{figure}"), each(bytes as f64), "bytes/event"));
    }
    collector.stop().await?;
    let worker = Gateway::start(&config, "deliver").await?;
    sink.wait_for_events_within(BACKLOG, DELIVERED_WITHIN).await?;
    worker.stop().await?;
    rows.push(Row::alone("stores/memory/delivered", each(Vitals::of(server)?.used_memory - before), "bytes/event"));
    Ok(rows)
}

fn destination(sink: &Fake) -> String {
    format!(
        "[[destination]]\nname = \"meta\"\nsite = \"shop\"\nplugin = \"meta-capi\"\n\
         config = {{ pixel_id = \"123456789012345\" }}\nsecrets = {{ access_token = \"env:META_TOKEN\" }}\n\
         base_url = \"{}\"\nallow_insecure = true\n",
        sink.url()
    )
}
