//! Kills a process that appends and delivers, and looks for what it was told is safe.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tidegate_queue::sqlite::{Mode, Options};
use tidegate_queue::*;

/// Set for the process that is to be killed: the path of its file, and the number of its life.
const FILE: &str = "QUEUE_CRASH_FILE";
const LIFE: &str = "QUEUE_CRASH_LIFE";
const LIVES: u64 = 6;
const CALLERS: u64 = 16;

fn open(path: &Path) -> Arc<dyn Queue> {
    Arc::new(SqliteQueue::open(path, Options { mode: Mode::Serve, limits: Limits::overall(1_000_000) }).unwrap())
}

fn entry(id: &str, n: u128) -> Entry {
    Entry {
        key: EntryKey { scope: "shop".into(), id: id.into() },
        affinity: String::new(),
        received_ms: 1,
        record: id.into(),
        deliveries: ["meta", "ga4"]
            .iter()
            .zip(2 * n..)
            .map(|(destination, key)| NewDelivery {
                key: DeliveryKey(key.to_be_bytes()),
                destination: (*destination).into(),
                payload: format!("{destination} {id}").into_bytes(),
                state: NewState::Due(1),
            })
            .collect(),
        profile: Vec::new(),
    }
}

/// Not a test by itself: without the variables it does nothing, with them it works until it is killed.
#[test]
fn the_process_to_be_killed() {
    let (Ok(path), Ok(life)) = (std::env::var(FILE), std::env::var(LIFE)) else { return };
    let life: u128 = life.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let queue = open(Path::new(&path));
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            let queue = queue.clone();
            tasks.spawn(async move {
                for n in 0..u64::MAX {
                    let id = format!("{life}.{caller}.{n}");
                    let number = (life << 64) + u128::from(n * CALLERS + caller);
                    queue.append(entry(&id, number)).await.unwrap();
                    tell(&format!("stored {id}"));
                }
            });
        }
        loop {
            let wish = LeaseRequest {
                destination: "meta".into(),
                count_max: 10,
                bytes_max: 1 << 20,
                now_ms: 1,
                until_ms: 1000,
            };
            let leased = queue.lease(wish).await.unwrap().deliveries;
            let attempts: Vec<_> = leased
                .iter()
                .map(|lease| Attempt {
                    key: lease.key,
                    token: lease.token,
                    record: Vec::new(),
                    at_ms: 1,
                    outcome: Outcome::Delivered,
                })
                .collect();
            queue.settle(attempts).await.unwrap();
            leased.iter().for_each(|lease| tell(&format!("delivered {}", lease.entry.id)));
        }
    });
}

/// One line in one write, so that a kill cuts it nowhere but at the end.
fn tell(line: &str) {
    std::io::stdout().lock().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

#[test]
fn what_was_acknowledged_survives_being_killed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    let (mut stored, mut delivered) = (Vec::new(), Vec::new());
    for life in 0..LIVES {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_to_be_killed", "--nocapture", "--test-threads=1"])
            .env(FILE, &path)
            .env(LIFE, life.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Killed while it works, not between: more lines are under way when the last counted one is read.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut counted = 0;
        while counted < 60 + 35 * life {
            let line = lines.next().expect("the process works until it is killed").unwrap();
            counted += u64::from(note(&line, &mut stored, &mut delivered));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            note(&line, &mut stored, &mut delivered);
        }
    }
    assert!(!stored.is_empty() && !delivered.is_empty());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let queue = open(&path);
        for id in &stored {
            let found = queue.find(id).await.unwrap();
            assert_eq!(found.len(), 1, "`{id}` was acknowledged");
            assert_eq!(found[0].deliveries.len(), 2, "`{id}` is whole");
            assert_eq!(found[0].deliveries[1].state, State::Waiting(1), "nobody delivered `{id}` to ga4");
        }
        for id in &delivered {
            let found = queue.find(id).await.unwrap();
            assert_eq!(found[0].deliveries[0].state, State::Delivered, "`{id}` was delivered");
        }
        queue.close().await.unwrap();
    });
}

/// Notes a line of the ledger; what the test harness prints in between is none, nor is a line that a kill cut short.
fn note(line: &str, stored: &mut Vec<String>, delivered: &mut Vec<String>) -> bool {
    let (list, id) = match line.split_once(' ') {
        Some(("stored", id)) => (stored, id),
        Some(("delivered", id)) => (delivered, id),
        _ => return false,
    };
    list.push(id.to_owned());
    true
}
