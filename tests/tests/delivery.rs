//! Delivering to a platform that misbehaves: each failure gets the treatment it should, and every attempt is recorded.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::clock::{Clock as _, SystemClock};
use tidegate_fakes::{Behaviour, Gate, Meta};
use tidegate_tests::{HOOK, Settings, Stack};

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": "c", "message_id": id })
}

/// One that Meta takes.
fn lead(id: &str) -> Value {
    json!({ "event": "generate_lead", "message_id": id, "user": { "email": "ada@example.com" } })
}

async fn hooked() -> Stack {
    Stack::with(Settings::hook()).await
}

/// A gateway with the webhook alone, and other lines in `[delivery]`.
async fn with_delivery(lines: &str) -> Stack {
    let delivery = format!("backoff_base_ms = 20\nbackoff_max_ms = 4000\n{lines}");
    Stack::with(Settings { delivery, ..Settings::hook() }).await
}

fn statuses(part: &Value) -> Vec<Option<u64>> {
    part["attempts"].as_array().unwrap().iter().map(|attempt| attempt["status"].as_u64()).collect()
}

fn verdict(part: &Value, attempt: usize) -> &str {
    part["attempts"][attempt]["verdict"].as_str().unwrap_or_default()
}

fn at_ms(part: &Value, attempt: usize) -> u64 {
    part["attempts"][attempt]["at"].as_u64().unwrap()
}

#[tokio::test]
async fn a_platform_that_answers_500_is_tried_again_until_it_takes_the_event() {
    let stack = hooked().await;
    stack.platforms.webhook.next([Behaviour::status(500), Behaviour::status(503)]);
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "hook", "delivered").await;
    assert_eq!(statuses(&part), [Some(500), Some(503), Some(200)]);
    assert_eq!((verdict(&part, 0), verdict(&part, 2)), ("retry: HTTP 500", "delivered"));
    assert_eq!(part["attempts"][0]["answer"], "fake status 500");
    let requests = stack.platforms.webhook.requests();
    assert!(requests.iter().all(|request| request.header("webhook-id") == Some("e")), "so that it counts once");
    assert!(requests.iter().all(|request| request.body == requests[0].body));
}

#[tokio::test]
async fn retry_after_in_seconds_pauses_the_whole_destination() {
    let stack = hooked().await;
    stack.platforms.webhook.next([Behaviour::too_many_requests("1")]);
    stack.take(&event("first")).await;
    stack.trace_until("first", |trace| trace["destinations"][0]["attempts"][0]["status"] == 429).await;
    stack.take(&event("second")).await;
    let first = stack.outcome("first", "hook", "delivered").await;
    let second = stack.outcome("second", "hook", "delivered").await;
    assert_eq!((statuses(&first), statuses(&second)), (vec![Some(429), Some(200)], vec![Some(200)]));
    assert!(at_ms(&first, 1) >= at_ms(&first, 0) + 1_000, "{first:#}");
    assert!(at_ms(&second, 0) >= at_ms(&first, 0) + 1_000, "nothing else was sent meanwhile: {second:#}");
}

#[tokio::test]
async fn retry_after_as_a_date_is_honoured() {
    let stack = hooked().await;
    let until_ms = (SystemClock.now_ms() / 1000 + 1) * 1000;
    let until = jiff::Timestamp::from_millisecond(i64::try_from(until_ms).unwrap()).unwrap();
    stack.platforms.webhook.next([Behaviour::unavailable(until.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())]);
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "hook", "delivered").await;
    assert_eq!(statuses(&part), [Some(503), Some(200)]);
    assert!(at_ms(&part, 1) >= until_ms, "{part:#}");
}

#[tokio::test]
async fn metas_own_400_makes_a_dead_letter_that_keeps_the_answer() {
    let stack = Stack::with(Settings::marketing()).await;
    stack.platforms.meta.next([Meta::error(400, 100, "Invalid parameter")]);
    stack.take(&lead("e")).await;
    let part = stack.outcome("e", "meta", "dead").await;
    assert_eq!(statuses(&part), [Some(400)]);
    let reason = part["reason"].as_str().unwrap();
    assert!(reason.starts_with("rejected: Meta error 100: Invalid parameter"), "{reason}");
    let answer: Value = serde_json::from_str(part["attempts"][0]["answer"].as_str().unwrap()).unwrap();
    assert_eq!(answer["error"]["code"], 100);
    let letters = stack.dead_letters("meta").await;
    assert_eq!((letters.len(), &letters[0]["event_id"], &letters[0]["attempts"]), (1, &json!("e"), &json!(1)));
    assert_eq!(letters[0]["reason"], reason);
}

#[tokio::test]
async fn a_200_that_does_not_say_that_meta_took_the_event_is_no_delivery() {
    let stack = Stack::with(Settings::marketing()).await;
    stack.platforms.meta.next([Behaviour::garbage()]);
    stack.take(&lead("e")).await;
    let part = stack.outcome("e", "meta", "delivered").await;
    assert_eq!(statuses(&part), [Some(200), Some(200)]);
    assert_eq!((verdict(&part, 0), verdict(&part, 1)), ("retry: HTTP 200", "delivered"));
}

#[tokio::test]
async fn a_connection_that_breaks_in_any_way_is_tried_again() {
    let stack = with_delivery("timeout_ms = 150\nattempts_max = 9\n").await;
    let broken = [Behaviour::Close, Behaviour::Reset, Behaviour::not_http(), Behaviour::NeverAnswer];
    stack.platforms.webhook.next(broken);
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "hook", "delivered").await;
    // A connection that was kept alive and is closed may be tried again by the HTTP client itself.
    let answered = statuses(&part);
    assert!(answered.len() >= 4 && answered.last() == Some(&Some(200)), "{part:#}");
    for attempt in 0..answered.len() - 1 {
        let said = verdict(&part, attempt);
        assert!(said.starts_with("retry: connection failed") || said == "retry: no answer within 150 ms", "{said}");
    }
    assert!(part.to_string().contains("no answer within 150 ms"));
}

#[tokio::test]
async fn an_answer_after_the_timeout_is_none_and_the_repetition_carries_the_same_id() {
    let stack = with_delivery("timeout_ms = 150\n").await;
    stack.platforms.webhook.next([Behaviour::slow(Duration::from_millis(600))]);
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "hook", "delivered").await;
    assert_eq!(verdict(&part, 0), "retry: no answer within 150 ms");
    let ids: Vec<_> =
        stack.platforms.webhook.requests().iter().map(|r| r.header("webhook-id").unwrap().to_owned()).collect();
    assert_eq!(ids, ["e", "e"], "the receiver, which took both, can tell");
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let stack = hooked().await;
    let elsewhere = format!("{}/elsewhere", stack.platforms.meta.url());
    stack.platforms.webhook.next([Behaviour::redirect(elsewhere)]);
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "hook", "dead").await;
    assert_eq!(statuses(&part), [Some(302)]);
    assert!(part["reason"].as_str().unwrap().contains("redirects are not followed"), "{part:#}");
    stack.take(&event("later")).await;
    stack.outcome("later", "hook", "delivered").await;
    assert_eq!(stack.platforms.meta.requests_count(), 0, "nothing came there");
}

#[tokio::test]
async fn a_huge_answer_is_cut() {
    let stack = hooked().await;
    stack.platforms.webhook.next([Behaviour::HugeBody(1 << 40)]);
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "hook", "delivered").await;
    assert_eq!(statuses(&part), [Some(200)]);
    assert!(part["attempts"][0]["answer"].as_str().is_none_or(|answer| answer.len() <= 2_000));
}

#[tokio::test]
async fn the_last_attempt_makes_a_dead_letter_that_says_what_the_last_answer_was() {
    let stack = with_delivery("attempts_max = 3\n").await;
    stack.platforms.webhook.always(Behaviour::status(502));
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "hook", "dead").await;
    assert_eq!(statuses(&part), [Some(502); 3]);
    assert_eq!(part["reason"], "given up after 3 attempts; last: retry: HTTP 502");
    assert_eq!(stack.platforms.webhook.requests_count(), 3);
}

#[tokio::test]
async fn one_bad_event_of_metas_batch_does_not_cost_the_others() {
    let stack = Stack::with(Settings::marketing()).await;
    let refused = || Meta::error(400, 100, "Invalid parameter");
    // The batch, then each of its events singly.
    stack.platforms.meta.next([refused(), Behaviour::Normal, refused(), Behaviour::Normal]);
    let body = json!({ "events": [lead("good-1"), lead("bad"), lead("good-2")] });
    assert_eq!(stack.post("/v1/events", &body).await.status, 200);
    for id in ["good-1", "good-2"] {
        let part = stack.outcome(id, "meta", "delivered").await;
        assert_eq!(part["attempts"].as_array().unwrap().last().unwrap()["events"], 1, "{part:#}");
    }
    let bad = stack.outcome("bad", "meta", "dead").await;
    assert!(bad["reason"].as_str().unwrap().contains("Meta error 100"), "{bad:#}");
    let ids: Vec<_> = stack.platforms.meta.events().iter().map(|event| event["event_id"].clone()).collect();
    assert_eq!(ids, ["good-1", "good-2"]);
    assert_eq!(stack.platforms.meta.requests_count(), 4);
}

#[tokio::test]
async fn a_destination_that_is_down_delays_no_other() {
    let stack = Stack::with(Settings::marketing()).await;
    stack.platforms.meta.always(Behaviour::NeverAnswer);
    stack.platforms.ga4.always(Behaviour::status(500));
    let events: Vec<_> = (0..40).map(|n| lead(&format!("e{n}"))).collect();
    assert_eq!(stack.post("/v1/events", &json!({ "events": events })).await.status, 200);
    stack.platforms.webhook.wait_for_events_within(40, Duration::from_secs(5)).await.unwrap();
    let part = stack.outcome("e39", "meta", "waiting").await;
    assert_eq!(part["deliveries"][0]["outcome"], "waiting", "{part:#}");
}

#[tokio::test]
async fn slow_requests_hold_up_no_other_of_their_destination() {
    let stack = with_delivery("timeout_ms = 25000\n").await;
    let gate = Gate::shut();
    // Some come singly, some with others in one lease; one fewer than may be under way at once.
    stack.platforms.webhook.next((0..7).map(|_| Behaviour::held(&gate)));
    for n in 0..3 {
        stack.take(&event(&format!("slow-{n}"))).await;
        stack.platforms.webhook.wait_for(n + 1).await.unwrap();
    }
    let events: Vec<_> = (0..60).map(|n| event(&format!("e{n}"))).collect();
    assert_eq!(stack.post("/v1/events", &json!({ "events": events })).await.status, 200);
    stack.platforms.webhook.wait_for_within(63, Duration::from_secs(5)).await.unwrap();
    gate.open();
    for n in 0..60 {
        stack.outcome(&format!("e{n}"), "hook", "delivered").await;
    }
}

#[tokio::test]
async fn an_event_that_has_become_too_old_dies_without_being_sent() {
    let by_hand = tidegate_tests::plugin::MANIFEST.replace("[limits]", "[limits]\nage_max = \"1h\"");
    let plugin = tidegate_tests::plugin::Parts { manifest: &by_hand, ..Default::default() }.build();
    let stack = Stack::with(Settings {
        more: tidegate_tests::plugin::destination("by-hand", "by-hand.wasm"),
        files: vec![("by-hand.wasm", plugin)],
        ..Settings::hook()
    })
    .await;
    let mut old = event("old");
    old["timestamp"] = json!(SystemClock.now_ms() - 2 * 3_600_000);
    stack.take(&old).await;
    let part = stack.outcome("old", "by-hand", "dead").await;
    assert_eq!(part["reason"], "too old: 2 h, and the platform takes events of up to 1 h");
    assert_eq!(
        (verdict(&part, 0), &part["attempts"][0]["status"]),
        ("not sent: too old: 2 h, and the platform takes events of up to 1 h", &Value::Null)
    );
    stack.take(&event("new")).await;
    stack.outcome("new", "by-hand", "delivered").await;
    assert_eq!(stack.platforms.webhook.requests_count(), 1);
}

#[tokio::test]
async fn two_destinations_of_one_plugin_are_independent() {
    let other = HOOK.replace("\"hook\"", "\"other\"").replace("/tidegate", "/other");
    let stack = Stack::with(Settings { more: format!("{HOOK}{other}"), ..Settings::hook() }).await;
    stack.take(&event("e")).await;
    stack.outcome("e", "hook", "delivered").await;
    stack.outcome("e", "other", "delivered").await;
    let mut paths: Vec<_> = stack.platforms.webhook.requests().iter().map(|request| request.path.clone()).collect();
    paths.sort();
    assert_eq!(paths, ["/other", "/tidegate"]);
}
