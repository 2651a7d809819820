//! What is the SQLite backend's own: its file, who may open it, and what another process does beside the gateway.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod contract;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::{arrives, attempt, dead, due, key, keys, lease, letters, roomy};
use tempfile::TempDir;
use tidegate_queue::sqlite::{Mode, OpenError, Options};
use tidegate_queue::*;

fn serve(path: &Path) -> Result<Arc<dyn Queue>, OpenError> {
    open(path, Mode::Serve)
}

fn inspect(path: &Path) -> Result<Arc<dyn Queue>, OpenError> {
    open(path, Mode::Inspect)
}

fn open(path: &Path, mode: Mode) -> Result<Arc<dyn Queue>, OpenError> {
    Ok(Arc::new(SqliteQueue::open(path, Options { mode, limits: roomy() })?))
}

/// The refusal of an opening that must not succeed, as people read it.
fn refusal(opened: Result<Arc<dyn Queue>, OpenError>) -> String {
    let error = opened.err().expect("the opening is refused");
    format!("{error}\nhint: {}", error.hint())
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    (directory, path)
}

/// A file with one waiting delivery and one dead letter, closed.
async fn filled(path: &Path) {
    let queue = serve(path).unwrap();
    queue.append(due("a", 1, 10)).await.unwrap();
    queue.append(dead("b", 2, "no")).await.unwrap();
    queue.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_is_refused_until_the_first_has_closed() {
    let (_directory, path) = place();
    let first = serve(&path).unwrap();
    let text = refusal(serve(&path));
    assert!(text.contains("tidegate.db") && text.contains("in use by another gateway"), "{text}");
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains("hint: stop the other gateway"), "{text}");
    first.close().await.unwrap();
    serve(&path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_queue_is_free_for_the_next() {
    let (_directory, path) = place();
    for id in ["a", "b", "c"] {
        let queue = serve(&path).unwrap();
        assert_eq!(queue.append(due(id, 1, 10)).await.unwrap(), Appended::Stored);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspector_works_beside_a_running_gateway() {
    let (_directory, path) = place();
    let gateway = serve(&path).unwrap();
    gateway.append(due("a", 1, 10)).await.unwrap();
    gateway.append(dead("b", 2, "no")).await.unwrap();
    gateway.append(dead("c", 3, "no")).await.unwrap();
    let inspector = inspect(&path).unwrap();
    assert_eq!(inspector.find("a").await.unwrap().len(), 1);
    assert_eq!(inspector.recent(10).await.unwrap().len(), 3);
    assert_eq!(inspector.counts().await.unwrap(), gateway.counts().await.unwrap());
    assert_eq!(letters(&inspector).await.len(), 2);
    assert_eq!(inspector.purge(vec![key(3)]).await.unwrap(), 1);
    assert!(matches!(inspector.append(due("d", 4, 10)).await, Err(Error::Unavailable { .. })));
    assert!(matches!(inspector.lease(contract::wish("meta", 10)).await, Err(Error::Unavailable { .. })));
    gateway.append(due("e", 5, 10)).await.unwrap();
    assert_eq!(inspector.find("e").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_notices_what_an_inspector_replays() {
    let (_directory, path) = place();
    let gateway = serve(&path).unwrap();
    gateway.append(dead("a", 1, "no")).await.unwrap();
    gateway.append(due("b", 2, 10)).await.unwrap();
    let arrivals = gateway.arrivals("meta");
    arrives(&arrivals).await;
    let held = lease(&gateway, 10).await;
    let inspector = inspect(&path).unwrap();
    let letter = Replay { key: key(1), with: ReplayWith::AsRecorded };
    assert_eq!(inspector.replay(vec![letter], 20).await.unwrap(), 1);
    arrives(&arrivals).await;
    assert_eq!(keys(&lease(&gateway, 20).await), [key(1)], "what is leased already is not leased again");
    let counts = gateway.counts().await.unwrap();
    assert_eq!((counts[0].waiting, counts[0].dead), (2, 0));
    let settled = gateway.settle(vec![attempt(&held[0], 30, Outcome::Delivered)]).await.unwrap();
    assert_eq!(settled, [Settled::Recorded]);
    assert_eq!(gateway.counts().await.unwrap()[0].waiting, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_entry_does_not_fail_the_others_of_its_group() {
    let (_directory, path) = place();
    let queue = serve(&path).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..64_u64 {
        let queue = queue.clone();
        tasks.spawn(async move {
            let mut entry = due(&n.to_string(), n, 10);
            if n % 16 == 0 {
                // The same key twice in one entry breaks its second row.
                entry.deliveries.push(entry.deliveries[0].clone());
            }
            (n, queue.append(entry).await)
        });
    }
    for (n, answer) in tasks.join_all().await {
        match n % 16 {
            0 => assert!(matches!(answer, Err(Error::Unavailable { .. })), "{n}: {answer:?}"),
            _ => assert_eq!(answer.unwrap(), Appended::Stored),
        }
    }
    assert!(queue.find("0").await.unwrap().is_empty(), "nothing of a bad entry is stored");
    assert_eq!(lease(&queue, 10).await.len(), 60);
    assert_eq!(queue.counts().await.unwrap()[0].waiting, 60);
    queue.health().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspector_makes_no_file() {
    let (_directory, path) = place();
    let text = refusal(inspect(&path));
    assert!(text.contains("there is no queue at") && text.contains("tidegate.db"), "{text}");
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_directory_is_named() {
    let (directory, _) = place();
    let text = refusal(serve(&directory.path().join("missing/tidegate.db")));
    assert!(text.contains("missing/tidegate.db") && text.contains("hint: check that the directory exists"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_database_is_refused_and_left_alone() {
    let (_directory, path) = place();
    let garbage = "this is not a database, it is somebody's notes\n".repeat(1000);
    std::fs::write(&path, &garbage).unwrap();
    for opened in [serve(&path), inspect(&path)] {
        let text = refusal(opened);
        assert!(text.contains("tidegate.db` is not a queue of Tidegate"), "{text}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), garbage);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_database_is_refused_and_left_alone() {
    let (_directory, path) = place();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let text = refusal(serve(&path));
    assert!(text.contains("is not a queue of Tidegate") && text.contains("choose another path"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_file_is_refused() {
    let (_directory, path) = place();
    filled(&path).await;
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 4096, 4096 * 3, whole.len() - 4096] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let text = refusal(serve(&path));
        assert!(text.contains("tidegate.db` is damaged"), "{length}: {text}");
        assert!(text.contains("restore it from a backup"), "{length}: {text}");
        assert_eq!(std::fs::read(&path).unwrap().len(), length, "the file is left alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overwritten_file_is_refused() {
    let (_directory, path) = place();
    filled(&path).await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].fill(0xaa);
    std::fs::write(&path, &bytes).unwrap();
    let text = refusal(serve(&path));
    assert!(text.contains("tidegate.db` is damaged"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_its_file_is_refused() {
    let (directory, path) = place();
    let queue = serve(&path).unwrap();
    queue.append(due("a", 1, 10)).await.unwrap();
    let lonely = directory.path().join("lonely.db");
    std::fs::copy(directory.path().join("tidegate.db-wal"), directory.path().join("lonely.db-wal")).unwrap();
    let text = refusal(serve(&lonely));
    assert!(text.contains("lonely.db` is gone") && text.contains("lonely.db-wal"), "{text}");
    assert!(!lonely.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_format_is_refused() {
    let (_directory, path) = place();
    filled(&path).await;
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    for opened in [serve(&path), inspect(&path)] {
        let text = refusal(opened);
        assert!(text.contains("was written by a newer version (format 7, this one knows 5)"), "{text}");
        assert!(text.contains("hint: run the version that wrote it"), "{text}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_its_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, path) = place();
    let _queue = serve(&path).unwrap();
    for name in ["tidegate.db", "tidegate.db-wal"] {
        let mode = std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_another_process_changes_is_noticed_by_the_gateway() {
    let (_directory, path) = place();
    let gateway = serve(&path).unwrap();
    let news = gateway.settings_news();
    let beside = inspect(&path).unwrap();
    beside.set("destination/meta", Some("off".into())).await.unwrap();
    arrives(&news).await;
    let off = Setting { name: "destination/meta".into(), value: "off".into() };
    assert_eq!(gateway.settings().await.unwrap(), [off]);
    gateway.set("destination/meta", None).await.unwrap();
    assert_eq!(beside.settings().await.unwrap(), []);
}
