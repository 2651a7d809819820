//! OAuth: access tokens are asked for once, replaced when they end or are withdrawn, and what cannot be had parks or waits.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tidegate_fakes::{Behaviour, Fake, Gate};
use tidegate_tests::oauth::{self, ACCESS, Account, SECRETS};
use tidegate_tests::{Destinations, Settings, Stack};

/// Parking begins with thirty times the backoff's base; no event has more attempts than two.
const QUICK: &str = "backoff_base_ms = 2\nbackoff_max_ms = 100\nattempts_max = 2\n";
const PATIENT: &str = "backoff_base_ms = 2\nbackoff_max_ms = 100\nattempts_max = 1000\n";

fn settings(wasm: Vec<u8>, more: String, delivery: &str) -> Settings {
    Settings {
        consent_default: "marketing",
        destinations: Destinations::None,
        more,
        files: vec![("account.wasm", wasm)],
        delivery: delivery.into(),
        ..Settings::default()
    }
}

/// A gateway with destinations that share an account's refresh token.
async fn stack(names: &[&str], delivery: &str) -> (Stack, Account, Fake) {
    let account = Account::default();
    let fake = Fake::start(account.clone()).await.unwrap();
    let more = names.iter().map(|name| oauth::destination(name, &fake.url(), &SECRETS)).collect();
    let stack = Stack::with(settings(oauth::refreshing_plugin(), more, delivery)).await;
    (stack, account, fake)
}

fn event(id: &str) -> Value {
    json!({ "event": "generate_lead", "message_id": id, "customer_id": "cust_12345" })
}

async fn take(stack: &Stack, ids: &[String]) {
    let events: Vec<Value> = ids.iter().map(|id| event(id)).collect();
    let answer = stack.post("/v1/events", &json!({ "events": events })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// The credentials of every request to the API, in order.
fn authorizations(fake: &Fake) -> Vec<String> {
    let requests = fake.requests().into_iter().filter(|request| request.path == "/events");
    requests.map(|request| request.header("authorization").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn one_token_is_asked_for_however_many_deliveries_and_destinations_need_it() {
    let (stack, account, fake) = stack(&["one", "two"], QUICK).await;
    let gate = Gate::shut();
    fake.next([Behaviour::held(&gate)]);
    let ids: Vec<String> = (0..20).map(|n| format!("e{n}")).collect();
    take(&stack, &ids).await;
    fake.wait_for(1).await.unwrap();
    gate.open();
    for id in &ids {
        stack.outcome(id, "one", "delivered").await;
        stack.outcome(id, "two", "delivered").await;
    }
    assert_eq!(account.forms().len(), 1);
    let form = &account.forms()[0];
    assert_eq!((form["grant_type"].as_str(), form["client_secret"].as_str()), ("refresh_token", SECRETS[1].1));
    assert_eq!(authorizations(&fake), vec![format!("Bearer {ACCESS}1"); 40]);
    let posted = fake.requests().into_iter().find(|request| request.path == "/events").unwrap();
    assert_eq!(posted.header("developer-token"), Some("developer-token-of-the-tests"));
}

#[tokio::test]
async fn a_token_that_has_run_out_is_asked_for_again() {
    let (stack, account, fake) = stack(&["one"], QUICK).await;
    account.tokens_live_s(0);
    for id in ["first", "second"] {
        stack.take(&event(id)).await;
        stack.outcome(id, "one", "delivered").await;
    }
    assert_eq!(authorizations(&fake), [format!("Bearer {ACCESS}1"), format!("Bearer {ACCESS}2")]);
}

#[tokio::test]
async fn a_token_that_is_withdrawn_is_replaced_once_and_everything_is_delivered() {
    let (stack, account, _fake) = stack(&["one", "two"], QUICK).await;
    stack.take(&event("before")).await;
    stack.outcome("before", "one", "delivered").await;
    stack.outcome("before", "two", "delivered").await;
    account.revoke();
    let ids: Vec<String> = (0..20).map(|n| format!("e{n}")).collect();
    take(&stack, &ids).await;
    for id in &ids {
        for name in ["one", "two"] {
            let part = stack.outcome(id, name, "delivered").await;
            assert_eq!(part["attempts"].as_array().map(Vec::len), Some(1), "it took no attempt: {part:#}");
        }
    }
    assert_eq!(account.forms().len(), 2);
    assert_eq!(stack.status("one").await["parked"], Value::Null);
}

#[tokio::test]
async fn a_platform_that_refuses_a_new_token_too_parks_until_it_takes_one() {
    let (stack, account, fake) = stack(&["one"], QUICK).await;
    account.refuse_all();
    stack.take(&event("e")).await;
    let parked = stack.status_until("one", |status| !status["parked"].is_null()).await;
    assert_eq!(parked["parked"], "HTTP 401");
    let first: Vec<String> = authorizations(&fake).into_iter().take(2).collect();
    assert_eq!(first, [format!("Bearer {ACCESS}1"), format!("Bearer {ACCESS}2")]);
    // This platform repeats the token that it refuses; nobody gets to see it.
    let trace = stack.trace_until("e", |trace| !trace["destinations"][0]["attempts"][0].is_null()).await.to_string();
    assert!(trace.contains("Bearer …") && !trace.contains(ACCESS), "{trace}");
    account.accept_all();
    stack.outcome("e", "one", "delivered").await;
    stack.status_until("one", |status| status["parked"].is_null()).await;
}

#[tokio::test]
async fn a_grant_that_is_withdrawn_parks_and_is_named_and_nothing_is_lost() {
    let (stack, account, fake) = stack(&["one", "two"], QUICK).await;
    let revoked = json!({ "error": "invalid_grant", "error_description": "Token has been expired or revoked." });
    account.tokens_fail(400, revoked);
    stack.take(&event("e")).await;
    let expected = format!(
        "not sent: no access token: {}/token answered `invalid_grant` (Token has been expired or revoked.)",
        fake.url()
    );
    for name in ["one", "two"] {
        let parked = stack.status_until(name, |status| !status["parked"].is_null()).await;
        assert_eq!(parked["parked"], json!(expected));
    }
    // More tries than an event has attempts: none of them is the event's own.
    fake.wait_for(6).await.unwrap();
    let trace = stack.trace("e").await.to_string();
    assert!(trace.contains("credentials: not sent: no access token"), "{trace}");
    for (name, secret) in SECRETS {
        assert!(!trace.contains(secret), "{name} is in {trace}");
    }
    account.tokens_work();
    for name in ["one", "two"] {
        stack.outcome("e", name, "delivered").await;
        let status = stack.status_until(name, |status| status["parked"].is_null()).await;
        assert_eq!((&status["waiting"], &status["dead"]), (&json!(0), &json!(0)));
    }
}

#[tokio::test]
async fn a_token_endpoint_that_is_down_parks_nothing_and_loses_nothing() {
    let (stack, account, fake) = stack(&["one"], PATIENT).await;
    account.tokens_fail(503, json!({}));
    let ids: Vec<String> = (0..10).map(|n| format!("e{n}")).collect();
    take(&stack, &ids).await;
    let reason = format!("retry: not sent: no access token: HTTP 503 from {}/token", fake.url());
    let tried = |trace: &Value| trace["destinations"][0]["attempts"][0]["verdict"] == json!(reason);
    stack.trace_until("e0", tried).await;
    let down = stack.status_until("one", |status| !status["down"].is_null()).await;
    assert_eq!((&down["parked"], &down["dead"]), (&Value::Null, &json!(0)));
    account.tokens_work();
    for id in &ids {
        stack.outcome(id, "one", "delivered").await;
    }
    assert_eq!(stack.status("one").await["down"], Value::Null);
    assert_eq!(fake.events_count(), 10);
}

#[tokio::test]
async fn a_token_endpoint_that_asks_for_a_pause_gets_it() {
    let (stack, account, fake) = stack(&["one"], "backoff_base_ms = 2\nbackoff_max_ms = 4000\n").await;
    fake.next([Behaviour::too_many_requests("1")]);
    let ids: Vec<String> = (0..10).map(|n| format!("e{n}")).collect();
    take(&stack, &ids).await;
    for id in &ids {
        stack.outcome(id, "one", "delivered").await;
    }
    assert_eq!(account.forms().len(), 2);
    let arrived: Vec<i64> = fake.requests().iter().take(2).map(|request| request.arrived_ms).collect();
    assert!(arrived[1] - arrived[0] >= 1_000, "{arrived:?}");
}

#[tokio::test]
async fn a_token_endpoint_inside_is_not_reached_either() {
    let wasm = oauth::plugin(
        r#"
scheme = "oauth2-refresh"
token_url = "https://localhost:9/token"
client_id = "client_id"
client_secret = "client_secret"
refresh_token = "refresh_token"
"#,
    );
    let more = oauth::destination("one", "", &SECRETS[..3]);
    let more = more.replace("base_url = \"\"\nallow_insecure = true\n", "");
    let stack = Stack::with(settings(wasm, more, QUICK)).await;
    stack.take(&event("e")).await;
    let parked = stack.status_until("one", |status| !status["parked"].is_null()).await;
    let reason = parked["parked"].as_str().unwrap();
    assert!(reason.contains("no access token: not sent: `localhost` is a private address"), "{reason}");
}

const SERVICE_ACCOUNT: &str = r#"
scheme = "oauth2-service-account"
token_url = "https://accounts.platform.example/token"
scopes = ["https://platform.example/insert", "https://platform.example/read"]
key = "key"
"#;

fn key(private_key: &str) -> String {
    let key = json!({
        "client_email": "tidegate@project.example",
        "private_key": private_key,
        "private_key_id": "1",
        "token_uri": "https://evil.example/token",
    });
    key.to_string()
}

#[tokio::test]
async fn a_service_account_asks_with_what_its_key_has_signed() {
    let account = Account::default();
    let fake = Fake::start(account.clone()).await.unwrap();
    let key = key(include_str!("../../gateway/src/delivery/auth/rfc7515-a2.pem"));
    let more = oauth::destination("one", &fake.url(), &[("key", &key)]);
    let stack = Stack::with(settings(oauth::plugin(SERVICE_ACCOUNT), more, QUICK)).await;
    stack.take(&event("e")).await;
    stack.outcome("e", "one", "delivered").await;
    let form = &account.forms()[0];
    let part = |index: usize| -> Value {
        let part = form["assertion"].split('.').nth(index).unwrap();
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(part(0), json!({ "alg": "RS256", "typ": "JWT", "kid": "1" }));
    let claims = part(1);
    assert_eq!(claims["iss"], "tidegate@project.example");
    assert_eq!(claims["scope"], "https://platform.example/insert https://platform.example/read");
    assert_eq!(claims["aud"], "https://accounts.platform.example/token", "whatever stands in for it in a test");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3_600);
}

#[tokio::test]
async fn a_service_accounts_key_that_is_none_is_found_before_the_start() {
    let more = oauth::destination("one", "http://127.0.0.1:9", &[("key", &key("MIIE"))]);
    let said = Stack::try_start(settings(oauth::plugin(SERVICE_ACCOUNT), more, QUICK)).await.unwrap_err();
    let expected = "destination `one`: secret `key` is no key of a service account: its `private_key` is no PKCS#8 key in \
                    PEM in tidegate.toml, line ";
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains("MIIE"), "{said}");
}

#[tokio::test]
async fn each_request_has_a_signature_of_its_own() {
    let auth = r#"
scheme = "oauth1"
consumer_key = "consumer_key"
consumer_secret = "consumer_secret"
token = "token"
token_secret = "token_secret"
"#;
    let fake = Fake::start(Account::default()).await.unwrap();
    let names = ["consumer_key", "consumer_secret", "token", "token_secret"];
    let more = oauth::destination("one", &fake.url(), &names.map(|name| (name, name)));
    let stack = Stack::with(settings(oauth::plugin(auth), more, QUICK)).await;
    for id in ["first", "second"] {
        stack.take(&event(id)).await;
        stack.outcome(id, "one", "delivered").await;
    }
    let [first, second] = authorizations(&fake).try_into().unwrap();
    let parameters = |header: &str| -> Vec<(String, String)> {
        let pairs = header.strip_prefix("OAuth ").unwrap().split(", ").map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
    };
    let names: Vec<String> = parameters(&first).into_iter().map(|(name, _)| name).collect();
    let expected = ["consumer_key", "nonce", "signature", "signature_method", "timestamp", "token", "version"];
    assert_eq!(names, expected.map(|name| format!("oauth_{name}")));
    let differing = parameters(&first).into_iter().zip(parameters(&second)).filter(|(first, second)| first != second);
    let differing: Vec<String> =
        differing.map(|((name, _), _)| name).filter(|name| name != "oauth_timestamp").collect();
    assert_eq!(differing, ["oauth_nonce", "oauth_signature"]);
    assert!(!format!("{first}{second}").contains("secret"));
}
