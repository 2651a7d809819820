//! Damage: a file or a log that is not what was written is refused by name with a way out, or everything that was
//! acknowledged is there all the same. Never a new file, never silence.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod contract;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::{due, roomy};
use tempfile::TempDir;
use tidegate_queue::sqlite::{Mode, OpenError, Options};
use tidegate_queue::*;

const ENTRIES: u64 = 60;

fn serve(path: &Path) -> Result<Arc<dyn Queue>, OpenError> {
    Ok(Arc::new(SqliteQueue::open(path, Options { mode: Mode::Serve, limits: roomy() })?))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    format!("{}{ending}", path.display()).into()
}

/// A directory with what a killed gateway left: the file, the log with all entries, and its index.
async fn killed() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let alive = directory.path().join("alive.db");
    let queue = serve(&alive).unwrap();
    for n in 0..ENTRIES {
        queue.append(due(&n.to_string(), n, 10)).await.unwrap();
    }
    let left = directory.path().join("tidegate.db");
    for ending in ["", "-wal", "-shm"] {
        std::fs::copy(beside(&alive, ending), beside(&left, ending)).unwrap();
    }
    (directory, left)
}

/// How many of the entries are there.
async fn count(queue: &Arc<dyn Queue>) -> u64 {
    let mut found = 0;
    for n in 0..ENTRIES {
        found += queue.find(&n.to_string()).await.unwrap().len() as u64;
    }
    found
}

/// The log must be refused, with its name, and the way out must lead to a part of what was there.
async fn assert_refused(path: &Path, what: &str) {
    let before = [path.to_owned(), beside(path, "-wal")].map(|file| std::fs::read(file).ok());
    let Err(refusal) = serve(path) else { panic!("{what}: opened") };
    let text = format!("{refusal}\nhint: {}", refusal.hint());
    assert!(text.contains("tidegate.db-wal` of the queue") && text.contains("is cut or damaged"), "{what}: {text}");
    assert!(text.contains("hint: put the whole log back"), "{what}: {text}");
    let after = [path.to_owned(), beside(path, "-wal")].map(|file| std::fs::read(file).ok());
    assert!(before == after, "{what}: the files are left alone");
    std::fs::remove_file(beside(path, "-shm")).unwrap();
    let queue = serve(path).unwrap();
    assert!(count(&queue).await < ENTRIES, "{what}");
    queue.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_log_gives_everything_back() {
    let (_directory, path) = killed().await;
    let queue = serve(&path).unwrap();
    assert_eq!(count(&queue).await, ENTRIES);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_unfinished_behind_the_log_is_no_damage() {
    let (_directory, path) = killed().await;
    let mut log = std::fs::read(beside(&path, "-wal")).unwrap();
    log.extend(log[32..9000].to_vec());
    std::fs::write(beside(&path, "-wal"), log).unwrap();
    let queue = serve(&path).unwrap();
    assert_eq!(count(&queue).await, ENTRIES);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_is_refused() {
    let (_directory, whole) = killed().await;
    let length = std::fs::metadata(beside(&whole, "-wal")).unwrap().len();
    for cut in [0, 16, 32, 1000, length / 3, length - 4120, length - 1] {
        let (_directory, path) = killed().await;
        std::fs::OpenOptions::new().write(true).open(beside(&path, "-wal")).unwrap().set_len(cut).unwrap();
        assert_refused(&path, &format!("cut at {cut}")).await;
    }
    std::fs::remove_file(beside(&whole, "-wal")).unwrap();
    assert_refused(&whole, "removed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_overwritten_is_refused() {
    for place in [3, 20, 30, 40, 2000, 100_000] {
        let (_directory, path) = killed().await;
        let mut log = std::fs::read(beside(&path, "-wal")).unwrap();
        log[place] ^= 0x10;
        std::fs::write(beside(&path, "-wal"), log).unwrap();
        assert_refused(&path, &format!("overwritten at {place}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_in_the_file_already_may_be_gone() {
    let directory = tempfile::tempdir().unwrap();
    let (alive, path) = (directory.path().join("alive.db"), directory.path().join("tidegate.db"));
    let queue = serve(&alive).unwrap();
    for n in 0..ENTRIES {
        queue.append(due(&n.to_string(), n, 10)).await.unwrap();
    }
    // Copied into the file by somebody else's checkpoint, which leaves log and index as they are.
    let other = rusqlite::Connection::open(&alive).unwrap();
    other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    for ending in ["", "-shm"] {
        std::fs::copy(beside(&alive, ending), beside(&path, ending)).unwrap();
    }
    let queue = serve(&path).unwrap();
    assert_eq!(count(&queue).await, ENTRIES);
}

/// Every page of the file in turn, overwritten in two ways.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_is_refused_or_told_by_who_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let whole = directory.path().join("whole.db");
    let queue = serve(&whole).unwrap();
    for n in 0..ENTRIES {
        queue.append(due(&n.to_string(), n, 10)).await.unwrap();
    }
    queue.close().await.unwrap();
    let bytes = std::fs::read(&whole).unwrap();
    let (mut refused, mut told) = (0, 0);
    for page in 0..bytes.len() / 4096 {
        for filler in [0x00, 0xaa] {
            let path = directory.path().join(format!("{page}-{filler}.db"));
            let mut damaged = bytes.clone();
            damaged[page * 4096..(page + 1) * 4096].fill(filler);
            std::fs::write(&path, damaged).unwrap();
            let name = format!("{page}-{filler}.db`");
            match serve(&path) {
                Err(refusal) => {
                    refused += 1;
                    let text = refusal.to_string();
                    assert!(text.contains(&name), "{text}");
                    assert!(refusal.hint().contains("restore"), "{text}: {}", refusal.hint());
                }
                Ok(queue) => told += u32::from(tells(&queue, &name).await),
            }
            assert!(path.exists());
        }
    }
    let pages = bytes.len() as u32 / 4096;
    assert!(refused + told > pages && told > 2, "{refused} refused and {told} told, of {pages} pages twice");
}

/// Reads and appends; whether the damage was met. What is not told as damage is as it was written.
async fn tells(queue: &Arc<dyn Queue>, name: &str) -> bool {
    let mut met = false;
    for n in 0..ENTRIES {
        match queue.find(&n.to_string()).await {
            Ok(found) => {
                assert_eq!(found.len(), 1, "{name}: {n} is missing without a word");
                assert_eq!(found[0].record, format!("record of {n}").into_bytes(), "{name}");
                assert_eq!(found[0].deliveries[0].state, State::Waiting(10), "{name}");
            }
            Err(Error::Corrupt { what, why }) => {
                assert!(what.contains(name) && why.contains("restore it from a backup"), "{what}: {why}");
                met = true;
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    match queue.append(due("new", u64::MAX, 10)).await {
        Ok(_) => {}
        Err(error @ Error::Fatal { .. }) => {
            let why = std::error::Error::source(&error).unwrap().to_string();
            assert!(why.contains(name) && why.contains("is damaged") && why.contains("restore it"), "{why}");
            assert!(matches!(queue.health().await, Err(Error::Fatal { .. })));
            met = true;
        }
        Err(error) => panic!("{name}: {error}"),
    }
    met
}
