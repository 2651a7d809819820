//! How fast the queue alone takes entries, beside what `redis-benchmark` does with bare XADDs of the same payload on the
//! same server.

use std::process::Command;

use anyhow::Context as _;
use tidegate_test_redis::Server;
use tokio::time::Instant;

use crate::fill::{Like, fill};
use crate::proc::{cpu_s, ended_cpu_s, own_cpu_s};
use crate::store::{Kind, Store};
use crate::table::{Row, median};

const PAYLOAD: usize = 1024;
/// A record is not what is compared; the gateway's holds the event.
const RECORD: usize = 64;
const BARE: u64 = 100_000;
const ENTRIES: u64 = 40_000;
const WARM_UP: u64 = 4_000;
const ROUNDS: usize = 3;
/// redis-benchmark's usual clients, and what issue 3 gives each of them to send at a time; here as many appends wait.
const CLIENTS: u64 = 50;
const PIPELINE: u64 = 16;

/// One side's figures.
#[derive(Debug, Clone, Copy)]
struct Run {
    per_s: f64,
    server_us: f64,
    client_us: f64,
}

pub(crate) async fn measure() -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kind in [Kind::EverySecond, Kind::Always] {
        let (mut bare, mut queue) = (Vec::new(), Vec::new());
        let store = Store::start(kind)?;
        let server = store.server().context("it is a Redis")?;
        for _ in 0..ROUNDS {
            bare.push(with_xadd(server)?);
            server.cli(&["FLUSHALL"])?;
            queue.push(with_queue(&store, server).await?);
            server.cli(&["FLUSHALL"])?;
        }
        let figures: [Figure; 3] = [
            ("throughput", "1/s", |run| run.per_s),
            ("server_cpu", "us each", |run| run.server_us),
            ("client_cpu", "us each", |run| run.client_us),
        ];
        for (figure, unit, of) in figures {
            let middle = |runs: &[Run]| median(runs.iter().map(of));
            rows.push(Row::new(format!("enqueue/{}/{figure}", kind.name()), middle(&queue), unit, middle(&bare)));
        }
    }
    Ok(rows)
}

/// A figure's name and unit, and how to read it.
type Figure = (&'static str, &'static str, fn(&Run) -> f64);

fn with_xadd(server: &Server) -> anyhow::Result<Run> {
    let payload = "x".repeat(PAYLOAD);
    let (server_before, client_before) = (cpu_s(server.pid())?, ended_cpu_s()?);
    let output = Command::new("redis-benchmark")
        .args(["-p", &server.port().to_string(), "-P", &PIPELINE.to_string(), "-c", &CLIENTS.to_string()])
        .args(["-n", &BARE.to_string(), "--csv", "XADD", "mystream", "*", "k", &payload])
        .output()
        .context("run `redis-benchmark`, of Debian's package redis-tools")?;
    let said = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "`redis-benchmark` failed: {said}");
    // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
    let line = said.lines().last().context("`redis-benchmark` prints a line")?;
    let rate = line.rsplit(',').nth(6).context("eight columns")?;
    let per_s = rate.trim_matches('"').parse().with_context(|| format!("a rate: `{rate}`"))?;
    let each_us = |s: f64| s * 1e6 / BARE as f64;
    Ok(Run {
        per_s,
        server_us: each_us(cpu_s(server.pid())? - server_before),
        client_us: each_us(ended_cpu_s()? - client_before),
    })
}

async fn with_queue(store: &Store, server: &Server) -> anyhow::Result<Run> {
    let queue = store.open().await?;
    let like = Like { destination: "d".into(), record: vec![b'r'; RECORD], payload: vec![b'x'; PAYLOAD] };
    let tasks = CLIENTS * PIPELINE;
    fill(&queue, &like, [0, WARM_UP], tasks).await?;
    let (server_before, client_before, clock) = (cpu_s(server.pid())?, own_cpu_s()?, Instant::now());
    fill(&queue, &like, [WARM_UP, WARM_UP + ENTRIES], tasks).await?;
    let per_s = ENTRIES as f64 / clock.elapsed().as_secs_f64();
    let each_us = |s: f64| s * 1e6 / ENTRIES as f64;
    let run = Run {
        per_s,
        server_us: each_us(cpu_s(server.pid())? - server_before),
        client_us: each_us(own_cpu_s()? - client_before),
    };
    queue.close().await?;
    Ok(run)
}
