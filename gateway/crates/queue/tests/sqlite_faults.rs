//! Faults of the disk, made by `strace`: a process that stores and delivers is killed at a sync or a write, or told
//! that it failed; afterwards the file must hold all that was acknowledged.
//!
//! `TIDEGATE_FAULTS=long` goes on where the short form stops.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod sqlite_ledger;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sqlite_ledger::{Ledger, begin_deliveries, chain, entry, open, runtime, tell};
use tidegate_queue::*;

/// Set to have the process store one big thing, of so many bytes.
const BULK: &str = "QUEUE_FAULTS_BULK";
const ROUNDS: u128 = 4;
const EACH: u128 = 3;

/// Not a test by itself: without a task it does nothing; with one it stores and delivers, tells of it, and ends.
#[test]
fn the_process_to_be_killed() {
    let Some((path, life)) = sqlite_ledger::task() else { return };
    runtime().block_on(async {
        let queue = match open(&path) {
            Ok(queue) => queue,
            Err(error) => return tell(&format!("remark refused: {} (hint: {})", chain(&error), error.hint())),
        };
        for round in 0..ROUNDS {
            for n in 0..EACH {
                let id = format!("{life}.{round}.{n}");
                let number = (life << 64) + (round << 32) + n;
                let mut entry = entry(&id, number);
                if let (1, 1, Ok(bytes)) = (round, n, std::env::var(BULK)) {
                    let value = "b".repeat(bytes.parse().unwrap());
                    let fields = vec![ProfileField { name: "bulk".into(), value, seen_ms: 1 }];
                    entry.profile.push(ProfilePatch { key: "shop/user/1".into(), fields, expires_ms: 1 << 40 });
                }
                let Some(_) = insist(&queue, || queue.append(entry.clone())).await else { return };
                tell(&format!("stored {id}"));
            }
            let (leased, attempts) = begin_deliveries(&queue).await;
            let Some(settled) = insist(&queue, || queue.settle(attempts.clone())).await else { return };
            assert!(settled.iter().all(|settled| *settled == Settled::Recorded), "{settled:?}");
            leased.iter().for_each(|lease| tell(&format!("delivered {}", lease.entry.id)));
            let retention = Retention { journal_ms: 1 << 40, dead_ms: 1 << 40, chain_ms: 1 << 40 };
            let Some(_) = insist(&queue, || queue.sweep(1, retention)).await else { return };
        }
        queue.close().await.unwrap();
        tell("remark done");
    });
}

/// Does it again while the store is only unavailable, which it must not stay; `None` when it has failed for good.
async fn insist<'a, T>(queue: &Arc<dyn Queue>, operation: impl Fn() -> Operation<'a, T>) -> Option<T> {
    for _ in 0..1000 {
        match operation().await {
            Ok(done) => return Some(done),
            Err(error @ Error::Unavailable { .. }) => {
                tell(&format!("remark unavailable: {}", chain(&error)));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error @ Error::Fatal { .. }) => {
                tell(&format!("remark fatal: {}", chain(&error)));
                nothing_more_is_taken(queue).await;
                tell("remark nothing more is taken");
                return None;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the store did not become available again by itself")
}

async fn nothing_more_is_taken(queue: &Arc<dyn Queue>) {
    let fatal = |error: Option<Error>| assert!(matches!(error, Some(Error::Fatal { .. })), "{error:?}");
    fatal(queue.append(entry("after", u128::MAX / 4)).await.err());
    fatal(queue.settle(Vec::new()).await.err());
    fatal(queue.replay(Vec::new(), 1).await.err());
    fatal(queue.import(Vec::new()).await.err());
    fatal(queue.health().await.err());
    fatal(begin(queue).await.err());
    // People will want to see what is there.
    queue.recent(10).await.unwrap();
}

async fn begin(queue: &Arc<dyn Queue>) -> Result<Leased, Error> {
    let wish = LeaseRequest { destination: "meta".into(), count_max: 1, bytes_max: 1, now_ms: 1, until_ms: 2 };
    queue.lease(wish).await
}

/// How often the faults are made.
fn long() -> bool {
    std::env::var("TIDEGATE_FAULTS").is_ok_and(|form| form == "long")
}

/// What starts a program with a fault.
fn under(fault: &str) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync,pwrite64", "-e"]);
    command.arg(format!("inject={fault}"));
    command
}

/// Runs the process under a fault, and adds what it told.
fn run(mut fault: Command, path: &Path, life: u64, ledger: &mut Ledger) {
    let output = sqlite_ledger::arm(fault.arg(std::env::current_exe().unwrap()), path, life).output();
    let output =
        output.unwrap_or_else(|error| panic!("`strace` could not be started ({error}): `make test` installs it"));
    let mut seen = 0;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        seen += usize::from(line.starts_with("running 1 test"));
        ledger.note(line);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(seen, 1, "{fault:?}: the process did not start: {told}");
    assert!(!told.contains("panicked"), "{fault:?}: {told}");
}

/// Opens the file as the next start does, and looks for what was acknowledged.
async fn check(path: &Path, ledger: &Ledger, fault: &str) {
    let queue = open(path).unwrap_or_else(|error| panic!("{fault}: {}", chain(&error)));
    ledger.check(&queue).await;
    let waiting = queue.counts().await.unwrap().iter().map(|count| count.waiting).sum::<u64>();
    let known = (2 * ledger.stored.len() - ledger.delivered.len()) as u64;
    // Of what was under way either may have come about: one entry and one settling of each life.
    let (lives, each) = (2, EACH as u64);
    assert!(waiting + lives * each >= known && waiting <= known + lives * 2, "{fault}: {waiting} wait, {known} known");
    queue.append(entry("next", u128::MAX / 4)).await.unwrap();
    queue.close().await.unwrap();
}

/// Kills two lives on one file, each at its n-th call; gives whether the first still died of it.
fn kill_at(call: &str, n: u32, file: File) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    if file == File::There {
        runtime().block_on(async { open(&path).unwrap().close().await.unwrap() });
    }
    let fault = format!("{call}:signal=SIGKILL:when={n}");
    let mut ledger = Ledger::default();
    run(under(&fault), &path, 0, &mut ledger);
    let died = !ledger.remarked("done");
    run(under(&fault), &path, 1, &mut ledger);
    runtime().block_on(check(&path, &ledger, &fault));
    died
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum File {
    There,
    ToBeMade,
}

fn sweep(call: &str, file: File, short: u32) {
    let mut deaths = 0;
    for n in 1.. {
        let died = kill_at(call, n, file);
        deaths += u32::from(died);
        if !died || n == short && !long() {
            break;
        }
    }
    assert!(deaths >= short.min(6), "{deaths}: the process is killed where it syncs");
}

#[test]
fn a_kill_at_any_sync_loses_nothing() {
    sweep("fdatasync,fsync", File::There, 12);
}

#[test]
fn a_kill_at_any_sync_of_the_making_leaves_no_half_file() {
    sweep("fdatasync,fsync", File::ToBeMade, 12);
}

#[test]
fn a_kill_at_any_write_loses_nothing() {
    // The first ones are made while the file is opened.
    let some = if long() { (1..120).collect() } else { vec![3, 17, 18, 20, 25, 31] };
    for n in some {
        kill_at("pwrite64", n, File::There);
    }
}

/// Runs one life on a file that is there, with a fault, and looks for what it had acknowledged.
fn survives(fault: &str) -> Ledger {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    runtime().block_on(async { open(&path).unwrap().close().await.unwrap() });
    let mut ledger = Ledger::default();
    run(under(fault), &path, 0, &mut ledger);
    runtime().block_on(check(&path, &ledger, fault));
    ledger
}

#[test]
fn after_a_failed_sync_nothing_more_is_taken() {
    for n in 1..=if long() { 24 } else { 4 } {
        for error in ["EIO", "ENOSPC"] {
            let ledger = survives(&format!("fdatasync:error={error}:when={n}"));
            // The second is of the directory: SQLite does not look at it, and opening the file has made it before.
            let harmless = n == 2 || n > 16;
            assert!(ledger.remarked("nothing more is taken") || ledger.remarked("done") && harmless, "{n}: {ledger:?}");
            assert!(!ledger.remarked("unavailable"), "{n}: {ledger:?}");
        }
    }
}

#[test]
fn after_a_failed_write_nothing_more_is_taken() {
    for n in (17..).take(if long() { 60 } else { 6 }) {
        let ledger = survives(&format!("pwrite64:error=EIO:when={n}"));
        assert!(ledger.remarked("nothing more is taken") || ledger.remarked("done") && n > 50, "{n}: {ledger:?}");
    }
}

#[test]
fn a_full_disk_makes_it_unavailable_until_there_is_room() {
    for (first, last) in [(17, 17), (18, 30), (25, 60), (40, 41)] {
        let ledger = survives(&format!("pwrite64:error=ENOSPC:when={first}..{last}"));
        assert!(ledger.remarked("unavailable") && ledger.remarked("done"), "{first}..{last}: {ledger:?}");
        assert!(ledger.remarked("the disk is full"), "{first}..{last}: {ledger:?}");
        assert_eq!(ledger.stored.len() as u128, ROUNDS * EACH);
    }
}

#[test]
fn an_index_that_cannot_grow_on_a_full_disk_makes_it_unavailable_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    runtime().block_on(async { open(&path).unwrap().close().await.unwrap() });
    // Keeps the index in being, so that opening the file does not write it.
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader.query_row("SELECT count(*) FROM entry", [], |_| Ok(())).unwrap();
    let mut fault = under("pwrite64:error=ENOSPC:when=1..3");
    // The index grows with the log, and this much makes it grow.
    fault.arg("-P").arg(directory.path().join("tidegate.db-shm")).env(BULK, (20 << 20).to_string());
    let mut ledger = Ledger::default();
    run(fault, &path, 0, &mut ledger);
    drop(reader);
    runtime().block_on(check(&path, &ledger, "an index that cannot grow"));
    assert!(ledger.remarked("tidegate.db-shm`") && ledger.remarked("done"), "{ledger:?}");
    assert_eq!(ledger.stored.len() as u128, ROUNDS * EACH);
}

#[test]
fn a_disk_that_fails_or_is_full_at_the_start_is_named() {
    for error in ["EIO", "ENOSPC"] {
        let ledger = survives(&format!("pwrite64:error={error}:when=2"));
        assert!(ledger.remarked("refused: open the queue") && ledger.remarked("tidegate.db"), "{ledger:?}");
    }
    let ledger = survives("fsync:error=EIO:when=1");
    assert!(ledger.remarked("refused: ") && ledger.remarked("tidegate.db"), "{ledger:?}");
}
