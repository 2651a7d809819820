//! What is in the ledger: each field that was given, in its form, counted, under its consent; and nothing of its value.

use std::path::Path;

use tidegate_fakes::Behaviour;
use tidegate_tests::Stack;

use super::*;

/// What says something of the person in [`purchase`], or of what she did.
const VALUES: &[&str] = &[
    "ada@example.com",
    "203.0.113.7",
    "IwAR_AbC",
    "7946",
    "Lovelace",
    "cust_12345",
    "fb.1.1700000000000.77",
    "1098115397",
    "order-of-ada",
    "sku-of-ada",
    "COUPON-OF-ADA",
    "secret-lamps",
    "Tests/1.0",
];

/// Every byte of the ledger in a file.
fn stored(dir: &Path) -> String {
    let store = Connection::open(dir.join("tidegate.db")).unwrap();
    let mut all = store.prepare("SELECT bytes FROM chain ORDER BY seq").unwrap();
    let entries = all.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    entries.map(|bytes| String::from_utf8(bytes.unwrap()).unwrap() + "\n").collect()
}

#[tokio::test]
async fn the_ledger_names_each_field_that_was_given_with_its_form_and_holds_no_value() {
    let mut stack = Stack::start().await;
    for id in ["m1", "m2"] {
        assert_eq!(stack.post_from_page(&purchase(id, "marketing"), COOKIES).await.status, 200);
    }
    assert_eq!(stack.post_from_page(&purchase("a1", "analytics"), COOKIES).await.status, 200);
    assert_eq!(stack.post_from_page(&purchase("n1", "none"), COOKIES).await.status, 200);
    for id in ["m1", "m2"] {
        for name in ["meta", "ga4", "hook"] {
            stack.outcome(id, name, "delivered").await;
        }
    }
    for name in ["ga4", "hook"] {
        stack.outcome("a1", name, "delivered").await;
    }
    let left = ledger(&stack, "", |left| events(left) == 8).await;
    assert_eq!(left["flows"].as_array().unwrap().len(), 5, "{left:#}");

    let meta = flow(&left, "meta", "marketing");
    assert_eq!(meta["host"], host(&stack.platforms.meta));
    assert_eq!((&meta["plugin"], meta["digest"].as_str().unwrap().len()), (&json!("meta-capi 0.1.0"), 64));
    assert_eq!(meta["granted"], json!(["analytics", "ad-storage", "ad-user-data", "ad-personalization"]));
    assert_eq!((&meta["events"], &meta["taken"], &meta["refused"]), (&json!(2), &json!(2), &Value::Null));
    let seen = [
        "click.fbclid",
        "client.ip",
        "client.user_agent",
        "cookie._fbp",
        "event.currency",
        "event.items",
        "event.order_id",
        "event.value",
        "page.url",
        "#user.email",
        "#user.external_id",
        "#user.last_name",
        "#user.phone",
    ];
    assert_eq!(fields(meta), each(2, &seen));

    let hook = flow(&left, "hook", "marketing");
    assert_eq!((&hook["host"], &hook["requests"]), (&json!(host(&stack.platforms.webhook)), &json!(2)));
    let seen = ["click.*", "client.ip", "client.locale", "client.user_agent", "cookie.*", "event.currency"];
    let more = ["event.items", "event.order_id", "event.value", "page.url", "properties.*", "user.*"];
    let ids = ["user.anonymous_id", "user.id"];
    assert_eq!(fields(hook), each(2, &[&seen[..], &more, &ids].concat()));

    let analytics = flow(&left, "hook", "analytics");
    assert_eq!((&analytics["granted"], &analytics["events"]), (&json!(["analytics"]), &json!(1)));
    let kept = ["client.locale", "client.user_agent", "cookie.*", "event.currency", "event.items", "event.order_id"];
    let kept = [&kept[..], &["event.value", "page.url", "properties.*", "user.anonymous_id"]].concat();
    assert_eq!(fields(analytics), each(1, &kept), "what the consent withholds was not given");
    flow(&left, "ga4", "analytics");

    let sent = stack.platforms.meta.requests()[0].json.clone().unwrap();
    let digests = digests(&sent);
    assert!(digests.len() >= 3, "{sent:#}");
    stack.stop().await;
    let stored = stored(stack.dir.path());
    for value in VALUES.iter().copied().chain(digests.iter().map(String::as_str)) {
        assert!(!stored.contains(value), "`{value}` is in {stored}");
    }
    assert!(stored.trim_end().ends_with(r#""end":true}"#), "whoever stops says so: {stored}");
}

/// All texts of a body that are SHA-256 digests.
fn digests(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => vec![text.clone()],
        Value::Array(list) => list.iter().flat_map(digests).collect(),
        Value::Object(map) => map.values().flat_map(digests).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn what_is_sent_again_has_left_again_and_what_became_of_it_is_counted() {
    let stack = Stack::with(Settings::hook()).await;
    stack.platforms.webhook.next([Behaviour::status(500), Behaviour::LoseAnswer]);
    stack.take(&small("again")).await;
    stack.outcome("again", "hook", "delivered").await;
    stack.platforms.webhook.next([Behaviour::status(400)]);
    stack.take(&small("refused")).await;
    stack.outcome("refused", "hook", "dead").await;
    let left = ledger(&stack, "", |left| events(left) == 4).await;
    let hook = flow(&left, "hook", "marketing");
    let counts = ["requests", "events", "taken", "refused", "unanswered"].map(|name| hook[name].as_u64().unwrap());
    assert_eq!(counts, [4, 4, 1, 1, 1], "{hook:#}");
    assert_eq!(fields(hook), each(4, &["user.id"]));
}

#[tokio::test]
async fn the_ledger_is_asked_by_destination_host_field_and_time() {
    let stack = Stack::with(Settings::marketing()).await;
    stack.post_from_page(&purchase("m1", "marketing"), COOKIES).await;
    let all = ledger(&stack, "", |left| events(left) == 3).await;
    let names = |left: &Value| {
        let flows = left["flows"].as_array().unwrap().iter();
        flows.map(|flow| flow["destination"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&all), ["ga4", "hook", "meta"]);
    let asked = |query: String| {
        let stack = &stack;
        async move { stack.admin(&format!("/api/ledger{query}")).await.json }
    };
    assert_eq!(names(&asked("?destination=meta".into()).await), ["meta"]);
    assert_eq!(names(&asked(format!("?host={}", host(&stack.platforms.webhook))).await), ["hook"]);
    let email = asked("?field=user.email".into()).await;
    assert_eq!(names(&email), ["ga4", "hook", "meta"], "the webhook has it by `user.*`");
    assert_eq!(fields(flow(&email, "meta", "marketing")), each(1, &["#user.email"]));
    assert_eq!(fields(flow(&email, "hook", "marketing")), each(1, &["user.*"]));
    assert_eq!(names(&asked("?field=click.fbclid".into()).await), ["hook", "meta"]);
    assert_eq!(names(&asked("?since=1h".into()).await), ["ga4", "hook", "meta"]);
    assert_eq!(names(&asked("?until=1h".into()).await), [""; 0]);
    assert_eq!(names(&asked("?since=2100-01-01".into()).await), [""; 0]);
    let odd = stack.admin("/api/ledger?since=yesterday").await;
    assert_eq!(odd.status, 400);
    assert!(odd.text.contains("`yesterday` is no time"), "{}", odd.text);
}

#[tokio::test]
async fn the_command_line_shows_what_left() {
    let platforms = Platforms::start().await;
    let home = used(&platforms).await;
    let (code, shown, said) = home.run(&["ledger", "show"]).await;
    assert_eq!((code, said.as_str()), (0, ""), "{shown}");
    for part in [
        &format!("meta  to  {}", host(&platforms.meta))[..],
        "consent  marketing (analytics, ad-storage, ad-user-data, ad-personalization)",
        "consent  analytics (analytics)",
        "plugin   meta-capi 0.1.0 ",
        "left     1 event in 1 request: 1 taken, 0 refused, 0 unanswered",
        "user.email         sha256  1",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    assert!(!shown.contains("were killed"), "its process has ended in order:\n{shown}");
    let found = home.json(&["ledger", "show", "--destination", "meta", "--since", "1h", "--field", "client.ip"]).await;
    assert_eq!(found["flows"].as_array().unwrap().len(), 1);
    assert_eq!(fields(&found["flows"][0]), each(1, &["client.ip"]));
    let (code, shown, _) = home.run(&["ledger", "show", "--until", "2020-01-01"]).await;
    assert_eq!((code, shown.trim()), (0, "nothing has left"));
    let (code, _, said) = home.run(&["ledger", "show", "--since", "soon"]).await;
    assert_eq!(code, 64);
    assert!(said.contains("`soon` is no time"), "{said}");
}

#[tokio::test]
async fn what_a_check_of_a_destination_sends_is_in_the_ledger() {
    let platforms = Platforms::start().await;
    let home = Home::new(&Settings::hook(), &platforms);
    let (code, _, said) = home.run(&["destination", "check", "hook"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("note: what is sent now will not be in the ledger: there is no queue at"), "{said}");
    let gateway = Process::start(&home.config).await;
    let (code, _, said) = home.run(&["destination", "check", "hook"]).await;
    assert_eq!((code, said.as_str()), (0, ""));
    let left = ledger(&gateway.client, "", |left| events(left) == 1).await;
    let names: Vec<String> = fields(flow(&left, "hook", "marketing")).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"client.ip".to_owned()), "{left:#}");
    assert_eq!(left["unended"], 0, "it has ended");
    assert!(gateway.terminate().await.success());
}
