//! The contract in a cluster, on a primary that Sentinel watches, and on Valkey.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

#[macro_use]
mod contract;
mod redis_store;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract::{Backend, entry, walk};
use redis_store::{options, partition};
use tidegate_queue::redis::{Options, Timeouts};
use tidegate_queue::*;
use tidegate_test_redis::{Cluster, Program, Replicated, Server};
use tokio::runtime::{Builder, Handle, Runtime};

/// A store of its own in servers that all tests share, told apart by its prefix. A crash leaves the queue behind as it
/// is, unclosed; the servers live.
struct Shared {
    options: Options,
}

impl Shared {
    fn of(url: &str) -> Shared {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("store{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let timeouts = Timeouts { connect: Duration::from_secs(5), response: Duration::from_secs(20) };
        Shared { options: Options { prefix, partitions: 16, timeouts, lapses_max: u32::MAX, ..options(url) } }
    }
}

impl Backend for Shared {
    fn open(&mut self, limits: Limits) -> Arc<dyn Queue> {
        let open = Box::pin(RedisQueue::open(Options { limits, ..self.options.clone() }));
        Arc::new(tokio::task::block_in_place(|| Handle::current().block_on(open)).unwrap())
    }

    fn crash(&mut self) {}

    fn sweeps_profiles(&self) -> bool {
        false
    }
}

contract!(@one_after_the_other every_sentence);

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn contract_holds(url: &str) {
    runtime().block_on(Box::pin(every_sentence(|| Shared::of(url))));
    walk::compare(6, || Box::new(Shared::of(url)));
}

#[test]
fn a_cluster_keeps_the_contract_and_writes_profiles_of_other_partitions() {
    let cluster = Cluster::start();
    contract_holds(&cluster.url());
    runtime().block_on(async { profiles_of_other_partitions(&cluster).await });
}

#[test]
fn a_primary_under_sentinel_keeps_the_contract() {
    let servers = Replicated::start(1);
    contract_holds(&servers.url());
}

#[test]
fn valkey_keeps_the_contract() {
    let server = Server::builder().program(Program::Valkey).start();
    contract_holds(&server.url());
}

/// Before an append returns, its changes of profiles elsewhere are written; what a process that died had not written
/// yet, another one writes.
async fn profiles_of_other_partitions(cluster: &Cluster) {
    const PARTITIONS: u64 = 2;
    let opts = Options { partitions: 2, prefix: "outbox".into(), ..options(&cluster.url()) };
    let queue = redis_store::open(opts).await;
    let visitor_in =
        |wanted: u64| (0..100).map(|n| format!("v{n}")).find(|one| partition(one, PARTITIONS) == wanted).unwrap();
    let (visitor, user) = (visitor_in(0), visitor_in(1));
    let profile = format!("shop/user/{user}");
    let patch = |value: &str, seen_ms: u64| ProfilePatch {
        key: profile.clone(),
        fields: vec![ProfileField { name: "f".into(), value: value.into(), seen_ms }],
        expires_ms: 1 << 40,
    };
    let event = |id: &str, value: &str, seen_ms: u64| Entry {
        affinity: visitor.clone(),
        profile: vec![patch(value, seen_ms)],
        ..entry(id)
    };
    let value = || async { queue.profile(&profile, 20).await.unwrap().pop().map(|field| field.value) };
    queue.append(event("a", "first", 1)).await.unwrap();
    assert_eq!(value().await.as_deref(), Some("first"));
    assert_eq!(queue.append(event("a", "duplicate", 2)).await.unwrap(), Appended::Duplicate);
    assert_eq!(value().await.as_deref(), Some("first"), "a duplicate changes no profile");
    let outbox = "outbox:{q:00}:outbox";
    let node = &cluster.nodes()[cluster.owner_of_slot(tidegate_test_redis::slot_of(outbox))];
    assert_eq!(node.must(&["EXISTS", outbox]).int(), 0, "nothing is left behind");
    // [[profile, received, expires, [name, seen, value]]]: as docs/store-redis.md has it.
    let mut left = vec![0x91, 0x94, 0xa0 | u8::try_from(profile.len()).unwrap()];
    left.extend_from_slice(profile.as_bytes());
    left.extend_from_slice(&[10, 0xcf, 0, 0, 1, 0, 0, 0, 0, 0, 0x93, 0xa1, b'f', 9, 0xa4]);
    left.extend_from_slice(b"left");
    node.must(&[b"HSET".as_slice(), outbox.as_bytes(), b"4:shopgone", &left]);
    node.must(&[b"HSET".as_slice(), outbox.as_bytes(), b"4:shopodd", b"\xc1"]);
    redis_store::until("what was left behind is written", || async {
        (value().await.as_deref() == Some("left") && node.must(&["EXISTS", outbox]).int() == 0).then_some(())
    })
    .await;
}
