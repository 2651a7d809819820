//! Parking: a destination whose credentials are refused, or whose address is not to be reached, waits for a person, and
//! loses nothing meanwhile.

use serde_json::{Value, json};
use tidegate_fakes::{Behaviour, Meta};
use tidegate_tests::{Settings, Stack};

fn event(id: &str) -> Value {
    json!({ "event": "generate_lead", "message_id": id, "user": { "email": "ada@example.com" } })
}

/// Parking begins with thirty times the backoff's base.
const QUICK: &str = "backoff_base_ms = 2\nbackoff_max_ms = 100\nattempts_max = 2\n";

fn quick(settings: Settings) -> Settings {
    Settings { delivery: QUICK.into(), ..settings }
}

fn webhook_to(url: &str) -> Settings {
    let more = format!(
        r#"
[[destination]]
name = "inside"
site = "shop"
plugin = "webhook"
config = {{ url = "{url}" }}
secrets = {{ signing_secret = "env:WEBHOOK_SECRET" }}
"#
    );
    quick(Settings { more, ..Settings::hook() })
}

#[tokio::test]
async fn refused_credentials_park_the_destination_until_they_are_taken_and_nothing_is_lost() {
    let stack = Stack::with(quick(Settings::hook())).await;
    stack.platforms.webhook.always(Behaviour::status(401));
    stack.take(&event("first")).await;
    let parked = stack.status_until("hook", |status| !status["parked"].is_null()).await;
    assert!(parked["parked"].as_str().unwrap().contains("HTTP 401: fake status 401"), "{parked:#}");
    let metrics = stack.admin("/metrics").await.text;
    assert!(metrics.contains(r#"tidegate_destination_parked{destination="hook"} 1"#), "{metrics}");

    // However often it is tried while it is parked, no event dies of it.
    stack.take(&event("second")).await;
    stack.platforms.webhook.wait_for(5).await.unwrap();
    let part = stack.outcome("first", "hook", "waiting").await;
    assert!(part["reason"].as_str().unwrap().starts_with("credentials: HTTP 401"), "{part:#}");

    stack.platforms.webhook.behave();
    stack.outcome("first", "hook", "delivered").await;
    stack.outcome("second", "hook", "delivered").await;
    let status = stack.status_until("hook", |status| status["parked"].is_null()).await;
    assert_eq!((&status["waiting"], &status["dead"], &status["delivered"]), (&json!(0), &json!(0), &json!(2)));
}

#[tokio::test]
async fn metas_refused_token_parks_whatever_the_status_says() {
    let stack = Stack::with(quick(Settings::marketing())).await;
    stack.platforms.meta.always(Meta::token_expired(500));
    stack.take(&event("e")).await;
    let parked = stack.status_until("meta", |status| !status["parked"].is_null()).await;
    let reason = parked["parked"].as_str().unwrap();
    assert!(reason.contains("the access token is refused") && reason.contains("Meta error 190"), "{reason}");
    stack.outcome("e", "hook", "delivered").await;
    stack.platforms.meta.behave();
    stack.outcome("e", "meta", "delivered").await;
}

#[tokio::test]
async fn a_wrong_secret_is_put_right_in_the_configuration_and_what_waited_is_delivered() {
    let mut stack = Stack::with(Settings::hook()).await;
    let right = tidegate_tests::HOOK.to_owned();
    let wrong = right.replace("env:WEBHOOK_SECRET", "whsec_AAAABBBBCCCCDDDDEEEEFFFF");
    stack.restart_with(quick(Settings { more: wrong, ..Settings::hook() })).await;
    stack.take(&event("e")).await;
    let parked = stack.status_until("hook", |status| !status["parked"].is_null()).await;
    assert!(parked["parked"].as_str().unwrap().contains("no signature matches"), "{parked:#}");
    stack.restart_with(Settings { more: right, ..Settings::hook() }).await;
    let part = stack.outcome("e", "hook", "delivered").await;
    assert_eq!(part["attempts"].as_array().unwrap().last().unwrap()["status"], 200);
    assert_eq!(stack.platforms.webhook.events_count(), 1);
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_sends_nothing_and_is_not_shown() {
    let more = tidegate_tests::HOOK.replace("env:WEBHOOK_SECRET", "whsec_!not-base64!");
    let stack = Stack::with(quick(Settings { more, ..Settings::hook() })).await;
    stack.take(&event("e")).await;
    let parked = stack.status_until("hook", |status| !status["parked"].is_null()).await;
    let reason = parked["parked"].as_str().unwrap();
    assert!(reason.contains("secret `signing_secret` is no Standard Webhooks secret"), "{reason}");
    assert!(!stack.trace("e").await.to_string().contains("not-base64"));
    assert_eq!(stack.platforms.webhook.requests_count(), 0);
}

#[tokio::test]
async fn a_private_address_is_not_reached_however_it_is_written() {
    let urls = [
        "https://127.0.0.1:9/",
        "https://localhost:9/",
        "https://[::1]:9/",
        "https://0x7f.1:9/",
        "https://169.254.169.254/",
    ];
    for url in urls {
        let stack = Stack::with(webhook_to(url)).await;
        stack.take(&event("e")).await;
        let parked = stack.status_until("inside", |status| !status["parked"].is_null()).await;
        let reason = parked["parked"].as_str().unwrap();
        assert!(reason.starts_with("not sent: "), "{url}: {reason}");
        assert!(reason.contains("is a private address; `allow_insecure = true` would allow it"), "{url}: {reason}");
        let part = stack.outcome("e", "inside", "waiting").await;
        assert_eq!(part["attempts"][0]["status"], Value::Null, "{part:#}");
    }
}

#[tokio::test]
async fn plain_http_without_being_allowed_does_not_even_start() {
    let said = Stack::try_start(webhook_to("http://backend.example/hook")).await.unwrap_err();
    assert!(said.contains("destination `inside`: endpoint `events` is not https in tidegate.toml, line "), "{said}");
    assert!(said.contains("hint: set `allow_insecure = true` if that is meant"), "{said}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_as_a_connection() {
    // The fake speaks no TLS at all: whoever did not check would not even notice.
    let more = tidegate_tests::HOOK.replace("$WEBHOOK", "https://$WEBHOOK").replace("https://http://", "https://");
    let mut stack = Stack::with(Settings::hook()).await;
    let https = stack.platforms.webhook.url().replace("http://", "https://");
    stack.restart_with(quick(Settings { more: more.replace("https://$WEBHOOK", &https), ..Settings::hook() })).await;
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "hook", "dead").await;
    assert!(part["reason"].as_str().unwrap().contains("connection failed"), "{part:#}");
    assert_eq!(stack.platforms.webhook.requests_count(), 0);
}
