//! A backlog of a million deliveries beside one of a thousand: by a gateway's worker, with its memory, and at the queue
//! alone.
//!
//! The deliveries are of the smallest event to a webhook, as a gateway stored it, and are put into the queue directly.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tidegate_queue::{Attempt, Item, Lease, LeaseRequest, Outcome, Queue, Settled};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::fill::{Like, fill, now_ms};
use crate::gateway::Gateway;
use crate::load::{CONNECTIONS, Client, event_id};
use crate::proc::memory_mb;
use crate::sink::{Flight, Manner, Sink, destination};
use crate::store::{Kind, Store, Vitals};
use crate::table::{Row, median};

const DEEP: u64 = 1_000_000;
const SHALLOW: u64 = 1_000;
/// How often the shallow one is drained.
const ROUNDS_OF_WORKER: u64 = 20;
const ROUNDS_OF_QUEUE: u64 = 40;
/// What a worker takes of the deep one; the queue alone drains the rest.
const BY_WORKER: u64 = 60_000;
const WINDOWS: u64 = 10;
/// Appends at a time.
const FILLERS: u64 = 1_000;
/// Who leases and settles at a time, and how many at once: as the workers of a destination that takes batches.
const DRAINERS: u64 = 4;
const LEASED_AT_ONCE: usize = 256;
const WITHIN: Duration = Duration::from_secs(120);
const NAME: &str = "hook";

pub(crate) async fn measure() -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kind in [Kind::Sqlite, Kind::EverySecond] {
        let name = |figure: &str| format!("backlog/{}/{figure}", kind.name());
        let (shallow, shallow_memory) = shallow_by_worker(kind).await?;
        let like = sample().await?;
        let shallow_alone = shallow_alone(kind, &like).await?;
        rows.push(Row::alone(name("payload"), like.payload.len() as f64, "bytes"));
        rows.push(Row::alone(name("record"), like.record.len() as f64, "bytes"));
        let deep = deep(kind, &like).await?;
        rows.push(Row::alone(name("fill"), deep.filled_per_s, "entries/s"));
        rows.extend(deep.server_bytes.map(|bytes| Row::alone(name("redis_memory"), bytes, "bytes/delivery")));
        rows.push(Row::new(name("worker/first"), deep.worker_per_s[0], "1/s", shallow));
        rows.push(Row::new(name("worker/median"), median(deep.worker_per_s), "1/s", shallow));
        rows.push(Row::new(name("worker/memory_peak"), deep.memory_peak_mb, "MB", shallow_memory));
        let windows = &deep.alone_per_s;
        for (figure, value) in [
            ("queue/first", windows.first().copied().unwrap_or(f64::NAN)),
            ("queue/median", median(windows.iter().copied())),
            ("queue/last", windows.last().copied().unwrap_or(f64::NAN)),
            ("queue/slowest", windows.iter().copied().fold(f64::INFINITY, f64::min)),
        ] {
            rows.push(Row::new(name(figure), value, "1/s", shallow_alone));
        }
    }
    Ok(rows)
}

/// What a gateway stores of the smallest event.
async fn sample() -> anyhow::Result<Like> {
    let store = Store::start(Kind::Sqlite)?;
    let sink = Sink::start(&Arc::new(Flight::new(1, 1, 0))).await?;
    let gateway = Gateway::start(&store.configure(&destination(NAME, &sink))?, "collect").await?;
    Client::connect(gateway.http()?).await?.post_body(0, smallest(0)).await?;
    gateway.stop().await?;
    let queue = store.open().await?;
    let items = queue.export(None, 10).await?.items;
    queue.close().await?;
    let entry = items.into_iter().find_map(|item| match item {
        Item::Entry(entry) => Some(entry),
        Item::Profile(_) | Item::Setting(_) => None,
    });
    let mut entry = entry.context("the event is stored")?;
    let delivery = entry.deliveries.pop().context("it has a delivery")?;
    Ok(Like { destination: NAME.into(), record: entry.record, payload: delivery.payload })
}

fn smallest(n: u64) -> String {
    format!(r#"{{"event":"a","message_id":"{}","customer_id":"c{n}","consent":"analytics"}}"#, event_id(n))
}

/// The rate at which a warm worker drains a thousand, and its memory at most. They come while the destination is
/// silent.
async fn shallow_by_worker(kind: Kind) -> anyhow::Result<(f64, f64)> {
    let flight = Arc::new(Flight::new(SHALLOW * ROUNDS_OF_WORKER, 1, 0));
    let sink = Sink::start(&flight).await?;
    let store = Store::start(kind)?;
    let gateway = Gateway::start(&store.configure(&destination(NAME, &sink))?, "collect,deliver").await?;
    let mut rates = Vec::new();
    for round in 0..ROUNDS_OF_WORKER {
        sink.behave(Manner::Silent);
        let numbers = round * SHALLOW..(round + 1) * SHALLOW;
        post_all(gateway.http()?, numbers.clone()).await?;
        let clock = Instant::now();
        sink.behave(Manner::Taking);
        sink.wait_for(numbers.end, WITHIN).await?;
        rates.push(SHALLOW as f64 / clock.elapsed().as_secs_f64());
    }
    let memory = memory_mb(gateway.id, "VmHWM")?;
    gateway.stop().await?;
    Ok((median(rates), memory))
}

async fn post_all(address: std::net::SocketAddr, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU64::new(numbers.start));
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let next = Arc::clone(&next);
        senders.spawn(async move {
            let mut client = Client::connect(address).await?;
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= numbers.end {
                    return anyhow::Ok(());
                }
                client.post_body(n, smallest(n)).await?;
            }
        });
    }
    while let Some(done) = senders.join_next().await {
        done??;
    }
    Ok(())
}

/// The rate at which the queue alone drains a thousand.
async fn shallow_alone(kind: Kind, like: &Like) -> anyhow::Result<f64> {
    let store = Store::start(kind)?;
    let queue = store.open().await?;
    let mut rates = Vec::new();
    for round in 0..ROUNDS_OF_QUEUE {
        fill(&queue, like, [round * SHALLOW, (round + 1) * SHALLOW], FILLERS).await?;
        rates.extend(drain(&queue, SHALLOW, 1).await?);
    }
    queue.close().await?;
    Ok(median(rates))
}

/// What a million took.
struct Deep {
    filled_per_s: f64,
    server_bytes: Option<f64>,
    worker_per_s: [f64; WINDOWS as usize],
    memory_peak_mb: f64,
    alone_per_s: Vec<f64>,
}

async fn deep(kind: Kind, like: &Like) -> anyhow::Result<Deep> {
    let store = Store::start(kind)?;
    let flight = Arc::new(Flight::new(DEEP, 1, 0));
    let sink = Sink::start(&flight).await?;
    let used = || store.server().map(|server| Vitals::of(server).map(|vitals| vitals.used_memory)).transpose();
    let used_before = used()?;
    let queue = store.open().await?;
    let clock = Instant::now();
    fill(&queue, like, [0, DEEP], FILLERS).await?;
    let filled_per_s = DEEP as f64 / clock.elapsed().as_secs_f64();
    let server_bytes = used()?.zip(used_before).map(|(after, before)| (after - before) / DEEP as f64);
    queue.close().await?;
    drop(queue);
    let gateway = Gateway::start(&store.configure(&destination(NAME, &sink))?, "deliver").await?;
    let mut worker_per_s = [0.0; WINDOWS as usize];
    // What the first requests cost more is the start's, not the backlog's.
    let window = BY_WORKER / (WINDOWS + 1);
    sink.wait_for(window, WITHIN).await?;
    let mut count = sink.count();
    for rate in &mut worker_per_s {
        let clock = Instant::now();
        sink.wait_for(count + window, WITHIN).await?;
        *rate = (sink.count() - count) as f64 / clock.elapsed().as_secs_f64();
        count = sink.count();
    }
    let memory_peak_mb = memory_mb(gateway.id, "VmHWM")?;
    gateway.stop().await?;
    let queue = store.open().await?;
    let left: u64 = queue.counts().await?.iter().map(|count| count.waiting).sum();
    let alone_per_s = drain(&queue, left, WINDOWS).await?;
    queue.close().await?;
    Ok(Deep { filled_per_s, server_bytes, worker_per_s, memory_peak_mb, alone_per_s })
}

/// Leases and settles as many as that; gives the rate in each window.
async fn drain(queue: &Arc<dyn Queue>, count: u64, windows: u64) -> anyhow::Result<Vec<f64>> {
    let settled = Arc::new(AtomicU64::new(0));
    let marks = Arc::new(Mutex::new(vec![(0, Instant::now())]));
    let window = count.div_ceil(windows);
    let mut drainers = JoinSet::new();
    for _ in 0..DRAINERS {
        let (queue, settled, marks) = (Arc::clone(queue), Arc::clone(&settled), Arc::clone(&marks));
        drainers.spawn(async move {
            while settled.load(Ordering::Relaxed) < count {
                let done = take(queue.as_ref()).await?;
                if done == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let before = settled.fetch_add(done, Ordering::Relaxed);
                if before / window != (before + done) / window || before + done == count {
                    let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
                    marks.push((before + done, Instant::now()));
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = drainers.join_next().await {
        done??;
    }
    let mut marks = std::mem::take(&mut *marks.lock().unwrap_or_else(PoisonError::into_inner));
    marks.sort();
    marks.dedup_by_key(|(count, _)| *count);
    let rate = |pair: &[(u64, Instant)]| (pair[1].0 - pair[0].0) as f64 / (pair[1].1 - pair[0].1).as_secs_f64();
    Ok(marks.windows(2).map(rate).collect())
}

/// Leases what is due and settles it; gives how many that were.
async fn take(queue: &dyn Queue) -> anyhow::Result<u64> {
    let now_ms = now_ms();
    let request = LeaseRequest {
        destination: NAME.into(),
        count_max: LEASED_AT_ONCE,
        bytes_max: 4 << 20,
        now_ms,
        until_ms: now_ms + 60_000,
    };
    let leases = queue.lease(request).await?.deliveries;
    if leases.is_empty() {
        return Ok(0);
    }
    let attempt = |lease: Lease| Attempt {
        key: lease.key,
        token: lease.token,
        record: b"{}".to_vec(),
        at_ms: now_ms,
        now_ms,
        outcome: Outcome::Delivered,
    };
    let settled = queue.settle(leases.into_iter().map(attempt).collect()).await?;
    anyhow::ensure!(settled.iter().all(|settled| *settled == Settled::Recorded), "a lease was lost");
    Ok(settled.len() as u64)
}
