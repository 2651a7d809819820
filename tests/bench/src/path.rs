//! The whole path: HTTP in, consent, transform, commit, answer, delivery to a local sink; in the gateway's own process.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tidegate_fakes::{Fake, Ga4, Keep, Meta, WebhookSink};
use tidegate_tests::{Destinations, GA4_SECRET, META_TOKEN, Platforms, Process, Settings, WEBHOOK_SECRET};

use crate::load;
use crate::proc::{cpu_s, memory_mb};
use crate::table::Row;

const WARM_UP: u64 = 4_000;
const EVENTS: u64 = 60_000;
const DELIVERY_WITHIN: Duration = Duration::from_secs(120);

/// What the one destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// `meta-capi`: up to 1,000 events in a request.
    Batched,
    /// `webhook`: one event a request, signed.
    Single,
}

/// What a run cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) events_per_cpu_s: f64,
    pub(crate) events_per_s: f64,
    pub(crate) memory_idle_mb: f64,
    pub(crate) memory_peak_mb: f64,
}

impl Measured {
    /// The figures beside the bare server's.
    pub(crate) fn rows(&self, destination: Destination, bare: &Measured) -> Vec<Row> {
        let name = match destination {
            Destination::Batched => "meta-capi",
            Destination::Single => "webhook",
        };
        vec![
            Row::new(
                format!("path/{name}/throughput_cpu"),
                self.events_per_cpu_s,
                "events/CPU-s",
                bare.events_per_cpu_s,
            ),
            Row::new(format!("path/{name}/throughput_wall"), self.events_per_s, "events/s", bare.events_per_s),
            Row::new(format!("path/{name}/memory_peak"), self.memory_peak_mb, "MB", bare.memory_peak_mb),
            Row::new(format!("path/{name}/memory_idle"), self.memory_idle_mb, "MB", bare.memory_idle_mb),
        ]
    }
}

/// The bare server under the same load.
pub(crate) async fn bare() -> anyhow::Result<Measured> {
    let mut server = Command::new(std::env::current_exe()?).arg("bare").stdout(Stdio::piped()).spawn()?;
    let measured = async {
        let mut address = String::new();
        BufReader::new(server.stdout.take().context("it is piped")?).read_line(&mut address)?;
        let address = address.trim().parse()?;
        let id = server.id();
        let memory_idle_mb = memory_mb(id, "VmRSS")?;
        load::send(&[address], 0, WARM_UP).await?;
        let (cpu_before, clock) = (cpu_s(id)?, tokio::time::Instant::now());
        load::send(&[address], WARM_UP, WARM_UP + EVENTS).await?;
        measured(id, cpu_before, clock, memory_idle_mb)
    };
    let measured = measured.await;
    server.kill()?;
    server.wait()?;
    measured
}

/// The gateway with one destination.
pub(crate) async fn whole(destination: Destination) -> anyhow::Result<Measured> {
    let platforms = Platforms {
        meta: Fake::builder(Meta::new(META_TOKEN)).keep(Keep::EventIds).start().await?,
        ga4: Fake::builder(Ga4::new().api_secret(GA4_SECRET)).keep(Keep::EventIds).start().await?,
        webhook: Fake::builder(WebhookSink::new(WEBHOOK_SECRET)?).keep(Keep::EventIds).start().await?,
    };
    // Beside the build, for a temporary file system in memory would make the commits cheaper than a disk does.
    let dir = tempfile::tempdir_in(crate::target()?)?;
    let settings = Settings {
        destinations: Destinations::None,
        more: table(destination, &platforms),
        delivery: String::new(),
        ..Settings::default()
    };
    let gateway = Process::start(&Process::configure(&settings, &platforms, dir.path())).await;
    let id = gateway.id();
    let memory_idle_mb = memory_mb(id, "VmRSS")?;
    let sink = match destination {
        Destination::Batched => &platforms.meta,
        Destination::Single => &platforms.webhook,
    };
    load::send(&[gateway.client.http], 0, WARM_UP).await?;
    sink.wait_for_events_within(WARM_UP, DELIVERY_WITHIN).await?;
    let (cpu_before, clock) = (cpu_s(id)?, tokio::time::Instant::now());
    load::send(&[gateway.client.http], WARM_UP, WARM_UP + EVENTS).await?;
    sink.wait_for_events_within(WARM_UP + EVENTS, DELIVERY_WITHIN).await?;
    let measured = measured(id, cpu_before, clock, memory_idle_mb)?;
    anyhow::ensure!(gateway.terminate().await.success(), "the gateway did not end in order");
    Ok(measured)
}

fn measured(id: u32, cpu_before: f64, clock: tokio::time::Instant, memory_idle_mb: f64) -> anyhow::Result<Measured> {
    Ok(Measured {
        events_per_cpu_s: EVENTS as f64 / (cpu_s(id)? - cpu_before),
        events_per_s: EVENTS as f64 / clock.elapsed().as_secs_f64(),
        memory_idle_mb,
        memory_peak_mb: memory_mb(id, "VmHWM")?,
    })
}

fn table(destination: Destination, platforms: &Platforms) -> String {
    match destination {
        Destination::Batched => format!(
            "[[destination]]\nname = \"meta\"\nsite = \"shop\"\nplugin = \"meta-capi\"\n\
             config = {{ pixel_id = \"123456789012345\" }}\nsecrets = {{ access_token = \"env:META_TOKEN\" }}\n\
             base_url = \"{}\"\nallow_insecure = true\n",
            platforms.meta.url()
        ),
        Destination::Single => format!(
            "[[destination]]\nname = \"hook\"\nsite = \"shop\"\nplugin = \"webhook\"\n\
             config = {{ url = \"{}/tidegate\" }}\nsecrets = {{ signing_secret = \"env:WEBHOOK_SECRET\" }}\n\
             allow_insecure = true\n",
            platforms.webhook.url()
        ),
    }
}
