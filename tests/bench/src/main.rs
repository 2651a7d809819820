//! What an event costs, measured beside what it would cost bare, in one run: a table for people, and
//! `target/bench.json` (`[{"name", "value", "unit", "baseline", "ratio"}]`) for machines.
//!
//! `make bench` builds what it measures first, and measures all parts, or those that are named: `make bench
//! PARTS="stores idle"`. Ratios are what counts: absolute figures are this machine's.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod backlog;
mod bare;
mod dead;
mod enqueue;
mod fill;
mod gateway;
mod idle;
mod load;
mod path;
mod proc;
mod reload;
mod sink;
mod startup;
mod store;
mod stores;
mod table;
mod tls;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use serde_json::Value;

use self::path::Destination;
use self::table::Row;

/// What can be measured, in the order in which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A plugin's transform alone.
    Transform,
    /// The worked plugin in each language.
    Languages,
    /// The whole path on SQLite, beside a bare server.
    Path,
    /// The whole path over SQLite and Redis.
    Stores,
    /// The queue in Redis beside `redis-benchmark`.
    Enqueue,
    /// One dead destination beside nine healthy ones.
    Dead,
    /// A million deliveries beside a thousand.
    Backlog,
    /// A process with nothing to do, over Redis.
    Idle,
    /// From the start until connections are taken, with every built-in destination.
    Startup,
    /// Requests while the gateway reloads.
    Reload,
    /// Handshakes and requests by TLS, beside nginx.
    Tls,
}

impl Part {
    const ALL: [(Part, &str); 11] = [
        (Part::Transform, "transform"),
        (Part::Languages, "languages"),
        (Part::Path, "path"),
        (Part::Stores, "stores"),
        (Part::Enqueue, "enqueue"),
        (Part::Dead, "dead"),
        (Part::Backlog, "backlog"),
        (Part::Idle, "idle"),
        (Part::Startup, "startup"),
        (Part::Reload, "reload"),
        (Part::Tls, "tls"),
    ];

    async fn measure(self) -> anyhow::Result<Vec<Row>> {
        match self {
            Part::Transform => example("transform"),
            Part::Languages => example("languages"),
            Part::Path => whole_path().await,
            Part::Stores => stores::measure().await,
            Part::Enqueue => enqueue::measure().await,
            Part::Dead => dead::measure().await,
            Part::Backlog => backlog::measure().await,
            Part::Idle => idle::measure().await,
            Part::Startup => startup::measure().await,
            Part::Reload => reload::measure().await,
            Part::Tls => tls::measure().await,
        }
    }
}

fn main() -> anyhow::Result<()> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    // The bare server is this program again: its processor time must be its own.
    if named.first().is_some_and(|name| name == "bare") {
        return bare::serve();
    }
    let known = Part::ALL.map(|(_, name)| name).join(", ");
    if let Some(unknown) = named.iter().find(|named| !Part::ALL.iter().any(|(_, name)| name == named)) {
        anyhow::bail!("there is no part `{unknown}`; parts are {known}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("load of the machine before: {:.2}", proc::load_average()?);
    let mut rows = Vec::new();
    for (part, name) in Part::ALL {
        if named.is_empty() || named.iter().any(|named| named == name) {
            let clock = tokio::time::Instant::now();
            let measured = runtime.block_on(part.measure()).with_context(|| format!("measure `{name}`"))?;
            println!(
                "{name}: {:.0} s, load of the machine {:.2}",
                clock.elapsed().as_secs_f64(),
                proc::load_average()?
            );
            table::print(&measured);
            let refused = load::REFUSED.swap(0, Ordering::Relaxed);
            if refused > 0 {
                println!("{refused} events were answered with 503 and sent again: a store stood still, measure anew");
            }
            rows.extend(measured);
        }
    }
    let file = target()?.join("bench.json");
    std::fs::write(&file, table::json(&rows).to_string()).with_context(|| format!("write `{}`", file.display()))?;
    println!("\nwritten to {}", file.display());
    Ok(())
}

async fn whole_path() -> anyhow::Result<Vec<Row>> {
    let bare = path::bare().await?;
    println!("bare hyper server: {:.0} events a CPU-second", bare.events_per_cpu_s);
    let mut rows = Vec::new();
    for destination in [Destination::Batched, Destination::Single] {
        let measured = path::whole(destination).await?;
        rows.extend(measured.rows(destination, &bare));
    }
    Ok(rows)
}

/// What plugins cost is told by the sandbox's own benchmarks.
fn example(name: &str) -> anyhow::Result<Vec<Row>> {
    let program = target()?.join("release/examples").join(name);
    let output =
        Command::new(&program).arg("--json").output().with_context(|| format!("run `{}`", program.display()))?;
    anyhow::ensure!(
        output.status.success(),
        "`{}` failed: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let rows: Vec<Value> =
        serde_json::from_slice(&output.stdout).with_context(|| format!("read the rows of `{name}`"))?;
    rows.iter().map(Row::from_json).collect()
}

/// The target directory, which this program lies in.
fn target() -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let target = exe.ancestors().nth(2).context("the benchmark lies in target/release")?;
    Ok(target.to_path_buf())
}
