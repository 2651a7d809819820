//! Kills the gateway again and again while clients send, and then asks for every event that was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tidegate_fakes::{Behaviour, Clock, Fake};
use tidegate_tests::{Platforms, Process, Row, Senders};
use tokio::time::Instant;

use crate::{CONCURRENCY, drained, purchase, settings};

const KILLS: usize = 50;
const SENDERS: usize = 4;

/// When a gateway was killed: between these two times.
#[derive(Debug, Clone, Copy)]
struct Kill {
    before_ms: i64,
    after_ms: i64,
}

/// One event's coming to a platform.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at_ms: i64,
    /// The request's number.
    request: u64,
}

type Arrivals = BTreeMap<String, Vec<Arrival>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let platforms = Platforms::start().await;
    let config = Process::configure(&settings(), &platforms, dir.path());
    let mut senders = Senders::start(SENDERS, dir.path(), purchase).await;
    let clock = Clock::system();
    let (mut kills, mut starts) = (Vec::new(), Vec::new());
    for round in 0..KILLS {
        let started = Instant::now();
        let gateway = Process::start(&config).await;
        starts.push(started.elapsed());
        let (taken, sent) = (senders.acknowledged(), platforms.meta.requests_count());
        platforms.webhook.next(misbehaviour(round));
        senders.point_to([&gateway.client]);
        // Some die with the first answers, some under load, some when a batch has just gone out.
        match round % 3 {
            0 => senders.until(taken + 1 + round as u64 % 7).await,
            1 => senders.until(taken + 30).await,
            _ => drop(platforms.meta.wait_for(sent + 1).await.unwrap()),
        }
        senders.point_to([]);
        let before_ms = clock.now_ms();
        gateway.kill().await;
        kills.push(Kill { before_ms, after_ms: clock.now_ms() });
    }
    let gateway = Process::start(&config).await;
    let silent = senders.pace().gap_max;
    let ledger = senders.ledger().await;
    drained(&gateway.client).await;

    let mut outcomes = BTreeMap::<String, usize>::new();
    let platforms = [("hook", &platforms.webhook), ("ga4", &platforms.ga4), ("meta", &platforms.meta)];
    let arrivals = platforms.map(|(name, fake)| (name, arrivals(fake)));
    for id in &ledger {
        let trace = gateway.client.trace(id).await;
        for (name, arrivals) in &arrivals {
            let outcome = outcome(&trace, name).unwrap_or_else(|| panic!("`{id}` is lost for {name}: {trace:#}"));
            let came = arrivals.contains_key(id);
            match outcome {
                "delivered" => assert!(came, "{name} never got `{id}`: {trace:#}"),
                "dead" => assert_eq!(*name, "hook", "only the webhook refused anything: {trace:#}"),
                other => panic!("`{id}` is {other} for {name}: {trace:#}"),
            }
            *outcomes.entry(format!("{name} {outcome}")).or_default() += 1;
        }
    }
    let again: BTreeMap<&str, Again> = arrivals.iter().map(|(name, all)| (*name, again(name, all, &kills))).collect();
    let slowest = starts.iter().max().copied().unwrap_or_default();
    let mean = starts.iter().sum::<Duration>() / KILLS as u32;
    println!(
        "{KILLS} kills, {} events acknowledged, outcomes {outcomes:?}, sent again after a kill {again:?}, a start \
         took {mean:.0?} on average and {slowest:.0?} at most",
        ledger.len()
    );
    assert!(gateway.terminate().await.success());
    let row = Row {
        name: "70-sqlite-gateway-killed",
        fault: "SQLite: gateway killed",
        done: format!("kill -9 under load, {KILLS} times; three destinations"),
        acknowledged: ledger.len(),
        lost: 0,
        again: again.values().map(|again| again.events).sum(),
        silent,
        recovery: Some(slowest),
    };
    row.write();
}

/// Now and then the webhook's receiver fails, and now and then it refuses.
fn misbehaviour(round: usize) -> Vec<Behaviour> {
    match round % 10 {
        2 | 6 => vec![Behaviour::status(500), Behaviour::status(503)],
        4 => vec![Behaviour::status(400)],
        _ => Vec::new(),
    }
}

fn outcome<'a>(trace: &'a Value, destination: &str) -> Option<&'a str> {
    let parts = trace["destinations"].as_array()?;
    parts.iter().find(|part| part["name"] == destination)?["outcome"].as_str()
}

/// When each event came to a platform.
fn arrivals(fake: &Fake) -> Arrivals {
    let mut all = Arrivals::new();
    for request in fake.requests() {
        for event in &request.events {
            let ids = [&event["data"]["id"], &event["event_id"], &event["params"]["event_id"]];
            let id = ids.iter().find_map(|id| id.as_str()).unwrap_or_else(|| panic!("an event has an id: {event:#}"));
            let arrival = Arrival { at_ms: request.arrived_ms, request: request.order };
            all.entry(id.to_owned()).or_default().push(arrival);
        }
    }
    all
}

/// What a platform got more than once.
#[derive(Debug, Default)]
struct Again {
    requests: usize,
    /// Of all these requests together.
    events: usize,
}

/// Counts what came more than once. Each time the gateway was killed in between, and no kill is the reason for more of
/// it than there were requests under way.
fn again(platform: &str, arrivals: &Arrivals, kills: &[Kill]) -> Again {
    let mut under_way = BTreeMap::<usize, BTreeSet<u64>>::new();
    let mut again = Again::default();
    for (id, times) in arrivals {
        for pair in times.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            let between = |kill: &Kill| first.at_ms <= kill.after_ms && second.at_ms >= kill.before_ms;
            let kill = kills.iter().position(between);
            let kill = kill.unwrap_or_else(|| panic!("{platform} got `{id}` twice from one gateway: {times:?}"));
            under_way.entry(kill).or_default().insert(first.request);
            again.events += 1;
        }
    }
    for (kill, requests) in under_way {
        assert!(requests.len() <= CONCURRENCY, "{platform}: kill {kill} repeated the requests {requests:?}");
        again.requests += requests.len();
    }
    again
}
