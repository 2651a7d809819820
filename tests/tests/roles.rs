//! Roles: a process that collects delivers nothing, and one that delivers listens to no clients.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use serde_json::{Value, json};
use tidegate::app::{self, Gateway, Role, Roles};
use tidegate::config::Config;
use tidegate_tests::{Client, Platforms, Process, Settings, variable};

async fn start(config: &Path, roles: &[Role]) -> (Gateway, Client) {
    let text = std::fs::read_to_string(config).unwrap();
    let config = Config::parse(&text, config.parent().unwrap(), &variable).unwrap();
    let gateway = app::start_as(config, Roles::of(roles)).await.unwrap();
    // Without the role there is no public address to ask.
    let client = Client::new(gateway.http.unwrap_or(gateway.admin), gateway.admin);
    (gateway, client)
}

async fn roles(client: &Client) -> (Value, Value) {
    (client.admin("/readyz").await.json["roles"].clone(), client.admin("/api/status").await.json["roles"].clone())
}

#[tokio::test]
async fn one_process_collects_and_another_delivers() {
    let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
    let config = Process::configure(&Settings::hook(), &platforms, dir.path());
    let (collector, client) = start(&config, &[Role::Collect]).await;
    assert_eq!(roles(&client).await, (json!(["collect"]), json!(["collect"])));
    for id in ["e1", "e2"] {
        client.take(&json!({ "event": "a", "customer_id": "c", "message_id": id })).await;
    }
    assert_eq!(client.status("hook").await["waiting"], 2);
    collector.stop().await.unwrap();
    assert_eq!(platforms.webhook.requests_count(), 0, "nobody delivers");

    let (deliverer, client) = start(&config, &[Role::Deliver]).await;
    assert_eq!(deliverer.http, None);
    assert_eq!(roles(&client).await, (json!(["deliver"]), json!(["deliver"])));
    for id in ["e1", "e2"] {
        client.outcome(id, "hook", "delivered").await;
    }
    deliverer.stop().await.unwrap();
    assert_eq!(platforms.webhook.requests_count(), 2);
}

#[tokio::test]
async fn a_role_that_there_is_not_is_said() {
    for roles in ["collect,send", ""] {
        let output = Process::command(&["run", "--roles", roles]).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(said.contains("collect, deliver"), "{said}");
    }
}
