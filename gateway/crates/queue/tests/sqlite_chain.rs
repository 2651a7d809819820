//! What is the SQLite backend's own about the chained log: its file refuses what is not the log's way to change, and a
//! process beside the gateway appends to the same log.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod contract;

use std::path::Path;
use std::sync::Arc;

use contract::roomy;
use rusqlite::Connection;
use tidegate_queue::chain::{Broken, Verifier};
use tidegate_queue::sqlite::{Mode, Options};
use tidegate_queue::*;

fn open(path: &Path, mode: Mode) -> Arc<SqliteQueue> {
    Arc::new(SqliteQueue::open(path, Options { mode, limits: roomy() }).unwrap())
}

async fn check(queue: &SqliteQueue) -> Result<u64, Broken> {
    let mut verifier = Verifier::after(queue.chain_ends().await.unwrap().base);
    for link in queue.chain_page(0, 1000).await.unwrap() {
        verifier.next(&link)?;
    }
    Ok(verifier.last().unwrap().seq)
}

async fn filled(path: &Path) -> Arc<SqliteQueue> {
    let queue = open(path, Mode::Serve);
    for n in 1..=4 {
        queue.chain_append(n, format!("entry {n}").into_bytes()).await.unwrap();
    }
    queue
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_itself_refuses_to_change_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    let queue = filled(&path).await;
    let conn = Connection::open(&path).unwrap();
    for refused in [
        "UPDATE chain SET bytes = x'00' WHERE seq = 2",
        "UPDATE chain SET seq = 9 WHERE seq = 4",
        "DELETE FROM chain WHERE seq = 2",
        "DELETE FROM chain",
        "INSERT INTO chain VALUES (6, 1, x'00', x'00')",
        "INSERT OR REPLACE INTO chain VALUES (2, 1, x'00', x'00')",
        "DELETE FROM chain_end",
        "INSERT INTO chain_end VALUES (0, x'00', 0, x'00')",
    ] {
        let error = conn.execute(refused, []).unwrap_err().to_string();
        assert!(error.contains("the chained log"), "{refused}: {error}");
    }
    assert_eq!(check(&queue).await, Ok(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_the_file_all_the_same_is_found_out() {
    for (change, found) in [
        ("UPDATE chain SET bytes = x'00' WHERE seq = 2", Broken::Changed { seq: 2 }),
        ("UPDATE chain SET at_ms = 9 WHERE seq = 3", Broken::Changed { seq: 3 }),
        ("DELETE FROM chain WHERE seq = 2", Broken::Missing { expected: 2, found: 3 }),
        ("DELETE FROM chain WHERE seq = 1", Broken::Missing { expected: 1, found: 2 }),
        ("UPDATE chain_end SET base_hash = randomblob(32)", Broken::Changed { seq: 1 }),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tidegate.db");
        let queue = filled(&path).await;
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(&format!("DROP TRIGGER chain_stays; DROP TRIGGER chain_is_kept; {change}")).unwrap();
        assert_eq!(check(&queue).await, Err(found), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_beside_the_gateway_appends_to_the_same_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    let gateway = filled(&path).await;
    let beside = open(&path, Mode::Inspect);
    let mut appends = tokio::task::JoinSet::new();
    for n in 0..40 {
        let queue = if n % 2 == 0 { gateway.clone() } else { beside.clone() };
        appends.spawn(async move { queue.chain_append(n, b"x".to_vec()).await.unwrap() });
    }
    appends.join_all().await;
    assert_eq!(check(&gateway).await, Ok(44));
    beside.close().await.unwrap();
    assert!(matches!(beside.chain_append(1, Vec::new()).await.unwrap_err(), Error::Closed));
}
