//! `tidegate plugin replay`: what was recorded of an event's transforms is run again, and is the same to the byte; also
//! after the configuration and the component have changed.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_tests::plugin::{self, MANIFEST, Parts};
use tidegate_tests::{Platforms, Process, Settings};

/// A gateway's process, and where its configuration lies.
struct Site {
    platforms: Platforms,
    dir: TempDir,
}

impl Site {
    async fn new() -> Site {
        Site { platforms: Platforms::start().await, dir: tempfile::tempdir().unwrap() }
    }

    /// Writes a configuration whose archive of components is the test's own.
    fn configure(&self, settings: &Settings) -> PathBuf {
        let config = Process::configure(settings, &self.platforms, self.dir.path());
        let text = std::fs::read_to_string(&config).unwrap();
        let cache = text.lines().find(|line| line.starts_with("cache = ")).unwrap().to_owned();
        std::fs::write(&config, text.replace(&cache, "cache = \"cache\"")).unwrap();
        config
    }

    /// Runs the command, and gives its exit code and its JSON.
    async fn replay(&self, config: &Path, arguments: &[&str]) -> (i32, Value) {
        let all = [&["plugin", "replay", "--json", "--config", config.to_str().unwrap()], arguments].concat();
        let output = Process::command(&all).current_dir(self.dir.path()).output().await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let json = serde_json::from_str(&said).unwrap_or_else(|_| {
            panic!("{said}{}", String::from_utf8_lossy(&output.stderr));
        });
        (output.status.code().unwrap(), json)
    }
}

fn purchase(id: &str) -> Value {
    json!({
        "event": "purchase_completed", "message_id": id, "anonymous_id": "1234567890.1700000000",
        "user": { "email": "John_Smith@gmail.com" },
        "client": { "ip": "203.0.113.7", "user_agent": "Agent" },
        "properties": { "order_value": 149.99, "currency": "EUR", "order_id": "O-1", "nested": { "a": [1, 2.5, null] } }
    })
}

#[tokio::test]
async fn every_delivery_of_an_event_is_made_again_to_the_byte() {
    let site = Site::new().await;
    let config = site.configure(&Settings::marketing());
    let process = Process::start(&config).await;
    process.client.take(&purchase("e1")).await;
    for destination in ["meta", "hook"] {
        process.client.outcome("e1", destination, "delivered").await;
    }
    process.terminate().await;
    // The account is another one now: what was recorded was made for the one before.
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("123456789012345", "999999999999999")).unwrap();
    let (code, report) = site.replay(&config, &["e1"]).await;
    assert_eq!(code, 0, "{report:#}");
    let deliveries = report["deliveries"].as_array().unwrap();
    assert!(deliveries.len() >= 2, "{report:#}");
    for delivery in deliveries {
        assert_eq!(delivery["result"]["is"], "identical", "{report:#}");
        assert!(delivery["result"]["body_bytes"].as_u64().unwrap() > 100 && delivery["fuel"].as_u64().unwrap() > 1_000);
    }
    let again = site.replay(&config, &["e1"]).await.1;
    let fuel = |report: &Value| -> Vec<Value> {
        report["deliveries"].as_array().unwrap().iter().map(|one| one["fuel"].clone()).collect()
    };
    assert_eq!(fuel(&report), fuel(&again));
    let (_, one) = site.replay(&config, &["e1", "--destination", "hook"]).await;
    assert_eq!(one["deliveries"].as_array().unwrap().len(), 1);
}

/// Hand-written, so that it can be another version, and can fail.
fn settings(wasm: Vec<u8>) -> Settings {
    Settings { more: plugin::destination("own", "own.wasm"), files: vec![("own.wasm", wasm)], ..Settings::hook() }
}

#[tokio::test]
async fn a_component_that_was_replaced_is_run_all_the_same() {
    let site = Site::new().await;
    let first = Parts::default().build();
    let config = site.configure(&settings(first.clone()));
    let process = Process::start(&config).await;
    process.client.take(&json!({ "event": "a", "customer_id": "c", "message_id": "e1" })).await;
    process.client.outcome("e1", "own", "delivered").await;
    process.terminate().await;
    let second = Parts { manifest: &MANIFEST.replace("0.1.0\"\nworld", "0.2.0\"\nworld"), ..Parts::default() }.build();
    site.configure(&settings(second));
    let (code, report) = site.replay(&config, &["e1"]).await;
    assert_eq!((code, &report["deliveries"][0]["result"]["is"]), (0, &json!("identical")), "{report:#}");
    // Without the archive nothing has that digest, until somebody names the file.
    std::fs::remove_dir_all(site.dir.path().join("cache/components")).unwrap();
    let (code, report) = site.replay(&config, &["e1"]).await;
    assert_eq!(code, 1);
    let reason = report["unknown"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("is not here any more; name its file: `--plugin FILE`"), "{reason}");
    std::fs::write(site.dir.path().join("old.wasm"), first).unwrap();
    let (code, _) = site.replay(&config, &["e1", "--plugin", "old.wasm"]).await;
    assert_eq!(code, 0);
}

#[tokio::test]
async fn a_transform_that_failed_fails_with_the_same_reason() {
    let site = Site::new().await;
    let note = r#"(data (i32.const 600) "tidegate\f5panic\f5\01\08\00\00\00no price")"#;
    let wasm = Parts { transform: "unreachable", extra: note, ..Parts::default() }.build();
    let config = site.configure(&settings(wasm));
    let process = Process::start(&config).await;
    process.client.take(&json!({ "event": "a", "customer_id": "c", "message_id": "e1" })).await;
    let part = process.client.outcome("e1", "own", "dead").await;
    assert_eq!(part["reason"], "transform failed: crashed: no price", "what it said reaches the trace");
    assert!(process.said("no price").is_empty(), "and no log: it may be about a person");
    process.terminate().await;
    let (code, report) = site.replay(&config, &["e1"]).await;
    let result = json!({ "is": "identical", "body_bytes": null });
    assert_eq!((code, &report["deliveries"][0]["result"]), (0, &result), "{report:#}");
}

#[tokio::test]
async fn what_the_gateway_refused_is_refused_again_with_the_same_reason() {
    let joined = format!("{MANIFEST}{}", plugin::JOINED);
    // Longer than what is kept of a reason, and with an escape that is not.
    let data = format!("\\1b{}", "no price ".repeat(70));
    let cases = [
        (Parts { manifest: &joined, ..Parts::default() }, "transform failed: the body has no array at `/conversions`"),
        (Parts { transform: plugin::INVALID, data: &data, ..Parts::default() }, "invalid: no price no price"),
    ];
    for (parts, reason) in cases {
        let site = Site::new().await;
        let config = site.configure(&settings(parts.build()));
        let process = Process::start(&config).await;
        process.client.take(&json!({ "event": "a", "customer_id": "c", "message_id": "e1" })).await;
        let part = process.client.outcome("e1", "own", "dead").await;
        let said = part["reason"].as_str().unwrap();
        assert!(said.starts_with(reason), "{said}");
        process.terminate().await;
        let (code, report) = site.replay(&config, &["e1"]).await;
        let result = json!({ "is": "identical", "body_bytes": null });
        assert_eq!((code, &report["deliveries"][0]["result"]), (0, &result), "{report:#}");
    }
}

#[tokio::test]
async fn a_record_that_was_changed_is_told_by_its_first_byte() {
    let site = Site::new().await;
    let config = site.configure(&Settings::hook());
    let process = Process::start(&config).await;
    process.client.take(&purchase("e1")).await;
    process.client.outcome("e1", "hook", "delivered").await;
    process.terminate().await;
    make_cheaper(&site.dir.path().join("tidegate.db"));
    let (code, report) = site.replay(&config, &["e1"]).await;
    assert_eq!((code, &report["deliveries"][0]["result"]["part"]), (1, &json!("body")), "{report:#}");
    let shown = |side: &str| {
        let text = report["deliveries"][0]["result"][side].as_str().unwrap();
        text.split_once(": ").unwrap().1.chars().next()
    };
    assert_eq!((shown("recorded"), shown("now")), (Some('8'), Some('9')), "{report:#}");
}

/// Changes the last cent of the recorded request, behind the gateway's back.
fn make_cheaper(store: &Path) {
    let store = rusqlite::Connection::open(store).unwrap();
    let mut body: Vec<u8> = store.query_row("SELECT body FROM payload", [], |row| row.get(0)).unwrap();
    let text = String::from_utf8(body.clone()).unwrap();
    body[text.rfind("149.99").unwrap() + 5] = b'8';
    assert_eq!(store.execute("UPDATE payload SET body = ?1", [body]).unwrap(), 1);
}
