//! Kills a process that appends and delivers, and looks for what it was told is safe.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod sqlite_ledger;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use sqlite_ledger::{Ledger, begin_deliveries, entry, open, runtime, tell};

const LIVES: u64 = 6;
const CALLERS: u64 = 16;

/// Not a test by itself: without a task it does nothing, with one it works until it is killed.
#[test]
fn the_process_to_be_killed() {
    let Some((path, life)) = sqlite_ledger::task() else { return };
    runtime().block_on(async {
        let queue = open(&path).unwrap();
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
            let (leased, attempts) = begin_deliveries(&queue).await;
            queue.settle(attempts).await.unwrap();
            leased.iter().for_each(|lease| tell(&format!("delivered {}", lease.entry.id)));
        }
    });
}

#[test]
fn what_was_acknowledged_survives_being_killed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    let mut ledger = Ledger::default();
    for life in 0..LIVES {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = sqlite_ledger::arm(&mut command, &path, life).stdout(Stdio::piped()).spawn().unwrap();
        // Killed while it works, not between: more lines are under way when the last counted one is read.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut counted = 0;
        while counted < 60 + 35 * life {
            let line = lines.next().expect("the process works until it is killed").unwrap();
            counted += u64::from(ledger.note(&line));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            ledger.note(&line);
        }
    }
    assert!(!ledger.stored.is_empty() && !ledger.delivered.is_empty());
    runtime().block_on(async {
        let queue = open(&path).unwrap();
        ledger.check(&queue).await;
        queue.close().await.unwrap();
    });
}
