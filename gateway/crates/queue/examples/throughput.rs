//! Prints what an event costs: append, lease and settle through the queue, beside the bare inserts of SQLite.
//!
//! `cargo run --release -p tidegate-queue --example throughput [EVENTS] [CALLERS]`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use tidegate_queue::sqlite::{Mode, Options};
use tidegate_queue::{
    Attempt, DeliveryKey, Entry, EntryKey, LeaseRequest, Limits, NewDelivery, NewState, Outcome, Queue, SqliteQueue,
};

const RECORD_BYTES: usize = 600;
const PAYLOAD_BYTES: usize = 1200;
const ATTEMPT_BYTES: usize = 200;
/// The kernel counts CPU time in hundredths of a second, on every Linux that runs today.
const TICK_US: u64 = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let events: u64 = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let callers: u64 = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let directory = tempfile::tempdir_in(std::env::current_dir()?.join("target"))?;

    let (wall_us, cpu_us) = measured(|| bare(&directory.path().join("bare.db"), events))?;
    print("bare inserts, 64 a commit", events, wall_us, cpu_us);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let options = Options { mode: Mode::Serve, limits: Limits::overall(10_000_000) };
    let queue: Arc<dyn Queue> = Arc::new(SqliteQueue::open(directory.path().join("queue.db"), options)?);
    let (wall_us, cpu_us) = measured(|| runtime.block_on(append_all(&queue, "early", events, callers)))?;
    print("append only", events, wall_us, cpu_us);
    let (wall_us, cpu_us) = measured(|| runtime.block_on(deliver_all(&queue, "early", events)))?;
    print("lease and settle the backlog", events, wall_us, cpu_us);
    let both = async {
        let (appended, delivered) =
            tokio::join!(append_all(&queue, "live", events, callers), deliver_all(&queue, "live", events));
        appended.and(delivered)
    };
    let (wall_us, cpu_us) = measured(|| runtime.block_on(both))?;
    print("append, lease, settle at once", events, wall_us, cpu_us);
    let (wall_us, cpu_us) = measured(|| runtime.block_on(read_profiles(&queue, events)))?;
    print("read a profile", events, wall_us, cpu_us);
    runtime.block_on(queue.close())?;
    Ok(())
}

type Outcomes = Result<(), Box<dyn std::error::Error>>;

async fn append_all(queue: &Arc<dyn Queue>, destination: &'static str, events: u64, callers: u64) -> Outcomes {
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (queue, next) = (queue.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= events {
                    return Ok(());
                }
                queue.append(entry(destination, n)).await?;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done?.map_err(|error: tidegate_queue::Error| error)?;
    }
    Ok(())
}

async fn deliver_all(queue: &Arc<dyn Queue>, destination: &'static str, events: u64) -> Outcomes {
    let settled = Arc::new(AtomicUsize::new(0));
    let arrivals = queue.arrivals(destination);
    let mut tasks = tokio::task::JoinSet::new();
    while (settled.load(Ordering::Relaxed) as u64) < events {
        let request = LeaseRequest {
            destination: destination.into(),
            count_max: 64,
            bytes_max: 1 << 20,
            now_ms: 2,
            until_ms: 60_000,
        };
        let leased = queue.lease(request).await?.deliveries;
        if leased.is_empty() {
            tokio::select! {
                () = arrivals.notified() => {}
                Some(done) = tasks.join_next() => { let () = done?; }
            }
            continue;
        }
        let attempts: Vec<_> = leased
            .into_iter()
            .map(|lease| Attempt {
                key: lease.key,
                token: lease.token,
                record: vec![b'a'; ATTEMPT_BYTES],
                at_ms: 3,
                now_ms: 1,
                outcome: Outcome::Delivered,
            })
            .collect();
        let (settling, settled) = (queue.clone(), settled.clone());
        tasks.spawn(async move {
            let count = attempts.len();
            if settling.settle(attempts).await.is_ok() {
                settled.fetch_add(count, Ordering::Relaxed);
            }
        });
        while tasks.len() >= 8 {
            tasks.join_next().await;
        }
    }
    Ok(())
}

async fn read_profiles(queue: &Arc<dyn Queue>, events: u64) -> Outcomes {
    for n in 0..events {
        queue.profile(&format!("shop/user/{}", n % 1000), 1).await?;
    }
    Ok(())
}

/// What the same rows cost with nothing around them: one thread, no answers, the same durability.
fn bare(path: &Path, events: u64) -> Outcomes {
    let conn = rusqlite::Connection::open(path)?;
    conn.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA cache_size = -16384;
         CREATE TABLE entry (id TEXT, record BLOB); CREATE UNIQUE INDEX key ON entry (id);
         CREATE TABLE payload (body BLOB);",
    )?;
    for start in (0..events).step_by(64) {
        conn.execute_batch("BEGIN")?;
        for n in start..events.min(start + 64) {
            let entry = entry("bare", n);
            conn.prepare_cached("INSERT INTO entry VALUES (?1, ?2)")?.execute((&entry.key.id, &entry.record))?;
            conn.prepare_cached("INSERT INTO payload VALUES (?1)")?.execute([&entry.deliveries[0].payload])?;
        }
        conn.execute_batch("COMMIT")?;
    }
    Ok(())
}

/// An event with one delivery; its id is scattered as a client's random one is.
fn entry(destination: &str, n: u64) -> Entry {
    let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&n.to_be_bytes());
    key[8..].copy_from_slice(&scattered.to_be_bytes());
    Entry {
        key: EntryKey { scope: "shop".into(), id: format!("{destination}-{scattered:016x}-{n:012}") },
        affinity: String::new(),
        received_ms: 1,
        now_ms: 1,
        record: vec![b'r'; RECORD_BYTES],
        deliveries: vec![NewDelivery {
            key: DeliveryKey(key),
            destination: destination.into(),
            payload: vec![b'p'; PAYLOAD_BYTES],
            state: NewState::Due(1),
        }],
        profile: Vec::new(),
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn measured(work: impl FnOnce() -> Outcomes) -> Result<(u64, u64), Box<dyn std::error::Error>> {
    let (start, cpu) = (Instant::now(), cpu_us()?);
    work()?;
    Ok((u64::try_from(start.elapsed().as_micros())?, cpu_us()? - cpu))
}

/// The CPU time of this process so far, in user and kernel: fields 14 and 15 of its status (proc(5)).
fn cpu_us() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = status.rsplit(") ").next().unwrap_or_default();
    let ticks: Result<Vec<u64>, _> = after_name.split(' ').skip(11).take(2).map(str::parse).collect();
    Ok(ticks?.iter().sum::<u64>() * TICK_US)
}

#[expect(clippy::print_stdout, reason = "a benchmark's answer is what it prints")]
fn print(what: &str, events: u64, wall_us: u64, cpu_us: u64) {
    let rate = events * 1_000_000 / wall_us.max(1);
    let each = cpu_us as f64 / events as f64;
    println!("{what:32} {rate:>8} events/s {each:>7.1} µs CPU an event");
}
