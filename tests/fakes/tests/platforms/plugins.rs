//! What the first-party plugins' fixtures say they send is what the platforms take.

use serde_json::Value;
use tidegate_fakes::{Clock, KINDS, Kind};
use tidegate_plugin_sdk::manifest::{Auth, Manifest};

use crate::raw;

/// When the fixtures' events are transformed, unless they say otherwise.
const NOW_MS: i64 = 1_768_487_522_000;

#[test]
fn every_plugin_brings_a_fake() {
    let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins")).unwrap();
    let plugins = folders.map(|entry| entry.unwrap().path()).filter(|path| path.join("plugin.toml").is_file());
    let missing: Vec<_> = plugins.filter(|path| !path.join("fake/platform.rs").is_file()).collect();
    assert!(missing.is_empty(), "{missing:?} have no fake/platform.rs");
}

#[tokio::test]
async fn every_platform_takes_every_request_that_its_plugins_fixtures_produce() {
    for kind in KINDS {
        match post_all(kind).await {
            None => println!("{}: its requests are signed", kind.plugin),
            Some(sent) => assert!(sent > 5, "{}: only {sent} requests were found", kind.plugin),
        }
    }
}

/// Gives how many there were; nothing where they have to be signed, which is the gateway's to do and its tests' to show.
async fn post_all(kind: &Kind) -> Option<usize> {
    let dir = format!("{}/../../plugins/{}", env!("CARGO_MANIFEST_DIR"), kind.plugin);
    let manifest = Manifest::parse(&std::fs::read_to_string(format!("{dir}/plugin.toml")).unwrap()).unwrap();
    if matches!(manifest.auth, Some(Auth::StandardWebhooks { .. } | Auth::Oauth1 { .. })) {
        return None;
    }
    let mut sent = 0;
    for entry in std::fs::read_dir(format!("{dir}/fixtures")).unwrap() {
        let path = entry.unwrap().path();
        let fixture = fixture(&path);
        let now_ms = fixture["context"]["now_ms"].as_i64().unwrap_or(NOW_MS);
        let fake = kind.fake().clock(Clock::at(now_ms)).start().await.unwrap();
        let config = manifest.config_with_defaults(fixture["context"]["config"].clone());
        for request in fixture["requests"].as_array().into_iter().flatten() {
            let http = Http::new(kind, &manifest, &config, request);
            let headers: Vec<(&str, &str)> = http.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let heard = raw::send(fake.address(), http.method, &http.target, &headers, &http.body).await;
            let said = String::from_utf8_lossy(heard.body());
            assert!((200..300).contains(&heard.status()), "{}: {} {said}", path.display(), heard.status());
            assert_eq!(fake.problems(), Vec::<String>::new(), "{}", path.display());
            sent += 1;
        }
    }
    Some(sent)
}

/// A fixture, laid over the one that it is like.
fn fixture(path: &std::path::Path) -> Value {
    let mut own: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    if let Some(like) = own["like"].as_str() {
        let base = fixture(&path.with_file_name(like));
        let mut context = base["context"].clone();
        merge(&mut context, &own["context"]);
        own["context"] = context;
    }
    own
}

/// RFC 7396.
fn merge(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (_, Value::Null) => {}
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                match (value, base.get_mut(key)) {
                    (Value::Null, _) => drop(base.remove(key)),
                    (_, Some(known)) => merge(known, value),
                    (_, None) => drop(base.insert(key.clone(), value.clone())),
                }
            }
        }
        (base, patch) => *base = patch.clone(),
    }
}

/// A fixture's request as it goes over the wire.
struct Http {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Http {
    fn new(kind: &Kind, manifest: &Manifest, config: &Value, request: &Value) -> Http {
        let endpoint = &manifest.endpoints[request["endpoint"].as_str().unwrap()];
        let mut url = endpoint.url.clone();
        let given = [&request["path"], config].map(|map| map.as_object().cloned().unwrap_or_default());
        for (name, value) in given.into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            url = url.replace(&format!("{{{name}}}"), &text);
        }
        let rest = url.split_once("://").unwrap().1;
        let mut target = format!("/{}", rest.split_once('/').map_or("", |(_, path)| path));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs(&request["query"]));
        let mut headers = pairs(&request["headers"]);
        let mut body = match &request["body"] {
            Value::Null => Vec::new(),
            Value::String(text) => text.clone().into_bytes(),
            json => serde_json::to_vec(json).unwrap(),
        };
        let settings = kind.settings().unwrap();
        let secret = |name: &str| settings["secrets"][name].as_str().unwrap().to_owned();
        match &manifest.auth {
            None => {}
            Some(Auth::Bearer { secret: name }) => headers.push(bearer(&secret(name))),
            Some(Auth::Header { header, secret: name }) => headers.push((header.clone(), secret(name))),
            Some(Auth::Basic { user, password, .. }) => {
                use base64::Engine as _;
                let pair = format!("{}:{}", secret(user), password.as_deref().map(secret).unwrap_or_default());
                let pair = base64::prelude::BASE64_STANDARD.encode(pair);
                headers.push(("authorization".into(), format!("Basic {pair}")));
            }
            Some(Auth::Path { secret: name }) => target = format!("{}/{}", target.trim_end_matches('/'), secret(name)),
            Some(Auth::Query { parameter, secret: name }) => drop(query.append_pair(parameter, &secret(name))),
            Some(Auth::JsonField { pointer, secret: name }) => {
                let mut json: Value = serde_json::from_slice(&body).unwrap();
                let (parent, field) = pointer.rsplit_once('/').unwrap();
                json.pointer_mut(parent).unwrap()[field] = secret(name).into();
                body = serde_json::to_vec(&json).unwrap();
            }
            Some(Auth::Oauth2Refresh { headers: more, .. } | Auth::Oauth2ServiceAccount { headers: more, .. }) => {
                headers.push(bearer(settings["issued"].as_str().unwrap()));
                let given = more.iter().filter(|(_, name)| settings["secrets"].get(name.as_str()).is_some());
                headers.extend(given.map(|(header, name)| (header.clone(), secret(name))));
            }
            Some(Auth::StandardWebhooks { .. } | Auth::Oauth1 { .. }) => unreachable!("asked before"),
        }
        let query = query.finish();
        if !query.is_empty() {
            target = format!("{target}?{query}");
        }
        let method = match endpoint.method {
            tidegate_plugin_sdk::manifest::Method::Post => "POST",
            tidegate_plugin_sdk::manifest::Method::Put => "PUT",
            tidegate_plugin_sdk::manifest::Method::Patch => "PATCH",
            tidegate_plugin_sdk::manifest::Method::Get => "GET",
            tidegate_plugin_sdk::manifest::Method::Delete => "DELETE",
        };
        Http { method, target, headers, body }
    }
}

fn bearer(token: &str) -> (String, String) {
    ("authorization".into(), format!("Bearer {token}"))
}

/// Names and values: an object's, or a list of pairs.
fn pairs(value: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match value {
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        Value::Array(list) => list.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        _ => Vec::new(),
    }
}
