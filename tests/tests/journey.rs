//! An event's journey, end to end: in by HTTP, out to the platforms, compared whole.

use serde_json::json;
use tidegate_tests::{Settings, Stack};

#[tokio::test]
async fn the_least_event_becomes_a_signed_webhook() {
    let mut stack = Stack::with(Settings { consent_default: "marketing", ..Settings::default() }).await;
    let event = json!({
        "event": "purchase_completed",
        "timestamp": "2026-01-15T14:32:00Z",
        "customer_id": "cust_12345",
        "properties": { "order_value": 149.99, "currency": "EUR" },
    });
    let answer = stack.post("/v1/events", &event).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let id = answer.json["events"][0]["id"].as_str().unwrap().to_owned();
    let part = stack.outcome(&id, "hook", "delivered").await;
    assert_eq!(part["attempts"][0]["status"], 200);
    stack.stop().await;
}
