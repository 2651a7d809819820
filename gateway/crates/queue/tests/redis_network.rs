//! A network that delays, resets, cuts and swallows: what was acknowledged is stored, once, and the queue goes on by
//! itself when the network does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here has failed")]

#[macro_use]
mod contract;
mod redis_store;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::*;
use redis_store::{counts, lease_long, of_visitor, open, options, until};
use tidegate_queue::redis::{Options, Timeouts};
use tidegate_queue::*;
use tidegate_test_redis::{Proxy, Server};

struct Net {
    server: Server,
    proxy: Proxy,
    queue: Arc<dyn Queue>,
}

impl Net {
    async fn new() -> Net {
        let server = Server::start();
        let proxy = Proxy::start(server.port());
        let timeouts = Timeouts { connect: Duration::from_secs(1), response: Duration::from_secs(1) };
        let queue = open(Options { timeouts, ..options(&proxy.url()) }).await;
        Net { server, proxy, queue }
    }

    /// Appends entries, each until it is acknowledged, while something happens; then each is there once.
    async fn bears(&self, first: u64, harm: impl AsyncFnOnce()) {
        let appends = async {
            for n in first..first + 60 {
                until("the entry is acknowledged", || async { self.queue.append(of_visitor(n)).await.ok() }).await;
            }
        };
        tokio::join!(appends, async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            harm().await;
        });
        self.proxy.pass();
        let direct = open(options(&self.server.url())).await;
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        for journal in direct.recent(10_000).await.unwrap() {
            *ids.entry(journal.key.id).or_default() += journal.deliveries.len();
        }
        for n in first..first + 60 {
            assert_eq!(ids.get(&n.to_string()), Some(&1), "the entry {n} and its delivery");
        }
        let mut delivered = Vec::new();
        until("all are delivered through the same handle", || async {
            let request = LeaseRequest { until_ms: 1_000_000, ..wish("meta", 20) };
            let leases = self.queue.lease(request).await.ok()?.deliveries;
            let attempts: Vec<_> = leases.iter().map(|lease| attempt(lease, 20, Outcome::Delivered)).collect();
            self.queue.settle(attempts).await.ok()?;
            (counts(&direct).await.0 == 0).then_some(())
        })
        .await;
        delivered.extend(lease_long(&self.queue, 20).await);
        assert!(delivered.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_resetting_and_refusing_networks_lose_and_double_nothing() {
    let net = Net::new().await;
    net.bears(1, async || {
        net.proxy.delay(Duration::from_millis(50), Duration::from_millis(50));
        tokio::time::sleep(Duration::from_millis(500)).await;
        net.proxy.pass();
    })
    .await;
    net.bears(1_001, async || {
        for _ in 0..5 {
            tokio::task::block_in_place(|| net.proxy.reset());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    })
    .await;
    net.bears(2_001, async || {
        tokio::task::block_in_place(|| {
            net.proxy.refuse_new();
            net.proxy.reset();
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::task::block_in_place(|| net.proxy.accept_new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_everything_is_noticed_in_time() {
    let net = Net::new().await;
    net.bears(1, async || {
        net.proxy.half_open();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        tokio::task::block_in_place(|| {
            net.proxy.pass();
            net.proxy.reset();
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_after_the_commit_makes_a_duplicate_of_the_next_try() {
    let net = Net::new().await;
    for n in 1..=8 {
        match n % 2 {
            0 => net.proxy.drop_answer_to("EVALSHA"),
            _ => net.proxy.cut_answer_to("EVALSHA", 3),
        }
        let mut outcomes = Vec::new();
        until("the entry is acknowledged", || {
            let queue = Arc::clone(&net.queue);
            let outcome = async move { queue.append(of_visitor(n)).await };
            let outcomes = std::sync::Mutex::new(&mut outcomes);
            tokio::task::block_in_place(|| {
                let outcome = tokio::runtime::Handle::current().block_on(outcome);
                let is_done = outcome.is_ok();
                outcomes.lock().unwrap().push(outcome);
                async move { is_done.then_some(()) }
            })
        })
        .await;
        // A look of the queue itself may have been the victim instead.
        assert!(matches!(outcomes.last(), Some(Ok(_))));
        if outcomes.len() > 1 {
            assert!(matches!(outcomes[0], Err(Error::Unavailable { .. })), "{:?}", outcomes[0]);
        }
    }
    assert!(net.proxy.losses() >= 7);
    assert_eq!(counts(&open(options(&net.server.url())).await).await, (8, 0));
}
