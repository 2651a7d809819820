//! Roles: a process that collects delivers nothing, and one that delivers listens to no clients; over a Redis any
//! number of each work together, and each may be stopped while the others go on.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::app::{self, Gateway, Role, Roles};
use tidegate::config::Config;
use tidegate_fakes::Behaviour;
use tidegate_test_redis::Server;
use tidegate_tests::{Client, Platforms, Process, Settings, variable};
use tokio::time::Instant;

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": id, "message_id": id })
}

/// A gateway in this process, over the store that the file names or over another.
async fn start(config: &Path, store: Option<&str>, roles: &[Role]) -> (Gateway, Client) {
    let text = std::fs::read_to_string(config).unwrap();
    let text = store.map_or(text.clone(), |url| text.replace("sqlite:tidegate.db", url));
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
    let (collector, client) = start(&config, None, &[Role::Collect]).await;
    assert_eq!(roles(&client).await, (json!(["collect"]), json!(["collect"])));
    for id in ["e1", "e2"] {
        client.take(&event(id)).await;
    }
    assert_eq!(client.status("hook").await["waiting"], 2);
    collector.stop().await.unwrap();
    assert_eq!(platforms.webhook.requests_count(), 0, "nobody delivers");

    let (deliverer, client) = start(&config, None, &[Role::Deliver]).await;
    assert_eq!(deliverer.http, None);
    assert_eq!(roles(&client).await, (json!(["deliver"]), json!(["deliver"])));
    for id in ["e1", "e2"] {
        client.outcome(id, "hook", "delivered").await;
    }
    deliverer.stop().await.unwrap();
    assert_eq!(platforms.webhook.requests_count(), 2);
}

#[tokio::test]
async fn processes_over_one_redis_are_restarted_one_after_the_other_and_nothing_is_sent_twice() {
    let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
    let redis = Server::with(&["appendfsync always"]);
    let (config, url) = (Process::configure(&Settings::hook(), &platforms, dir.path()), redis.url());
    let (collect, deliver) = ([Role::Collect], [Role::Deliver]);
    let mut collectors = [start(&config, Some(&url), &collect).await, start(&config, Some(&url), &collect).await];
    let mut workers = [start(&config, Some(&url), &deliver).await, start(&config, Some(&url), &deliver).await];
    for round in 0..4 {
        let which = round % 2;
        for n in 0..50 {
            collectors[n % 2].1.take(&event(&format!("{round}-{n}"))).await;
        }
        let worker = std::mem::replace(&mut workers[which], start(&config, Some(&url), &deliver).await);
        worker.0.stop().await.unwrap();
        let collector = std::mem::replace(&mut collectors[which], start(&config, Some(&url), &collect).await);
        collector.0.stop().await.unwrap();
    }
    for round in 0..4 {
        for n in 0..50 {
            collectors[0].1.outcome(&format!("{round}-{n}"), "hook", "delivered").await;
        }
    }
    assert_eq!(platforms.webhook.requests_count(), 200);
    for (gateway, _) in collectors.into_iter().chain(workers) {
        gateway.stop().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_stopped_process_could_not_finish_another_has_at_once() {
    let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
    let redis = Server::with(&["appendfsync always"]);
    let delivery = "timeout_ms = 30000\nshutdown_ms = 100\n".into();
    let config = Process::configure(&Settings { delivery, ..Settings::hook() }, &platforms, dir.path());
    let url = redis.url();
    let (first, client) = start(&config, Some(&url), &[Role::Collect, Role::Deliver]).await;
    platforms.webhook.next([Behaviour::NeverAnswer]);
    client.take(&event("e")).await;
    platforms.webhook.wait_for(1).await.unwrap();
    let (second, client) = start(&config, Some(&url), &[Role::Deliver]).await;
    let began = Instant::now();
    first.stop().await.unwrap();
    client.outcome("e", "hook", "delivered").await;
    // Its lease alone would have kept it for longer than that.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_store_that_gives_less_than_is_wanted_is_refused_with_a_way_out() {
    let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
    let redis = Server::with(&["appendonly no", "appendfsync no"]);
    let config = Process::configure(&Settings::hook(), &platforms, dir.path());
    let text = std::fs::read_to_string(&config).unwrap().replace("sqlite:tidegate.db", &redis.url());
    std::fs::write(&config, &text).unwrap();
    let run = || Process::command(&["run", "--config", config.to_str().unwrap()]).output();
    let output = run().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains(&redis.url()) && said.contains("hint: "), "{said}");
    drop(redis);
    let said = String::from_utf8(run().await.unwrap().stderr).unwrap();
    assert!(said.contains("could not reach the store") && said.contains("hint: is the server running"), "{said}");
}

#[tokio::test]
async fn who_only_delivers_needs_neither_the_keys_of_tls_nor_the_cache_of_acme() {
    let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
    std::fs::write(dir.path().join("file"), "").unwrap();
    let more = "\n[tls]\ncertificates = [{ cert = \"absent.pem\", key = \"absent.key\" }]\n\
                [tls.acme]\ncache = \"file/acme\"\nterms_agreed = true\n";
    let listen = "https = \"127.0.0.1:0\"\n".into();
    let settings = Settings::hook();
    let settings = Settings { listen, more: settings.more.clone() + more, ..settings };
    let config = Process::configure(&settings, &platforms, dir.path());
    let process = Process::start_as(&config, "deliver").await;
    let reloaded = process.client.admin_post("/api/reload", &json!({})).await;
    assert_eq!((reloaded.status, &reloaded.json["reload"]["state"]), (200, &json!("done")), "{}", reloaded.text);
    assert!(process.terminate().await.success());

    let collecting = Process::command(&["run", "--config", config.to_str().unwrap(), "--roles", "collect"]);
    let output = { collecting }.output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("absent.pem` cannot be read"), "{said}");
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
