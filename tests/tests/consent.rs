//! Consent: what each level stores and sends, and which signal decides it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_fakes::Behaviour;
use tidegate_tests::plugin::{self, MANIFEST, Parts};
use tidegate_tests::{API_KEY, ORIGIN, Settings, Stack, WRITE_KEY};

/// What says something of the person in [`purchase`], and is nobody else's.
const PERSONAL: &[&str] = &[
    "ada@example.com",
    "203.0.113.7",
    "IwAR_AbC",
    "Cj0K_xyz",
    "+44 20 7946 0000",
    "Lovelace",
    "cust_12345",
    "fb.1.1700000000000.77",
];
/// What says something of what she did.
const DEEDS: &[&str] = &["Tests/1.0", "/secret-lamps", "order-of-ada", "sku-of-ada", "COUPON-OF-ADA", "de-AT"];

/// A purchase with everything in it.
fn purchase(id: &str, consent: &str) -> Value {
    json!({
        "event": "purchase",
        "message_id": id,
        "customer_id": "cust_12345",
        "consent": consent,
        "user": { "email": "ada@example.com", "phone": "+44 20 7946 0000", "last_name": "Lovelace" },
        "clicks": { "gclid": "Cj0K_xyz" },
        "page": { "url": "https://www.shop.example/secret-lamps?fbclid=IwAR_AbC" },
        "session": { "id": "1768487000" },
        "properties": {
            "order_id": "order-of-ada",
            "value": 12.5,
            "currency": "EUR",
            "coupon": "COUPON-OF-ADA",
            "items": [{ "id": "sku-of-ada", "price": 12.5 }],
        },
    })
}

const COOKIES: &str = "_fbp=fb.1.1700000000000.77; _ga=GA1.1.1098115397.1768000000";

/// Each destination's outcome and reason, by name.
async fn outcomes(stack: &Stack, id: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let trace = stack.trace(id).await;
    let parts = trace["destinations"].as_array().unwrap().clone();
    let mut list: Vec<_> =
        parts.iter().map(|part| (text(&part["name"]), text(&part["outcome"]), text(&part["reason"]))).collect();
    list.sort();
    list
}

/// The bytes of every file of the store.
fn stored(stack: &Stack) -> Vec<u8> {
    let files = std::fs::read_dir(stack.dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.is_file()).collect();
    assert!(!files.is_empty());
    files.iter().flat_map(|path| std::fs::read(path).unwrap()).collect()
}

fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn denied_consent_sends_nothing_and_keeps_nothing_of_the_person() {
    let mut stack = Stack::start().await;
    assert_eq!(stack.post_from_page(&purchase("denied", "none"), COOKIES).await.status, 200);
    for (name, outcome, reason) in outcomes(&stack, "denied").await {
        assert_eq!(outcome, "dropped", "{name}");
        assert!(reason.starts_with("consent `none` does not grant"), "{name}: {reason}");
    }
    let trace = stack.trace("denied").await;
    assert_eq!((&trace["outcome"], &trace["name"]), (&json!("dropped"), &json!("purchase")), "it is counted");
    let text = trace.to_string();
    for needle in PERSONAL.iter().chain(DEEDS) {
        assert!(!text.contains(needle), "{needle} is in {trace:#}");
    }

    // An event that may be sent shows that the ones before it have not been.
    stack.take(&json!({ "event": "sign", "customer_id": "x", "anonymous_id": "y", "consent": "marketing" })).await;
    for fake in [&stack.platforms.meta, &stack.platforms.ga4, &stack.platforms.webhook] {
        fake.wait_for(1).await.unwrap();
        assert_eq!(fake.requests_count(), 1, "{}", fake.name());
    }
    stack.stop().await;
    let bytes = stored(&stack);
    for needle in PERSONAL.iter().chain(DEEDS) {
        assert!(!contains(&bytes, needle), "{needle} is on the disk");
    }
}

#[tokio::test]
async fn a_refused_event_leaves_nothing_of_the_person_either() {
    let mut stack = Stack::start().await;
    let mut bad = purchase("refused", "none");
    bad["properties"]["value"] = json!("ada@example.com");
    bad["user"]["email"] = json!(["ada@example.com"]);
    assert_eq!(stack.post_from_page(&bad, COOKIES).await.status, 400);
    assert_eq!(stack.trace("refused").await["outcome"], "refused");
    stack.stop().await;
    let bytes = stored(&stack);
    for needle in PERSONAL.iter().chain(DEEDS) {
        assert!(!contains(&bytes, needle), "{needle} is on the disk");
    }
}

#[tokio::test]
async fn analytics_reaches_ga4_and_the_webhook_without_identifiers_but_not_meta() {
    let mut stack = Stack::start().await;
    assert_eq!(stack.post_from_page(&purchase("measured", "analytics"), COOKIES).await.status, 200);
    stack.outcome("measured", "ga4", "delivered").await;
    stack.outcome("measured", "hook", "delivered").await;
    let meta = stack.outcome("measured", "meta", "dropped").await;
    assert_eq!(meta["reason"], "consent `analytics` does not grant ad-user-data, ad-storage");
    assert_eq!(stack.platforms.meta.requests_count(), 0);

    let sent = &stack.platforms.ga4.requests()[0];
    let body = sent.json.clone().unwrap();
    assert_eq!(body["client_id"], "1098115397.1768000000");
    assert_eq!(body["consent"], json!({ "ad_user_data": "DENIED", "ad_personalization": "DENIED" }));
    assert_eq!(body["events"][0]["params"]["value"], 12.5);
    let hook = stack.platforms.webhook.events()[0].clone();
    assert_eq!(hook["data"]["page"]["url"], "https://www.shop.example/secret-lamps");
    assert_eq!(hook["data"]["cookies"], json!({ "_ga": "GA1.1.1098115397.1768000000" }));
    for sent in [body.to_string(), hook.to_string(), stack.trace("measured").await.to_string()] {
        for needle in PERSONAL {
            assert!(!sent.contains(needle), "{needle} is in {sent}");
        }
    }
    for fake in [&stack.platforms.ga4, &stack.platforms.webhook] {
        assert_eq!(fake.problems(), Vec::<String>::new());
    }
    stack.stop().await;
    let bytes = stored(&stack);
    for needle in PERSONAL {
        assert!(!contains(&bytes, needle), "{needle} is on the disk");
    }
}

#[tokio::test]
async fn traits_of_a_person_are_not_passed_on_for_analytics() {
    let stack = Stack::with(Settings { consent_default: "analytics", ..Settings::hook() }).await;
    let traits = json!({ "name": "Ada Lovelace", "email": "ada@example.com", "username": "ada1815", "plan": "pro" });
    let identify = json!({ "userId": "u", "anonymousId": "a", "messageId": "who", "traits": traits });
    assert_eq!(stack.post("/v1/identify", &identify).await.status, 200);
    stack.outcome("who", "hook", "delivered").await;
    let sent = stack.platforms.webhook.events()[0].to_string();
    for needle in ["Lovelace", "ada@example.com", "ada1815"] {
        assert!(!sent.contains(needle), "{needle} is in {sent}");
    }
}

#[tokio::test]
async fn marketing_reaches_every_destination() {
    let stack = Stack::start().await;
    assert_eq!(stack.post_from_page(&purchase("sold", "marketing"), COOKIES).await.status, 200);
    let trace = stack.trace_until("sold", |trace| trace["outcome"] == "delivered").await;
    assert_eq!(trace["destinations"].as_array().unwrap().len(), 3);
    for fake in [&stack.platforms.meta, &stack.platforms.ga4, &stack.platforms.webhook] {
        assert_eq!((fake.events_count(), fake.problems()), (1, vec![]), "{}", fake.name());
    }
}

#[tokio::test]
async fn global_privacy_control_caps_at_analytics() {
    let stack = Stack::start().await;
    for (asked, decided) in [("marketing", "analytics"), ("analytics", "analytics"), ("none", "none")] {
        let request = stack.request(Method::POST, "/v1/events").header("origin", ORIGIN).header("sec-gpc", "1");
        let body = purchase(&format!("gpc-{asked}"), asked).to_string();
        assert_eq!(stack.send(request.header("x-write-key", WRITE_KEY).body(body)).await.unwrap().status, 200);
        let consent = stack.trace(&format!("gpc-{asked}")).await["consent"].clone();
        assert_eq!((&consent["level"], &consent["gpc"]), (&json!(decided), &json!(true)), "{consent}");
        let meta = stack.outcome(&format!("gpc-{asked}"), "meta", "dropped").await;
        assert!(meta["reason"].as_str().unwrap().contains(decided));
    }
    let consent = stack.trace("gpc-marketing").await["consent"].clone();
    assert_eq!(consent["signal"], "global-privacy-control");
}

/// Decides the consent of one Segment message; gives level and signal.
async fn decided(stack: &Stack, consent: Value) -> (String, String) {
    let mut message = json!({ "userId": "u", "event": "a" });
    if !consent.is_null() {
        message["context"] = json!({ "consent": consent });
    }
    let request = stack.request(Method::POST, "/v1/track").bearer_auth(API_KEY).body(message.to_string());
    let answer = stack.send(request).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    let consent = stack.trace(&answer.event_id(0)).await["consent"].clone();
    (consent["level"].as_str().unwrap().into(), consent["signal"].as_str().unwrap().into())
}

#[tokio::test]
async fn the_most_restrictive_signal_decides_and_the_default_only_where_there_is_none() {
    let stack = Stack::with(Settings { consent_default: "analytics", ..Settings::default() }).await;
    let categories = |analytics: bool, advertising: bool| json!({ "Analytics": analytics, "Advertising": advertising });
    let preferences = |categories: Value| json!({ "categoryPreferences": categories });
    let cases = [
        (Value::Null, "analytics", "site-default"),
        (preferences(categories(true, true)), "marketing", "segment-categories"),
        (preferences(categories(true, false)), "analytics", "segment-categories"),
        (preferences(categories(false, false)), "none", "segment-categories"),
        (preferences(json!({ "advertising": true })), "marketing", "segment-categories"),
        (preferences(json!({ "Functional": true })), "analytics", "site-default"),
        (preferences(json!({ "Advertising": "yes" })), "none", "segment-categories"),
        (json!("marketing"), "marketing", "event"),
        (json!({ "analytics": true, "marketing": false }), "analytics", "event"),
        (json!({ "analytics": true }), "analytics", "event"),
        (json!({ "analytics": false }), "none", "event"),
    ];
    for (consent, level, signal) in cases {
        let expected = (level.to_owned(), signal.to_owned());
        assert_eq!(decided(&stack, consent.clone()).await, expected, "{consent}");
    }
}

#[tokio::test]
async fn the_batchs_consent_does_not_raise_an_events_own() {
    let stack = Stack::start().await;
    let batch = json!({
        "context": { "consent": { "analytics": true, "marketing": true } },
        "batch": [
            { "type": "track", "event": "a", "userId": "u", "messageId": "own", "context": { "consent": "none" } },
            { "type": "track", "event": "a", "userId": "u", "messageId": "batch" },
        ],
    });
    assert_eq!(stack.post("/v1/batch", &batch).await.status, 200);
    assert_eq!(stack.trace("own").await["consent"]["level"], "none");
    assert_eq!(stack.trace("batch").await["consent"]["level"], "marketing");
}

#[tokio::test]
async fn limited_data_use_reaches_meta_as_its_processing_option() {
    let stack = Stack::start().await;
    let mut sold = purchase("limited", "marketing");
    sold["limited_data_use"] = json!(true);
    assert_eq!(stack.post_from_page(&sold, COOKIES).await.status, 200);
    stack.outcome("limited", "meta", "delivered").await;
    let sent = stack.platforms.meta.events()[0].clone();
    assert_eq!(sent["data_processing_options"], json!(["LDU"]));
    let place = (&sent["data_processing_options_country"], &sent["data_processing_options_state"]);
    assert_eq!(place, (&json!(0), &json!(0)));
}

#[tokio::test]
async fn consent_is_asked_again_before_anything_leaves() {
    let settings = |purposes: &str| {
        let manifest = MANIFEST.replace(r#"["analytics"]"#, purposes);
        Settings {
            more: plugin::destination("by-hand", "by-hand.wasm"),
            files: vec![("by-hand.wasm", Parts { manifest: &manifest, ..Parts::default() }.build())],
            ..Settings::hook()
        }
    };
    // The plugin by hand takes any answer for a delivery, but none at all is none.
    let mut stack = Stack::with(settings(r#"["analytics"]"#)).await;
    stack.platforms.webhook.always(Behaviour::Close);
    let event =
        json!({ "event": "a", "customer_id": "c", "anonymous_id": "b", "message_id": "e", "consent": "analytics" });
    stack.take(&event).await;
    stack.platforms.webhook.wait_for(1).await.unwrap();
    stack.stop().await;
    let sent = stack.platforms.webhook.requests_count();

    stack.platforms.webhook.behave();
    stack.restart_with(settings(r#"["ad-user-data"]"#)).await;
    let part = stack.outcome("e", "by-hand", "dead").await;
    assert_eq!(part["reason"], "consent `analytics` does not grant ad-user-data");
    let report = stack.admin_post("/api/dead-letters/replay", &json!({ "destination": "by-hand" })).await;
    assert_eq!(report.status, 200);
    stack.status_until("by-hand", |status| status["waiting"] == 0 && status["dead"] == 1).await;
    assert_eq!(stack.platforms.webhook.requests_count(), sent, "nothing left any more");
}
