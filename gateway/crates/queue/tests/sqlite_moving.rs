//! What is the SQLite backend's own about moving: pages within bounds, a process beside the gateway, backups.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod contract;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use contract::{arrives, dead, delivery, due, entry, key, keys, lease, letters, roomy};
use tempfile::TempDir;
use tidegate_queue::sqlite::{self, BackupError, Mode, Options};
use tidegate_queue::*;

fn open(path: &Path, mode: Mode) -> Arc<SqliteQueue> {
    Arc::new(SqliteQueue::open(path, Options { mode, limits: roomy() }).unwrap())
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    (directory, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_big_payloads_is_cut_short() {
    let (_directory, path) = place();
    let queue = open(&path, Mode::Serve);
    for n in 0..6 {
        let mut big = due(&n.to_string(), n, 10);
        big.deliveries[0].payload = vec![b'p'; if n == 3 { 9 << 20 } else { 1_500_000 }];
        queue.append(big).await.unwrap();
    }
    let mut sizes = Vec::new();
    let mut after = None;
    loop {
        let page = queue.export(after, 1000).await.unwrap();
        sizes.push(page.items.len());
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(sizes, [3, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_backend_is_refused() {
    let (_directory, path) = place();
    let queue = open(&path, Mode::Serve);
    for text in ["", "7", "entry:x", "partition:7:0"] {
        let refused = queue.export(Some(Cursor(text.into())), 10).await.unwrap_err();
        assert!(refused.to_string().contains("it is not of an SQLite store"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_moved_beside_a_gateway_and_without_one() {
    let (directory, path) = place();
    let gateway = open(&path, Mode::Serve);
    gateway.append(due("a", 1, 10)).await.unwrap();
    let inspector = open(&path, Mode::Inspect);
    assert_eq!(inspector.export(None, 10).await.unwrap().items.len(), 1);
    gateway.close().await.unwrap();
    let items = open(&path, Mode::Inspect).export(None, 10).await.unwrap().items;
    let target = directory.path().join("target.db");
    open(&target, Mode::Serve).close().await.unwrap();
    assert_eq!(open(&target, Mode::Inspect).import(items).await.unwrap(), 1);
    let queue: Arc<dyn Queue> = open(&target, Mode::Serve);
    assert_eq!(keys(&lease(&queue, 10).await), [key(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_notices_what_an_inspector_imports() {
    let (_directory, path) = place();
    let (_other, source) = place();
    let source = open(&source, Mode::Serve);
    source.append(due("a", 1, 10)).await.unwrap();
    source.append(dead("b", 2, "no")).await.unwrap();
    let items = source.export(None, 10).await.unwrap().items;
    let gateway: Arc<dyn Queue> = open(&path, Mode::Serve);
    let arrivals = gateway.arrivals("meta");
    assert!(lease(&gateway, 10).await.is_empty());
    assert_eq!(open(&path, Mode::Inspect).import(items).await.unwrap(), 2);
    arrives(&arrivals).await;
    assert_eq!(keys(&lease(&gateway, 10).await), [key(1)]);
    assert_eq!(gateway.counts().await.unwrap(), source.counts().await.unwrap());
    assert_eq!(gateway.append(due("a", 9, 10)).await.unwrap(), Appended::Duplicate);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deliveries_of_one_key_harm_nobody_else() {
    let (_directory, path) = place();
    let queue: Arc<dyn Queue> = open(&path, Mode::Serve);
    let stored = |id: &str, deliveries: &[u64]| {
        let each = deliveries.iter().map(|n| StoredDelivery {
            key: key(*n),
            destination: "meta".into(),
            payload: id.into(),
            state: StoredState::Waiting(10),
            queued_ms: 10,
            attempts: 0,
            records: Vec::new(),
        });
        let Entry { key, affinity, received_ms, record, .. } = entry(id);
        Item::Entry(StoredEntry { key, affinity, received_ms, record, duplicates: 0, deliveries: each.collect() })
    };
    assert_eq!(queue.import(vec![stored("twice", &[1, 1])]).await.unwrap(), 0, "not a whole entry");
    let items = vec![stored("a", &[2, 3]), stored("b", &[3, 4]), stored("c", &[5])];
    assert_eq!(queue.import(items).await.unwrap(), 3);
    let first = lease(&queue, 10).await;
    assert_eq!(keys(&first), [key(2), key(3), key(4), key(5)]);
    let done = first.iter().map(|lease| contract::attempt(lease, 20, Outcome::Delivered)).collect();
    assert_eq!(queue.settle(done).await.unwrap(), [Settled::Recorded; 4]);
    assert_eq!(queue.find("a").await.unwrap()[0].deliveries[1].state, State::Delivered);
    queue.close().await.unwrap();
    let queue: Arc<dyn Queue> = open(&path, Mode::Serve);
    let rest = lease(&queue, 20).await;
    assert_eq!((keys(&rest), rest[0].payload.as_slice()), (vec![key(3)], &b"b"[..]), "nothing is lost by it");
}

/// Entries are appended in a chain, each with two deliveries; a copy must hold a beginning of the chain, whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_a_gateway_writes_is_whole() {
    let (directory, path) = place();
    let gateway = open(&path, Mode::Serve);
    let stop = Arc::new(AtomicBool::new(false));
    let (writing, stopping) = (gateway.clone(), stop.clone());
    let mut writer = tokio::task::JoinSet::new();
    writer.spawn(async move {
        let mut n = 0;
        while !stopping.load(Ordering::Relaxed) {
            let deliveries =
                [("meta", 2 * n), ("ga4", 2 * n + 1)].map(|(to, key)| delivery(key, to, NewState::Due(10)));
            let chained = Entry { deliveries: deliveries.into(), ..entry(&n.to_string()) };
            writing.append(chained).await.unwrap();
            n += 1;
        }
        n
    });
    for round in 0..5 {
        let before = gateway.recent(1).await.unwrap().first().map_or(0, |newest| newest.key.id.parse().unwrap());
        let copy = directory.path().join(format!("copy-{round}.db"));
        if round % 2 == 0 {
            gateway.backup(&copy).await.unwrap();
        } else {
            // As another process does it.
            sqlite::backup(&path, &copy).unwrap();
        }
        let copied: Arc<dyn Queue> = open(&copy, Mode::Serve);
        let newest: u64 = copied.recent(1).await.unwrap().first().map_or(0, |newest| newest.key.id.parse().unwrap());
        assert!(newest >= before, "what was committed before the copy began is in it");
        let counts = copied.counts().await.unwrap();
        if let [ga4, meta] = &counts[..] {
            assert_eq!((ga4.waiting, meta.waiting), (newest + 1, newest + 1));
        }
        let newer = copied.append(due("after", u64::MAX, 10)).await.unwrap();
        assert_eq!(newer, Appended::Stored, "a copy is served like any file");
        copied.close().await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let appended = writer.join_next().await.unwrap().unwrap();
    assert_eq!(gateway.counts().await.unwrap()[0].waiting, appended);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("partial")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_overwrites_nothing() {
    let (directory, path) = place();
    let gateway = open(&path, Mode::Serve);
    let copy = directory.path().join("copy.db");
    std::fs::write(&copy, "precious").unwrap();
    let refused = gateway.backup(&copy).await.unwrap_err();
    assert!(matches!(&refused, BackupError::Exists { path } if *path == copy), "{refused:?}");
    assert!(refused.to_string().contains("copy.db") && refused.hint().contains("overwrites nothing"), "{refused}");
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "precious");
    let nowhere = gateway.backup(&directory.path().join("missing/copy.db")).await.unwrap_err();
    assert!(nowhere.to_string().contains("missing/copy.db"), "{nowhere}");
    let missing = sqlite::backup(&directory.path().join("none.db"), &directory.path().join("new.db")).unwrap_err();
    assert!(missing.to_string().contains("there is no queue at"), "{missing}");
    assert!(!directory.path().join("new.db").exists());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_its_owner_can_read_a_backup() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, path) = place();
    let gateway: Arc<SqliteQueue> = open(&path, Mode::Serve);
    gateway.append(dead("a", 1, "no")).await.unwrap();
    let copy = directory.path().join("copy.db");
    gateway.backup(&copy).await.unwrap();
    let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    let copied: Arc<dyn Queue> = open(&copy, Mode::Inspect);
    assert_eq!(letters(&copied).await.len(), 1);
}
