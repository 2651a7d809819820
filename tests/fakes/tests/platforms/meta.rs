//! Meta takes what its documents allow, and says what is wrong with the rest.

use crate::raw;
use serde_json::{Value, json};
use tidegate_fakes::{Clock, Fake, Meta};

const NOW_MS: i64 = 1_790_000_000_000;
const TARGET: &str = "/v26.0/123/events?access_token=right";
const EMAIL: &str = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f";

async fn meta() -> Fake {
    Fake::builder(Meta::new("right").pixel("123")).clock(Clock::at(NOW_MS)).start().await.unwrap()
}

fn purchase() -> Value {
    json!({
        "event_name": "Purchase",
        "event_time": NOW_MS / 1000 - 60,
        "event_id": "e-1",
        "action_source": "website",
        "event_source_url": "https://shop.example/thanks",
        "user_data": {
            "em": [EMAIL],
            "client_ip_address": "192.0.2.1",
            "client_user_agent": "Mozilla/5.0",
            "fbc": "fb.1.1789999999000.IwAR2F4-dbP0",
            "fbp": "fb.1.1789999999000.1098115397",
        },
        "custom_data": {
            "value": 149.99,
            "currency": "EUR",
            "content_type": "product",
            "contents": [{ "id": "sku-1", "quantity": 1, "item_price": 149.99 }],
        },
    })
}

/// The purchase with one value set, or with `null` removed, at a JSON pointer.
fn purchase_with(pointer: &str, value: Value) -> Value {
    let mut event = purchase();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.shift_remove(key);
    } else {
        parent.insert(key.to_owned(), value);
    }
    event
}

#[tokio::test]
async fn a_complete_purchase_is_received() {
    let meta = meta().await;
    let heard = raw::post(meta.address(), TARGET, &json!({ "data": [purchase()] })).await;
    assert_eq!(heard.status(), 200);
    assert_eq!((&heard.json()["events_received"], &heard.json()["messages"]), (&json!(1), &json!([])));
    assert_eq!(meta.events(), [purchase()]);
    assert!(meta.problems().is_empty());
    assert_eq!(meta.requests()[0].query_value("access_token"), Some("right"));
}

#[tokio::test]
async fn lead_ids_may_be_numbers() {
    let meta = meta().await;
    let event = purchase_with("/user_data/lead_id", json!(1_234_567_890_123_456_u64));
    assert_eq!(raw::post(meta.address(), TARGET, &json!({ "data": [event] })).await.status(), 200);
}

#[tokio::test]
async fn each_fault_is_named_by_its_place() {
    let hash_of_upper_case = EMAIL.to_uppercase();
    let cases = [
        ("/event_name", Value::Null, 2804019, "$['data'][0]['event_name'] is required"),
        ("/event_time", Value::Null, 2804019, "$['data'][0]['event_time'] is required"),
        ("/event_time", json!("2026-01-01"), 2804019, "must be a Unix timestamp"),
        ("/event_time", json!(NOW_MS), 2804004, "in the future"),
        ("/event_time", json!(NOW_MS / 1000 - 7 * 86_400 - 1), 2804003, "too far in the past"),
        ("/user_data", Value::Null, 2804019, "['user_data'] is required"),
        ("/user_data", json!({}), 2804050, "missing, or too broad"),
        ("/user_data", json!({ "client_user_agent": "Mozilla/5.0" }), 2804050, "missing, or too broad"),
        ("/user_data/em", json!(["john_smith@gmail.com"]), 2804019, "['em'] must be the lower-case hex SHA-256"),
        ("/user_data/em", json!(hash_of_upper_case), 2804019, "['em'] must be the lower-case hex SHA-256"),
        ("/user_data/email", json!(EMAIL), 2804019, "is not a customer information parameter"),
        ("/user_data/fbc", json!("IwAR2F4-dbP0"), 2804019, "['fbc'] must be fb."),
        ("/user_data/fbp", json!("fb.1.1789999999000.abc"), 2804019, "['fbp'] must be fb."),
        ("/user_data/client_user_agent", Value::Null, 2804019, "['client_user_agent'] is required"),
        ("/event_source_url", Value::Null, 2804019, "['event_source_url'] is required"),
        ("/action_source", json!("web"), 2804019, "must be one of the documented sources"),
        ("/custom_data", Value::Null, 2804019, "['custom_data'] is required"),
        ("/custom_data/value", Value::Null, 2804019, "['value'] is required"),
        ("/custom_data/value", json!("149.99"), 2804019, "['value'] must be a number"),
        ("/custom_data/currency", Value::Null, 2804019, "['currency'] is required"),
        ("/custom_data/currency", json!("Euro"), 2804019, "ISO 4217"),
        ("/data_processing_options", json!(["LDU"]), 2804019, "options_country'] is required"),
    ];
    let meta = meta().await;
    for (pointer, value, subcode, message) in cases {
        let event = purchase_with(pointer, value.clone());
        let heard = raw::post(meta.address(), TARGET, &json!({ "data": [event] })).await;
        let (status, error) = (heard.status(), heard.json()["error"].clone());
        assert_eq!(
            (status, &error["code"], &error["error_subcode"]),
            (400, &json!(100), &json!(subcode)),
            "{pointer} {value}"
        );
        let told = error["error_user_msg"].as_str().unwrap();
        assert!(told.contains(message), "{pointer} {value}: {told}");
        assert_eq!(error["is_transient"], false);
    }
    assert!(meta.events().is_empty());
}

#[tokio::test]
async fn one_stale_event_refuses_the_whole_request() {
    let meta = meta().await;
    let stale = purchase_with("/event_time", json!(NOW_MS / 1000 - 8 * 86_400));
    let heard = raw::post(meta.address(), TARGET, &json!({ "data": [purchase(), stale] })).await;
    assert_eq!(heard.status(), 400);
    assert_eq!(heard.json()["error"]["error_user_title"], "Event Timestamp Too Old");
    assert!(meta.events().is_empty());
    assert!(meta.problems()[0].contains("$['data'][1]['event_time']"), "{:?}", meta.problems());
}

#[tokio::test]
async fn a_wrong_token_is_error_190_with_the_status_asked_for() {
    let body = json!({ "data": [purchase()] });
    for (fake, status) in [(Meta::new("right"), 400), (Meta::new("right").refused_token_status(500), 500)] {
        let meta = Fake::builder(fake).clock(Clock::at(NOW_MS)).start().await.unwrap();
        for target in ["/v26.0/123/events?access_token=wrong", "/v26.0/123/events"] {
            let heard = raw::post(meta.address(), target, &body).await;
            assert_eq!((heard.status(), &heard.json()["error"]["code"]), (status, &json!(190)));
        }
    }
}

#[tokio::test]
async fn other_paths_methods_pixels_and_bodies_are_refused() {
    let meta = meta().await;
    let to = meta.address();
    assert_eq!(raw::post(to, "/events?access_token=right", &json!({})).await.json()["error"]["code"], 2500);
    let heard = raw::post(to, "/v26.0/999/events?access_token=right", &json!({})).await;
    assert_eq!((&heard.json()["error"]["code"], &heard.json()["error"]["error_subcode"]), (&json!(100), &json!(33)));
    assert_eq!(raw::send(to, "GET", TARGET, &[], b"").await.json()["error"]["error_subcode"], 33);
    for body in [&b"not json"[..], b"[]", br#"{"data":[]}"#, br#"{"data":{}}"#] {
        assert_eq!(raw::send(to, "POST", TARGET, &[], body).await.status(), 400);
    }
    let many = vec![purchase(); 1001];
    let heard = raw::post(to, TARGET, &json!({ "data": many })).await;
    assert!(heard.json()["error"]["error_user_msg"].as_str().unwrap().contains("at most 1000"));
}

#[tokio::test]
async fn error_answers_look_like_metas() {
    let meta = meta().await;
    meta.next([Meta::throttled(500), Meta::unavailable(), Meta::token_expired(500)]);
    for (code, transient) in [(17, true), (2, true), (190, false)] {
        let heard = raw::post(meta.address(), TARGET, &json!({ "data": [purchase()] })).await;
        let error = &heard.json()["error"];
        assert_eq!((heard.status(), &error["code"], &error["is_transient"]), (500, &json!(code), &json!(transient)));
        assert_eq!(error["type"], "OAuthException");
    }
}
