//! Events at the edge of what is allowed: deep, large, oddly named, all at once. They are taken, and reach everybody.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::{Value, json};
use tidegate_tests::{API_KEY, Settings, Stack};

/// A purchase that all three platforms take.
fn purchase(id: &str, more: Value) -> Value {
    let mut properties = json!({ "order_id": "A-1", "value": 12.5, "currency": "EUR" });
    properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "event": "purchase",
        "message_id": id,
        "anonymous_id": "browser-1",
        "user": { "email": "ada@example.com" },
        "properties": properties,
    })
}

/// Sends the purchase, and sees that every destination delivers it, without a problem of any platform.
async fn reaches_everybody(purchase: &Value) {
    let stack = Stack::with(Settings::marketing()).await;
    let id = stack.take(purchase).await;
    for destination in ["meta", "ga4", "hook"] {
        stack.trace_until(&id, |trace| trace["outcome"] != "waiting").await;
        let trace = stack.trace(&id).await;
        let part = trace["destinations"].as_array().unwrap().iter().find(|part| part["name"] == destination).unwrap();
        assert_eq!(part["outcome"], "delivered", "{destination}: {}", part["reason"]);
    }
    for fake in [&stack.platforms.meta, &stack.platforms.ga4, &stack.platforms.webhook] {
        assert_eq!(fake.problems(), Vec::<String>::new(), "{}", fake.name());
    }
}

#[tokio::test]
async fn a_property_of_a_hundred_levels_reaches_everybody() {
    let deep = |open: &str, close: &str| -> Value {
        let levels = 100;
        serde_json::from_str(&format!("{}1{}", open.repeat(levels), close.repeat(levels))).unwrap()
    };
    reaches_everybody(&purchase("deep", json!({ "lists": deep("[", "]"), "objects": deep("{\"a\":", "}") }))).await;
}

#[tokio::test]
async fn an_event_of_the_largest_size_reaches_everybody() {
    let items: Vec<Value> = (0..150)
        .map(|n| json!({ "id": format!("SKU-{n}"), "name": "Lamp".repeat(10), "price": 9.99, "quantity": n + 1, "size": "M" }))
        .collect();
    let mut large = purchase("large", json!({ "items": items, "text": "" }));
    let room = (32 << 10) - large.to_string().len();
    large["properties"]["text"] = json!("x".repeat(room));
    assert_eq!(large.to_string().len(), 32 << 10);
    reaches_everybody(&large).await;
}

#[tokio::test]
async fn text_of_any_language_and_any_control_character_reaches_everybody() {
    let odd = json!({
        "coupon": "Grüße 你好 🛒 \u{202e}rtl\u{0}nul\u{1b}[31m\u{7f}\u{feff}",
        "quote\"d": "\\\"</script>",
        "": "no name",
        "a.b": "dot",
    });
    let mut odd = purchase("odd", odd);
    odd["page"] = json!({ "title": "Lämp\u{2028}s", "url": "https://www.shop.example/l%C3%A4mps?q=ä&x=\"<>" });
    reaches_everybody(&odd).await;
}

#[tokio::test]
async fn numbers_at_the_edge_reach_everybody() {
    let numbers = json!({
        "huge": 1.7e308, "tiny": 5e-324, "whole": 18_446_744_073_709_551_615_u64, "negative": -9_223_372_036_854_775_808_i64,
        "third": 0.1, "items": [{ "id": 0, "price": 0, "quantity": 1 }],
    });
    reaches_everybody(&purchase("numbers", numbers)).await;
}

#[tokio::test]
async fn an_id_that_is_no_header_is_traced_and_signed_all_the_same() {
    let stack = Stack::with(Settings::hook()).await;
    for (id, path) in [("a/b ü", "a%2Fb%20%C3%BC"), ("..", "%2E%2E"), ("a.b", "a.b"), ("100%", "100%25")] {
        let taken = stack.take(&json!({ "event": "a", "customer_id": "c", "message_id": id })).await;
        assert_eq!(taken, id);
        if id == ".." {
            continue;
        }
        let trace = stack.trace_until(path, |trace| trace["outcome"] == "delivered").await;
        assert_eq!(trace["id"], id);
    }
    stack.platforms.webhook.wait_for_events(4).await.unwrap();
    assert_eq!(stack.platforms.webhook.problems(), Vec::<String>::new());
    for request in stack.platforms.webhook.requests() {
        let signed = request.header("webhook-id").unwrap();
        assert!(signed.starts_with("msg_") || signed == "100%", "{signed}");
        assert_eq!(request.json.as_ref().unwrap()["data"]["id"].as_str().map(str::is_empty), Some(false));
    }
}

#[tokio::test]
async fn of_two_events_with_one_id_in_a_request_the_first_counts() {
    let stack = Stack::with(Settings::hook()).await;
    let event = |name: &str| json!({ "event": name, "customer_id": "c", "message_id": "twice" });
    let answer = stack.post("/v1/events", &json!({ "events": [event("first"), event("second")] })).await;
    assert_eq!((&answer.json["accepted"], &answer.json["duplicates"]), (&json!(1), &json!(1)));
    assert_eq!(answer.json["events"][0]["outcome"], "accepted");
    let trace = stack.trace_until("twice", |trace| trace["outcome"] == "delivered").await;
    assert_eq!((&trace["name"], &trace["duplicates"]), (&json!("first"), &json!(1)));
    assert_eq!(stack.platforms.webhook.requests_count(), 1);
}

#[tokio::test]
async fn a_thousand_events_of_one_request_are_taken_and_delivered() {
    let stack = Stack::with(Settings::marketing()).await;
    let events: Vec<_> = (0..1000).map(|n| purchase(&format!("e{n}"), json!({}))).collect();
    let events: Vec<_> = events.iter().map(|event| json!({ "event": "search", "message_id": event["message_id"], "user": event["user"], "anonymous_id": "b" })).collect();
    let answer = stack.post("/v1/events", &json!({ "events": events })).await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(1000)), "{}", &answer.text[..200]);
    stack.platforms.meta.wait_for_events(1000).await.unwrap();
    stack.platforms.ga4.wait_for_events(1000).await.unwrap();
    stack.platforms.webhook.wait_for_events(1000).await.unwrap();
    assert!(stack.platforms.meta.requests_count() <= 3, "{}", stack.platforms.meta.requests_count());
    assert!(stack.platforms.ga4.requests_count() <= 45, "{}", stack.platforms.ga4.requests_count());
}

#[tokio::test]
async fn http_2_without_tls_is_spoken_too() {
    let stack = Stack::with(Settings::hook()).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let body = json!({ "event": "a", "customer_id": "c", "message_id": "e" }).to_string();
    let request = client.post(format!("http://{}/v1/events", stack.http)).bearer_auth(API_KEY).body(body);
    let answer = request.send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    stack.outcome("e", "hook", "delivered").await;
}
