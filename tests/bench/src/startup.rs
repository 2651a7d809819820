//! How long a gateway with every built-in destination takes from its start until it takes connections: with nothing
//! compiled yet, and with everything.

use std::time::Duration;

use anyhow::Context as _;
use tidegate_tests::Everywhere;
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::store::{Kind, Store};
use crate::table::{Row, median};

const COLD_ROUNDS: usize = 3;
const WARM_ROUNDS: usize = 9;
/// What `docs/performance.md` promises, in milliseconds.
const COLD_MS_MAX: f64 = 30_000.0;
const WARM_MS_MAX: f64 = 300.0;

pub(crate) async fn measure() -> anyhow::Result<Vec<Row>> {
    let store = Store::start(Kind::Sqlite)?;
    let everywhere = Everywhere::start().await;
    let count = everywhere.names().count();
    let config = store.configure(&everywhere.destinations())?;
    // A cache of its own, so that it can be emptied.
    let text = std::fs::read_to_string(&config)?;
    let shared = text.lines().find(|line| line.starts_with("cache = ")).context("a configured cache")?.to_owned();
    std::fs::write(&config, text.replace(&shared, "cache = \"plugin-cache\""))?;
    let cache = config.with_file_name("plugin-cache");
    let (mut cold, mut warm): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    for _ in 0..COLD_ROUNDS {
        if cache.exists() {
            std::fs::remove_dir_all(&cache)?;
        }
        cold.push(started(&config).await?);
    }
    for _ in 0..WARM_ROUNDS {
        warm.push(started(&config).await?);
    }
    println!("{count} plugins, warm in ms: {:?}", warm.iter().map(|took| took.as_millis()).collect::<Vec<_>>());
    let ms = |rounds: &[Duration]| median(rounds.iter().map(|took| took.as_secs_f64() * 1_000.0));
    let most = warm.iter().max().map_or(f64::NAN, |took| took.as_secs_f64() * 1_000.0);
    Ok(vec![
        Row::new(format!("startup/{count}_plugins/cold"), ms(&cold), "ms", COLD_MS_MAX),
        Row::new(format!("startup/{count}_plugins/warm"), ms(&warm), "ms", WARM_MS_MAX),
        Row::new(format!("startup/{count}_plugins/warm_slowest"), most, "ms", WARM_MS_MAX),
    ])
}

/// From the start of the process until both listeners take connections.
async fn started(config: &std::path::Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let gateway = Gateway::start(config, "collect,deliver").await?;
    let took = began.elapsed();
    gateway.stop().await?;
    Ok(took)
}
