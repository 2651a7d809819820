//! `tidegate store status`: where the store is, what an acknowledgement means, and what waits in it.

use serde::Serialize;

use super::super::failure::Failure;
use super::super::output::{Output, table, time};
use super::super::{ConfigFile, Variables};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, Serialize)]
struct Status {
    url: String,
    durability: &'static str,
    meaning: String,
    destinations: Vec<Destination>,
}

#[derive(Debug, Serialize)]
struct Destination {
    name: String,
    waiting: u64,
    dead: u64,
    oldest_queued_ms: Option<u64>,
}

pub(super) async fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let config = arguments.config.load(Variables::Optional)?;
    let queue = super::open(&config).await?;
    let counts = queue.counts().await?.into_iter();
    let durability = queue.durability();
    let status = Status {
        url: config.store.backend.to_string(),
        durability: durability.level.name(),
        meaning: durability.meaning,
        destinations: counts
            .map(|count| Destination {
                name: count.destination,
                waiting: count.waiting,
                dead: count.dead,
                oldest_queued_ms: count.oldest_queued_ms,
            })
            .collect(),
    };
    out.data(&status, |status, paint| {
        let row = |one: &Destination| {
            let oldest = one.oldest_queued_ms.map(time).unwrap_or_default();
            [one.name.clone(), one.waiting.to_string(), one.dead.to_string(), oldest]
        };
        let rows: Vec<[String; 4]> = status.destinations.iter().map(row).collect();
        let head = format!("store       {}\ndurability  {}: {}", status.url, status.durability, status.meaning);
        if rows.is_empty() {
            return format!("{head}\n\nnothing waits, and there are no dead letters");
        }
        format!("{head}\n\n{}", table(paint, ["DESTINATION", "WAITING", "DEAD", "OLDEST"], &rows))
    });
    Ok(())
}
