//! Files of every format that was ever released are read; what is written to them is of the newest.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod contract;

use std::path::Path;
use std::sync::Arc;

use contract::{due, entry, keys, lease, letters, roomy};
use tidegate_queue::chain::Verifier;
use tidegate_queue::sqlite::{Mode, OpenError, Options};
use tidegate_queue::*;

fn open(path: &Path, mode: Mode) -> Result<Arc<dyn Queue>, OpenError> {
    Ok(Arc::new(SqliteQueue::open(path, Options { mode, limits: roomy() })?))
}

fn make(path: &Path, fixture: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(fixture).unwrap();
}

/// What each fixture holds.
async fn holds_what_was_written(queue: &Arc<dyn Queue>) {
    let found = queue.find("mixed").await.unwrap().remove(0);
    assert_eq!((&*found.key.scope, found.received_ms, found.duplicates), ("shop", 1000, 3));
    let states: Vec<_> = found.deliveries.iter().map(|one| (&*one.destination, one.state)).collect();
    assert_eq!(states[..3], [("meta", State::Waiting(2000)), ("ga4", State::Delivered), ("hook", State::Dead)]);
    assert_eq!(found.deliveries[1].attempts, [b"first", b"other"]);
    assert_eq!(keys(&lease(queue, 2000).await), [DeliveryKey([1; 16])]);
    let letters = letters(queue).await;
    assert_eq!((&*letters[0].reason, letters[0].died_ms, &*letters[0].payload), ("gone", 1500, &b"to hook"[..]));
    let email = ProfileField { name: "email".into(), value: "a@b.example".into(), seen_ms: 900 };
    assert_eq!(queue.profile("shop/user/1", 1000).await.unwrap(), [email]);
    assert_eq!(queue.append(entry("mixed")).await.unwrap(), Appended::Duplicate);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_format_is_still_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    make(&path, include_str!("fixtures/format-1.sql"));
    let Err(older) = open(&path, Mode::Inspect) else { panic!("a file of an old format is not inspected") };
    assert!(older.to_string().contains("has the old format 1, this version reads 5"), "{older}");
    assert!(older.hint().contains("start this version's gateway once"), "{}", older.hint());
    let queue = open(&path, Mode::Serve).unwrap();
    holds_what_was_written(&queue).await;
    queue.append(Entry { affinity: "visitor 1".into(), ..due("new", 9, 10) }).await.unwrap();
    let items = queue.export(None, 10).await.unwrap().items;
    let affinities: Vec<_> = items.iter().filter_map(affinity).collect();
    assert_eq!(affinities, ["", "visitor 1"]);
    queue.close().await.unwrap();
    // Brought to the newest format for good, and with the same tables as a new file has.
    let queue = open(&path, Mode::Serve).unwrap();
    assert_eq!(queue.find("new").await.unwrap().len(), 1);
    let fresh = directory.path().join("fresh.db");
    open(&fresh, Mode::Serve).unwrap().close().await.unwrap();
    assert_eq!(columns(&path), columns(&fresh));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_format_is_still_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    make(&path, include_str!("fixtures/format-2.sql"));
    let queue = open(&path, Mode::Serve).unwrap();
    holds_what_was_written(&queue).await;
    assert_eq!(
        queue.export(None, 1).await.unwrap().items.iter().filter_map(affinity).collect::<Vec<_>>(),
        ["visitor 1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fourth_format_is_still_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    make(&path, include_str!("fixtures/format-4.sql"));
    let fresh = directory.path().join("fresh.db");
    open(&fresh, Mode::Serve).unwrap().close().await.unwrap();
    let queue = open(&path, Mode::Serve).unwrap();
    assert_eq!(columns(&path), columns(&fresh));
    holds_what_was_written(&queue).await;
    let mut verifier = Verifier::after(queue.chain_ends().await.unwrap().base);
    let links = queue.chain_page(0, 10).await.unwrap();
    links.iter().for_each(|link| verifier.next(link).unwrap());
    let texts: Vec<_> = links.iter().map(|link| (link.seq, link.at_ms, &*link.bytes)).collect();
    assert_eq!(texts, [(5, 1000, &b"first"[..]), (6, 1100, b"second")]);
    assert_eq!(queue.chain_append(1200, b"third".to_vec()).await.unwrap().seq, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fifth_format_is_still_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    make(&path, include_str!("fixtures/format-5.sql"));
    let fresh = directory.path().join("fresh.db");
    open(&fresh, Mode::Serve).unwrap().close().await.unwrap();
    assert_eq!(columns(&path), columns(&fresh), "the fixture is what is written today");
    let queue = open(&path, Mode::Serve).unwrap();
    holds_what_was_written(&queue).await;
    let cancelled = queue.find("mixed").await.unwrap().remove(0).deliveries.remove(3);
    assert_eq!((cancelled.state, cancelled.reason.as_deref()), (State::Cancelled, Some("withdrawn")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_format_is_still_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.db");
    make(&path, include_str!("fixtures/format-3.sql"));
    let fresh = directory.path().join("fresh.db");
    open(&fresh, Mode::Serve).unwrap().close().await.unwrap();
    let queue = open(&path, Mode::Serve).unwrap();
    holds_what_was_written(&queue).await;
    let off = Setting { name: "destination/hook".into(), value: "off".into() };
    assert_eq!(queue.settings().await.unwrap(), [off]);
    assert_eq!(queue.chain_append(1000, b"first".to_vec()).await.unwrap().seq, 1, "its log begins now");
    assert_eq!(columns(&path), columns(&fresh));
}

fn affinity(item: &Item) -> Option<&str> {
    match item {
        Item::Entry(entry) => Some(&entry.affinity),
        Item::Profile(_) | Item::Setting(_) => None,
    }
}

/// Every column, index and trigger of a file, with its table.
fn columns(path: &Path) -> Vec<String> {
    let conn = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT m.name || ' ' || m.tbl_name || ' ' || ifnull(c.name || ' ' || c.type || ' ' || c.\"notnull\", '') \
               FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c ORDER BY 1";
    conn.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}
