//! What a process with nothing to do asks of its Redis.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use tidegate_test_redis::Connection;

use crate::gateway::Gateway;
use crate::proc::{cpu_s, memory_mb};
use crate::store::{Kind, Store};
use crate::table::Row;

const DESTINATIONS: usize = 10;
/// What the start has to do is over by then: the first sweep, after five seconds, asks every partition once.
const SETTLES_WITHIN: Duration = Duration::from_secs(8);
const WATCHED_FOR: Duration = Duration::from_secs(20);

/// Ends the watch; nobody else sends that.
const END: &str = "the watch is over";

pub(crate) async fn measure() -> anyhow::Result<Vec<Row>> {
    let store = Store::start(Kind::EverySecond)?;
    let server = store.server().context("it is a Redis")?;
    let mut destinations = String::new();
    for n in 0..DESTINATIONS {
        write!(
            destinations,
            "[[destination]]\nname = \"hook{n}\"\nsite = \"shop\"\nplugin = \"webhook\"\n\
             config = {{ url = \"http://127.0.0.1:9/\" }}\nsecrets = {{ signing_secret = \"env:WEBHOOK_SECRET\" }}\n\
             allow_insecure = true\n\n"
        )?;
    }
    let gateway = Gateway::start(&store.configure(&destinations)?, "collect,deliver").await?;
    tokio::time::sleep(SETTLES_WITHIN).await;
    let mut watching = server.connect()?;
    watching.set_patience(WATCHED_FOR + SETTLES_WITHIN)?;
    watching.call(&["MONITOR"])?;
    let (cpu_before, redis_before) = (gateway.cpu_s()?, cpu_s(server.pid())?);
    tokio::time::sleep(WATCHED_FOR).await;
    let (cpu, redis_cpu) = (gateway.cpu_s()? - cpu_before, cpu_s(server.pid())? - redis_before);
    let memory = memory_mb(gateway.id, "VmRSS")?;
    server.cli(&["ECHO", END])?;
    let seen = tokio::task::spawn_blocking(move || watch(&mut watching)).await??;
    gateway.stop().await?;
    println!("sent by an idle process in {} s: {:?}", WATCHED_FOR.as_secs(), seen.sent);
    let each_s = |count: f64| count / WATCHED_FOR.as_secs_f64();
    Ok(vec![
        Row::new("idle/commands_sent", each_s(seen.sent.values().sum::<u64>() as f64), "1/s", 2.0),
        Row::alone("idle/commands_in_scripts", each_s(seen.inside as f64), "1/s"),
        Row::alone("idle/cpu", each_s(cpu) * 100.0, "% of a core"),
        Row::alone("idle/redis_cpu", each_s(redis_cpu) * 100.0, "% of a core"),
        Row::alone("idle/resident", memory, "MB"),
    ])
}

/// What a server was seen to run.
#[derive(Debug, Default)]
struct Seen {
    /// Commands that came over a connection, by their names.
    sent: BTreeMap<String, u64>,
    /// Commands that scripts ran.
    inside: u64,
}

/// Reads what the server ran until the end of the watch: `1700000000.123456 [0 127.0.0.1:40000] "PING"`, with `lua` for
/// the address where a script ran it.
fn watch(server: &mut Connection) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    loop {
        let line = server.receive()?.text();
        let (from, command) = line.split_once("] ").context("a line of MONITOR")?;
        if command.contains(END) {
            return Ok(seen);
        }
        if from.ends_with(" lua") {
            seen.inside += 1;
        } else {
            let name = command.split('"').nth(1).unwrap_or_default().to_lowercase();
            *seen.sent.entry(name).or_default() += 1;
        }
    }
}
