//! What a plugin gave, in the form that fixtures have; and what it must not give.

use serde_json::{Map, Value, json};

use crate::manifest::{Manifest, Outgoing};
use crate::{Context, Outcome, Rejection, Request, Verdict};

/// The outcome of `transform` as the fixture's key and value.
pub(super) fn of_transform(result: &Result<Vec<Request>, Rejection>) -> Map<String, Value> {
    let (key, value) = match result {
        Ok(requests) => ("requests", requests.iter().map(request).collect()),
        Err(Rejection::Skip(reason)) => ("skip", json!(reason)),
        Err(Rejection::Invalid(reason)) => ("invalid", json!(reason)),
    };
    Map::from_iter([(key.to_owned(), value)])
}

/// The outcome of `classify` as the fixture's key and value.
pub(super) fn of_verdict(verdict: &Verdict) -> Map<String, Value> {
    let value = match verdict {
        Verdict::Delivered => json!("delivered"),
        Verdict::Retry(after_ms) => retry(*after_ms),
        Verdict::Reject(reason) => json!({ "reject": reason }),
        Verdict::Split => json!("split"),
        Verdict::Credentials(reason) => json!({ "credentials": reason }),
        Verdict::Each(outcomes) => json!({ "each": outcomes.iter().map(outcome).collect::<Value>() }),
    };
    Map::from_iter([("verdict".to_owned(), value)])
}

fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Delivered => json!("delivered"),
        Outcome::Retry(after_ms) => retry(*after_ms),
        Outcome::Reject(reason) => json!({ "reject": reason }),
    }
}

fn retry(after_ms: Option<u64>) -> Value {
    after_ms.map_or_else(|| json!("retry"), |ms| json!({ "retry": ms }))
}

fn request(request: &Request) -> Value {
    let mut map = Map::from_iter([("endpoint".to_owned(), json!(request.endpoint))]);
    for (key, list) in [("path", &request.path), ("query", &request.query), ("headers", &request.headers)] {
        if !list.is_empty() {
            map.insert(key.to_owned(), pairs(list));
        }
    }
    if !request.body.is_empty() {
        map.insert("body".to_owned(), body(&request.body));
    }
    Value::Object(map)
}

fn pairs(list: &[(String, String)]) -> Value {
    let object: Map<String, Value> = list.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if object.len() == list.len() { Value::Object(object) } else { json!(list) }
}

fn body(bytes: &[u8]) -> Value {
    match (serde_json::from_slice(bytes), std::str::from_utf8(bytes)) {
        (Ok(value), _) => value,
        (Err(_), Ok(text)) => json!(text),
        (Err(_), Err(_)) => json!({ "not_text": bytes }),
    }
}

/// What the gateway would refuse in these requests.
pub(super) fn not_allowed(manifest: &Manifest, requests: &[Request], ctx: &Context) -> Vec<String> {
    let config: Value = serde_json::from_str(&ctx.config).unwrap_or_default();
    requests.iter().flat_map(|request| request_problems(manifest, request, &config)).collect()
}

fn request_problems(manifest: &Manifest, request: &Request, config: &Value) -> Vec<String> {
    let Some(endpoint) = manifest.endpoints.get(&request.endpoint) else {
        return vec![format!("the manifest has no endpoint `{}`", request.endpoint)];
    };
    let mut problems = Vec::new();
    let parameters = endpoint.parameters();
    for (name, _) in &request.path {
        if !parameters.path.contains(&name.as_str()) {
            problems
                .push(format!("`{}` has no parameter `{{{name}}}` in its path: {}", request.endpoint, endpoint.url));
        }
    }
    let given = |name: &str| request.path.iter().any(|(known, _)| known == name) || config.get(name).is_some();
    for name in parameters.path.iter().filter(|name| !given(name)) {
        problems.push(format!("neither the request nor the configuration gives `{{{name}}}` of {}", endpoint.url));
    }
    let Request { endpoint, query, headers, body, .. } = request;
    problems.extend(Outgoing { endpoint, query, headers, body }.problem(&manifest.batch, manifest.auth.as_ref()));
    problems
}
