//! Collecting: every route, every way to give a key, what counts once, and what a page's browser is told.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tidegate_tests::{API_KEY, Answer, Destinations, ORIGIN, Settings, Stack, WRITE_KEY};

/// A gateway that only collects.
async fn collector() -> Stack {
    Stack::with(Settings { consent_default: "marketing", destinations: Destinations::None, ..Settings::default() })
        .await
}

/// The least event.
fn event(name: &str) -> Value {
    json!({ "event": name, "customer_id": "cust_12345" })
}

fn assert_taken(answer: &Answer, count: usize) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json["success"], true, "{}", answer.text);
    assert_eq!(answer.json["accepted"], count, "{}", answer.text);
}

#[tokio::test]
async fn every_route_of_segment_takes_its_kind_under_a_long_and_a_short_name() {
    let stack = collector().await;
    let page = json!({ "userId": "u", "properties": { "url": "https://www.shop.example/lamps" } });
    let calls = [
        ("track", "t", json!({ "userId": "u", "event": "Order Completed" }), "purchase"),
        ("page", "p", page, "page_view"),
        ("screen", "s", json!({ "userId": "u", "name": "Start" }), "screen_view"),
        ("identify", "i", json!({ "userId": "u", "traits": { "email": "ada@example.com" } }), "identify"),
        ("group", "g", json!({ "userId": "u", "groupId": "lamps" }), "group"),
        ("alias", "a", json!({ "userId": "u", "previousId": "v" }), "alias"),
    ];
    for (kind, short, message, name) in calls {
        for route in [kind, short] {
            let answer = stack.post(&format!("/v1/{route}"), &message).await;
            assert_taken(&answer, 1);
            // The answer follows the commit: the trace is there at once.
            let trace = stack.trace(&answer.event_id(0)).await;
            assert_eq!(trace["event"]["kind"], kind, "{route}: {trace:#}");
            assert_eq!(trace["event"]["name"], name, "{route}");
        }
    }
}

#[tokio::test]
async fn a_batch_of_segment_takes_every_kind_with_what_the_batch_says_of_all() {
    let stack = collector().await;
    let batch = json!({
        "context": { "locale": "de-AT" },
        "batch": [
            { "type": "identify", "userId": "u", "traits": { "email": "ada@example.com" } },
            { "type": "page", "userId": "u", "properties": { "url": "https://www.shop.example/" } },
            { "type": "track", "userId": "u", "event": "Product Added", "properties": { "product_id": 7, "price": 2.5 } },
        ],
    });
    for route in ["batch", "b", "import"] {
        let answer = stack.post(&format!("/v1/{route}"), &batch).await;
        assert_taken(&answer, 3);
        let trace = stack.trace(&answer.event_id(2)).await;
        assert_eq!(trace["event"]["name"], "add_to_cart");
        assert_eq!(trace["event"]["items"][0]["id"], "7");
        assert_eq!(trace["event"]["client"]["locale"], "de-AT");
    }
}

#[tokio::test]
async fn our_own_route_takes_one_event_or_several() {
    let stack = collector().await;
    assert_taken(&stack.post("/v1/events", &event("a")).await, 1);
    assert_taken(&stack.post("/v1/events", &json!({ "events": [event("a"), event("b")] })).await, 2);
    assert_taken(&stack.post("/v1/events", &json!([event("a"), event("b"), event("c")])).await, 3);
    assert_taken(&stack.post("/v1/events", &json!({ "events": [] })).await, 0);
}

#[tokio::test]
async fn the_least_event_is_understood_as_it_was_meant() {
    let stack = collector().await;
    let least = json!({
        "event": "purchase_completed",
        "timestamp": "2026-01-15T14:32:00Z",
        "customer_id": "cust_12345",
        "properties": { "order_value": 149.99, "currency": "EUR" },
    });
    let trace = stack.trace(&stack.take(&least).await).await;
    let event = &trace["event"];
    assert_eq!((&event["name"], &event["name_sent"]), (&json!("purchase"), &json!("purchase_completed")));
    assert_eq!(event["at_ms"], 1_768_487_520_000_u64);
    assert_eq!(event["user_id"], "cust_12345");
    assert_eq!((&event["value"], &event["currency"]), (&json!(149.99), &json!("EUR")));
    assert_eq!(trace["outcome"], "dropped", "nobody listens");
    assert_eq!(trace["reason"], "no destination");
}

#[tokio::test]
async fn a_key_is_taken_wherever_clients_put_it() {
    let stack = collector().await;
    let post = |path: &str| stack.request(Method::POST, path);
    let body = event("a").to_string();
    let with_key = |name: &str, key: &str| {
        let mut event = event("a");
        event[name] = json!(key);
        event.to_string()
    };
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{WRITE_KEY}:")));
    let ways = [
        post("/v1/events").header("authorization", basic).body(body.clone()),
        post("/v1/events").bearer_auth(WRITE_KEY).body(body.clone()),
        post("/v1/events").bearer_auth(API_KEY).body(body.clone()),
        post("/v1/events").header("x-write-key", WRITE_KEY).body(body.clone()),
        post("/v1/events").body(with_key("writeKey", WRITE_KEY)),
        post("/v1/events").body(with_key("write_key", API_KEY)),
        post(&format!("/v1/events?writeKey={WRITE_KEY}")).body(body.clone()),
        post("/v1/events?a=b&write_key=demo%2Dwrite-key").body(body),
    ];
    for way in ways {
        assert_taken(&stack.send(way).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn gzip_is_known_by_its_bytes_whatever_the_label_says() {
    let stack = collector().await;
    let plain = event("a").to_string().into_bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let labels = [("content-encoding", "gzip"), ("content-type", "application/x-www-form-urlencoded")];
    for (label, value) in labels {
        for body in [&plain, &gzip] {
            let request = stack.request(Method::POST, "/v1/events").bearer_auth(API_KEY).header(label, value);
            assert_taken(&stack.send(request.body(body.clone())).await.unwrap(), 1);
        }
    }
}

#[tokio::test]
async fn an_event_that_comes_again_under_its_message_id_is_delivered_once() {
    let stack = Stack::with(Settings::hook()).await;
    let order = json!({ "type": "track", "event": "Order Completed", "userId": "u", "messageId": "order-1" });
    let batch = json!({ "batch": [order, { "type": "page", "userId": "u", "messageId": "page-1" }] });
    let first = stack.post("/v1/track", &order).await;
    assert_eq!(first.json["events"], json!([{ "id": "order-1", "outcome": "accepted" }]));
    let again = stack.post("/v1/batch", &batch).await;
    assert_eq!(again.status, 200);
    assert_eq!((&again.json["accepted"], &again.json["duplicates"]), (&json!(1), &json!(1)));
    assert_eq!(again.json["events"][0], json!({ "id": "order-1", "outcome": "duplicate" }));

    let trace = stack.trace_until("page-1", |trace| trace["outcome"] == "delivered").await;
    assert_eq!(trace["duplicates"], 0);
    let trace = stack.trace_until("order-1", |trace| trace["outcome"] == "delivered").await;
    assert_eq!(trace["duplicates"], 1);
    let mut ids: Vec<_> = stack.platforms.webhook.events().iter().map(|event| event["data"]["id"].clone()).collect();
    ids.sort_by_key(ToString::to_string);
    assert_eq!(ids, ["order-1", "page-1"]);
}

#[tokio::test]
async fn a_request_that_comes_again_under_its_idempotency_key_counts_once() {
    let stack = collector().await;
    let send = async |key: &str, body: Value| {
        let request = stack.request(Method::POST, "/v1/events").bearer_auth(API_KEY);
        stack.send(request.header("idempotency-key", key).body(body.to_string())).await.unwrap()
    };
    assert_eq!(send("k1", event("a")).await.json["events"], json!([{ "id": "k1", "outcome": "accepted" }]));
    assert_eq!(send("k1", event("a")).await.json["events"], json!([{ "id": "k1", "outcome": "duplicate" }]));
    let two = json!({ "events": [event("a"), event("b")] });
    assert_taken(&send("k2", two.clone()).await, 2);
    let again = send("k2", two).await;
    assert_eq!((&again.json["accepted"], &again.json["duplicates"]), (&json!(0), &json!(2)));
    let long = "k".repeat(500);
    assert_eq!(send(&long, event("a")).await.json["events"][0]["outcome"], "accepted");
    assert_eq!(send(&long, event("a")).await.json["events"][0]["outcome"], "duplicate");
    assert_eq!(send(&format!("{long}2"), event("a")).await.json["events"][0]["outcome"], "accepted");
    let own = json!({ "event": "a", "customer_id": "c", "message_id": "own" });
    assert_eq!(send("k1", own).await.json["events"], json!([{ "id": "own", "outcome": "accepted" }]));
}

#[tokio::test]
async fn the_same_event_of_many_connections_at_once_is_delivered_once() {
    let stack = Stack::with(Settings::hook()).await;
    let order = json!({ "event": "purchase", "customer_id": "c", "message_id": "order-1" });
    let posts = (0..8).map(|_| {
        let (client, order) = ((*stack).clone(), order.clone());
        async move { client.post("/v1/events", &order).await.json["accepted"].as_u64().unwrap() }
    });
    let mut tasks = tokio::task::JoinSet::new();
    posts.for_each(|post| drop(tasks.spawn(post)));
    assert_eq!(tasks.join_all().await.iter().sum::<u64>(), 1);
    let trace = stack.trace_until("order-1", |trace| trace["outcome"] == "delivered").await;
    assert_eq!(trace["duplicates"], 7);
    assert_eq!(trace["destinations"][0]["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(stack.platforms.webhook.requests_count(), 1);
}

/// A preflight of a page of `origin`.
async fn preflight(stack: &Stack, origin: &str) -> Answer {
    let request = stack.request(Method::OPTIONS, "/v1/batch").header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    stack.send(request.header("access-control-request-headers", "authorization,content-type")).await.unwrap()
}

#[tokio::test]
async fn an_allowed_origins_preflight_is_granted_what_it_asks_for() {
    let stack = collector().await;
    let answer = preflight(&stack, ORIGIN).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,content-type"));
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    assert_eq!(answer.header("vary"), Some("origin"));
}

#[tokio::test]
async fn a_foreign_origins_preflight_is_granted_nothing() {
    let stack = collector().await;
    for origin in ["https://evil.example", "null", "https://www.shop.example.evil.example", "http://www.shop.example"] {
        let answer = preflight(&stack, origin).await;
        assert_eq!(answer.header("vary"), Some("origin"), "{origin}");
        let granted = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-"));
        assert_eq!(granted.count(), 0, "{origin}");
    }
}

#[tokio::test]
async fn a_page_may_read_its_answer_whether_it_is_good_or_bad() {
    let stack = collector().await;
    let good = stack.post_from_page(&event("a"), "").await;
    let bad = stack.post_from_page(&json!({ "event": "" }), "").await;
    assert_eq!((good.status, bad.status), (200, 400));
    for answer in [good, bad] {
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("vary"), Some("origin"));
    }
}
