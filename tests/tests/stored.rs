//! A store that an earlier gateway wrote is opened, and what is in it goes on where it stood.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use serde_json::{Value, json};
use tidegate::clock::{Clock as _, SystemClock};
use tidegate_tests::plugin::{self, Parts};
use tidegate_tests::{HOOK, Settings, Stack};

const FORMAT_1: &str = include_str!("../fixtures/stored-1.sql");

/// Puts the store of that format into a gateway's directory.
fn put(dir: &Path, format: &str) {
    let now_ms = SystemClock.now_ms();
    let sql = format.replace("$NOW", &now_ms.to_string()).replace("$LATER", &(now_ms + 3_600_000).to_string());
    let store = rusqlite::Connection::open(dir.join("tidegate.db")).unwrap();
    store.execute_batch(&sql).unwrap();
}

/// A gateway of today on that store, with the same destinations.
async fn upgraded() -> Stack {
    let settings = Settings {
        more: format!("{HOOK}{}", plugin::destination("by-hand", "by-hand.wasm")),
        files: vec![("by-hand.wasm", Parts::default().build())],
        ..Settings::hook()
    };
    Stack::prepared(settings, |dir| put(dir, FORMAT_1)).await
}

fn statuses(part: &Value) -> Vec<Value> {
    part["attempts"].as_array().unwrap().iter().map(|attempt| attempt["status"].clone()).collect()
}

#[tokio::test]
async fn what_waited_in_a_store_of_format_1_is_delivered_as_it_was_recorded() {
    let stack = upgraded().await;
    let part = stack.outcome("waiting", "hook", "delivered").await;
    assert_eq!(statuses(&part), [503, 200], "the attempt that was recorded is still there");
    let requests = stack.platforms.webhook.requests();
    assert_eq!((requests.len(), requests[0].header("webhook-id")), (1, Some("waiting")));
    let body = requests[0].json.clone().unwrap();
    assert_eq!((&body["timestamp"], &body["data"]["value"]), (&json!("2026-11-20T14:05:47.625Z"), &json!(149.99)));
    assert_eq!(stack.platforms.webhook.problems(), Vec::<String>::new());
    // Format 1 did not keep which fields were given: the ledger says so instead of guessing.
    let left = stack.admin("/api/ledger?destination=hook").await.json;
    let flow = &left["flows"][0];
    assert_eq!((&flow["plugin"], &flow["consent"]), (&json!("webhook 0.1.0"), &json!("marketing")));
    assert!(flow.as_object().unwrap().contains_key("fields") && flow["fields"].is_null(), "{left:#}");
}

#[tokio::test]
async fn dead_letters_of_format_1_are_listed_and_can_be_sent_again() {
    let stack = upgraded().await;
    let letters = stack.dead_letters("hook").await;
    assert_eq!((letters.len(), &letters[0]["event_id"]), (1, &json!("dead-at-the-platform")));
    assert_eq!(letters[0]["reason"], r#"rejected: HTTP 400: {"error":"no such order"}"#);
    assert_eq!(stack.dead_letters("by-hand").await.len(), 4);
    let report = stack.admin_post("/api/dead-letters/replay", &json!({ "all": true })).await;
    assert_eq!(report.json["replayed"], 5, "those that a plugin failed go through it again: {}", report.text);
    let part = stack.outcome("dead-at-the-platform", "hook", "delivered").await;
    assert_eq!(statuses(&part), [400, 200]);
    for id in ["identified", "delivered", "dead-at-the-platform", "waiting"] {
        stack.outcome(id, "by-hand", "delivered").await;
    }
}

#[tokio::test]
async fn traces_of_format_1_are_told_and_its_ids_still_count_once() {
    let stack = upgraded().await;
    assert_eq!(stack.trace("dropped").await["reason"], "hook: consent `none` does not grant analytics");
    let refused = stack.trace("refused").await;
    assert_eq!((&refused["outcome"], &refused["name"]), (&json!("refused"), &json!("purchase")));
    let delivered = stack.trace("delivered").await;
    assert_eq!((&delivered["event"]["value"], &delivered["duplicates"]), (&json!(149.99), &json!(1)));
    let again = json!({ "event": "purchase", "message_id": "delivered", "customer_id": "cust_12345" });
    assert_eq!(stack.post("/v1/events", &again).await.json["events"][0]["outcome"], "duplicate");
}

#[tokio::test]
async fn a_profile_of_format_1_is_still_known() {
    let stack = upgraded().await;
    stack.take(&json!({ "event": "a", "message_id": "new", "customer_id": "cust_12345" })).await;
    assert_eq!(stack.trace("new").await["event"]["identifiers"], json!({ "email": "ada@example.com" }));
}

#[tokio::test]
async fn a_store_of_a_later_format_is_left_alone() {
    let later = FORMAT_1.replace("PRAGMA user_version = 1;", "PRAGMA user_version = 1000;");
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &later);
    let before = std::fs::read(dir.path().join("tidegate.db")).unwrap();
    let files = vec![("tidegate.db", before)];
    let said = Stack::try_start(Settings { files, ..Settings::hook() }).await.unwrap_err();
    assert!(said.contains("was written by a newer version (format 1000, this one knows 5)"), "{said}");
}
