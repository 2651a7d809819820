//! A manifest's permissions in words for the person who approves them. Text of the manifest is passed on as it is: who
//! prints it makes it fit for where it goes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tidegate_plugin_sdk::manifest::{Auth, Batch, Endpoint, Form, Instance, Manifest, Read};

/// A value's name in the manifest.
pub fn name_of(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().map(str::to_owned).unwrap_or_default()
}

/// `SHA-256 of trim, lowercase`, `plain after trim`.
pub fn form(read: &Read) -> String {
    let (form, link) = match read.form {
        Form::Sha256 => ("SHA-256", "of"),
        Form::Plain => ("plain", "after"),
    };
    let steps: Vec<String> = read.normalize.iter().map(name_of).collect();
    if steps.is_empty() { form.to_owned() } else { format!("{form} {link} {}", steps.join(", ")) }
}

/// `POST https://…`.
pub fn endpoint(endpoint: &Endpoint) -> String {
    format!("{} {}", name_of(&endpoint.method), endpoint.url)
}

/// What a plugin says of its addresses with each request.
pub fn chosen(manifest: &Manifest) -> Option<String> {
    let parts: Vec<String> = manifest.chosen().iter().map(|part| format!("`{part}`")).collect();
    let said = || format!("it gives {} of the path itself, where the configuration does not", parts.join(", "));
    (!parts.is_empty()).then(said)
}

/// Which secrets go where.
pub fn credentials(auth: &Auth) -> String {
    let how = match auth {
        Auth::Bearer { .. } => "as a bearer token".to_owned(),
        Auth::Header { header, .. } => format!("in the header `{header}`"),
        Auth::Basic { optional: true, .. } => "by Basic authentication, if there is any".to_owned(),
        Auth::Basic { .. } => "by Basic authentication".to_owned(),
        Auth::Path { .. } => "as the rest of the URL's path".to_owned(),
        Auth::Query { parameter, .. } => format!("in the query's `{parameter}`"),
        Auth::JsonField { pointer, .. } => format!("in the body, at `{pointer}`"),
        Auth::Oauth2Refresh { token_url, headers, .. } => {
            format!("for an access token from {token_url}{}", further(headers))
        }
        Auth::Oauth2ServiceAccount { token_url, scopes, headers, .. } => {
            let scopes = scopes.join(" ");
            format!("for an access token to `{scopes}` from {token_url}{}", further(headers))
        }
        Auth::Oauth1 { .. } => "as a signature (OAuth 1.0a)".to_owned(),
        Auth::StandardWebhooks { .. } => "as a signature (Standard Webhooks)".to_owned(),
    };
    let secrets: Vec<String> = auth.secrets().iter().map(|secret| format!("`{secret}`")).collect();
    format!("{} {how}", secrets.join(" and "))
}

fn further(headers: &BTreeMap<String, String>) -> String {
    let one =
        |(header, secret): (&String, &String)| format!(", and `{secret}` in the header `{header}` if it is given");
    headers.iter().map(one).collect()
}

/// What runs in one instance.
pub fn instance(instance: Instance) -> &'static str {
    match instance {
        Instance::PerEvent => "runs one event, and is gone: nothing is there for the next",
        Instance::PerBatch => "runs the events of one request: one may see what another left behind",
    }
}

/// How events are joined.
pub fn batching(batch: &Batch) -> String {
    if !batch.joins_any() {
        return "none: an event a request".to_owned();
    }
    let others = batch.joins.iter().map(|(endpoint, join)| format!("; to `{endpoint}`: {join}"));
    let others: String = others.collect();
    format!(
        "up to {} events and {} a request, within {} ms ({}{others})",
        batch.events_max, batch.body_max, batch.linger_ms, batch.join
    )
}

/// One property of a plugin's own configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Property {
    pub name: String,
    /// `string, required`.
    pub kind: String,
    /// What it may be, where that is a list.
    pub choice: Option<String>,
    pub about: Option<String>,
}

/// What a destination may configure of the plugin.
pub fn configuration(manifest: &Manifest) -> Vec<Property> {
    let schema = &manifest.config;
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let one = |(name, property): (&String, &Value)| {
        let need = match &property["default"] {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            Value::Null => "optional".to_owned(),
            default => format!("default {default}"),
        };
        let kind = property["type"].as_str().unwrap_or("one of");
        let choice = property["enum"].as_array().map(|choice| {
            let choice: Vec<String> = choice.iter().map(ToString::to_string).collect();
            choice.join(" or ")
        });
        Property {
            name: name.clone(),
            kind: format!("{kind}, {need}"),
            choice,
            about: property["description"].as_str().map(str::to_owned),
        }
    };
    properties.map(one).collect()
}
