//! A plugin that shares an instance among the events of one request: what it carries along goes that far and no further.

use serde_json::{Value, json};
use tidegate_tests::plugin::{self, MANIFEST, Parts};
use tidegate_tests::{Destinations, Settings, Stack};

/// A `transform` whose one request has a body of one byte: which call of its instance this is. It traps on an id that
/// begins with `x`.
const COUNTING: &str = r#"
    (if (i32.eq (i32.load8_u (i32.load (local.get $in))) (i32.const 120)) (then unreachable))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (local.set $body (call $alloc (i32.const 8)))
    (i32.store8 (local.get $body) (i32.add (i32.const 48) (global.get $calls)))
    (local.set $out (call $alloc (i32.const 256)))
    (i32.store offset=4 (local.get $out) (i32.add (local.get $out) (i32.const 16)))
    (i32.store offset=8 (local.get $out) (i32.const 1))
    (i32.store offset=16 (local.get $out) (i32.const 8))
    (i32.store offset=20 (local.get $out) (i32.const 6))
    (i32.store offset=48 (local.get $out) (local.get $body))
    (i32.store offset=52 (local.get $out) (i32.const 1))
    (local.get $out)"#;

fn counting(manifest: &str) -> Vec<u8> {
    Parts { transform: COUNTING, extra: "(global $calls (mut i32) (i32.const 0))", manifest, ..Parts::default() }
        .build()
}

/// Two destinations of one plugin that shares, and one that does not.
async fn stack() -> Stack {
    let shared = counting(&format!("{MANIFEST}instance = \"per-batch\"\n"));
    let more = [("one", "shared.wasm"), ("other", "shared.wasm"), ("alone", "alone.wasm")];
    Stack::with(Settings {
        consent_default: "marketing",
        destinations: Destinations::None,
        more: more.map(|(name, file)| plugin::destination(name, file)).concat(),
        files: vec![("shared.wasm", shared), ("alone.wasm", counting(MANIFEST))],
        ..Settings::default()
    })
    .await
}

async fn post(stack: &Stack, ids: &[&str]) {
    let events: Vec<Value> =
        ids.iter().map(|id| json!({ "event": "a", "customer_id": "c", "message_id": id })).collect();
    let answer = stack.post("/v1/events", &json!({ "events": events })).await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(ids.len())), "{}", answer.text);
}

/// Which calls of their instances the events were, at one destination.
async fn calls(stack: &Stack, destination: &str, ids: &[&str]) -> Vec<String> {
    let mut calls = Vec::new();
    for id in ids {
        let part = stack.outcome(id, destination, "delivered").await;
        calls.push(part["deliveries"][0]["request"]["body"].to_string());
    }
    calls
}

#[tokio::test]
async fn state_passes_neither_between_requests_nor_between_destinations() {
    let stack = stack().await;
    post(&stack, &["a1", "a2", "a3"]).await;
    post(&stack, &["b1", "b2"]).await;
    let counted = calls(&stack, "one", &["a1", "a2", "a3", "b1", "b2"]).await;
    let [first, second, third] = [0, 1, 2].map(|at| counted[at].clone());
    assert!(first != second && second != third && third != first, "{counted:?}");
    assert_eq!(counted[3..], [first.clone(), second.clone()], "the next request begins anew");
    assert_eq!(calls(&stack, "other", &["a1", "a2", "a3", "b1", "b2"]).await, counted, "each destination counts alone");
    let alone = calls(&stack, "alone", &["a1", "a2", "a3", "b1", "b2"]).await;
    assert!(alone.iter().all(|call| *call == first), "{alone:?}");
}

#[tokio::test]
async fn what_traps_costs_itself_and_the_next_event_begins_anew() {
    let stack = stack().await;
    post(&stack, &["a1", "a2", "x", "a3"]).await;
    let counted = calls(&stack, "one", &["a1", "a2", "a3"]).await;
    assert_eq!(counted[2], counted[0], "{counted:?}");
    assert_ne!(counted[1], counted[0], "{counted:?}");
    let part = stack.outcome("x", "one", "dead").await;
    assert!(part["reason"].as_str().unwrap().starts_with("transform failed: crashed"), "{part:#}");
}

#[tokio::test]
async fn events_of_another_consent_have_an_instance_of_their_own() {
    let stack = stack().await;
    let consents = [("a1", "marketing"), ("b1", "analytics"), ("a2", "marketing"), ("b2", "analytics")];
    let events =
        consents.map(|(id, consent)| json!({ "event": "a", "customer_id": "c", "message_id": id, "consent": consent }));
    let answer = stack.post("/v1/events", &json!({ "events": events })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let counted = calls(&stack, "one", &["a1", "b1", "a2", "b2"]).await;
    assert_eq!((&counted[0], &counted[2]), (&counted[1], &counted[3]), "each consent counts alone");
    assert_ne!(counted[0], counted[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_finds_room_at_a_heavy_plugin() {
    // A table as large as an interpreter's makes it heavy.
    let heavy = Parts { extra: "(table 5000 funcref)", ..Parts::default() }.build();
    let stack = Stack::with(Settings {
        consent_default: "marketing",
        destinations: Destinations::None,
        more: plugin::destination("heavy", "heavy.wasm"),
        files: vec![("heavy.wasm", heavy)],
        ..Settings::default()
    })
    .await;
    let mut posts = tokio::task::JoinSet::new();
    for n in 0..150 {
        let client = (*stack).clone();
        let event = json!({ "event": "a", "customer_id": "c", "message_id": format!("e{n}") });
        posts.spawn(async move { client.post("/v1/events", &event).await.status });
    }
    while let Some(status) = posts.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    stack.status_until("heavy", |status| status["waiting"] == 0).await;
    assert_eq!(stack.dead_letters("heavy").await, Vec::<Value>::new());
    assert_eq!(stack.platforms.webhook.requests_count(), 150);
}
