//! What a request waits for while the gateway reloads, one reload after the other, each with a plugin that was never
//! compiled before; beside the same requests while it does not.
//!
//! Requests are sent at their times, whatever the others do, and a request's time counts from then.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tidegate_fakes::{Fake, Keep, Meta};
use tidegate_tests::{Client as Admin, META_TOKEN};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::load::Client;
use crate::store::{Kind, Store};
use crate::table::{Row, median, quantile};

/// Requests a second: a small part of what the machine could do.
const OFFERED: f64 = 200.0;
const SENDERS: u64 = 16;
const MEASURED: Duration = Duration::from_secs(8);
/// All senders have their connections by then: making one is no part of a request.
const CONNECTED_WITHIN: Duration = Duration::from_millis(500);
const WARM_UP: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;
/// What is reloaded: a plugin of usual size.
const PLUGIN: &str = "meta-capi";

/// Whether the gateway reloads meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Reloads,
}

/// What was measured in one manner.
#[derive(Debug, Default)]
struct Measured {
    /// For each round, in milliseconds.
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
    max_ms: Vec<f64>,
    /// The share of requests that took more than twice the median of the quiet ones.
    slow_percent: Vec<f64>,
    reload_ms: Vec<f64>,
}

pub(crate) async fn measure() -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kind in [Kind::Sqlite, Kind::EverySecond] {
        rows.extend(measure_on(kind).await?);
    }
    Ok(rows)
}

async fn measure_on(kind: Kind) -> anyhow::Result<Vec<Row>> {
    let meta = Fake::builder(Meta::new(META_TOKEN)).keep(Keep::EventIds).start().await?;
    let store = Store::start(kind)?;
    let destination = format!(
        "[[destination]]\nname = \"reloaded\"\nsite = \"shop\"\nplugin = \"./reloaded.wasm\"\n\
         config = {{ pixel_id = \"123456789012345\" }}\nsecrets = {{ access_token = \"env:META_TOKEN\" }}\n\
         base_url = \"{}\"\nallow_insecure = true\n",
        meta.url()
    );
    let dir = store.configure("")?.with_file_name("");
    write_plugin(&dir, 0)?;
    let gateway = Gateway::start(&store.configure(&destination)?, "collect,deliver").await?;
    let bench =
        Bench { http: gateway.http()?, admin: gateway.admin, dir, next: AtomicU64::new(0), version: AtomicU64::new(0) };
    let bench = Arc::new(bench);
    bench.send(WARM_UP).await?;
    let (mut quiet, mut reloading) = (Measured::default(), Measured::default());
    for _ in 0..ROUNDS {
        let baseline = bench.round(Meanwhile::Nothing, None, &mut quiet).await?;
        bench.round(Meanwhile::Reloads, Some(baseline), &mut reloading).await?;
    }
    gateway.stop().await?;
    println!(
        "{}: {} reloads of {:.0} ms each",
        kind.name(),
        reloading.reload_ms.len(),
        median(reloading.reload_ms.clone())
    );
    let row = |what: &str, unit, value: Vec<f64>, baseline: Vec<f64>| {
        Row::new(format!("reload/{}/{what}", kind.name()), median(value), unit, median(baseline))
    };
    Ok(vec![
        row("p50", "ms", reloading.p50_ms, quiet.p50_ms),
        row("p99", "ms", reloading.p99_ms, quiet.p99_ms),
        row("max", "ms", reloading.max_ms, quiet.max_ms),
        row("slower than twice the quiet median", "% of requests", reloading.slow_percent, quiet.slow_percent),
        Row::alone(format!("reload/{}/one reload", kind.name()), median(reloading.reload_ms), "ms"),
    ])
}

/// Writes the plugin as code that nobody has compiled: a custom section more does not change what it does.
fn write_plugin(dir: &Path, version: u64) -> anyhow::Result<()> {
    let plugin = tidegate_plugins::find(PLUGIN).context("it is built in")?;
    let name = b"never-compiled";
    let unique = format!("{} {version}", std::process::id());
    let mut section = vec![u8::try_from(name.len())?];
    section.extend_from_slice(name);
    section.extend_from_slice(unique.as_bytes());
    let wasm = [plugin.wasm, &[0, u8::try_from(section.len())?], &section].concat();
    std::fs::write(dir.join("reloaded.wasm"), wasm).context("write the plugin")
}

struct Bench {
    http: SocketAddr,
    admin: SocketAddr,
    dir: std::path::PathBuf,
    /// The next event's number.
    next: AtomicU64,
    /// Of the plugin.
    version: AtomicU64,
}

impl Bench {
    /// One round; gives its median, in microseconds.
    async fn round(
        self: &Arc<Bench>,
        meanwhile: Meanwhile,
        quiet_us: Option<f64>,
        measured: &mut Measured,
    ) -> anyhow::Result<f64> {
        let over = Arc::new(AtomicBool::new(meanwhile == Meanwhile::Nothing));
        let reloads = {
            let (bench, over) = (Arc::clone(self), Arc::clone(&over));
            async move {
                let mut took_ms = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    took_ms.push(bench.reload().await?);
                }
                anyhow::Ok(took_ms)
            }
        };
        let sending = async {
            let took_us = self.send(MEASURED).await;
            over.store(true, Ordering::Relaxed);
            took_us
        };
        let (took_us, reload_ms) = tokio::join!(sending, reloads);
        let (mut took_us, reload_ms) = (took_us?, reload_ms?);
        took_us.sort_unstable();
        let p50_us = quantile(&took_us, 0.5);
        let bound_us = 2.0 * quiet_us.unwrap_or(p50_us);
        let slow = took_us.iter().filter(|us| **us as f64 > bound_us).count();
        measured.p50_ms.push(p50_us / 1e3);
        measured.p99_ms.push(quantile(&took_us, 0.99) / 1e3);
        measured.max_ms.push(quantile(&took_us, 1.0) / 1e3);
        measured.slow_percent.push(slow as f64 / took_us.len() as f64 * 100.0);
        measured.reload_ms.extend(reload_ms);
        Ok(p50_us)
    }

    /// Lets the gateway reload with a plugin that was never compiled; gives how long that took it.
    async fn reload(&self) -> anyhow::Result<f64> {
        write_plugin(&self.dir, self.version.fetch_add(1, Ordering::Relaxed) + 1)?;
        let answer = Admin::new(self.http, self.admin).admin_post("/api/reload", &json!({})).await;
        let reload = &answer.json["reload"];
        anyhow::ensure!(reload["changes"]["changed"] == json!(["reloaded"]), "it does not reload: {}", answer.text);
        reload["took_ms"].as_f64().context("it says how long that took")
    }

    /// Sends for so long; gives how long each request took, in microseconds.
    async fn send(self: &Arc<Bench>, time: Duration) -> anyhow::Result<Vec<u64>> {
        let (began, first) = (Instant::now() + CONNECTED_WITHIN, self.next.load(Ordering::Relaxed));
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            let bench = Arc::clone(self);
            senders.spawn(async move {
                let (mut client, mut took_us) = (Client::connect(bench.http).await?, Vec::new());
                loop {
                    let n = bench.next.fetch_add(1, Ordering::Relaxed);
                    let at = began + Duration::from_secs_f64((n - first) as f64 / OFFERED);
                    if at >= began + time {
                        return anyhow::Ok(took_us);
                    }
                    tokio::time::sleep_until(at).await;
                    client.post(n).await?;
                    took_us.push(u64::try_from(at.elapsed().as_micros())?);
                }
            });
        }
        let mut all = Vec::new();
        while let Some(sent) = senders.join_next().await {
            all.extend(sent??);
        }
        Ok(all)
    }
}
