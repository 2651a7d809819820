//! What somebody else did to the store's keys: nothing that can be saved is lost, and nothing holds up the rest.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here has failed")]

#[macro_use]
mod contract;
mod redis_store;

use contract::*;
use redis_store::{ask, counts, lease_long, of_visitor, open, options, small, to_all, until};
use tidegate_queue::redis::Options;
use tidegate_queue::*;
use tidegate_test_redis::Server;

/// Settles everything that comes, and gives the keys.
async fn deliver_all(queue: &std::sync::Arc<dyn Queue>, now_ms: u64) -> Vec<DeliveryKey> {
    let mut delivered = Vec::new();
    loop {
        let leases = lease_long(queue, now_ms).await;
        if leases.is_empty() {
            return delivered;
        }
        let attempts: Vec<_> = leases.iter().map(|lease| attempt(lease, now_ms, Outcome::Delivered)).collect();
        let settled = queue.settle(attempts).await.unwrap();
        let recorded = leases.iter().zip(settled).filter(|(_, settled)| *settled == Settled::Recorded);
        delivered.extend(recorded.map(|(lease, _)| lease.key));
    }
}

fn garbage(server: &Server, hash: &str, field: &[u8]) {
    ask(server, "HSET", hash, &[field, b"\xc1garbage"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_group_loses_nothing_and_leases_nothing_twice() {
    let server = Server::start();
    let queue = open(options(&server.url())).await;
    for n in 1..=40 {
        queue.append(of_visitor(n)).await.unwrap();
    }
    let request = LeaseRequest { count_max: 20, until_ms: 60_000, ..wish("meta", 20) };
    let first = queue.lease(request).await.unwrap().deliveries;
    assert_eq!(first.len(), 20);
    for partition in 0..4 {
        server.must(&["XGROUP", "DESTROY", &format!("test:{{q:{partition:02}}}:stream:meta"), "workers"]);
    }
    let renewal =
        Renewal { leases: first.iter().map(|lease| (lease.key, lease.token)).collect(), now_ms: 25, until_ms: 60_000 };
    assert_eq!(queue.renew(renewal).await.unwrap(), vec![Held::Ours; 20], "a lease needs no group");
    let second = lease_long(&queue, 30).await;
    let mut all = [keys(&first), keys(&second)].concat();
    all.sort();
    assert_eq!(all, (1..=40).map(key).collect::<Vec<_>>(), "each once");
    let attempts = first.iter().chain(&second).map(|lease| attempt(lease, 40, Outcome::Delivered));
    assert_eq!(queue.settle(attempts.collect()).await.unwrap(), vec![Settled::Recorded; 40]);
    assert_eq!(counts(&queue).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_into_a_stream_is_a_dead_letter_alone() {
    let server = Server::start();
    let queue = small(&server).await;
    queue.append(due("a", 1, 10)).await.unwrap();
    for field in [&b"k"[..], b"other"] {
        ask(&server, "XADD", "stream:meta", &[b"*", field, b"nonsense"]);
        ask(&server, "XADD", "stream:ga4", &[b"*", field, b"nonsense"]);
    }
    queue.append(due("b", 2, 10)).await.unwrap();
    assert_eq!(deliver_all(&queue, 20).await, [key(1), key(2)]);
    assert!(lease_of("ga4", &queue).await.is_empty());
    let dead = letters(&queue).await;
    assert_eq!(dead.len(), 4);
    assert!(dead.iter().all(|letter| letter.reason.contains("cannot be read")), "{dead:?}");
    assert_eq!(counts(&queue).await, (0, 2), "what others wrote was never counted as waiting");
    let purged = queue.purge(dead.iter().map(|letter| letter.key).collect()).await.unwrap();
    assert_eq!(purged, 4);
    assert_eq!(counts(&queue).await, (0, 0));
}

async fn lease_of(destination: &str, queue: &std::sync::Arc<dyn Queue>) -> Vec<Lease> {
    queue.lease(wish(destination, 20)).await.unwrap().deliveries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_read_is_a_dead_letter_with_its_payload() {
    let server = Server::start();
    let queue = small(&server).await;
    for n in 1..=6 {
        queue.append(due(&n.to_string(), n, 10)).await.unwrap();
    }
    // One in the stream, one that is gone, one that waits again, one that is leased until 120.
    garbage(&server, "delivery", &key(1).0);
    ask(&server, "HDEL", "delivery", &[&key(2).0]);
    let request = LeaseRequest { count_max: 2, ..wish("meta", 20) };
    let leased = queue.lease(request).await.unwrap().deliveries;
    assert_eq!(keys(&leased), [key(3), key(4)]);
    queue.settle(vec![attempt(&leased[0], 20, Outcome::Retry(50))]).await.unwrap();
    garbage(&server, "delivery", &key(3).0);
    garbage(&server, "delivery", &key(4).0);
    assert_eq!(deliver_all(&queue, 500).await, [key(5), key(6)]);
    let dead = letters(&queue).await;
    let mut found: Vec<_> = dead.iter().map(|letter| (letter.key, letter.payload.clone())).collect();
    found.sort();
    let expected: Vec<_> = (1..=4).map(|n| (key(n), format!("payload {n}").into_bytes())).collect();
    assert_eq!(found, expected, "what is left of each is kept");
    assert_eq!(dead.iter().find(|letter| letter.key == key(3)).unwrap().attempts.len(), 1);
    assert_eq!(counts(&queue).await, (0, 4));
    let again = queue.replay(dead.iter().map(|letter| replay(letter.key)).collect(), 600).await.unwrap();
    assert_eq!(again, 4);
    assert_eq!(deliver_all(&queue, 600).await.len(), 4, "and can be replayed");
}

fn replay(key: DeliveryKey) -> Replay {
    Replay { key, with: ReplayWith::AsRecorded }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_what_cannot_be_read_is_given_back_to_the_dead() {
    let server = Server::start();
    let queue = small(&server).await;
    queue.append(due("a", 1, 10)).await.unwrap();
    let leased = lease_long(&queue, 20).await;
    garbage(&server, "delivery", &key(1).0);
    let settled = queue.settle(vec![attempt(&leased[0], 30, Outcome::Delivered)]).await.unwrap();
    assert_eq!(settled, [Settled::LeaseLost]);
    queue.append(due("b", 2, 10)).await.unwrap();
    let leased = lease_long(&queue, 20).await;
    garbage(&server, "delivery", &key(2).0);
    queue.release(leased.iter().map(|lease| (lease.key, lease.token)).collect()).await.unwrap();
    assert!(lease(&queue, 30).await.is_empty());
    assert_eq!(counts(&queue).await, (1, 1), "the other one's lease has not ended");
    assert!(lease(&queue, 70_000).await.is_empty());
    assert_eq!(counts(&queue).await, (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_without_its_payload() {
    let server = Server::start();
    let queue = small(&server).await;
    for n in 1..=3 {
        queue.append(due(&n.to_string(), n, 10)).await.unwrap();
    }
    ask(&server, "HDEL", "payload", &[&key(2).0]);
    assert_eq!(deliver_all(&queue, 20).await, [key(1), key(3)]);
    let dead = letters(&queue).await;
    assert_eq!(dead.len(), 1);
    assert!(dead[0].reason.contains("payload is missing"), "{dead:?}");
    assert_eq!(counts(&queue).await, (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_unreadable_entry_holds_up_neither_its_delivery_nor_lists() {
    let server = Server::start();
    let queue = small(&server).await;
    for n in 1..=3 {
        queue.append(due(&format!("e{n}"), n, 10)).await.unwrap();
    }
    garbage(&server, "entry", b"4:shope1");
    ask(&server, "HDEL", "entry", &[b"4:shope2"]);
    assert_eq!(deliver_all(&queue, 20).await.len(), 3);
    let recent: Vec<_> = queue.recent(10).await.unwrap().into_iter().map(|journal| journal.key.id).collect();
    assert_eq!(recent, ["e3"]);
    let error = queue.find("e1").await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    swept(&queue, 1_000_000, Retention { journal_ms: 1, dead_ms: 1, chain_ms: 1 }).await;
    assert!(queue.recent(10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_may_be_forgotten_at_any_time() {
    let server = Server::start();
    let queue = open(options(&server.url())).await;
    for n in 1..=20 {
        server.must(&["SCRIPT", "FLUSH"]);
        queue.append(of_visitor(n)).await.unwrap();
        server.must(&["SCRIPT", "FLUSH"]);
        let leased = lease_long(&queue, 20).await;
        assert_eq!(keys(&leased), [key(n)]);
        server.must(&["SCRIPT", "FLUSH"]);
        let settled = queue.settle(vec![attempt(&leased[0], 20, Outcome::Delivered)]).await.unwrap();
        assert_eq!(settled, [Settled::Recorded]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_type_lets_nothing_be_half_stored() {
    let server = Server::start();
    let queue = small(&server).await;
    queue.append(due("before", 1, 10)).await.unwrap();
    assert_eq!(deliver_all(&queue, 20).await, [key(1)]);
    // What nearly every entry needs, and what only some do: those have a script that asks for more.
    let usual = ["journal", "scope", "payload", "count", "delivery", "entry", "stream:meta", "profile:shop/user/1"];
    let more = ["duplicate", "attempt", "dead", "died", "outbox", "retry:meta", "age:meta"];
    let at_once = usual.map(|name| (name, NewState::Due(10)));
    let later = usual.into_iter().chain(more).map(|name| (name, NewState::Due(15)));
    for (n, (name, state)) in (2..).zip(at_once.into_iter().chain(later)) {
        let full = format!("test:{{q:00}}:{name}");
        let before = server.must(&["EXISTS", &full]).int();
        if before == 1 {
            server.must(&["RENAME", &full, "test:{q:00}:aside"]);
        }
        server.must(&["SET", &full, "in the way"]);
        let kept = ask(&server, "XLEN", "stream:ga4", &[]).int();
        let field = ProfileField { name: "f".into(), value: n.to_string(), seen_ms: n };
        let profile = vec![ProfilePatch { key: "shop/user/1".into(), fields: vec![field], expires_ms: 1 << 40 }];
        // One to another destination first: its stream would have it, were the others not asked before.
        let mut event = Entry { profile, ..to_all(&format!("{name} {n}"), 10 * n, &["ga4", "meta"]) };
        event.deliveries[1].state = state;
        let error = queue.append(event.clone()).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{name}: {error}");
        assert_eq!(ask(&server, "XLEN", "stream:ga4", &[]).int(), kept, "{name}");
        server.must(&["DEL", &full]);
        if before == 1 {
            server.must(&["RENAME", "test:{q:00}:aside", &full]);
        }
        assert_eq!(queue.append(event).await.unwrap(), Appended::Stored, "{name}");
        assert_eq!(deliver_all(&queue, 20).await, [key(10 * n + 1)], "{name}");
    }
    assert_eq!(counts(&queue).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_emptied_goes_on_and_says_so() {
    let server = Server::start();
    let queue = small(&server).await;
    queue.append(due("a", 1, 10)).await.unwrap();
    let leased = lease_long(&queue, 20).await;
    server.must(&["FLUSHALL"]);
    let settled = queue.settle(vec![attempt(&leased[0], 20, Outcome::Delivered)]).await.unwrap();
    assert_eq!(settled, [Settled::LeaseLost]);
    queue.append(due("b", 2, 10)).await.unwrap();
    assert_eq!(deliver_all(&queue, 20).await, [key(2)]);
    let said = until("health says that it was emptied", || async { queue.health().await.err() }).await;
    let said = std::error::Error::source(&said).unwrap().to_string();
    assert!(said.contains("emptied"), "{said}");
    until("it is well again", || async { queue.health().await.ok() }).await;
    assert_eq!(server.must(&["HGET", "test:store", "partitions"]).text(), "1", "described as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_leased_eight_times_without_an_outcome_is_a_dead_letter() {
    let server = Server::start();
    let queue = small(&server).await;
    queue.append(due("a", 1, 10)).await.unwrap();
    for n in 0..8 {
        assert_eq!(lease(&queue, 1_000 * n + 20).await.len(), 1);
    }
    assert!(lease(&queue, 9_000).await.is_empty());
    let dead = letters(&queue).await;
    assert_eq!(dead.len(), 1);
    assert!(dead[0].reason.contains("leased 8 times without an outcome"), "{dead:?}");
    assert_eq!(counts(&queue).await, (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_queue_is_deleted_is_made_again_from_the_deliveries() {
    let damages: [&[&str]; 7] = [
        &["stream:meta"],
        &["stream:meta", "held"],
        &["leased:meta"],
        &["held"],
        &["retry:meta", "age:meta"],
        &["count"],
        &["stream:meta", "retry:meta", "leased:meta", "age:meta", "held", "count"],
    ];
    for damage in damages {
        let server = Server::start();
        let queue = small(&server).await;
        for n in 1..=9 {
            queue.append(due(&n.to_string(), n, 10)).await.unwrap();
        }
        let request = LeaseRequest { count_max: 6, ..wish("meta", 20) };
        let leased = queue.lease(request).await.unwrap().deliveries;
        assert_eq!(leased.len(), 6);
        let outcome = |n: usize| [Outcome::Retry(40), Outcome::Dead("no".into()), Outcome::Delivered][n].clone();
        let attempts = (0..3).map(|n| attempt(&leased[n], 20, outcome(n)));
        queue.settle(attempts.collect()).await.unwrap();
        for name in damage {
            ask(&server, "DEL", name, &[]);
        }
        // Three leased ones are out; whatever becomes of them, all seven are delivered in the end, none settled twice.
        until(&format!("nothing waits without {damage:?}"), || {
            let queue = &queue;
            async move {
                deliver_all(queue, 3_000).await;
                (counts(queue).await == (0, 1)).then_some(())
            }
        })
        .await;
        for n in [1, 3, 4, 5, 6, 7, 8, 9] {
            let journal = queue.find(&n.to_string()).await.unwrap();
            assert_eq!(journal[0].deliveries[0].state, State::Delivered, "{n} without {damage:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_leases_of_one_partition_end_in_one_call() {
    let server = Server::start();
    let queue = small(&server).await;
    let event = |id: &str, first: u64| Entry {
        deliveries: (first..first + 4_500).map(|n| delivery(n, "meta", NewState::Due(10))).collect(),
        ..entry(id)
    };
    queue.append(event("a", 1)).await.unwrap();
    queue.append(event("b", 10_001)).await.unwrap();
    let all = |now_ms| LeaseRequest { count_max: 20_000, until_ms: now_ms + 60_000, ..wish("meta", now_ms) };
    let leased = queue.lease(all(20)).await.unwrap().deliveries;
    assert_eq!(leased.len(), 9_000);
    queue.release(leased.iter().map(|lease| (lease.key, lease.token)).collect()).await.unwrap();
    let leased = queue.lease(all(30)).await.unwrap().deliveries;
    let attempts = leased.iter().map(|lease| attempt(lease, 30, Outcome::Retry(40)));
    assert_eq!(queue.settle(attempts.collect()).await.unwrap(), vec![Settled::Recorded; 9_000]);
    let leased = queue.lease(all(50)).await.unwrap().deliveries;
    assert_eq!(leased.len(), 9_000);
    let attempts = leased.iter().map(|lease| attempt(lease, 50, Outcome::Dead("no".into())));
    assert_eq!(queue.settle(attempts.collect()).await.unwrap(), vec![Settled::Recorded; 9_000]);
    assert_eq!(counts(&queue).await, (0, 9_000));
    assert_eq!(queue.replay(keys(&leased).into_iter().map(replay).collect(), 60).await.unwrap(), 9_000);
    assert_eq!(counts(&queue).await, (9_000, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_publish_still_stores_and_delivers() {
    let server = Server::builder().user("mute", "secret", "~* +@all resetchannels").start();
    let queue = open(options(&server.url_as("mute", "secret"))).await;
    assert_eq!(queue.append(due("a", 1, 10)).await.unwrap(), Appended::Stored);
    assert_eq!(deliver_all(&queue, 20).await, [key(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_field_that_cannot_be_read_is_none() {
    let server = Server::start();
    let queue = small(&server).await;
    let field = |name: &str| ProfileField { name: name.into(), value: "v".into(), seen_ms: 5 };
    let fields = vec![field("a"), field("b")];
    let profile = vec![ProfilePatch { key: "shop/user/1".into(), fields, expires_ms: 1 << 40 }];
    queue.append(Entry { profile, ..entry("a") }).await.unwrap();
    garbage(&server, "profile:shop/user/1", b"a");
    assert_eq!(queue.profile("shop/user/1", 20).await.unwrap(), [field("b")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_store_of_an_impossible_size_is_made() {
    let server = Server::start();
    for partitions in [0, 1025] {
        let options = Options { partitions, ..options(&server.url()) };
        assert!(redis_store::try_open(options).await.is_err());
    }
    assert!(redis_store::keys_of(&server).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_memory_is_full_is_opened_leased_from_and_purged() {
    let server = Server::start();
    let queue = small(&server).await;
    for n in 1..=2 {
        queue.append(of_visitor(n)).await.unwrap();
    }
    queue.append(dead("d", 3, "refused")).await.unwrap();
    server.must(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(matches!(queue.append(of_visitor(4)).await, Err(Error::Unavailable { .. })));
    let second = small(&server).await;
    assert_eq!(second.purge(vec![key(3)]).await.unwrap(), 1);
    assert_eq!(deliver_all(&second, 20).await, [key(1), key(2)]);
    assert_eq!(counts(&second).await, (0, 0));
    let other = Options { prefix: "other".into(), ..options(&server.url()) };
    assert_eq!(open(other).await.counts().await.unwrap(), [], "a new store is made, and takes what it can later");
}
