//! What the platforms receive, compared whole, with their own published examples of digests inside.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tidegate::clock::{Clock as _, SystemClock};
use tidegate_fakes::{Fake, Received};
use tidegate_tests::{ORIGIN, Settings, Stack, WRITE_KEY};

// Meta, "Customer Information Parameters": the input's form as documented, and the digest.
const JOHN_SMITH: &str = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";
const US_PHONE: &str = "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176";
const MARY: &str = "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec";
const VALERY: &str = "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c";
// Google, "Send user-provided data with User-ID using the Measurement Protocol".
const JEFFERSON: &str = "515d2f967f73864e76937ab2b897210a86fd286016903b1b08c3da07c75f513e";
const GOOGLE_PHONE: &str = "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30";

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) Tests/1.0";
const COOKIES: &str =
    "_ga=GA1.1.1098115397.1768000000; _ga_TIDEGATE00=GS2.1.s1768487000$o3$g1; _fbp=fb.1.1768000000123.77";

/// A full second a minute ago, in Unix milliseconds.
fn a_minute_ago() -> u64 {
    (SystemClock.now_ms() - 60_000) / 1000 * 1000
}

/// A purchase with everything that a page can say of it.
fn purchase(at_ms: u64, user: Value) -> Value {
    json!({
        "event": "Order Completed",
        "message_id": "order-A-1001",
        "timestamp": at_ms,
        "customer_id": "cust_12345",
        "user": user,
        "page": { "url": "https://www.shop.example/thanks?order=A-1001", "title": "Thank you" },
        "clicks": { "fbclid": "IwAR_AbC-9" },
        "session": { "id": "1768487000", "number": 3, "engagement_ms": 4200 },
        "properties": {
            "order_id": "A-1001",
            "revenue": 149.99,
            "currency": "eur",
            "coupon": "WINTER",
            "shipping": 4.9,
            "products": [
                { "product_id": "SKU-1", "name": "Lamp", "price": 99.99, "quantity": 1, "brand": "Lumen", "size": "M" },
                { "product_id": "SKU-2", "price": 25, "quantity": 2 },
            ],
        },
    })
}

/// Sends a purchase from a page, and waits until everybody has it; gives when it was received.
async fn buy(stack: &Stack, body: &Value) -> u64 {
    let answer = stack.post_from_page(body, COOKIES).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let trace = stack.trace_until("order-A-1001", |trace| trace["outcome"] == "delivered").await;
    trace["received_ms"].as_u64().unwrap()
}

/// The one request that a fake received, without problems.
fn only(fake: &Fake) -> Arc<Received> {
    assert_eq!(fake.problems(), Vec::<String>::new());
    let requests = fake.requests();
    assert_eq!(requests.len(), 1, "{requests:#?}");
    requests[0].clone()
}

fn query(request: &Received) -> Vec<(&str, &str)> {
    request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn iso(ms: u64) -> String {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(ms).unwrap()).unwrap();
    format!("{at:.3}")
}

#[tokio::test]
async fn a_full_purchase_reaches_meta_with_every_match_key() {
    let stack = Stack::with(Settings::marketing()).await;
    let user = json!({
        "email": " John_Smith@gmail.com ", "phone": "US (650)555-1212", "first_name": "Mary", "last_name": "Valéry",
    });
    let at_ms = a_minute_ago();
    let received_ms = buy(&stack, &purchase(at_ms, user)).await;
    let request = only(&stack.platforms.meta);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v26.0/123456789012345/events"));
    assert_eq!(query(&request), [("access_token", "EAAB-test-token")]);
    assert_eq!(request.header("content-type"), Some("application/json"));
    let expected = json!({
        "data": [{
            "event_name": "Purchase",
            "event_time": at_ms / 1000,
            "event_id": "order-A-1001",
            "action_source": "website",
            "event_source_url": "https://www.shop.example/thanks?order=A-1001",
            "user_data": {
                "em": [JOHN_SMITH],
                "ph": [US_PHONE],
                "fn": [MARY],
                "ln": [VALERY],
                "external_id": ["e5d8e81e7d9583c7b0df71358c3fded8e6c7f2c962326359d16bb98f124c39f4"],
                "client_ip_address": "203.0.113.7",
                "client_user_agent": AGENT,
                "fbc": format!("fb.1.{received_ms}.IwAR_AbC-9"),
                "fbp": "fb.1.1768000000123.77",
            },
            "custom_data": {
                "value": 149.99,
                "currency": "EUR",
                "content_ids": ["SKU-1", "SKU-2"],
                "contents": [
                    { "id": "SKU-1", "quantity": 1, "item_price": 99.99 },
                    { "id": "SKU-2", "quantity": 2, "item_price": 25 },
                ],
                "content_type": "product",
                "num_items": 3,
                "order_id": "A-1001",
            },
        }],
    });
    assert_eq!(request.json, Some(expected));
}

#[tokio::test]
async fn a_full_purchase_reaches_ga4_in_its_session_with_user_data() {
    let stack = Stack::with(Settings::marketing()).await;
    let user = json!({
        "email": "Jefferson.Loves.hiking@gmail.com", "phone": "1 800 555 0100", "first_name": "Mary",
    });
    let at_ms = a_minute_ago();
    buy(&stack, &purchase(at_ms, user)).await;
    let request = only(&stack.platforms.ga4);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/mp/collect"));
    assert_eq!(query(&request), [("measurement_id", "G-TIDEGATE00"), ("api_secret", "ga4-test-secret")]);
    let expected = json!({
        "client_id": "1098115397.1768000000",
        "user_id": "cust_12345",
        "user_data": { "sha256_email_address": [JEFFERSON], "sha256_phone_number": [GOOGLE_PHONE] },
        "consent": { "ad_user_data": "GRANTED", "ad_personalization": "GRANTED" },
        "events": [{
            "name": "purchase",
            "timestamp_micros": at_ms * 1000,
            "params": {
                "session_id": "1768487000",
                "engagement_time_msec": 4200,
                "event_id": "order-A-1001",
                "page_location": "https://www.shop.example/thanks?order=A-1001",
                "page_title": "Thank you",
                "currency": "EUR",
                "value": 149.99,
                "transaction_id": "A-1001",
                "coupon": "WINTER",
                "shipping": 4.9,
                "items": [
                    { "item_id": "SKU-1", "item_name": "Lamp", "item_brand": "Lumen", "price": 99.99, "quantity": 1 },
                    { "item_id": "SKU-2", "price": 25, "quantity": 2 },
                ],
            },
        }],
    });
    assert_eq!(request.json, Some(expected));
}

#[tokio::test]
async fn a_full_purchase_reaches_the_webhook_whole_and_signed() {
    let stack = Stack::with(Settings::marketing()).await;
    let at_ms = a_minute_ago();
    let received_ms = buy(&stack, &purchase(at_ms, json!({ "email": "ada@example.com" }))).await;
    // The receiver's own reading of Standard Webhooks found the signature right: it has no problem with it.
    let request = only(&stack.platforms.webhook);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/tidegate"));
    assert_eq!((query(&request), request.header("webhook-id")), (vec![], Some("order-A-1001")));
    let trace = stack.trace("order-A-1001").await;
    let expected = json!({
        "type": "purchase",
        "timestamp": iso(at_ms),
        "data": {
            "id": "order-A-1001",
            "kind": "track",
            "received_at": iso(received_ms),
            "anonymous_id": trace["event"]["anonymous_id"],
            "user_id": "cust_12345",
            "identifiers": { "email": "ada@example.com" },
            "clicks": [{ "kind": "fbclid", "value": "IwAR_AbC-9", "seen_at": iso(received_ms) }],
            "cookies": {
                "_fbp": "fb.1.1768000000123.77",
                "_ga": "GA1.1.1098115397.1768000000",
                "_ga_TIDEGATE00": "GS2.1.s1768487000$o3$g1",
            },
            "page": { "url": "https://www.shop.example/thanks?order=A-1001", "title": "Thank you" },
            "client": { "ip": "203.0.113.7", "user_agent": AGENT, "locale": "de-AT" },
            "session": { "id": "1768487000", "number": 3, "engagement_ms": 4200 },
            "consent": {
                "granted": ["analytics", "ad-storage", "ad-user-data", "ad-personalization"],
                "denied": [],
                "gpc": false,
                "limited_data_use": false,
            },
            "value": 149.99,
            "currency": "EUR",
            "order_id": "A-1001",
            "items": [
                {
                    "id": "SKU-1", "name": "Lamp", "quantity": 1, "price": 99.99, "brand": "Lumen",
                    "properties": { "size": "M" },
                },
                { "id": "SKU-2", "quantity": 2, "price": 25 },
            ],
            "properties": { "coupon": "WINTER", "shipping": 4.9 },
        },
    });
    assert_eq!(request.json, Some(expected));
}

#[tokio::test]
async fn what_is_a_digest_already_is_not_hashed_again() {
    let stack = Stack::with(Settings::marketing()).await;
    buy(&stack, &purchase(a_minute_ago(), json!({ "email": JOHN_SMITH, "phone": US_PHONE.to_uppercase() }))).await;
    let meta = &stack.platforms.meta.events()[0]["user_data"];
    assert_eq!((&meta["em"], &meta["ph"]), (&json!([JOHN_SMITH]), &json!([US_PHONE])));
    let ga4 = only(&stack.platforms.ga4).json.clone().unwrap();
    assert_eq!(ga4["user_data"]["sha256_email_address"], json!([JOHN_SMITH]));
    assert_eq!(stack.platforms.meta.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn what_the_plugin_saw_is_digests_and_never_a_secret_or_a_plain_identifier() {
    let stack = Stack::with(Settings::marketing()).await;
    buy(&stack, &purchase(a_minute_ago(), json!({ "email": "John_Smith@gmail.com" }))).await;
    let part = stack.outcome("order-A-1001", "meta", "delivered").await;
    let delivery = &part["deliveries"][0];
    let email = delivery["saw"]["identifiers"].as_array().unwrap().iter().find(|one| one["key"] == "email").unwrap();
    assert_eq!(email["value"], JOHN_SMITH);
    let text = part.to_string();
    for never in ["John_Smith@gmail.com", "john_smith@gmail.com", "EAAB-test-token"] {
        assert!(!text.contains(never), "{never} is in {part:#}");
    }
    assert_eq!(part["plugin"], "meta-capi 0.1.0");
    assert_eq!(part["digest"].as_str().map(str::len), Some(64), "{part:#}");
}

#[tokio::test]
async fn events_of_one_moment_reach_meta_as_one_request_in_their_order() {
    let stack = Stack::with(Settings::marketing()).await;
    let events: Vec<_> = (0..5)
        .map(|n| json!({ "event": "add_to_cart", "message_id": format!("e{n}"), "user": { "email": "ada@example.com" } }))
        .collect();
    assert_eq!(stack.post("/v1/events", &json!({ "events": events })).await.status, 200);
    for n in 0..5 {
        let part = stack.outcome(&format!("e{n}"), "meta", "delivered").await;
        assert_eq!(part["attempts"][0]["events"], 5, "the trace says how many travelled together");
    }
    let request = only(&stack.platforms.meta);
    let ids: Vec<_> = request.events.iter().map(|event| event["event_id"].clone()).collect();
    assert_eq!(ids, ["e0", "e1", "e2", "e3", "e4"]);
}

#[tokio::test]
async fn events_of_one_client_reach_ga4_together_and_another_clients_apart() {
    let stack = Stack::with(Settings::marketing()).await;
    let event = |id: &str, client: &str| json!({ "event": "search", "message_id": id, "anonymous_id": client });
    let events = [event("a1", "anna"), event("b1", "bert"), event("a2", "anna"), event("a3", "anna")];
    assert_eq!(stack.post("/v1/events", &json!({ "events": events })).await.status, 200);
    stack.platforms.ga4.wait_for_events(4).await.unwrap();
    let mut got: Vec<(String, Vec<Value>)> = Vec::new();
    for request in stack.platforms.ga4.requests() {
        let client = request.json.as_ref().unwrap()["client_id"].as_str().unwrap().to_owned();
        got.push((client, request.events.iter().map(|event| event["params"]["event_id"].clone()).collect()));
    }
    got.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [("anna", json!(["a1", "a2", "a3"])), ("bert", json!(["b1"]))];
    assert_eq!(got.len(), 2, "{got:?}");
    for ((client, ids), (expected_client, expected_ids)) in got.iter().zip(&expected) {
        assert_eq!((client.as_str(), &json!(ids)), (*expected_client, expected_ids));
    }
    assert_eq!(stack.platforms.ga4.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn an_event_that_a_platform_has_no_use_for_is_dropped_with_the_plugins_reason() {
    let hook = r#"
[[destination]]
name = "orders"
site = "shop"
plugin = "webhook"
config = { url = "$WEBHOOK/orders", events = ["purchase"] }
secrets = { signing_secret = "env:WEBHOOK_SECRET" }
allow_insecure = true
"#;
    let stack = Stack::with(Settings { more: hook.into(), ..Settings::hook() }).await;
    let id = stack.take(&json!({ "event": "search", "customer_id": "c" })).await;
    let trace = stack.trace(&id).await;
    assert_eq!(
        (&trace["outcome"], &trace["reason"]),
        (&json!("dropped"), &json!("orders: filtered: `search` is not in `events`"))
    );
    let id = stack.take(&json!({ "event": "Order Completed", "customer_id": "c" })).await;
    stack.outcome(&id, "orders", "delivered").await;
    assert_eq!(stack.platforms.webhook.requests_count(), 1);
}

#[tokio::test]
async fn in_test_mode_every_event_is_marked_as_a_test() {
    let more = tidegate_tests::HOOK.replace("allow_insecure = true", "allow_insecure = true\ntest_mode = true");
    let stack = Stack::with(Settings { more, ..Settings::hook() }).await;
    let id = stack.take(&json!({ "event": "a", "customer_id": "c" })).await;
    stack.outcome(&id, "hook", "delivered").await;
    assert_eq!(stack.platforms.webhook.events()[0]["data"]["test"], true);
}

#[tokio::test]
async fn a_browsers_address_is_the_connections_where_no_proxy_is_trusted() {
    let stack = Stack::with(Settings::hook()).await;
    let body = json!({ "event": "a", "customer_id": "c", "message_id": "seen", "client": { "ip": "198.51.100.1" } });
    let request = stack.request(Method::POST, "/v1/events").header("origin", ORIGIN).header("x-write-key", WRITE_KEY);
    let request = request.header("x-forwarded-for", "203.0.113.99, 198.51.100.9");
    assert_eq!(stack.send(request.body(body.to_string())).await.unwrap().status, 200);
    stack.outcome("seen", "hook", "delivered").await;
    assert_eq!(
        stack.platforms.webhook.events()[0]["data"]["client"]["ip"],
        "198.51.100.9",
        "the nearest that no proxy vouches for"
    );
}
