//! One fixture's file: reading it, laying it over what every event has, and writing it again.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::manifest::Manifest;
use crate::{Context, Event, Response};

/// How many fixtures may lie below one another by `like`.
const LIKE_MAX: usize = 8;
const KEYS: [&str; 10] =
    ["about", "like", "event", "context", "response", "count", "requests", "skip", "invalid", "verdict"];
const EXPECTATIONS: [&str; 4] = ["requests", "skip", "invalid", "verdict"];

/// The files that fixtures are like one another among: each one's content, or what is wrong with it.
type Files = BTreeMap<String, Result<Map<String, Value>, String>>;

/// A fixture as its file has it, and its `event` and `context` with those of the fixtures that it is like.
pub(super) struct Fixture<'a> {
    file: &'a Map<String, Value>,
    event: Value,
    context: Value,
}

/// What a fixture says to call, and with what.
#[derive(Debug, Clone, PartialEq)]
pub enum Case {
    /// [`crate::Plugin::transform`] with the event.
    Transform(Box<Event>, Context),
    /// [`crate::Plugin::classify`] with the answer to so many events.
    Classify(Response, u32, Context),
}

impl<'a> Fixture<'a> {
    /// The fixture of this name.
    pub(super) fn of(name: &str, files: &'a Files) -> Result<Fixture<'a>, String> {
        let file = find(name, files)?;
        let (event, context) = inherited(file, files, LIKE_MAX)?;
        Ok(Fixture { file, event, context })
    }

    /// What to call, and with what.
    pub(super) fn case(&self, manifest: &Manifest) -> Result<Case, String> {
        let ctx = context(&self.context, manifest)?;
        match self.file.get("response") {
            Some(_) if self.file.contains_key("event") => Err("has both an `event` and a `response`".into()),
            Some(raw) => {
                let count = self.file.get("count").map_or(Some(1), Value::as_u64).and_then(|n| n.try_into().ok());
                Ok(Case::Classify(response(raw, manifest)?, count.ok_or("`count` is no small number")?, ctx))
            }
            None if self.file.contains_key("count") => Err("has a `count`, but no `response`".into()),
            None => Ok(Case::Transform(Box::new(event(&self.event)?), ctx)),
        }
    }

    /// What the file expects, as `{"requests": …}` and the like; empty when it expects nothing yet.
    pub(super) fn expected(&self) -> Value {
        self.file
            .iter()
            .filter(|(key, _)| EXPECTATIONS.contains(&key.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    /// The file's text with what really came as what it expects.
    pub(super) fn blessed(file: &Map<String, Value>, actual: &Map<String, Value>) -> String {
        let mut file = file.clone();
        file.retain(|key, _| !EXPECTATIONS.contains(&key.as_str()));
        file.extend(actual.clone());
        // A map of JSON values has no way to fail.
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }
}

/// The content of a fixture's file.
pub(super) fn parse(text: &str) -> Result<Map<String, Value>, String> {
    let file: Map<String, Value> = serde_json::from_str(text).map_err(|e| format!("is no JSON object: {e}"))?;
    if let Some(unknown) = file.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("has an unknown key `{unknown}`"));
    }
    if file.get("about").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err("says not what it is about: add `\"about\": \"…\"`".into());
    }
    Ok(file)
}

fn find<'a>(name: &str, files: &'a Files) -> Result<&'a Map<String, Value>, String> {
    files.get(name).ok_or("is not there")?.as_ref().map_err(Clone::clone)
}

fn inherited(file: &Map<String, Value>, files: &Files, depth: usize) -> Result<(Value, Value), String> {
    let (mut event, mut context) = match file.get("like").map(Value::as_str) {
        None => (json!({}), json!({})),
        Some(Some(name)) if depth > 0 => {
            let found = find(name, files).map_err(|e| format!("is like `{name}`, which {e}"))?;
            inherited(found, files, depth - 1)?
        }
        Some(_) => return Err("`like` is no file's name, or goes round in circles".into()),
    };
    merge(&mut event, file.get("event").cloned().unwrap_or(json!({})));
    merge(&mut context, file.get("context").cloned().unwrap_or(json!({})));
    Ok((event, context))
}

/// JSON Merge Patch (RFC 7396).
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    if let Value::Object(map) = target {
        for (key, value) in patch {
            if value.is_null() {
                map.remove(&key);
            } else {
                merge(map.entry(key).or_insert(Value::Null), value);
            }
        }
    }
}

fn event(given: &Value) -> Result<Event, String> {
    let mut given = given.clone();
    let map = given.as_object_mut().ok_or("`event` is no object")?;
    edit(map, "kind", |kind| match kind.as_str() {
        Some(name) => Ok(json!(name[..name.len().min(1)].to_uppercase() + name.get(1..).unwrap_or_default())),
        None => Err("`event.kind` is no text".into()),
    })?;
    edit(map, "identifiers", |value| {
        let object = value.as_object().ok_or("`event.identifiers` is no object")?;
        Ok(object.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect())
    })?;
    edit(map, "cookies", |value| {
        let object = value.as_object().ok_or("`event.cookies` is no object")?;
        Ok(object.iter().map(|(name, value)| json!([name, value])).collect())
    })?;
    edit(map, "properties", |value| as_text("event.properties", value))?;
    edit(map, "items", |value| {
        let items = value.as_array().ok_or("`event.items` is no list")?;
        items.iter().map(item).collect()
    })?;
    let mut whole = serde_json::to_value(Event::example()).map_err(|e| e.to_string())?;
    merge(&mut whole, given);
    exact("event", whole)
}

fn item(given: &Value) -> Result<Value, String> {
    let mut item = given.as_object().ok_or("an item is no object")?.clone();
    let properties = item.get("properties").cloned().unwrap_or(json!({}));
    item.insert("properties".into(), as_text("properties", &properties)?);
    Ok(Value::Object(item))
}

fn context(given: &Value, manifest: &Manifest) -> Result<Context, String> {
    let mut given = given.clone();
    let map = given.as_object_mut().ok_or("`context` is no object")?;
    let config = map.remove("config").unwrap_or(json!({}));
    let known = manifest.config.get("properties").and_then(Value::as_object);
    for key in config.as_object().ok_or("`context.config` is no object")?.keys() {
        if known.is_some_and(|known| !known.contains_key(key)) {
            return Err(format!("`context.config.{key}` is not in the manifest's `[config]` schema"));
        }
    }
    map.insert("config".into(), as_text("context.config", &manifest.config_with_defaults(config))?);
    let mut whole = serde_json::to_value(Context::example()).map_err(|e| e.to_string())?;
    merge(&mut whole, given);
    exact("context", whole)
}

fn response(given: &Value, manifest: &Manifest) -> Result<Response, String> {
    let map = given.as_object().ok_or("`response` is no object")?;
    if let Some(unknown) = map.keys().find(|key| !["endpoint", "status", "headers", "body"].contains(&key.as_str())) {
        return Err(format!("`response` has an unknown key `{unknown}`"));
    }
    let endpoint = match map.get("endpoint") {
        None => manifest.endpoints.keys().next().cloned().unwrap_or_default(),
        Some(named) => match named.as_str().filter(|name| manifest.endpoints.contains_key(*name)) {
            Some(name) => name.to_owned(),
            None => return Err(format!("`response.endpoint` is {named}, which is no endpoint of the manifest")),
        },
    };
    let status = map.get("status").map_or(Some(200), Value::as_u64).and_then(|status| status.try_into().ok());
    let headers = match map.get("headers") {
        None => Vec::new(),
        Some(Value::Object(headers)) => headers
            .iter()
            .map(|(name, value)| Ok((name.clone(), value.as_str().ok_or("a header is no text")?.to_owned())))
            .collect::<Result<_, String>>()?,
        Some(list) => serde_json::from_value(list.clone()).map_err(|e| format!("`response.headers`: {e}"))?,
    };
    let body = match map.get("body") {
        None => Vec::new(),
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(value) => value.to_string().into_bytes(),
    };
    let status = status.ok_or("`response.status` is no status")?;
    Ok(Response { endpoint, status, headers, body })
}

fn edit(
    map: &mut Map<String, Value>,
    key: &str,
    change: impl FnOnce(&Value) -> Result<Value, String>,
) -> Result<(), String> {
    if let Some(value) = map.get_mut(key) {
        *value = change(value)?;
    }
    Ok(())
}

/// The contract hands an object over as text.
fn as_text(what: &str, value: &Value) -> Result<Value, String> {
    if value.is_object() { Ok(json!(value.to_string())) } else { Err(format!("`{what}` is no object")) }
}

/// Reads a value, and refuses every key in it that the type does not have: a typing error would test nothing.
fn exact<T: Serialize + DeserializeOwned>(what: &str, value: Value) -> Result<T, String> {
    let read: T = serde_json::from_value(value.clone()).map_err(|e| format!("`{what}`: {e}"))?;
    let written = serde_json::to_value(&read).map_err(|e| e.to_string())?;
    match unknown(what, &value, &written) {
        Some(path) => Err(format!("`{path}` is no field")),
        None => Ok(read),
    }
}

fn unknown(path: &str, given: &Value, known: &Value) -> Option<String> {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => given.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            known.get(key).map_or(Some(path.clone()), |known| unknown(&path, value, known))
        }),
        (Value::Array(given), Value::Array(known)) => given
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(at, (given, known))| unknown(&format!("{path}[{at}]"), given, known)),
        _ => None,
    }
}
