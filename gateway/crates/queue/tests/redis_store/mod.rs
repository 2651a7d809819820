//! Opens queues on a server for tests of the Redis backend, and looks at what is stored there.

#![allow(dead_code, reason = "shared by several test binaries")]

use std::sync::Arc;
use std::time::Duration;

use tidegate_queue::redis::{Address, LAPSES_MAX, OpenError, Options, Time, Timeouts, Wanted};
use tidegate_queue::*;
use tidegate_test_redis::{Reply, Server};

use crate::contract::{entry, roomy, wish};

pub(crate) fn options(url: &str) -> Options {
    Options {
        address: Address::parse(url).unwrap(),
        ca_file: None,
        prefix: "test".into(),
        partitions: 4,
        limits: roomy(),
        durability: Wanted { level: Level::Any, assumed: None },
        timeouts: Timeouts { connect: Duration::from_secs(5), response: Duration::from_secs(10) },
        time: Time::Caller,
        lapses_max: LAPSES_MAX,
    }
}

pub(crate) async fn open(options: Options) -> Arc<dyn Queue> {
    Arc::new(try_open(options).await.unwrap())
}

pub(crate) async fn try_open(options: Options) -> Result<RedisQueue, OpenError> {
    Box::pin(RedisQueue::open(options)).await
}

/// A store of one partition, which is looked at every second.
pub(crate) async fn small(server: &Server) -> Arc<dyn Queue> {
    open(Options { partitions: 1, ..options(&server.url()) }).await
}

/// An entry of a visitor of its own with one delivery to `meta`, due at 10.
pub(crate) fn of_visitor(n: u64) -> Entry {
    Entry { affinity: format!("visitor {n}"), ..crate::contract::due(&n.to_string(), n, 10) }
}

/// An entry with deliveries to these, due at 10, whose keys go up from `n`.
pub(crate) fn to_all(id: &str, n: u64, destinations: &[&str]) -> Entry {
    let new = |(n, name): (u64, &&str)| crate::contract::delivery(n, name, NewState::Due(10));
    Entry { deliveries: (n..).zip(destinations).map(new).collect(), ..entry(id) }
}

/// Leases all that is due at `meta` at the time, for a minute.
pub(crate) async fn lease_long(queue: &Arc<dyn Queue>, now_ms: u64) -> Vec<Lease> {
    let request = LeaseRequest { until_ms: now_ms + 60_000, ..wish("meta", now_ms) };
    queue.lease(request).await.unwrap().deliveries
}

/// How many wait for `meta`, and how many are dead.
pub(crate) async fn counts(queue: &Arc<dyn Queue>) -> (u64, u64) {
    let counts = queue.counts().await.unwrap();
    counts.iter().find(|count| count.destination == "meta").map_or((0, 0), |count| (count.waiting, count.dead))
}

/// Asks again and again until the answer is something; what must happen happens within the patience.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// All keys of the store.
pub(crate) fn keys_of(server: &Server) -> Vec<String> {
    let mut keys = server.must(&["KEYS", "*"]).texts();
    keys.sort();
    keys
}

/// The partition of a visitor, as docs/store-redis.md says.
pub(crate) fn partition(visitor: &str, partitions: u64) -> u64 {
    let hash = visitor
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash % partitions
}

/// What a key of the only partition holds, as the server's answer to a command.
pub(crate) fn ask(server: &Server, command: &str, key: &str, rest: &[&[u8]]) -> Reply {
    let key = format!("test:{{q:00}}:{key}");
    let mut words: Vec<&[u8]> = vec![command.as_bytes(), key.as_bytes()];
    words.extend_from_slice(rest);
    server.must(&words)
}
