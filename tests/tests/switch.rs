//! A destination's switch: off and on within a second, for every process over the store, and after a restart too.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_fakes::{Behaviour, Clock, Gate};
use tidegate_test_redis::Server;
use tidegate_tests::{Client, HOOK, Platforms, Process, Senders, Settings, Stack};
use tokio::time::Instant;

/// A switch takes effect within this time.
const EFFECT_MS: i64 = 1_000;

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": "cust_12345", "message_id": id })
}

fn two() -> Settings {
    let more = format!("{HOOK}{}", HOOK.replace("\"hook\"", "\"other\"").replace("/tidegate", "/other"));
    Settings { more, ..Settings::hook() }
}

async fn tidegate(arguments: &[&str], config: &Path) -> (Option<i32>, String, String) {
    let arguments = [arguments, &["--config", config.to_str().unwrap()]].concat();
    let output = Process::command(&arguments).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// When requests came to a path of the webhook's receiver.
fn arrivals(platforms: &Platforms, path: &str) -> Vec<i64> {
    let requests = platforms.webhook.requests();
    requests.iter().filter(|request| request.path == path).map(|request| request.arrived_ms).collect()
}

/// How often each event came to a path of the webhook's receiver.
fn times(platforms: &Platforms, path: &str) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for request in platforms.webhook.requests().iter().filter(|request| request.path == path) {
        *times.entry(request.header("webhook-id").unwrap().to_owned()).or_default() += 1;
    }
    times
}

/// Lets the senders go on until the switch has been in effect for a while, and more has been acknowledged.
async fn go_on(senders: &mut Senders, since: Instant) {
    while since.elapsed() < Duration::from_millis(EFFECT_MS as u64 + 700) {
        senders.more(10).await;
    }
    senders.more(20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn off_takes_effect_within_a_second_under_load_and_on_sends_what_waited() {
    let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
    let config = Process::configure(&two(), &platforms, dir.path());
    let (gateway, clock) = (Process::start(&config).await, Clock::system());
    let mut senders = Senders::start(4, dir.path(), event).await;
    senders.point_to([&gateway.client]);
    senders.more(100).await;
    assert!(!arrivals(&platforms, "/tidegate").is_empty());

    let told_ms = clock.now_ms();
    let (code, stdout, stderr) =
        tidegate(&["destination", "off", "hook", "--by", "anna", "--reason", "wrong audience"], &config).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("hook is switched off by anna: wrong audience"), "{stdout}");
    // Starting the command is no part of the effect, but reaching the gateway is.
    let (turned_ms, turned) = (clock.now_ms(), Instant::now());
    go_on(&mut senders, turned).await;
    let ledger = senders.ledger().await;
    gateway.client.status_until("other", |status| status["waiting"] == 0).await;
    let late = arrivals(&platforms, "/tidegate").iter().filter(|at| **at > turned_ms + EFFECT_MS).count();
    assert_eq!(late, 0, "nothing arrives a second later; told at {told_ms}, turned at {turned_ms}");
    let others = arrivals(&platforms, "/other").iter().filter(|at| **at > turned_ms + EFFECT_MS).count();
    assert!(others >= 20, "the other destination goes on");

    let status = gateway.client.status("hook").await;
    let switch = &status["switch"];
    assert_eq!(
        (&switch["position"], &switch["by"], &switch["reason"]),
        (&json!("off"), &json!("anna"), &json!("wrong audience"),)
    );
    let at_ms = switch["at_ms"].as_i64().unwrap();
    assert!((told_ms..=turned_ms).contains(&at_ms), "{at_ms}");
    let metrics = gateway.client.admin("/metrics").await.text;
    assert!(metrics.contains("tidegate_destination_stopped{destination=\"hook\"} 1"), "{metrics}");
    gateway.client.take(&event("dropped")).await;
    let part = gateway.client.outcome("dropped", "hook", "dropped").await;
    assert_eq!(part["reason"], "the destination was switched off by anna: wrong audience");

    let (code, stdout, stderr) = tidegate(&["destination", "on", "hook"], &config).await;
    assert_eq!((code, stdout.trim_end()), (Some(0), "hook is on; what waits for it is sent"), "{stderr}");
    gateway.client.status_until("hook", |status| status["switch"]["position"] == "on").await;
    gateway.client.take(&event("sent")).await;
    gateway.client.outcome("sent", "hook", "delivered").await;
    gateway.client.status_until("hook", |status| status["waiting"] == 0).await;
    let times = times(&platforms, "/tidegate");
    assert!(times.values().all(|times| *times == 1), "nothing was sent twice because of it: {times:?}");
    for id in &ledger {
        let trace = gateway.client.trace(id).await;
        let part =
            trace["destinations"].as_array().unwrap().iter().find(|part| part["name"] == "hook").unwrap().clone();
        assert_eq!(times.contains_key(id), part["outcome"] == "delivered", "{part:#}");
        assert!(part["outcome"] == "delivered" || part["outcome"] == "dropped", "{part:#}");
    }
    assert!(gateway.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_process_over_one_redis_obeys_whichever_was_told() {
    let platforms = Platforms::start().await;
    let redis = Server::with(&["appendfsync always"]);
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let configs = dirs.each_ref().map(|dir| Process::configure_on(&redis.url(), &two(), &platforms, dir.path()));
    let gateways = [Process::start(&configs[0]).await, Process::start(&configs[1]).await];
    let (clock, mut senders) = (Clock::system(), Senders::start(4, dirs[0].path(), event).await);
    senders.point_to(gateways.iter().map(|gateway| &gateway.client));
    senders.more(100).await;
    for (told, position) in [(0, "off"), (1, "pause")] {
        let path = format!("/api/destinations/hook/{position}");
        let answer = gateways[told].client.admin_post(&path, &json!({ "by": "anna", "reason": position })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let (turned_ms, turned) = (clock.now_ms(), Instant::now());
        go_on(&mut senders, turned).await;
        let late = arrivals(&platforms, "/tidegate").iter().filter(|at| **at > turned_ms + EFFECT_MS).count();
        assert_eq!(late, 0, "{position}, told to {told}");
        for gateway in &gateways {
            let switch = gateway.client.status("hook").await["switch"].clone();
            assert_eq!((&switch["by"], &switch["reason"]), (&json!("anna"), &json!(position)));
            // The one that was not told has heard of it.
            assert_eq!(gateway.said(&format!("by anna: {position}")).len(), 1, "{position}");
        }
        let answer = gateways[1 - told].client.admin_post("/api/destinations/hook/on", &json!({})).await;
        assert_eq!(answer.json["switch"], json!({ "position": "on" }));
        let sent = arrivals(&platforms, "/tidegate").len();
        senders.more(50).await;
        gateways[told].client.status_until("hook", |status| status["switch"]["position"] == "on").await;
        senders.more(50).await;
        assert!(arrivals(&platforms, "/tidegate").len() > sent, "it goes on after {position}");
    }
    drop(senders.ledger().await);
    gateways[0].client.status_until("hook", |status| status["waiting"] == 0).await;
    let times = times(&platforms, "/tidegate");
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    for gateway in gateways {
        assert!(gateway.terminate().await.success());
    }
}

#[tokio::test]
async fn what_waits_stays_untouched_while_it_is_off_also_over_a_restart() {
    let mut stack = Stack::with(Settings { delivery: "concurrency = 1\ntimeout_ms = 30000\n".into(), ..two() }).await;
    let gate = Gate::shut();
    stack.platforms.webhook.always(Behaviour::held(&gate));
    for id in ["first", "second", "third"] {
        stack.take(&event(id)).await;
    }
    stack.platforms.webhook.wait_for(2).await.unwrap();
    let answer = stack.admin_post("/api/destinations/hook/off", &json!({ "reason": "audit" })).await;
    assert_eq!((answer.status, &answer.json["switch"]["by"]), (200, &json!("an operator")));
    gate.open();
    stack.platforms.webhook.behave();
    // What was under way is finished.
    stack.outcome("first", "hook", "delivered").await;
    stack.outcome("third", "other", "delivered").await;
    for id in ["second", "third"] {
        let part = stack.outcome(id, "hook", "waiting").await;
        assert_eq!(part["attempts"], json!([]), "{part:#}");
    }
    stack.restart().await;
    assert_eq!(stack.status("hook").await["switch"]["reason"], "audit");
    stack.take(&event("fourth")).await;
    stack.outcome("fourth", "hook", "dropped").await;
    stack.outcome("fourth", "other", "delivered").await;
    assert_eq!(stack.status("hook").await["waiting"], 2);
    assert_eq!(times(&stack.platforms, "/tidegate").len(), 1);

    assert_eq!(stack.admin_post("/api/destinations/hook/on", &json!({})).await.status, 200);
    for id in ["second", "third"] {
        assert_eq!(stack.outcome(id, "hook", "delivered").await["attempts"].as_array().unwrap().len(), 1);
    }
    assert_eq!(times(&stack.platforms, "/tidegate").len(), 3, "what was dropped stays dropped");
}

#[tokio::test]
async fn a_paused_destination_goes_on_gathering_and_is_resumed() {
    let stack = Stack::with(two()).await;
    assert_eq!(stack.admin_post("/api/destinations/hook/pause", &json!({ "by": "anna" })).await.status, 200);
    let switch = stack.status("hook").await["switch"].clone();
    assert_eq!((&switch["position"], &switch["by"]), (&json!("paused"), &json!("anna")));
    for id in ["a", "b"] {
        stack.take(&event(id)).await;
        stack.outcome(id, "other", "delivered").await;
        stack.outcome(id, "hook", "waiting").await;
    }
    assert_eq!(times(&stack.platforms, "/tidegate").len(), 0);
    assert_eq!(stack.admin_post("/api/destinations/hook/resume", &json!({})).await.status, 200);
    for id in ["a", "b"] {
        stack.outcome(id, "hook", "delivered").await;
    }
}

#[tokio::test]
async fn a_switch_outlives_a_reload_and_the_configurations_own_is_told_apart() {
    let stack = Stack::with(two()).await;
    assert_eq!(stack.admin_post("/api/destinations/hook/off", &json!({ "by": "anna" })).await.status, 200);
    let other_off = two().more.replace("name = \"other\"", "name = \"other\"\nenabled = false");
    assert_eq!(stack.reload(&Settings { more: other_off, ..two() }).await.status, 200);
    let by = async |stack: &Client, name: &str| stack.status(name).await["switch"]["by"].clone();
    assert_eq!((by(&stack, "hook").await, by(&stack, "other").await), (json!("anna"), json!("the configuration")));
    stack.take(&event("e")).await;
    let reason = |part: Value| part["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason(stack.outcome("e", "hook", "dropped").await), "the destination was switched off by anna");
    assert_eq!(reason(stack.outcome("e", "other", "dropped").await), "the destination is switched off");
    assert_eq!(stack.admin_post("/api/destinations/hook/on", &json!({})).await.status, 200);
    assert_eq!(stack.reload(&two()).await.status, 200);
    stack.take(&event("f")).await;
    stack.outcome("f", "hook", "delivered").await;
    stack.outcome("f", "other", "delivered").await;
}

#[tokio::test]
async fn what_is_not_there_cannot_be_switched() {
    let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
    let config = Process::configure(&Settings::hook(), &platforms, dir.path());
    let (code, _, stderr) = tidegate(&["destination", "off", "hook"], &config).await;
    assert_eq!(code, Some(66), "there is no store yet: {stderr}");
    let gateway = Process::start(&config).await;
    let (code, _, stderr) = tidegate(&["destination", "off", "hok"], &config).await;
    assert_eq!((code, stderr.as_str()), (Some(66), "error: unknown destination `hok`\nhint: did you mean `hook`?\n"));
    let post = async |path: &str, body: Value| gateway.client.admin_post(path, &body).await;
    let unknown = post("/api/destinations/hok/off", json!({})).await;
    assert_eq!((unknown.status, &unknown.json["hint"]), (404, &json!("did you mean `hook`?")));
    assert_eq!(post("/api/destinations/hook/half", json!({})).await.status, 404);
    assert_eq!(post("/api/destinations/hook/off", json!({ "why": "x" })).await.status, 400);
    assert_eq!(gateway.client.status("hook").await["switch"], json!({ "position": "on" }));
    assert!(gateway.terminate().await.success());
}
