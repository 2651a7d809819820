//! Operating: stopping and starting again, dead letters sent again or deleted, the numbers, and who may see them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_fakes::{Behaviour, Gate, Meta};
use tidegate_tests::plugin::{self, Parts};
use tidegate_tests::{ADMIN_TOKEN, Answer, Settings, Stack};

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": "c", "message_id": id })
}

async fn hooked() -> Stack {
    Stack::with(Settings::hook()).await
}

/// Lets one event die at the webhook; gives the dead letter's id.
async fn dead(stack: &Stack, id: &str) -> String {
    stack.platforms.webhook.next([Behaviour::status(400)]);
    stack.take(&event(id)).await;
    stack.outcome(id, "hook", "dead").await;
    let letters = stack.dead_letters("hook").await;
    let letter = letters.iter().find(|letter| letter["event_id"] == id).unwrap();
    letter["id"].as_str().unwrap().to_owned()
}

/// Waits until nobody listens at the public address any more.
async fn refused(stack_http: std::net::SocketAddr) {
    while tokio::net::TcpStream::connect(stack_http).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_graceful_stop_finishes_the_request_that_is_under_way() {
    let mut stack = hooked().await;
    let gate = Gate::shut();
    stack.platforms.webhook.next([Behaviour::held(&gate)]);
    stack.take(&event("e")).await;
    stack.platforms.webhook.wait_for(1).await.unwrap();
    let http = stack.http;
    let opening = async {
        refused(http).await;
        gate.open();
    };
    tokio::join!(stack.stop(), opening);
    stack.start_again().await;
    let part = stack.outcome("e", "hook", "delivered").await;
    assert_eq!(part["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(stack.platforms.webhook.requests_count(), 1);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_platform_that_never_answers_and_loses_nothing() {
    let delivery = "timeout_ms = 30000\nshutdown_ms = 0\n".into();
    let mut stack = Stack::with(Settings { delivery, ..Settings::hook() }).await;
    stack.platforms.webhook.next([Behaviour::NeverAnswer]);
    stack.take(&event("e")).await;
    stack.platforms.webhook.wait_for(1).await.unwrap();
    let stopped = tokio::time::timeout(Duration::from_secs(10), stack.stop()).await;
    assert!(stopped.is_ok(), "it waits for the platform");
    stack.start_again().await;
    stack.outcome("e", "hook", "delivered").await;
}

#[tokio::test]
async fn what_waits_at_a_stop_is_delivered_after_the_next_start() {
    let mut stack = hooked().await;
    stack.platforms.webhook.always(Behaviour::unavailable("1"));
    let ids: Vec<_> = (0..10).map(|n| format!("e{n}")).collect();
    for id in &ids {
        stack.take(&event(id)).await;
    }
    stack.platforms.webhook.wait_for(1).await.unwrap();
    stack.stop().await;
    stack.platforms.webhook.behave();
    stack.start_again().await;
    for id in &ids {
        stack.outcome(id, "hook", "delivered").await;
    }
    assert_eq!(stack.platforms.webhook.events_count(), 10);
}

#[tokio::test]
async fn an_events_id_counts_once_across_a_restart() {
    let mut stack = hooked().await;
    stack.take(&event("e")).await;
    stack.outcome("e", "hook", "delivered").await;
    stack.restart().await;
    let again = stack.post("/v1/events", &event("e")).await;
    assert_eq!(again.json["events"][0]["outcome"], "duplicate");
}

#[tokio::test]
async fn a_dead_letter_is_sent_again_as_it_was() {
    let stack = hooked().await;
    let letter = dead(&stack, "e").await;
    let report = stack.admin_post("/api/dead-letters/replay", &json!({ "ids": [letter] })).await;
    assert_eq!(report.json, json!({ "replayed": 1, "dead_letters": [{ "id": letter, "queued": true }] }));
    let part = stack.outcome("e", "hook", "delivered").await;
    let attempts: Vec<_> = part["attempts"].as_array().unwrap().iter().map(|a| a["status"].clone()).collect();
    assert_eq!(attempts, [400, 200], "what happened before is kept");
    let requests = stack.platforms.webhook.requests();
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(stack.dead_letters("hook").await, Vec::<Value>::new());
    let report = stack.admin_post("/api/dead-letters/replay", &json!({ "ids": [letter] })).await;
    assert_eq!(report.json["dead_letters"][0]["reason"], "there is no such dead letter");
}

#[tokio::test]
async fn all_dead_letters_of_a_destination_are_sent_again_and_those_of_others_are_not() {
    let stack = Stack::with(Settings::marketing()).await;
    let lead = |id: &str| json!({ "event": "generate_lead", "message_id": id, "user": { "email": "a@example.com" } });
    stack.platforms.meta.next([Meta::error(400, 100, "Invalid parameter")]);
    stack.platforms.webhook.next([Behaviour::status(400), Behaviour::status(400)]);
    stack.take(&lead("e1")).await;
    stack.outcome("e1", "meta", "dead").await;
    stack.take(&lead("e2")).await;
    for id in ["e1", "e2"] {
        stack.outcome(id, "hook", "dead").await;
    }
    let report = stack.admin_post("/api/dead-letters/replay", &json!({ "destination": "hook" })).await;
    assert_eq!(report.json["replayed"], 2);
    for id in ["e1", "e2"] {
        stack.outcome(id, "hook", "delivered").await;
    }
    assert_eq!((stack.dead_letters("hook").await.len(), stack.dead_letters("meta").await.len()), (0, 1));
    let report = stack.admin_post("/api/dead-letters/replay", &json!({ "all": true })).await;
    assert_eq!(report.json["replayed"], 1);
    stack.outcome("e1", "meta", "delivered").await;
}

#[tokio::test]
async fn more_dead_letters_than_one_list_holds_are_sent_again_or_deleted() {
    let stack = hooked().await;
    stack.platforms.webhook.always(Behaviour::status(400));
    let events: Vec<_> = (0..1100).map(|n| event(&format!("e{n}"))).collect();
    for part in events.chunks(1000) {
        assert_eq!(stack.post("/v1/events", &json!({ "events": part })).await.status, 200);
    }
    stack.status_until("hook", |status| status["dead"] == 1100).await;
    let ids: Vec<_> = stack.dead_letters("hook").await.iter().map(|letter| letter["id"].clone()).collect();
    assert_eq!(ids.len(), 100, "a list is bounded");
    let purged = stack.admin_post("/api/dead-letters/purge", &json!({ "ids": ids })).await;
    assert_eq!(purged.json["purged"], 100);
    stack.platforms.webhook.behave();
    let report = stack.admin_post("/api/dead-letters/replay", &json!({ "all": true })).await;
    assert_eq!(report.json["replayed"], 1000);
    stack.platforms.webhook.wait_for_events(1000).await.unwrap();
    assert_eq!(stack.dead_letters("hook").await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_a_broken_plugin_lost_is_sent_again_through_the_mended_one() {
    let settings = |wasm: Vec<u8>| Settings {
        more: plugin::destination("by-hand", "by-hand.wasm"),
        files: vec![("by-hand.wasm", wasm)],
        ..Settings::hook()
    };
    let broken = Parts { transform: "unreachable", ..Parts::default() }.build();
    let mut stack = Stack::with(settings(broken)).await;
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "by-hand", "dead").await;
    assert!(part["reason"].as_str().unwrap().starts_with("transform failed: crashed"), "{part:#}");
    let again = json!({ "destination": "by-hand" });
    let report = stack.admin_post("/api/dead-letters/replay", &again).await.json;
    assert_eq!(report["replayed"], 0, "{report:#}");
    assert!(report["dead_letters"][0]["reason"].as_str().unwrap().starts_with("it fails still: "), "{report:#}");
    assert_eq!(stack.dead_letters("by-hand").await.len(), 1, "it is not lost by trying");

    stack.restart_with(settings(Parts::default().build())).await;
    let report = stack.admin_post("/api/dead-letters/replay", &again).await.json;
    assert_eq!(report["replayed"], 1, "{report:#}");
    stack.outcome("e", "by-hand", "delivered").await;
    assert_eq!(stack.platforms.webhook.requests()[0].body, "e");
    assert_eq!(stack.dead_letters("by-hand").await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_a_wrong_configuration_lost_is_sent_again_after_it_is_mended() {
    let meta = |extra: &str| {
        format!(
            r#"
[[destination]]
name = "meta"
site = "shop"
plugin = "meta-capi"
config = {{ pixel_id = "123456789012345"{extra} }}
secrets = {{ access_token = "env:META_TOKEN" }}
base_url = "$META"
allow_insecure = true
"#
        )
    };
    let strict = meta(r#", action_source_without_browser = "refuse""#);
    let mut stack = Stack::with(Settings { more: strict, ..Settings::hook() }).await;
    stack.take(&json!({ "event": "generate_lead", "message_id": "e", "user": { "email": "a@example.com" } })).await;
    let part = stack.outcome("e", "meta", "dead").await;
    assert_eq!(part["reason"], "invalid: website event without event_source_url");
    assert_eq!(part["attempts"], json!([]), "it was never sent");
    stack.restart_with(Settings { more: meta(""), ..Settings::hook() }).await;
    let report = stack.admin_post("/api/dead-letters/replay", &json!({ "all": true, "fresh": true })).await;
    assert_eq!(report.json["replayed"], 1, "{}", report.text);
    stack.outcome("e", "meta", "delivered").await;
    assert_eq!(stack.platforms.meta.events()[0]["action_source"], "other");
}

#[tokio::test]
async fn purged_dead_letters_are_gone_and_only_those_that_were_named() {
    let stack = hooked().await;
    let (first, second) = (dead(&stack, "e1").await, dead(&stack, "e2").await);
    let purged = stack.admin_post("/api/dead-letters/purge", &json!({ "ids": [first] })).await;
    assert_eq!(purged.json, json!({ "purged": 1 }));
    let left = stack.dead_letters("hook").await;
    assert_eq!((left.len(), &left[0]["id"]), (1, &json!(second)));
    assert_eq!(stack.admin_post("/api/dead-letters/purge", &json!({ "destination": "hook" })).await.json["purged"], 1);
    assert_eq!(stack.status("hook").await["dead"], 0);
}

#[tokio::test]
async fn a_wish_that_names_no_dead_letters_is_refused() {
    let stack = hooked().await;
    dead(&stack, "e").await;
    for body in [json!({}), json!({ "ids": ["x"] }), json!({ "every": true }), json!("all"), json!(null)] {
        for path in ["/api/dead-letters/replay", "/api/dead-letters/purge"] {
            let answer = stack.admin_post(path, &body).await;
            assert_eq!(answer.status, 400, "{path} {body}");
            assert!(
                answer.json["error"].is_string() && answer.json["hint"].is_string(),
                "{path} {body}: {}",
                answer.text
            );
        }
    }
    assert_eq!(stack.dead_letters("hook").await.len(), 1);
}

#[tokio::test]
async fn dead_letters_are_found_by_event_and_by_reason() {
    let stack = hooked().await;
    dead(&stack, "e1").await;
    dead(&stack, "e2").await;
    let count = async |query: &str| {
        let answer = stack.admin(&format!("/api/dead-letters?{query}")).await;
        answer.json["dead_letters"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 2);
    assert_eq!(count("event=e2").await, 1);
    assert_eq!(count("reason=HTTP%20400").await, 2);
    assert_eq!(count("reason=HTTP%20404").await, 0);
    assert_eq!(count("limit=1").await, 1);
    assert_eq!(count("destination=other").await, 0);
}

#[tokio::test]
async fn the_numbers_tell_what_happened() {
    let stack = hooked().await;
    dead(&stack, "dead").await;
    stack.platforms.webhook.next([Behaviour::status(500)]);
    stack.take(&event("e")).await;
    stack.outcome("e", "hook", "delivered").await;
    stack.post("/v1/events", &event("e")).await;
    stack.post("/v1/events", &json!({ "event": "" })).await;
    let answer = stack.admin("/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    for line in [
        r#"tidegate_requests_total{status="200"} 3"#,
        r#"tidegate_requests_total{status="400"} 1"#,
        r#"tidegate_events_total{outcome="accepted"} 2"#,
        r#"tidegate_events_total{outcome="duplicate"} 1"#,
        r#"tidegate_events_total{outcome="refused"} 1"#,
        r#"tidegate_attempts_total{destination="hook",outcome="delivered"} 1"#,
        r#"tidegate_attempts_total{destination="hook",outcome="retried"} 1"#,
        r#"tidegate_attempts_total{destination="hook",outcome="dead"} 1"#,
        r#"tidegate_deliveries_waiting{destination="hook"} 0"#,
        r#"tidegate_dead_letters{destination="hook"} 1"#,
        r#"tidegate_destination_parked{destination="hook"} 0"#,
        "tidegate_store_ready 1",
    ] {
        assert!(answer.text.lines().any(|found| found == line), "{line} is not in:\n{}", answer.text);
    }
}

/// Asks the admin listener with this token, or none.
async fn ask(stack: &Stack, method: Method, path: &str, token: Option<&str>) -> Answer {
    let request = reqwest::Client::new().request(method, format!("http://{}{path}", stack.admin));
    stack.send(token.iter().fold(request, |request, token| request.bearer_auth(token))).await.unwrap()
}

#[tokio::test]
async fn the_operators_side_asks_for_its_token() {
    let stack = hooked().await;
    let paths = ["/api/status", "/api/events", "/api/events/e", "/api/ledger", "/api/dead-letters", "/metrics"];
    for path in paths {
        for token in [None, Some(""), Some("the-operators-own-toke"), Some(tidegate_tests::API_KEY)] {
            let answer = ask(&stack, Method::GET, path, token).await;
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{path} {token:?}");
        }
        assert_ne!(ask(&stack, Method::GET, path, Some(ADMIN_TOKEN)).await.status, 401, "{path}");
    }
    for path in ["/api/dead-letters/replay", "/api/dead-letters/purge", "/api/reload", "/api/destinations/hook/off"] {
        assert_eq!(ask(&stack, Method::POST, path, None).await.status, 401);
    }
}

#[tokio::test]
async fn health_and_the_page_are_open_and_the_page_can_load_nothing_from_elsewhere() {
    let stack = hooked().await;
    assert_eq!(ask(&stack, Method::GET, "/healthz", None).await.text, "ok\n");
    let ready = ask(&stack, Method::GET, "/readyz", None).await;
    assert_eq!((ready.status, &ready.json["ready"]), (200, &json!(true)));
    assert_eq!(
        (&ready.json["durability"]["level"], &ready.json["roles"]),
        (&json!("fsync"), &json!(["collect", "deliver"]))
    );
    assert!(ready.json["durability"]["meaning"].as_str().unwrap().contains("synchronous=FULL"));
    let mut pages = vec![("/".to_owned(), "text/html"), ("/dashboard.css".to_owned(), "text/css")];
    pages.push(("/dashboard.js".to_owned(), "text/javascript"));
    let mut at = pages.len() - 1;
    while let Some((path, _)) = pages.get(at).cloned() {
        let script = ask(&stack, Method::GET, &path, None).await.text;
        // The script names modules from the root, and they each other from their own folder.
        let imported = script.lines().filter_map(|line| line.strip_prefix("import ")?.split('"').nth(1));
        let path =
            |module: &str| format!("/dashboard/{}", module.trim_start_matches("./").trim_start_matches("dashboard/"));
        for module in imported.map(path) {
            if !pages.iter().any(|(known, _)| *known == module) {
                pages.push((module, "text/javascript"));
            }
        }
        at += 1;
    }
    assert!(pages.len() > 6, "the script is made of modules: {pages:?}");
    for (path, kind) in &pages {
        let page = ask(&stack, Method::GET, path, None).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.header("content-type").unwrap().starts_with(kind));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert!(!page.text.contains("http://") || !page.text.contains("src=\"http"), "{path}");
    }
}

#[tokio::test]
async fn the_public_port_serves_nothing_of_the_operators() {
    let stack = hooked().await;
    let paths = [
        "/",
        "/dashboard.js",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/status",
        "/api/events",
        "/api/ledger",
        "/api/dead-letters",
    ];
    for path in paths {
        for method in [Method::GET, Method::POST] {
            let request = stack.request(method, path).bearer_auth(ADMIN_TOKEN);
            assert_eq!(stack.send(request).await.unwrap().status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn the_newest_events_are_listed_first_with_what_became_of_them() {
    let stack = hooked().await;
    dead(&stack, "e1").await;
    stack.take(&json!({ "event": "a", "customer_id": "c", "message_id": "e2", "consent": "none" })).await;
    stack.post("/v1/events", &json!({ "event": "", "message_id": "e3" })).await;
    let events = stack.admin("/api/events?limit=10").await.json["events"].clone();
    let told: Vec<_> = events.as_array().unwrap().iter().map(|e| (e["id"].clone(), e["outcome"].clone())).collect();
    let expected = [("e3", "refused"), ("e2", "dropped"), ("e1", "dead")];
    assert_eq!(told, expected.map(|(id, outcome)| (json!(id), json!(outcome))));
    assert_eq!(stack.admin("/api/events?limit=1").await.json["events"].as_array().unwrap().len(), 1);
    assert_eq!(stack.admin("/api/events/nobody").await.status, 404);
}
