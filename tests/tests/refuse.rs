//! Refusing: what is not taken, with which status, and what the client is told to do about it.

use std::io::Write as _;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_fakes::{Behaviour, Gate};
use tidegate_tests::{API_KEY, Answer, Destinations, HOOK, ORIGIN, Raw, Settings, Stack, WRITE_KEY};
use tokio::task::JoinSet;

async fn collector() -> Stack {
    Stack::with(Settings { destinations: Destinations::None, ..Settings::default() }).await
}

/// A gateway that only collects, with lines in `[limits]`.
async fn limited(limits: &str) -> Stack {
    let limits = limits.to_owned();
    Stack::with(Settings { destinations: Destinations::None, limits, ..Settings::default() }).await
}

fn event() -> Value {
    json!({ "event": "a", "customer_id": "c" })
}

/// The event with a field more.
fn with(name: &str, value: Value) -> Value {
    let mut event = event();
    event[name] = value;
    event
}

fn told(answer: &Answer) -> (u16, &str, &str) {
    let text = |name: &str| answer.json[name].as_str().unwrap_or_default();
    (answer.status, text("error"), text("hint"))
}

#[tokio::test]
async fn a_wrong_field_is_named_with_what_was_expected_and_found() {
    let stack = collector().await;
    let properties = |properties: Value| with("properties", properties);
    let price = json!({ "products": [{ "id": 1 }, { "id": 2, "price": "9.90" }] });
    let cases = [
        (properties(json!({ "revenue": "149.99" })), "properties.revenue", "a number", "the text \"149.99\""),
        (properties(price), "properties.products[1].price", "a number", "the text \"9.90\""),
        (properties(json!({ "items": 3 })), "properties.items", "a list of products", "the number 3"),
        (properties(json!({ "currency": "EURO" })), "properties.currency", "an ISO 4217 code", "EURO"),
        (with("properties", json!([1])), "properties", "an object", "a list of 1"),
        (with("user", json!({ "email": true })), "user.email", "text", "true"),
        (with("custmer_id", json!("c")), "custmer_id", "one of the fields of an event", "an unknown field"),
        (with("timestamp", json!("yesterday")), "timestamp", "a time such as", "yesterday"),
        (with("timestamp", json!(1_768_487_520)), "timestamp", "a time such as", "1768487520"),
        (with("timestamp", json!("1999-12-31T00:00:00Z")), "timestamp", "a time from 2000 to now", "946598400000"),
        (with("timestamp", json!("2999-01-01T00:00:00Z")), "timestamp", "a time from 2000 to now", "ms since 1970"),
        (with("consent", json!("maybe")), "consent", "`none`, `analytics`, `marketing`", "maybe"),
        (with("message_id", json!("x".repeat(129))), "message_id", "at most 128", "longer than 128 bytes"),
        (with("customer_id", json!("c".repeat(257))), "customer_id", "at most 256", "longer"),
        (with("event", json!("")), "event", "the event's name", "empty text"),
        (json!({ "customer_id": "c" }), "event", "the event's name", "nothing"),
        (json!({ "event": "a" }), "customer_id", "somebody", "nobody"),
    ];
    for (body, field, expected, found) in cases {
        let answer = stack.post("/v1/events", &body).await;
        assert_eq!(answer.status, 400, "{body}");
        let error = &answer.json["errors"][0];
        assert_eq!((&answer.json["success"], &error["field"]), (&json!(false), &json!(field)), "{body}");
        let says = |name: &str, part: &str| error[name].as_str().is_some_and(|text| text.contains(part));
        assert!(says("expected", expected) && says("found", found), "{body}: {error:#}");
        assert!(says("message", field), "{error:#}");
    }
}

#[tokio::test]
async fn a_wrong_message_of_segment_is_told_in_segments_words() {
    let stack = collector().await;
    let cases = [
        ("/v1/track", json!({ "userId": "u" }), "event"),
        ("/v1/track", json!({ "userId": "u", "event": "a", "properties": { "revenue": "1" } }), "properties.revenue"),
        ("/v1/identify", json!({ "userId": "u", "traits": "x" }), "traits"),
        ("/v1/track", json!({ "userId": "u", "event": "a", "context": { "consent": 7 } }), "context.consent"),
        ("/v1/batch", json!({ "batch": [{ "userId": "u" }] }), "type"),
        ("/v1/batch", json!({ "batch": [{ "userId": "u", "type": "click" }] }), "type"),
        ("/v1/batch", json!({ "batch": [7] }), ""),
    ];
    for (path, body, field) in cases {
        let answer = stack.post(path, &body).await;
        assert_eq!(
            (answer.status, &answer.json["errors"][0]["field"]),
            (400, &json!(field)),
            "{body}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_body_that_is_no_envelope_is_refused_as_a_whole() {
    let stack = collector().await;
    let cases = [
        ("/v1/events", "", ""),
        ("/v1/events", "{\"event\":", ""),
        ("/v1/events", "\u{feff}{}", ""),
        ("/v1/events", "7", ""),
        ("/v1/events", "{\"events\":{}}", "events"),
        ("/v1/batch", "{}", "batch"),
        ("/v1/batch", "[]", ""),
        ("/v1/track", "[{}]", ""),
    ];
    for (path, body, field) in cases {
        let request = stack.request(Method::POST, path).bearer_auth(API_KEY).body(body);
        let answer = stack.send(request).await.unwrap();
        assert_eq!((answer.status, &answer.json["field"]), (400, &json!(field)), "{body:?}: {}", answer.text);
        assert!(answer.json["error"].as_str().unwrap().contains("expected"), "{}", answer.text);
    }
}

#[tokio::test]
async fn of_a_batch_the_good_ones_are_kept_and_the_bad_ones_told_by_their_index() {
    let stack = Stack::with(Settings::hook()).await;
    let purchase = |id: &str, value: Value| json!({ "event": "purchase", "customer_id": "c", "message_id": id, "properties": { "value": value } });
    let body = json!({ "events": [purchase("a", json!(1)), purchase("b", json!("2")), purchase("c", json!(3)), 4] });
    let answer = stack.post("/v1/events", &body).await;
    assert_eq!((answer.status, &answer.json["success"], &answer.json["accepted"]), (400, &json!(false), &json!(2)));
    let outcomes: Vec<_> = answer.json["events"].as_array().unwrap().iter().map(|event| &event["outcome"]).collect();
    assert_eq!(outcomes, ["accepted", "refused", "accepted", "refused"]);
    let errors = answer.json["errors"].as_array().unwrap();
    assert_eq!((&errors[0]["index"], &errors[0]["id"]), (&json!(1), &json!("b")));
    assert_eq!(errors[0]["message"], "properties.value: expected a number, found the text \"2\"");
    assert_eq!(errors[1]["index"], 3);

    stack.outcome("a", "hook", "delivered").await;
    stack.outcome("c", "hook", "delivered").await;
    let refused = stack.trace("b").await;
    assert_eq!((&refused["outcome"], &refused["destinations"]), (&json!("refused"), &json!([])));
    assert!(refused["reason"].as_str().unwrap().contains("properties.value"), "{refused:#}");

    let mended = stack.post("/v1/events", &purchase("b", json!(2))).await;
    assert_eq!(mended.json["events"][0]["outcome"], "accepted", "it may come again, mended");
    stack.outcome("b", "hook", "delivered").await;
    assert_eq!(stack.platforms.webhook.requests_count(), 3);
}

#[tokio::test]
async fn a_request_without_a_key_or_with_an_unknown_one_is_401() {
    let stack = collector().await;
    let post = || stack.request(Method::POST, "/v1/events").body(event().to_string());
    let answer = stack.send(post()).await.unwrap();
    assert_eq!((told(&answer).0, told(&answer).1), (401, "no write key"));
    for request in [post().bearer_auth("wrong"), post().header("x-write-key", "demo-write-kez")] {
        let answer = stack.send(request).await.unwrap();
        assert_eq!((told(&answer).0, told(&answer).1), (401, "unknown write key"));
        assert!(told(&answer).2.contains("write_keys"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_is_403_and_nothing_of_it_is_stored() {
    let stack = collector().await;
    let request = stack.request(Method::POST, "/v1/events").header("x-write-key", WRITE_KEY);
    let body = with("message_id", json!("foreign"));
    let answer = stack.send(request.header("origin", "https://evil.example").body(body.to_string())).await.unwrap();
    assert_eq!((told(&answer).0, told(&answer).2), (403, "add it to `origins` of the site"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(stack.admin("/api/events/foreign").await.status, 404);
}

#[tokio::test]
async fn other_paths_are_404_and_other_methods_405() {
    let stack = collector().await;
    for path in ["/", "/v1", "/v1/event", "/v1/events/", "/V1/EVENTS", "/v1/%65vents", "/favicon.ico"] {
        let answer = stack.post(path, &event()).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json["hint"], "events go to POST /v1/events");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD, Method::PATCH] {
        let answer = stack.send(stack.request(method.clone(), "/v1/events")).await.unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, OPTIONS")), "{method}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_packed_or_not() {
    let stack = limited("body_bytes_max = 4096\nbody_inflated_bytes_max = 65536\n").await;
    let send = async |body: Vec<u8>| {
        let request = stack.request(Method::POST, "/v1/events").bearer_auth(API_KEY).body(body);
        let answer = stack.send(request).await.unwrap();
        (answer.status, answer.json["error"].as_str().unwrap_or_default().to_owned())
    };
    let padded = |bytes: usize| format!("{}{}", event(), " ".repeat(bytes - event().to_string().len())).into_bytes();
    assert_eq!(send(padded(4096)).await.0, 200);
    assert_eq!(send(padded(4097)).await, (413, "the body has more than 4096 bytes".into()));
    let gzip = |bytes: usize| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&padded(bytes)).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(send(gzip(65_536)).await.0, 200);
    let bomb = gzip(2_000_000);
    assert!(bomb.len() < 4096);
    assert_eq!(send(bomb).await, (413, "the body has more than 65536 bytes when decompressed".into()));
}

#[tokio::test]
async fn too_many_events_or_one_that_is_too_large_are_413_and_nothing_is_taken() {
    let stack = limited("batch_events_max = 3\nevent_bytes_max = 1024\n").await;
    let named = |id: &str| with("message_id", json!(id));
    let four = json!({ "events": [named("a"), named("b"), named("c"), named("d")] });
    let answer = stack.post("/v1/events", &four).await;
    assert_eq!((told(&answer).0, told(&answer).1), (413, "the body has 4 events; 3 are allowed"));
    let large = with("properties", json!({ "text": "x".repeat(1000) }));
    let answer = stack.post("/v1/events", &json!({ "events": [named("a"), large] })).await;
    assert_eq!((told(&answer).0, told(&answer).1), (413, "event 1 has more than 1024 bytes"));
    assert_eq!(stack.admin("/api/events/a").await.status, 404);
}

#[tokio::test]
async fn a_key_that_comes_too_often_is_429_and_the_others_are_not() {
    let stack = limited("requests_per_second = 2\n").await;
    let throttled = async {
        loop {
            let answer = stack.post("/v1/events", &event()).await;
            if answer.status != 200 {
                break answer;
            }
        }
    };
    let answer = tokio::time::timeout(tidegate_tests::PATIENCE, throttled).await.unwrap();
    assert_eq!((told(&answer).0, told(&answer).1), (429, "too many requests with this key"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(stack.post_from_page(&event(), "").await.status, 200, "the write key has its own allowance");
}

#[tokio::test]
async fn more_requests_at_once_than_allowed_are_503_until_one_has_ended() {
    let stack = limited("in_flight_max = 1\n").await;
    let body = event().to_string();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nx-write-key: {API_KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut slow = Raw::connect(stack.http).await;
    slow.send(head).await;
    let refused = async {
        loop {
            let answer = stack.post("/v1/events", &event()).await;
            if answer.status != 200 {
                break answer;
            }
        }
    };
    let answer = tokio::time::timeout(tidegate_tests::PATIENCE, refused).await.unwrap();
    assert_eq!((told(&answer).0, told(&answer).1), (503, "too many requests are under way"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    slow.send(body).await;
    let said = slow.read_answer().await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert_eq!(stack.post("/v1/events", &event()).await.status, 200);
}

#[tokio::test]
async fn a_full_queue_is_503_and_what_it_took_is_delivered() {
    let stack = Stack::with(Settings { store: "waiting_max = 1\n".into(), ..Settings::hook() }).await;
    let gate = Gate::shut();
    stack.platforms.webhook.next([Behaviour::held(&gate)]);
    let taken = stack.take(&event()).await;
    let answer = stack.post("/v1/events", &with("message_id", json!("too-many"))).await;
    assert_eq!((told(&answer).0, told(&answer).1), (503, "the events could not be stored: the queue is full"));
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(stack.admin("/api/events/too-many").await.status, 404, "it was not acknowledged");
    assert_eq!(stack.admin("/readyz").await.status, 503);
    gate.open();
    stack.outcome(&taken, "hook", "delivered").await;
    let again = stack.take(&with("message_id", json!("too-many"))).await;
    stack.outcome(&again, "hook", "delivered").await;
    assert_eq!(stack.admin("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_full_destination_refuses_the_whole_event_and_is_named() {
    let more = format!("{HOOK}waiting_max = 1\n");
    let stack = Stack::with(Settings { more, ..Settings::hook() }).await;
    let gate = Gate::shut();
    stack.platforms.webhook.next([Behaviour::held(&gate)]);
    let taken = stack.take(&event()).await;
    let answer = stack.post("/v1/events", &with("message_id", json!("too-many"))).await;
    assert_eq!(
        (told(&answer).0, told(&answer).1),
        (503, "the events could not be stored: the queue of `hook` is full")
    );
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(stack.admin("/api/events/too-many").await.status, 404, "it was not acknowledged");
    gate.open();
    stack.outcome(&taken, "hook", "delivered").await;
    let again = stack.take(&with("message_id", json!("too-many"))).await;
    stack.outcome(&again, "hook", "delivered").await;
}

#[tokio::test]
async fn a_full_destination_may_cost_only_itself_the_event() {
    let second = HOOK.replace("name = \"hook\"", "name = \"second\"");
    let more = format!("{HOOK}waiting_max = 1\nwhen_full = \"dead-letter\"\n{second}");
    let stack = Stack::with(Settings { more, ..Settings::hook() }).await;
    let gate = Gate::shut();
    stack.platforms.webhook.always(Behaviour::held(&gate));
    let first = stack.take(&event()).await;
    let taken = stack.take(&with("message_id", json!("too-many"))).await;
    let part = stack.outcome(&taken, "hook", "dead").await;
    assert!(part["reason"].as_str().unwrap().contains("full"), "{part:#}");
    gate.open();
    stack.outcome(&first, "hook", "delivered").await;
    stack.outcome(&taken, "second", "delivered").await;
    let replayed = stack.admin_post("/api/dead-letters/replay", &json!({ "all": true })).await;
    assert_eq!(replayed.json["replayed"], 1);
    stack.outcome(&taken, "hook", "delivered").await;
}

#[tokio::test]
async fn what_waits_for_a_slow_store_is_bounded_and_the_rest_is_503_at_once() {
    let stack = Arc::new(limited("pending_bytes_max = 1024\n").await);
    let store = rusqlite::Connection::open(stack.dir.path().join("tidegate.db")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut posts = JoinSet::new();
    for id in ["a", "b", "c"] {
        let stack = Arc::clone(&stack);
        posts.spawn(async move { stack.post("/v1/events", &with("message_id", json!(id))).await });
    }
    for _ in 0..2 {
        let answer = posts.join_next().await.unwrap().unwrap();
        let busy = "the events could not be stored: the store is busy or away";
        assert_eq!((told(&answer).0, told(&answer).1, answer.header("retry-after")), (503, busy, Some("5")));
    }
    store.execute_batch("ROLLBACK").unwrap();
    let answer = posts.join_next().await.unwrap().unwrap();
    assert_eq!(answer.status, 200, "what waited is stored: {}", answer.text);
    assert_eq!(stack.post("/v1/events", &event()).await.status, 200);
}

#[tokio::test]
async fn a_store_that_is_locked_for_long_is_said_by_collecting_and_by_health() {
    let stack = collector().await;
    let store = rusqlite::Connection::open(stack.dir.path().join("tidegate.db")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = stack.post("/v1/events", &with("message_id", json!("later"))).await;
    assert_eq!(told(&answer).0, 503);
    let ready = stack.admin("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.json["error"].as_str().unwrap().contains("locked"), "{}", ready.text);
    let status = stack.admin("/api/status").await.json;
    assert!(status["store"]["trouble"].as_str().unwrap().contains("locked"), "{status:#}");
    store.execute_batch("ROLLBACK").unwrap();
    let again = stack.take(&with("message_id", json!("later"))).await;
    assert_eq!(stack.trace(&again).await["id"], "later");
    assert_eq!(stack.admin("/readyz").await.status, 200);
    assert_eq!(stack.admin("/api/status").await.json["store"]["trouble"], json!(null));
}

#[tokio::test]
async fn an_origin_is_compared_whole() {
    let stack = collector().await;
    for (origin, status) in [(ORIGIN, 200), ("https://WWW.shop.example", 200), ("https://www.shop.example:444", 403)] {
        let request = stack.request(Method::POST, "/v1/events").header("x-write-key", WRITE_KEY);
        let answer = stack.send(request.header("origin", origin).body(event().to_string())).await.unwrap();
        assert_eq!(answer.status, status, "{origin}");
    }
}
