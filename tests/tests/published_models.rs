//! What the built-in plugins send, as the platforms' own published models see it; `published` says which, and whose.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tidegate_plugin_sdk::manifest::Manifest;
use tidegate_tests::published::{MODELS, ask};
use tidegate_tests::{Settings, Stack, WEBHOOK_SECRET};

/// What a model refuses though the platform takes it: plugin, fixture, the model's complaint, why it does not count.
const EXCEPTIONS: [(&str, &str, &str, &str); 1] = [(
    "klaviyo",
    "revision.json",
    "revision: the model is 2026-10-15, the request 2026-07-15",
    "the fixture shows that an operator may name another revision",
)];

/// Requests made wrong: plugin, fixture, where, the value there, and what the model says.
const BROKEN: [(&str, &str, &str, &str, &str); 23] = [
    ("amplitude", "purchase_one_product.json", "/events/0/revenue", r#""89.9""#, "expected <class 'float'>"),
    ("amplitude", "purchase_one_product.json", "/events/0/product_id", r#""SKU-1""#, "['product_id'] not known"),
    ("google-ads", "purchase_full.json", "/conversions/0/gbrade", r#""x""#, "no field named \"gbrade\""),
    ("google-ads", "purchase_full.json", "/conversions/0/conversionValue", r#""much""#, "conversionValue"),
    ("google-ads", "purchase_full.json", "/conversions/0/consent/adUserData", r#""CONSENT_GRANTED""#, "adUserData"),
    ("google-ads", "purchase_full.json", "/conversions/0/cartData/items/0/quantity", "1.5", "quantity"),
    ("google-ads", "enhancement.json", "/conversionAdjustments/0/adjustmentType", r#""REFUND""#, "adjustmentType"),
    ("google-ads", "enhancement.json", "/conversionAdjustments/0/gclid", r#""x""#, "no field named \"gclid\""),
    ("google-data-manager", "purchase_full.json", "/events/0/eventTimestamp", r#""yesterday""#, "eventTimestamp"),
    ("google-data-manager", "purchase_full.json", "/events/0/consent/adUserData", r#""GRANTED""#, "adUserData"),
    ("google-data-manager", "purchase_full.json", "/events/0/value", "1", "no field named \"value\""),
    ("klaviyo", "purchase_full.json", "/data/attributes/value", r#""49.97""#, "valid number"),
    ("klaviyo", "purchase_full.json", "/data/attributes/currency", r#""USD""#, "/data/attributes/currency: not known"),
    ("klaviyo", "purchase_full.json", "/data/type", r#""profile""#, "Input should be 'event'"),
    ("klaviyo", "identify.json", "/data/attributes/first", r#""Sarah""#, "/data/attributes/first: not known"),
    ("meta-capi", "purchase_full.json", "/data/0/event_time", r#""1768487520""#, "event_time must be an int"),
    ("meta-capi", "purchase_full.json", "/data/0/action_source", r#""web""#, "'web' is not a valid ActionSource"),
    ("meta-capi", "purchase_full.json", "/data/0/user_data/em", r#"["a@b.example"]"#, "/data/0/user_data/em/0"),
    ("pinterest", "purchase.json", "/data/0/event_time", r#""1768487520""#, "event_time"),
    ("pinterest", "purchase.json", "/data/0/custom_data/value", "149.99", "value"),
    ("pinterest", "purchase.json", "/data/0/user_data/email", r#"["x"]"#, "/data/0/user_data/email: not known"),
    ("slack", "purchase_blocks.json", "/blocks/0/text/type", r#""html""#, "/blocks/0"),
    ("slack", "purchase_blocks.json", "/channel", r##""#orders""##, "['channel'] not known"),
];

#[tokio::test]
async fn the_models_take_every_request_of_the_fixtures() {
    let requests: Vec<Request> = MODELS.iter().flat_map(|(plugin, _)| of_plugin(plugin)).collect();
    for (plugin, _) in MODELS {
        assert!(requests.iter().any(|request| request.plugin == plugin), "{plugin} has no requests");
    }
    let mut complaints = Vec::new();
    let mut excepted = Vec::new();
    for (request, said) in requests.iter().zip(said_of(&requests).await) {
        let known = |(plugin, fixture, complaint, _): &&(&str, &str, &str, &str)| {
            (*plugin, *fixture) == (request.plugin, request.fixture.as_str()) && *said == [complaint.to_owned()]
        };
        match EXCEPTIONS.iter().find(known) {
            Some((_, fixture, ..)) => excepted.push(*fixture),
            None => {
                complaints.extend(said.iter().map(|said| format!("{}/{}: {said}", request.plugin, request.fixture)))
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for (plugin, fixture, ..) in EXCEPTIONS {
        assert!(excepted.contains(&fixture), "{plugin}/{fixture} is no exception any more");
    }
}

#[tokio::test]
async fn the_models_refuse_what_is_made_wrong() {
    for (plugin, _) in MODELS {
        assert!(BROKEN.iter().any(|broken| broken.0 == plugin), "{plugin} has no broken request");
    }
    let requests: Vec<Request> = BROKEN.iter().map(broken).collect();
    for ((plugin, fixture, at, value, expected), said) in BROKEN.iter().zip(said_of(&requests).await) {
        let said = said.join("\n");
        assert!(said.contains(expected), "{plugin}/{fixture} with {value} at {at}: the model says {said:?}");
    }
}

#[tokio::test]
async fn the_answers_that_fixtures_give_in_googles_name_have_googles_own_codes() {
    let mut answers = Vec::new();
    for plugin in ["google-ads", "google-data-manager"] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(plugin);
        for path in fixtures(&dir) {
            let body = &read(&path)["response"]["body"];
            // What is no object is shown for not being Google's.
            if body.is_object() {
                answers.push((path, json!({ "plugin": plugin, "body": body })));
            }
        }
    }
    let wrong = [
        json!({ "plugin": "google-ads", "body": { "results": [{}], "job": "1" } }),
        json!({ "plugin": "google-ads", "body": { "error": { "details": [{
            "@type": "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure",
            "errors": [{ "errorCode": { "dateError": "INVALID" } }],
        }] } } }),
        json!({ "plugin": "google-data-manager", "body": { "error": { "details": [{ "reason": "INVALID" }] } } }),
        json!({ "plugin": "google-data-manager", "body": { "fieldWarnings": [{ "reason": "INVALID" }] } }),
    ];
    let questions: Vec<Value> = answers.iter().map(|(_, answer)| answer).chain(&wrong).cloned().collect();
    let said = ask("validate_answers.py", &questions).await;
    let (of_fixtures, of_wrong) = said.split_at(answers.len());
    let complaints: Vec<String> = answers
        .iter()
        .zip(of_fixtures)
        .filter(|(_, said)| !said.is_empty())
        .map(|((path, _), said)| format!("{}: {said:?}", path.display()))
        .collect();
    assert!(answers.len() > 20 && complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(of_wrong.iter().all(|said| !said.is_empty()), "{of_wrong:?}");
}

#[tokio::test]
async fn the_library_of_standard_webhooks_verifies_what_the_gateway_signed_and_nothing_else() {
    let stack = Stack::with(Settings::hook()).await;
    stack
        .take(&json!({ "event": "a", "customer_id": "c", "message_id": "e", "properties": { "city": "Wien – Süd" } }))
        .await;
    stack.outcome("e", "hook", "delivered").await;
    let requests = stack.platforms.webhook.requests();
    let header = |name: &str| requests[0].header(name).expect("a signed webhook").to_owned();
    let headers = json!({
        "webhook-id": header("webhook-id"),
        "webhook-timestamp": header("webhook-timestamp"),
        "webhook-signature": header("webhook-signature"),
    });
    let sent =
        json!({ "secret": WEBHOOK_SECRET, "headers": headers, "body": String::from_utf8_lossy(&requests[0].body) });
    let mut other_body = sent.clone();
    other_body["body"] = "{}".into();
    let mut other_id = sent.clone();
    other_id["headers"]["webhook-id"] = "f".into();
    let said = ask("verify_webhooks.py", &[sent, other_body, other_id]).await;
    let refused = vec!["No matching signature found".to_owned()];
    assert_eq!(said, [Vec::new(), refused.clone(), refused]);
}

/// A fixture's request, made wrong at one place.
fn broken((plugin, fixture, at, value, _): &(&'static str, &str, &str, &str, &str)) -> Request {
    let all = of_plugin(plugin);
    let mut request = all.into_iter().find(|request| request.fixture == *fixture).expect("the fixture has a request");
    let (parent, name) = at.rsplit_once('/').expect("a pointer");
    let parent = request.json["body"].pointer_mut(parent).expect("the place's parent is there");
    parent[name] = serde_json::from_str(value).expect("JSON");
    request
}

/// What `validate_requests.py` is asked.
struct Request {
    plugin: &'static str,
    fixture: String,
    json: Value,
}

/// Every request that the plugin's fixtures expect.
fn of_plugin(plugin: &'static str) -> Vec<Request> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(plugin);
    let manifest = std::fs::read_to_string(dir.join("plugin.toml")).expect("a manifest");
    let manifest = Manifest::parse(&manifest).expect("a valid manifest");
    let mut requests = Vec::new();
    for path in fixtures(&dir) {
        let fixture = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let config = manifest.config_with_defaults(config(&path).into());
        for request in read(&path)["requests"].as_array().into_iter().flatten() {
            let endpoint = request["endpoint"].as_str().expect("an endpoint");
            let mut url = manifest.endpoints[endpoint].url.clone();
            for (name, value) in config.as_object().into_iter().flatten() {
                url = url.replace(&format!("{{{name}}}"), value.as_str().unwrap_or_default());
            }
            let json = json!({
                "plugin": plugin, "url": url,
                "headers": request["headers"], "body": request["body"],
            });
            requests.push(Request { plugin, fixture: fixture.clone(), json });
        }
    }
    requests
}

fn fixtures(plugin: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(plugin.join("fixtures")).expect("fixtures");
    let mut files: Vec<PathBuf> = files.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

/// A fixture's configuration, laid over that of the fixture that it is like.
fn config(path: &Path) -> Map<String, Value> {
    let own = read(path);
    let mut config = own["like"].as_str().map(|like| config(&path.with_file_name(like))).unwrap_or_default();
    for (name, value) in own["context"]["config"].as_object().into_iter().flatten() {
        match value {
            Value::Null => drop(config.remove(name)),
            value => drop(config.insert(name.clone(), value.clone())),
        }
    }
    config
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a fixture")).expect("JSON")
}

/// The models' complaints, for each request in turn.
async fn said_of(requests: &[Request]) -> Vec<Vec<String>> {
    let questions: Vec<Value> = requests.iter().map(|request| request.json.clone()).collect();
    ask("validate_requests.py", &questions).await
}
