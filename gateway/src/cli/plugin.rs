//! `tidegate plugin`: what a plugin is, what it sees and where it sends, without running it.

use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tidegate_plugin_sdk::manifest::{Auth, Form, Manifest, WORLD};
use tidegate_sandbox::{Inspection, inspect};

use super::failure::{Exit, Failure};
use super::output::{Output, Paint, bytes, clean, table};
use crate::config::{PluginSource, suggestion};
use crate::destination::component;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show a plugin's manifest, digest, imports, exports and limits, without running it
    Inspect {
        /// A `.wasm` file, or the name of a built-in plugin
        #[arg(value_name = "FILE|NAME")]
        plugin: String,
    },
    /// List the built-in plugins
    List,
}

/// A built-in plugin in a list.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    version: String,
    summary: String,
    digest: String,
}

pub(super) fn run(command: &Command, out: &Output) -> Result<(), Failure> {
    match command {
        Command::Inspect { plugin } => {
            let inspection = read(plugin, &bytes_of(plugin)?)?;
            out.data(&inspection, render);
            match inspection.imports.is_empty() {
                true => Ok(()),
                false => Err(Failure::new(Exit::Data, format!("`{plugin}` has imports: it would not be loaded"))),
            }
        }
        Command::List => {
            let all: Result<Vec<Listed>, Failure> = tidegate_plugins::BUILT_IN.iter().map(listed).collect();
            out.data(&all?, |all, paint| {
                let rows: Vec<[String; 3]> =
                    all.iter().map(|one| [one.name.clone(), one.version.clone(), one.summary.clone()]).collect();
                table(paint, ["NAME", "VERSION", "DELIVERS TO"], &rows)
            });
            Ok(())
        }
    }
}

fn listed(plugin: &tidegate_plugins::BuiltIn) -> Result<Listed, Failure> {
    let Inspection { digest, manifest, .. } = read(plugin.name, plugin.wasm)?;
    Ok(Listed {
        name: manifest.name,
        version: manifest.version.to_string(),
        summary: manifest.summary,
        digest: digest.to_string(),
    })
}

/// The plugin that a person names: a built-in, or else a file.
fn named(plugin: &str) -> PluginSource {
    match tidegate_plugins::find(plugin) {
        Some(_) => PluginSource::BuiltIn(plugin.to_owned()),
        None => PluginSource::File(plugin.into()),
    }
}

fn bytes_of(plugin: &str) -> Result<Vec<u8>, Failure> {
    component(&named(plugin)).map_err(|error| {
        let names = tidegate_plugins::BUILT_IN.iter().map(|built_in| built_in.name);
        let failure = Failure::of(Exit::NotFound, &format!("no plugin `{plugin}` is built in"), &error);
        failure.hint(suggestion(plugin, names))
    })
}

fn read(plugin: &str, wasm: &[u8]) -> Result<Inspection, Failure> {
    inspect(wasm).map_err(|error| {
        let failure = Failure::new(Exit::Data, format!("`{plugin}` {error}"));
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// A report in the order in which somebody who has to approve the plugin asks.
fn render(inspection: &Inspection, paint: Paint) -> String {
    let Inspection { digest, size, manifest, exports, imports, memories, .. } = inspection;
    let mut lines = vec![
        format!(
            "{} {}  {}",
            paint.bold(&manifest.name),
            clean(&manifest.version.to_string()),
            clean(&manifest.summary)
        ),
        fact("digest", digest),
        fact("size", bytes(*size as u64)),
    ];
    let fits = if manifest.world == WORLD { String::new() } else { paint.red(format!("  this gateway runs {WORLD}")) };
    lines.push(format!("{}{fits}", fact("built for", &manifest.world)));
    match imports.as_slice() {
        [] => lines.push(fact("imports", "none: it can reach nothing outside of itself")),
        imports => {
            lines.push(format!("  {:12}{}", "imports", paint.red("it would not be loaded")));
            for import in imports {
                lines.push(format!("    {}  {}", clean(&import.name), import.allows));
            }
        }
    }
    lines.push(fact("exports", exports.join(", ")));
    let started: u64 = memories.iter().map(|memory| memory.initial).sum();
    lines.push(fact("starts with", bytes(started)));
    lines.extend(["".to_owned(), paint.bold("An event comes here only with consent to")]);
    lines.extend(manifest.purposes.iter().map(|purpose| format!("  {}", word(purpose))));
    lines.extend(["".to_owned(), paint.bold("It sees")]);
    lines.extend(reads(manifest, paint));
    lines.extend(["".to_owned(), paint.bold("Its requests go to")]);
    for (name, endpoint) in &manifest.endpoints {
        lines.push(fact(name, format!("{} {}", word(&endpoint.method), endpoint.url)));
    }
    lines.push(fact("credentials", manifest.auth.as_ref().map_or("none".to_owned(), credentials)));
    lines.push(fact("batching", batching(manifest)));
    lines.extend(manifest.test_view.as_ref().map(|view| fact("tests", format!("are shown in {view}"))));
    lines.extend(["".to_owned(), paint.bold("Its limits")]);
    let limits = &manifest.limits;
    lines.push(fact("memory", limits.memory_max));
    lines.push(fact("time", format!("{} ms a call", limits.time_max_ms)));
    lines.push(fact("output", format!("{} a call", limits.output_max)));
    lines.push(fact("event age", format!("at most {}", limits.age_max)));
    lines.extend(["".to_owned(), paint.bold("Its own configuration")]);
    lines.extend(configuration(manifest, paint));
    lines.join("\n")
}

fn fact(name: &str, value: impl std::fmt::Display) -> String {
    format!("  {name:12}{}", clean(&value.to_string()))
}

/// A value's name in the manifest.
pub(super) fn word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().map(clean).unwrap_or_default()
}

fn reads(manifest: &Manifest, paint: Paint) -> Vec<String> {
    if manifest.reads.is_empty() {
        return vec!["  nothing but the event's name, time and id".to_owned()];
    }
    let rows = manifest.reads.iter().map(|(field, read)| {
        let form = match read.form {
            Form::Sha256 => "SHA-256",
            Form::Plain => "plain",
        };
        let steps: Vec<String> = read.normalize.iter().map(word).collect();
        let form = if steps.is_empty() { form.to_owned() } else { format!("{form} of {}", steps.join(", ")) };
        [format!("  {field}"), form, read.why.clone()]
    });
    let rows: Vec<[String; 3]> = rows.collect();
    table(paint, ["  FIELD", "AS", "WHY"], &rows).lines().map(str::to_owned).collect()
}

fn credentials(auth: &Auth) -> String {
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
    format!("{} {how}, added by the gateway: the plugin never has them", secrets.join(" and "))
}

fn further(headers: &BTreeMap<String, String>) -> String {
    let one =
        |(header, secret): (&String, &String)| format!(", and `{secret}` in the header `{header}` if it is given");
    headers.iter().map(one).collect()
}

fn batching(manifest: &Manifest) -> String {
    let batch = &manifest.batch;
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

fn configuration(manifest: &Manifest, paint: Paint) -> Vec<String> {
    let schema = &manifest.config;
    let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty()) else {
        return vec!["  none".to_owned()];
    };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let lines = properties.iter().flat_map(|(name, property)| {
        let need = match &property["default"] {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            Value::Null => "optional".to_owned(),
            default => format!("default {default}"),
        };
        let about = property["description"].as_str().map(|about| format!("      {}", clean(about)));
        let choice = property["enum"].as_array().map(|choice| {
            let choice: Vec<String> = choice.iter().map(ToString::to_string).collect();
            format!("      {}", clean(&choice.join(" or ")))
        });
        let kind = property["type"].as_str().unwrap_or("one of");
        let head = format!("  {}  {}", clean(name), paint.dim(format!("{kind}, {need}")));
        [Some(head), choice, about].into_iter().flatten()
    });
    lines.collect()
}
