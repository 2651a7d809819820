//! Gateways that die, that are told to end, and that find their store in use or damaged: what was acknowledged is kept.

mod endings;
mod kills;
mod store;

use serde_json::{Value, json};
use tidegate_tests::{Client, PATIENCE, Settings};

/// Everything may leave, and no failure ends a delivery before the test does.
fn settings() -> Settings {
    Settings {
        consent_default: "marketing",
        delivery: format!(
            "timeout_ms = 2000\nbackoff_base_ms = 40\nbackoff_max_ms = 400\nattempts_max = 1000\nshutdown_ms = 3000\n\
             concurrency = {CONCURRENCY}\n"
        ),
        ..Settings::default()
    }
}

/// How many requests for one destination are under way at once.
const CONCURRENCY: usize = 4;

/// An event that all three platforms take.
fn purchase(id: &str) -> Value {
    json!({
        "event": "purchase",
        "message_id": id,
        "anonymous_id": format!("visitor-{id}"),
        "user": { "email": "john_smith@gmail.com" },
        "client": { "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "203.0.113.7" },
        "page": { "url": "https://www.shop.example/thanks" },
        "properties": { "order_id": id, "value": 12.5, "currency": "EUR", "items": [{ "id": "shoe-42", "price": 12.5 }] },
    })
}

/// Sends an event that has to be taken.
async fn accepted(client: &Client, id: &str) {
    let answer = client.post("/v1/events", &purchase(id)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// How many deliveries wait, over all destinations.
async fn waiting(client: &Client) -> u64 {
    let status = client.admin("/api/status").await.json;
    let destinations = status["destinations"].as_array().unwrap_or_else(|| panic!("a status: {status:#}"));
    destinations.iter().filter_map(|destination| destination["waiting"].as_u64()).sum()
}

/// Waits until no delivery waits.
async fn drained(client: &Client) {
    let search = async { while waiting(client).await > 0 {} };
    if tokio::time::timeout(PATIENCE, search).await.is_err() {
        panic!("deliveries wait still: {:#}", client.admin("/api/status").await.json);
    }
}
