//! Stores that a gateway must not touch: one that another gateway serves, and those that are damaged.

use std::path::Path;

use tidegate_tests::{PATIENCE, Platforms, Process};

use crate::{accepted, drained, settings};

/// `EX_UNAVAILABLE`
const UNAVAILABLE: i32 = 69;

#[tokio::test]
async fn a_second_gateway_on_the_same_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let platforms = Platforms::start().await;
    let config = Process::configure(&settings(), &platforms, dir.path());
    let first = Process::start(&config).await;
    let said = refused(&config).await;
    assert!(said.contains(&format!("tidegate.db` is in use by another gateway (process {})", first.id())), "{said}");
    assert!(said.contains("hint: "), "{said}");
    accepted(&first.client, "the-first-goes-on").await;
    drained(&first.client).await;
    first.kill().await;

    // A gateway that died holds nothing.
    let next = Process::start(&config).await;
    assert!(next.terminate().await.success());
}

#[tokio::test]
async fn a_damaged_store_is_refused_by_name_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let platforms = Platforms::start().await;
    let config = Process::configure(&settings(), &platforms, dir.path());
    let gateway = Process::start(&config).await;
    for number in 0..20 {
        accepted(&gateway.client, &format!("event-{number}")).await;
    }
    assert!(gateway.terminate().await.success());
    let store = dir.path().join("tidegate.db");
    let sound = std::fs::read(&store).unwrap();
    assert!(sound.starts_with(b"SQLite format 3\0"));

    for (damage, bytes) in damages(&sound) {
        std::fs::write(&store, &bytes).unwrap();
        let said = refused(&config).await;
        assert!(said.contains("tidegate.db"), "{damage}: {said}");
        assert!(["is damaged", "is not a queue"].iter().any(|what| said.contains(what)), "{damage}: {said}");
        assert!(said.contains("hint: "), "{damage}: {said}");
        assert!(std::fs::read(&store).unwrap() == bytes, "{damage}: the file was changed");
    }
    std::fs::remove_file(&store).unwrap();
    std::fs::write(dir.path().join("tidegate.db-wal"), b"acknowledged events").unwrap();
    let said = refused(&config).await;
    assert!(said.contains("tidegate.db` is gone, but its write-ahead log"), "{said}");
    assert!(!store.exists(), "a new store in place of a lost one");

    std::fs::remove_file(dir.path().join("tidegate.db-wal")).unwrap();
    std::fs::write(&store, &sound).unwrap();
    let gateway = Process::start(&config).await;
    drained(&gateway.client).await;
    assert_eq!(gateway.client.trace("event-0").await["outcome"], "delivered");
}

/// What disks, people and half-made copies do to a file.
fn damages(sound: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = sound.to_vec();
        change(&mut bytes);
        bytes
    };
    vec![
        ("empty", Vec::new()),
        ("another file", b"# notes\n".repeat(1_000)),
        ("a head of zeros", with(|bytes| bytes[..100].fill(0))),
        ("cut in half", with(|bytes| bytes.truncate(bytes.len() / 2))),
        ("a schema of noise", with(|bytes| bytes[100..4_096].fill(0xa5))),
        ("all pages but the first of noise", with(|bytes| bytes[4_096..].fill(0xa5))),
    ]
}

/// Starts a gateway that has to refuse; gives what it said.
async fn refused(config: &Path) -> String {
    let config = config.to_str().expect("a path in UTF-8");
    let mut command = Process::command(&["run", "--config", config]);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(UNAVAILABLE), "{said}");
    said
}
