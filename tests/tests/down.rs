//! A platform that fails whatever it is sent is asked now and then with one delivery; the others wait without paying.

use serde_json::{Value, json};
use tidegate_fakes::Behaviour;
use tidegate_tests::{Settings, Stack};

const EVENTS: u64 = 100;
/// After sixteen failures a platform is down; so many requests are under way when the last of them fails.
const FIRST: u64 = 16 + 4;
const TIMES: u64 = 6;

fn event(id: &str) -> Value {
    json!({ "event": "generate_lead", "message_id": id, "user": { "email": "ada@example.com" } })
}

#[tokio::test]
async fn a_platform_that_is_down_is_tried_with_one_delivery_and_gets_everything_when_it_is_up() {
    let delivery = "concurrency = 4\nattempts_max = 100\nbackoff_base_ms = 40\nbackoff_max_ms = 3000\n".into();
    let stack = Stack::with(Settings { delivery, ..Settings::hook() }).await;
    stack.platforms.webhook.always(Behaviour::status(503));
    for n in 0..EVENTS {
        stack.take(&event(&format!("e{n}"))).await;
    }
    let down = stack.status_until("hook", |status| !status["down"].is_null()).await;
    assert_eq!((&down["down"], &down["parked"]), (&json!("HTTP 503"), &Value::Null), "{down:#}");
    let metrics = stack.admin("/metrics").await.text;
    assert!(metrics.contains(r#"tidegate_destination_down{destination="hook"} 1"#), "{metrics}");
    stack.platforms.webhook.wait_for(FIRST + TIMES).await.unwrap();
    let status = stack.status("hook").await;
    assert_eq!((&status["waiting"], &status["dead"]), (&json!(EVENTS), &json!(0)), "{status:#}");

    stack.platforms.webhook.behave();
    let up = stack.status_until("hook", |status| status["waiting"] == 0).await;
    assert_eq!((&up["delivered"], &up["down"]), (&json!(EVENTS), &Value::Null), "{up:#}");
    // Each time it waits twice as long, so that there can have been no more than a few.
    let failed = stack.platforms.webhook.requests_count() - EVENTS;
    assert!(failed < FIRST + 3 * TIMES, "{failed} requests failed");
}
