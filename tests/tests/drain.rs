//! Stopping in time whatever hangs, and going on after it: with a store that was locked, with a clock that was wrong,
//! with much that has outlived its time.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tidegate_fakes::Behaviour;
use tidegate_tests::{API_KEY, PATIENCE, Platforms, Process, Raw, Settings, Stack};
use tokio::time::Instant;

/// What a stop may take beyond `delivery.shutdown_ms`, and what a busy machine may add.
const BOUND: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_millis(1_500);

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": "c", "message_id": id })
}

/// Requests may take longer than a stop.
fn patient(shutdown_ms: u64) -> Settings {
    let delivery = format!("timeout_ms = 30000\nbackoff_base_ms = 40\nshutdown_ms = {shutdown_ms}\n");
    Settings { delivery, ..Settings::hook() }
}

/// Holds the store's write lock until it is dropped.
fn lock(dir: &Path) -> Connection {
    let other = Connection::open(dir.join("tidegate.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

async fn ends_in_time(process: Process, shutdown_ms: u64) {
    let began = Instant::now();
    assert!(process.terminate().await.success());
    let bound = Duration::from_millis(shutdown_ms) + BOUND + SLACK;
    assert!(began.elapsed() < bound, "it took {:?}", began.elapsed());
}

#[tokio::test]
async fn a_platform_that_hangs_does_not_keep_the_gateway_from_ending() {
    let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
    let config = Process::configure(&patient(300), &platforms, dir.path());
    let gateway = Process::start(&config).await;
    platforms.webhook.next([Behaviour::NeverAnswer]);
    gateway.client.take(&event("e")).await;
    platforms.webhook.wait_for(1).await.unwrap();
    ends_in_time(gateway, 300).await;
    let gateway = Process::start(&config).await;
    gateway.client.outcome("e", "hook", "delivered").await;
    assert!(gateway.terminate().await.success());
}

#[tokio::test]
async fn a_store_that_hangs_does_not_keep_the_gateway_from_ending_and_loses_nothing() {
    let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
    let config = Process::configure(&patient(300), &platforms, dir.path());
    let gateway = Process::start(&config).await;
    let gate = tidegate_fakes::Gate::shut();
    platforms.webhook.next([Behaviour::held(&gate)]);
    gateway.client.take(&event("taken")).await;
    platforms.webhook.wait_for(1).await.unwrap();
    let locked = lock(dir.path());
    gate.open();
    // Its outcome cannot be written, and neither can what a client sends now.
    let client = gateway.client.clone();
    let request = client.request(reqwest::Method::POST, "/v1/events").bearer_auth(API_KEY);
    let sending = client.send(request.body(event("refused").to_string()));
    let (sent, ()) = tokio::join!(sending, ends_in_time(gateway, 300));
    assert!(
        sent.is_err() || sent.is_ok_and(|answer| answer.status == 503),
        "nothing is acknowledged that is not stored"
    );
    drop(locked);
    let gateway = Process::start(&config).await;
    gateway.client.outcome("taken", "hook", "delivered").await;
    assert!(gateway.terminate().await.success());
}

#[tokio::test]
async fn a_request_that_has_begun_is_finished_and_answered() {
    let mut stack = Stack::with(Settings { limits: "in_flight_max = 1\n".into(), ..Settings::hook() }).await;
    let body = event("e").to_string();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nx-write-key: {API_KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut raw = Raw::connect(stack.http).await;
    raw.send(head).await;
    raw.send(body[..10].to_owned()).await;
    while stack.post("/v1/events", &event("other")).await.status != 503 {}
    let admin = stack.admin;
    let finishing = async {
        // The admin listener is gone as soon as the stop has begun.
        while tokio::net::TcpStream::connect(admin).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        raw.send(body[10..].to_owned()).await;
        raw.read_answer().await
    };
    let (said, ()) = tokio::join!(finishing, stack.stop());
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    stack.start_again().await;
    stack.outcome("e", "hook", "delivered").await;
}

#[tokio::test]
async fn retries_of_a_time_when_the_clock_was_ahead_go_on_within_minutes() {
    const DAY_MS: i64 = 86_400_000;
    let mut stack = Stack::with(Settings::hook()).await;
    stack.platforms.webhook.always(Behaviour::status(500));
    for id in ["e1", "e2"] {
        stack.take(&event(id)).await;
        stack.trace_until(id, |trace| !trace["destinations"][0]["attempts"][0].is_null()).await;
    }
    stack.stop().await;
    stack.platforms.webhook.behave();
    // As if the clock had been a day ahead, and was set back while the gateway did not run.
    let store = Connection::open(stack.dir.path().join("tidegate.db")).unwrap();
    let ahead = "UPDATE delivery SET due_ms = due_ms + ?1, queued_ms = queued_ms + ?1 WHERE state = 0";
    assert_eq!(store.execute(ahead, [DAY_MS]).unwrap(), 2);
    drop(store);
    stack.start_again().await;
    for id in ["e1", "e2"] {
        stack.outcome(id, "hook", "delivered").await;
    }
    // What comes now does not wait for the time that the store has seen, either.
    stack.take(&event("e3")).await;
    stack.outcome("e3", "hook", "delivered").await;
}

#[tokio::test]
async fn much_that_has_outlived_its_time_is_swept_in_one_go() {
    let mut stack = Stack::with(Settings { store: "journal_minutes = 1\n".into(), ..Settings::hook() }).await;
    stack.take(&event("young")).await;
    stack.outcome("young", "hook", "delivered").await;
    stack.stop().await;
    let store = Connection::open(stack.dir.path().join("tidegate.db")).unwrap();
    store
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
             INSERT INTO entry (id, scope, received_ms, duplicates, record)
             SELECT 'old-' || i, 'shop', i, 0, x'7b7d' FROM n",
        )
        .unwrap();
    stack.start_again().await;
    let left = || -> i64 { store.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap() };
    let swept = async {
        while left() > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, swept).await.is_ok(), "{} are left", left());
    assert_eq!(stack.trace("young").await["outcome"], "delivered");
}
