//! GA4 takes everything in silence; the fake remembers what was wrong with it, and the validation server says so.

use crate::raw;
use serde_json::{Value, json};
use tidegate_fakes::{Clock, Fake, Ga4};

const NOW_MS: i64 = 1_790_000_000_000;
const TARGET: &str = "/mp/collect?measurement_id=G-1&api_secret=right";

async fn ga4() -> Fake {
    let property = Ga4::new().measurement_id("G-1").api_secret("right");
    Fake::builder(property).clock(Clock::at(NOW_MS)).start().await.unwrap()
}

fn purchase() -> Value {
    json!({
        "client_id": "1098115397.1789999999",
        "user_id": "cust_12345",
        "timestamp_micros": NOW_MS * 1000,
        "consent": { "ad_user_data": "GRANTED", "ad_personalization": "DENIED" },
        "user_properties": { "tier": { "value": "gold" } },
        "user_data": { "sha256_email_address": ["515d2f967f73864e76937ab2b897210a86fd286016903b1b08c3da07c75f513e"] },
        "events": [{
            "name": "purchase",
            "params": {
                "transaction_id": "T-1", "value": 149.99, "currency": "EUR", "session_id": "1789999999",
                "engagement_time_msec": 1,
                "items": [{ "item_id": "sku-1", "item_name": "Lamp", "price": 149.99, "quantity": 1 }],
            },
        }],
    })
}

fn purchase_with(pointer: &str, value: Value) -> Value {
    let mut body = purchase();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.shift_remove(key);
    } else {
        parent.insert(key.to_owned(), value);
    }
    body
}

#[tokio::test]
async fn a_complete_purchase_is_no_problem() {
    let ga4 = ga4().await;
    let heard = raw::post(ga4.address(), TARGET, &purchase()).await;
    assert_eq!((heard.status(), heard.body()), (204, &b""[..]));
    assert_eq!(ga4.problems(), Vec::<String>::new());
    assert_eq!(ga4.events()[0]["params"]["transaction_id"], "T-1");
}

#[tokio::test]
async fn what_is_wrong_is_taken_in_silence_and_remembered() {
    let cases = [
        ("/client_id", Value::Null, "client_id: Is required."),
        ("/nonsense", json!(1), "nonsense: Unknown field."),
        ("/timestamp_micros", json!((NOW_MS - 73 * 3_600_000) * 1000), "timestamp_micros: Is more than 72 hours"),
        ("/timestamp_micros", json!((NOW_MS + 120_000) * 1000), "timestamp_micros: Is in the future"),
        ("/consent/ad_user_data", json!(true), "consent.ad_user_data: Must be GRANTED or DENIED"),
        ("/user_data/sha256_email_address", json!("a@b.example"), "Must be the lower-case hex SHA-256"),
        ("/events", json!([]), "events: At least one event"),
        ("/events/0/name", json!("_bad"), "must start with a letter"),
        ("/events/0/name", json!("session_start"), "is reserved"),
        ("/events/0/name", json!("x".repeat(41)), "longer than 40"),
        ("/events/0/params/ga_thing", json!(1), "reserved prefix"),
        ("/events/0/params/coupon", json!("x".repeat(101)), "longer than 100"),
        ("/events/0/params/email", json!("jo@shop.example"), "personal data"),
        ("/events/0/params/page_location", json!("https://shop.example/?e=jo@shop.example"), "personal data"),
        ("/events/0/params/list", json!([1]), "Must be a string or a number"),
        ("/events/0/params/value", json!("149.99"), "value: Must be a number"),
        ("/events/0/params/currency", Value::Null, "currency: Is required where there is a value"),
        ("/events/0/params/transaction_id", Value::Null, "transaction_id: Is required for a purchase"),
        ("/events/0/params/items", json!([{ "price": 1 }]), "items[0]: Needs item_id or item_name"),
    ];
    for (pointer, value, problem) in cases {
        let ga4 = ga4().await;
        let heard = raw::post(ga4.address(), TARGET, &purchase_with(pointer, value.clone())).await;
        assert_eq!((heard.status(), heard.body()), (204, &b""[..]));
        let problems = ga4.problems();
        assert!(problems.iter().any(|found| found.contains(problem)), "{pointer} {value}: {problems:?}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_a_problem_but_no_error() {
    let ga4 = ga4().await;
    for query in ["", "?measurement_id=G-2&api_secret=right", "?measurement_id=G-1&api_secret=wrong"] {
        assert_eq!(raw::post(ga4.address(), &format!("/mp/collect{query}"), &purchase()).await.status(), 204);
    }
    assert_eq!(
        ga4.problems(),
        [
            "request 0: measurement_id: one of measurement_id and firebase_app_id is required",
            "request 0: api_secret: required",
            "request 1: measurement_id: `G-2` is not this property's",
            "request 2: api_secret: wrong",
        ]
    );
}

#[tokio::test]
async fn the_validation_server_says_what_is_wrong_and_takes_nothing() {
    let ga4 = ga4().await;
    let body = json!({ "client_id": "1.2", "events": [{ "name": "_badEventName", "params": {} }] });
    let heard = raw::post(ga4.address(), "/debug/mp/collect", &body).await;
    let messages = heard.json()["validationMessages"].clone();
    assert_eq!(messages[0]["validationCode"], "NAME_INVALID");
    assert_eq!(messages[0]["fieldPath"], "events[0].name");
    let heard = raw::post(ga4.address(), "/debug/mp/collect", &purchase()).await;
    assert_eq!((heard.status(), heard.json()), (200, json!({ "validationMessages": [] })));
    assert!(ga4.events().is_empty());
}

#[tokio::test]
async fn what_is_too_large_or_elsewhere_is_refused() {
    let ga4 = ga4().await;
    let large = purchase_with("/events/0/params/coupon", json!("x".repeat(130_000)));
    assert_eq!(raw::post(ga4.address(), TARGET, &large).await.status(), 413);
    assert_eq!(raw::post(ga4.address(), "/g/collect", &purchase()).await.status(), 404);
    assert_eq!(raw::send(ga4.address(), "GET", TARGET, &[], b"").await.status(), 405);
    let many = vec![json!({ "name": "page_view" }); 26];
    raw::post(ga4.address(), TARGET, &purchase_with("/events", json!(many))).await;
    assert!(ga4.problems().iter().any(|problem| problem.contains("at most 25")), "{:?}", ga4.problems());
}

#[tokio::test]
async fn app_streams_need_an_instance() {
    let ga4 = ga4().await;
    raw::post(ga4.address(), "/mp/collect?firebase_app_id=1:2:web:3&api_secret=right", &purchase()).await;
    let problems = ga4.problems().join("\n");
    assert!(
        problems.contains("app_instance_id: Is required.") && problems.contains("client_id: Belongs"),
        "{problems}"
    );
}
