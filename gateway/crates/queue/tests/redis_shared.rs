//! Several processes on one store.

#![expect(clippy::disallowed_methods, reason = "servers live in real time, and a worker of a test is a task")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here has failed")]

#[macro_use]
mod contract;
mod redis_store;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::*;
use redis_store::{counts, keys_of, lease_long, of_visitor, open, options, small, to_all, try_open, until};
use tidegate_queue::chain::Verifier;
use tidegate_queue::redis::{OpenError, Options, Time};
use tidegate_queue::*;
use tidegate_test_redis::Server;

#[tokio::test(flavor = "multi_thread")]
async fn an_arrival_is_heard_by_the_other_process_at_once() {
    let server = Server::start();
    let (here, there) = (open(options(&server.url())).await, open(options(&server.url())).await);
    let arrivals = there.arrivals("meta");
    assert!(lease_long(&there, 20).await.is_empty());
    // The subscription is told as an arrival, too.
    while tokio::time::timeout(Duration::from_millis(500), arrivals.notified()).await.is_ok() {
        lease_long(&there, 20).await;
    }
    for n in 1..=20 {
        here.append(of_visitor(n)).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(1), arrivals.notified()).await;
        assert!(heard.is_ok(), "the arrival {n}");
        assert_eq!(keys(&lease_long(&there, 20).await), [key(n)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_is_heard_by_the_other_process_at_once() {
    let server = Server::start();
    let (here, there) = (open(options(&server.url())).await, open(options(&server.url())).await);
    let news = there.settings_news();
    // The subscription is told as news, too.
    while tokio::time::timeout(Duration::from_millis(500), news.notified()).await.is_ok() {}
    for n in 1..=5 {
        let value = (n < 5).then(|| n.to_string());
        here.set("destination/meta", value.clone()).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(1), news.notified()).await;
        assert!(heard.is_ok(), "the change {n}");
        let known = there.settings().await.unwrap().into_iter().next().map(|setting| setting.value);
        assert_eq!(known, value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_of_two_processes_deliver_each_once() {
    const COUNT: u64 = 2_000;
    let server = Server::start();
    let handles = [open(options(&server.url())).await, open(options(&server.url())).await];
    let appends = (1..=COUNT).map(|n| {
        let queue = Arc::clone(&handles[0]);
        async move { queue.append(of_visitor(n)).await.unwrap() }
    });
    futures_util::future::join_all(appends).await;
    let workers = (0..8).map(|n: usize| {
        let queue = Arc::clone(&handles[n % 2]);
        tokio::spawn(async move {
            let mut delivered = Vec::new();
            loop {
                let request = LeaseRequest { count_max: 37, until_ms: 60_000, ..wish("meta", 20) };
                let leases = queue.lease(request).await.unwrap().deliveries;
                assert!(leases.len() <= 37);
                if leases.is_empty() {
                    return delivered;
                }
                let attempts: Vec<_> = leases.iter().map(|lease| attempt(lease, 20, Outcome::Delivered)).collect();
                let settled = queue.settle(attempts).await.unwrap();
                assert!(settled.iter().all(|one| *one == Settled::Recorded), "{settled:?}");
                delivered.extend(keys(&leases));
            }
        })
    });
    let mut all: Vec<DeliveryKey> = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        all.extend(worker.await.unwrap());
    }
    all.sort();
    assert_eq!(all, (1..=COUNT).map(key).collect::<Vec<_>>());
    assert_eq!(counts(&handles[1]).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_a_process_that_died_comes_to_another_and_is_lost_to_the_first() {
    let server = Server::start();
    let (dying, living) = (small(&server).await, small(&server).await);
    dying.append(due("a", 1, 10)).await.unwrap();
    let old = lease(&dying, 20).await;
    assert!(lease(&living, 100).await.is_empty());
    let new = lease(&living, 120).await;
    assert_eq!(keys(&new), keys(&old));
    let settled = dying.settle(vec![attempt(&old[0], 125, Outcome::Dead("late".into()))]).await.unwrap();
    assert_eq!(settled, [Settled::LeaseLost]);
    let settled = living.settle(vec![attempt(&new[0], 125, Outcome::Delivered)]).await.unwrap();
    assert_eq!(settled, [Settled::Recorded]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_stores_no_more_than_the_limit_by_itself() {
    let server = Server::start();
    let limited = Options { limits: Limits::overall(50), partitions: 64, ..options(&server.url()) };
    let handles = [open(limited.clone()).await, open(limited).await];
    let mut stored = 0;
    for n in 1..=400 {
        stored += u64::from(handles[n as usize % 2].append(of_visitor(n)).await.is_ok());
    }
    // What a process does not know of the others' is what came since it last met or looked at their partitions.
    assert!((50..=100).contains(&stored), "{stored}");
    assert_eq!(counts(&handles[0]).await.0, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_has_room_again_as_soon_as_its_deliveries_are_settled() {
    let server = Server::start();
    let limits = capped("meta", 100, WhenFull::Refuse);
    let queue = open(Options { limits, partitions: 64, ..options(&server.url()) }).await;
    for round in 0..3 {
        for n in 1..=100 {
            queue.append(of_visitor(round * 1_000 + n)).await.unwrap();
        }
        assert!(queue.append(of_visitor(round * 1_000 + 101)).await.is_err());
        let leases = lease_long(&queue, 20).await;
        let attempts = leases.iter().map(|lease| attempt(lease, 20, Outcome::Delivered));
        assert_eq!(queue.settle(attempts.collect()).await.unwrap().len(), 100);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_may_open_an_empty_store_and_sweep_at_once() {
    let server = Server::start();
    let (here, there) = tokio::join!(open(options(&server.url())), open(options(&server.url())));
    for n in 1..=300 {
        here.append(Entry { deliveries: Vec::new(), ..of_visitor(n) }).await.unwrap();
    }
    let retention = Retention { journal_ms: 5, dead_ms: 5, chain_ms: 5 };
    let (one, other) = tokio::join!(swept(&here, 1_000, retention), swept(&there, 1_000, retention));
    assert_eq!(one.records + other.records, 300);
    assert!(here.recent(10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_partitions_is_the_stores() {
    let server = Server::start();
    let first = open(Options { partitions: 3, ..options(&server.url()) }).await;
    let second = open(Options { partitions: 64, ..options(&server.url()) }).await;
    for n in 1..=20 {
        assert_eq!(first.append(of_visitor(n)).await.unwrap(), Appended::Stored);
        assert_eq!(second.append(of_visitor(n)).await.unwrap(), Appended::Duplicate);
    }
    assert_eq!(server.must(&["HGET", "test:store", "partitions"]).text(), "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_format_or_of_somebody_else_is_refused() {
    let server = Server::start();
    for foreign in [
        &["HSET", "test:store", "format", "2", "partitions", "64"][..],
        &["SET", "test:store", "x"],
        &["HSET", "test:store", "a", "b"],
        &["HSET", "test:store", "format", "1", "partitions", "99999"],
    ] {
        server.must(&["FLUSHALL"]);
        server.must(foreign);
        let error = try_open(options(&server.url())).await.err().unwrap();
        assert!(matches!(error, OpenError::Foreign { .. }), "{foreign:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_wrong_clock_changes_nothing_that_goes_by_the_servers() {
    const DAY_MS: u64 = 86_400_000;
    let server = Server::start();
    let time = server.must(&["TIME"]).texts();
    let now_ms = time[0].parse::<u64>().unwrap() * 1_000;
    let begun = std::time::Instant::now();
    let right_ms = || now_ms + u64::try_from(begun.elapsed().as_millis()).unwrap();
    for (n, clock_ms) in [(1, now_ms - DAY_MS), (2, now_ms + DAY_MS), (3, now_ms)] {
        let prefix = format!("time{n}");
        let options = Options { time: Time::Server, prefix, partitions: 2, ..options(&server.url()) };
        let (wrong, right) = (open(options.clone()).await, open(options).await);
        let at = |entry: Entry, ms: u64| Entry { received_ms: ms, now_ms: ms, ..entry };
        wrong.append(at(due("now", 1, clock_ms), clock_ms)).await.unwrap();
        wrong.append(at(due("later", 2, clock_ms + 60_000), clock_ms)).await.unwrap();
        wrong.append(at(due("long ago", 3, 0), clock_ms)).await.unwrap();
        wrong.append(at(dead("dead", 4, "no"), clock_ms)).await.unwrap();
        let wanted = |ms: u64| LeaseRequest { until_ms: ms + 60_000, ..wish("meta", ms) };
        let leased = wrong.lease(wanted(clock_ms)).await.unwrap();
        let mut got = keys(&leased.deliveries);
        got.sort();
        assert_eq!(got, [key(1), key(3)], "{n}");
        let next_ms = leased.next_due_ms.unwrap();
        assert!(next_ms.abs_diff(clock_ms + 60_000) < 20_000, "in the caller's time: {}", next_ms - clock_ms);
        assert!(right.lease(wanted(now_ms)).await.unwrap().deliveries.is_empty(), "leased to another, {n}");
        let outcomes = [Outcome::Retry(clock_ms), Outcome::Dead("no".into())];
        let attempts = leased.deliveries.iter().zip(outcomes);
        wrong.settle(attempts.map(|(lease, outcome)| attempt(lease, clock_ms, outcome)).collect()).await.unwrap();
        until("the retry is due to the other", || async {
            (right.lease(wanted(right_ms())).await.unwrap().deliveries.len() == 1).then_some(())
        })
        .await;
        assert_eq!(right.find("long ago").await.unwrap()[0].deliveries.len(), 1, "its due time can be read");
        let hour = Retention { journal_ms: 3_600_000, dead_ms: 3_600_000, chain_ms: 3_600_000 };
        assert_eq!(swept(&right, now_ms, hour).await.records, 0, "nothing is an hour old, {n}");
        assert_eq!(swept(&wrong, clock_ms, hour).await.records, 0);
        assert_eq!(swept(&right, now_ms + 2 * 3_600_000, hour).await.records, 0, "nor is the server's clock, {n}");
        let moment = Retention { journal_ms: 0, dead_ms: 0, chain_ms: 0 };
        until("the dead letters are old enough", || async {
            swept(&right, right_ms(), moment).await;
            letters(&right).await.is_empty().then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_imported_expires_when_it_should() {
    let server = Server::start();
    let queue = small(&server).await;
    let now_ms = server.must(&["TIME"]).texts()[0].parse::<u64>().unwrap() * 1_000;
    let field = ProfileField { name: "f".into(), value: "v".into(), seen_ms: now_ms };
    let profile = StoredProfile { key: "shop/user/1".into(), fields: vec![(field, now_ms + 60_000)] };
    queue.import(vec![Item::Profile(profile)]).await.unwrap();
    let ttl_ms = server.must(&["PTTL", "test:{q:00}:profile:shop/user/1"]).int();
    assert!((86_400_000..86_500_000).contains(&ttl_ms), "{ttl_ms}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_and_given_back() {
    const EVENTS: u64 = 2_000;
    let server = Server::start();
    let queue = open(options(&server.url())).await;
    let used = || server.info("used_memory").unwrap().parse::<u64>().unwrap();
    let before = used();
    for n in 0..EVENTS {
        let mut event = to_all(&format!("0197f3a0-0000-7000-8000-{n:012}"), 2 * n, &["meta", "ga4"]);
        event.deliveries.iter_mut().for_each(|one| one.payload = vec![b'p'; 1024]);
        queue.append(Entry { affinity: format!("visitor {n}"), record: vec![b'r'; 1024], ..event }).await.unwrap();
    }
    let each = (used() - before) / EVENTS;
    println!("memory of an event with two deliveries of 1 KiB and a record of 1 KiB: {each} bytes");
    assert!((3_072..6_000).contains(&each), "{each} bytes an event");
    for name in ["meta", "ga4"] {
        loop {
            let leases = queue.lease(wish(name, 20)).await.unwrap().deliveries;
            if leases.is_empty() {
                break;
            }
            let attempts = leases.iter().map(|lease| attempt(lease, 20, Outcome::Delivered));
            queue.settle(attempts.collect()).await.unwrap();
        }
    }
    swept(&queue, 1_000_000, Retention { journal_ms: 1, dead_ms: 1, chain_ms: 1 }).await;
    let kinds: BTreeMap<String, usize> = keys_of(&server).iter().fold(BTreeMap::new(), |mut kinds, key| {
        *kinds.entry(key.rsplit("}:").next().unwrap().to_owned()).or_default() += 1;
        kinds
    });
    let names: Vec<_> = kinds.keys().map(String::as_str).collect();
    assert_eq!(names, ["count", "scope", "stream:ga4", "stream:meta", "test:store"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_process_asks_at_most_twice_a_second() {
    for destinations in [1, 5] {
        let server = Server::start();
        let queue = open(Options { partitions: 64, ..options(&server.url()) }).await;
        for n in 0..destinations {
            queue.arrivals(&format!("d{n}"));
            queue.lease(wish(&format!("d{n}"), 20)).await.unwrap();
        }
        let port = server.port();
        let asked = tokio::task::spawn_blocking(move || {
            let mut monitor = tidegate_test_redis::Connection::open(port).unwrap();
            monitor.call(&["MONITOR"]).unwrap();
            let mut asked = 0;
            // Two seconds of silence between looks are expected, five are the end of the measurement.
            let end = std::time::Instant::now() + Duration::from_secs(6);
            while let Some(left) = end.checked_duration_since(std::time::Instant::now()).filter(|left| !left.is_zero())
            {
                monitor.set_patience(left).unwrap();
                if let Ok(line) = monitor.receive() {
                    asked += u32::from(!line.text().contains(" lua]"));
                }
            }
            asked
        });
        let asked = asked.await.unwrap();
        assert!(asked <= 12, "{asked} commands in 6 s with {destinations} destinations");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_append_to_one_chained_log() {
    let server = Server::start();
    let mut appends = tokio::task::JoinSet::new();
    for process in 0..3_u64 {
        let queue = open(options(&server.url())).await;
        appends.spawn(async move {
            for n in 0..40 {
                queue.chain_append(n, format!("{process} {n}").into_bytes()).await.unwrap();
            }
        });
    }
    appends.join_all().await;
    let queue = open(options(&server.url())).await;
    let (ends, links) = (queue.chain_ends().await.unwrap(), queue.chain_page(0, 1000).await.unwrap());
    let mut verifier = Verifier::after(ends.base);
    links.iter().for_each(|link| verifier.next(link).unwrap());
    assert_eq!((verifier.last(), ends.head.seq), (Some(ends.head), 120));
    let texts: std::collections::BTreeSet<_> = links.iter().map(|link| &link.bytes).collect();
    assert_eq!(texts.len(), 120, "each is there once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_of_the_chained_log_in_the_server_is_found() {
    for (command, found) in [
        (&["HDEL", "test:{chain}:entry", "2"][..], "entry 2 is not there"),
        (&["HSET", "test:{chain}:entry", "2", "20:xyz:changed"][..], "entry 2 was changed"),
        (&["HSET", "test:{chain}:ends", "base_hash", &"7".repeat(64)][..], "entry 1 was changed"),
    ] {
        let server = Server::start();
        let queue = small(&server).await;
        for n in 1..=3 {
            queue.chain_append(n, b"entry".to_vec()).await.unwrap();
        }
        server.must(command);
        let mut verifier = Verifier::after(queue.chain_ends().await.unwrap().base);
        let links = queue.chain_page(0, 1000).await.unwrap();
        let broken = links.iter().try_for_each(|link| verifier.next(link)).unwrap_err();
        assert!(broken.to_string().contains(found), "{broken}");
    }
}
