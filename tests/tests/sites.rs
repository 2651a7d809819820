//! Several sites in one gateway: each has its own keys, pages, destinations, ids and visitors.

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_tests::{API_KEY, Answer, Destinations, HOOK, ORIGIN, Settings, Stack, WRITE_KEY};

const BLOG_KEY: &str = "blog-write-key";
const BLOG_API_KEY: &str = "secret-api-key-of-the-blog";
const BLOG_ORIGIN: &str = "https://blog.example";

/// A shop and a blog, each with a webhook of its own.
async fn two_sites() -> Stack {
    let blog = format!(
        r#"
[[site]]
name = "blog"
hosts = ["track.blog.example"]
origins = ["{BLOG_ORIGIN}"]
write_keys = ["{BLOG_KEY}"]
api_keys = ["{BLOG_API_KEY}"]
consent = {{ default = "marketing" }}
"#
    );
    let hook = HOOK.replace("\"hook\"", "\"blog-hook\"").replace("\"shop\"", "\"blog\"").replace("/tidegate", "/blog");
    Stack::with(Settings {
        consent_default: "marketing",
        destinations: Destinations::None,
        more: format!("{blog}{HOOK}{hook}"),
        ..Settings::default()
    })
    .await
}

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": "cust_1", "message_id": id })
}

async fn send(stack: &Stack, key: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let request = stack.request(Method::POST, "/v1/events").header("x-write-key", key).body(body.to_string());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    stack.send(request).await.expect("an answer")
}

#[tokio::test]
async fn an_event_goes_to_the_destinations_of_its_own_site_only() {
    let stack = two_sites().await;
    assert_eq!(send(&stack, BLOG_API_KEY, &[], &event("of-the-blog")).await.status, 200);
    assert_eq!(send(&stack, API_KEY, &[], &event("of-the-shop")).await.status, 200);
    for (id, destination, path) in [("of-the-blog", "blog-hook", "/blog"), ("of-the-shop", "hook", "/tidegate")] {
        stack.outcome(id, destination, "delivered").await;
        let trace = stack.trace(id).await;
        assert_eq!(trace["destinations"].as_array().map(Vec::len), Some(1), "{trace:#}");
        let requests = stack.platforms.webhook.requests();
        let paths: Vec<_> = requests.iter().filter(|request| request.header("webhook-id") == Some(id)).collect();
        assert_eq!((paths.len(), paths[0].path.as_str()), (1, path));
    }
}

#[tokio::test]
async fn one_id_at_two_sites_is_two_events() {
    let stack = two_sites().await;
    for key in [API_KEY, BLOG_API_KEY] {
        assert_eq!(send(&stack, key, &[], &event("same")).await.json["events"][0]["outcome"], "accepted");
        assert_eq!(send(&stack, key, &[], &event("same")).await.json["events"][0]["outcome"], "duplicate");
    }
    stack.platforms.webhook.wait_for_events(2).await.expect("both are delivered");
}

#[tokio::test]
async fn a_page_of_one_site_may_not_use_the_key_of_another() {
    let stack = two_sites().await;
    for (key, origin, status) in
        [(WRITE_KEY, ORIGIN, 200), (BLOG_KEY, BLOG_ORIGIN, 200), (WRITE_KEY, BLOG_ORIGIN, 403), (BLOG_KEY, ORIGIN, 403)]
    {
        let answer = send(&stack, key, &[("origin", origin)], &json!({ "event": "page_view" })).await;
        assert_eq!(answer.status, status, "{key} {origin}");
    }
}

#[tokio::test]
async fn cookies_are_set_only_under_a_host_of_the_keys_site() {
    let stack = two_sites().await;
    let view = json!({ "event": "page_view", "consent": "marketing" });
    for (host, domain) in [("track.blog.example", Some("blog.example")), ("track.shop.example", None)] {
        let headers = [("origin", BLOG_ORIGIN), ("host", host), ("x-forwarded-proto", "https")];
        let answer = send(&stack, BLOG_KEY, &headers, &view).await;
        assert_eq!(answer.status, 200);
        let lines: Vec<_> = answer.cookies().into_iter().map(|(_, _, line)| line).collect();
        match domain {
            Some(domain) => {
                assert!(lines.iter().all(|line| line.contains(&format!("; Domain={domain};"))), "{lines:?}")
            }
            None => assert_eq!(lines, Vec::<String>::new()),
        }
        assert_eq!(lines.is_empty(), domain.is_none());
    }
}

#[tokio::test]
async fn what_one_site_knows_of_a_customer_the_other_does_not() {
    let stack = two_sites().await;
    let known = json!({ "event": "login", "customer_id": "cust_1", "user": { "email": "ada@example.com" } });
    assert_eq!(send(&stack, API_KEY, &[], &known).await.status, 200);
    for (key, id, identifiers) in
        [(API_KEY, "shop", json!({ "email": "ada@example.com" })), (BLOG_API_KEY, "blog", Value::Null)]
    {
        assert_eq!(send(&stack, key, &[], &event(id)).await.status, 200);
        assert_eq!(stack.trace(id).await["event"]["identifiers"], identifiers, "{id}");
    }
}

#[tokio::test]
async fn a_destination_that_is_switched_off_gets_nothing_and_the_trace_says_so() {
    let off = HOOK.replace("\"hook\"", "\"off\"").replace("allow_insecure", "enabled = false\nallow_insecure");
    let stack = Stack::with(Settings { more: format!("{HOOK}{off}"), ..Settings::hook() }).await;
    let id = stack.take(&event("e")).await;
    stack.outcome(&id, "hook", "delivered").await;
    assert_eq!(stack.outcome(&id, "off", "dropped").await["reason"], "the destination is switched off");
    assert_eq!(stack.platforms.webhook.requests_count(), 1);
}
