//! The link with real servers.

mod cluster;
mod news;
mod sentinel;
mod server;

use std::sync::LazyLock;
use std::time::Duration;

use redis::Value;
use tokio::time::{Instant, sleep};

use super::*;

/// Writes one field into each of its keys, and gives how many fields the first has.
static PUT: LazyLock<Script> = LazyLock::new(|| {
    let body = "for _, key in ipairs(KEYS) do redis.call('HSET', key, ARGV[1], ARGV[2]) end\n\
                return redis.call('HLEN', KEYS[1])";
    Script::new("put", "#!lua\n", body)
});

const PATIENCE: Duration = Duration::from_secs(30);
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(2), response: Duration::from_secs(5) };

async fn link(url: &str) -> Link {
    quick_link(url, TIMEOUTS.response).await
}

async fn quick_link(url: &str, response: Duration) -> Link {
    let timeouts = Timeouts { response, ..TIMEOUTS };
    Link::connect(&Address::parse(url).unwrap(), None, timeouts).await.unwrap()
}

async fn refusal(url: &str) -> String {
    match Link::connect(&Address::parse(url).unwrap(), None, TIMEOUTS).await {
        Ok(_) => panic!("it connected"),
        Err(OpenError::Unreachable { address, source }) => format!("{address}: {source}"),
        Err(other) => panic!("{other}"),
    }
}

fn key(partition: u16, name: &str) -> Vec<u8> {
    format!("t:{{q:{partition:02}}}:{name}").into_bytes()
}

fn put(partition: u16, field: &str) -> Call {
    Call {
        script: &PUT,
        partition,
        keys: vec![key(partition, "a"), key(partition, "b")],
        args: vec![field.into(), b"value".to_vec()],
    }
}

fn length(partition: u16) -> Read {
    let mut cmd = redis::cmd("HLEN");
    let key = key(partition, "a");
    cmd.arg(&key);
    Read { key, cmd }
}

async fn run(link: &Link, calls: Vec<Call>) -> Vec<Result<Value, Trouble>> {
    link.run(Lane::Commit, calls, Confirm::Nothing).await
}

async fn run_one(link: &Link, call: Call) -> Result<Value, Trouble> {
    run(link, vec![call]).await.pop().unwrap()
}

/// Runs one call again and again until it succeeds.
async fn until_well(link: &Link, partition: u16) {
    let end = Instant::now() + PATIENCE;
    loop {
        match run_one(link, put(partition, "again")).await {
            Ok(_) => return,
            Err(trouble) if Instant::now() > end => panic!("{trouble}"),
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}
