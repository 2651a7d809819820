//! The table of what each destination sends of which event, `docs/destinations.md`: made of the manifests and of what the
//! components do with their fixtures' events, so that it cannot drift. `TIDEGATE_BLESS=1` writes it.
//!
//! A field is sent where a request is another without it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use tidegate_plugin_sdk::manifest::{Auth, Form, Manifest, Purpose};
use tidegate_plugin_sdk::testing::{EVENTS, Suite, Uses};
use tidegate_plugins::{BUILT_IN, BuiltIn};
use tidegate_sandbox::fixtures::transform;
use tidegate_sandbox::{Options, Sandbox};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/destinations.md");

#[test]
fn the_table_of_fields_is_what_the_plugins_do() {
    let sandbox = Sandbox::new(Options::default()).unwrap();
    let mut idle = Vec::new();
    let chapters: Vec<String> = BUILT_IN.iter().map(|built_in| chapter(&sandbox, built_in, &mut idle)).collect();
    assert!(idle.is_empty(), "no fixture shows what these fields are read for: {idle:#?}");
    let document = format!("{}\n{}", HEAD, chapters.join("\n"));
    if std::env::var_os("TIDEGATE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(DOCUMENT, document).unwrap();
        return;
    }
    let written = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    let differs = written.lines().zip(document.lines()).find(|(written, made)| written != made);
    assert!(
        written == document,
        "docs/destinations.md is not what the plugins do any more: {differs:?}\n\
         hint: TIDEGATE_BLESS=1 cargo test -p tidegate-plugins --test fields writes it"
    );
}

const HEAD: &str = "# What each destination sends

Made by `TIDEGATE_BLESS=1 cargo test -p tidegate-plugins --test fields` of every plugin's manifest and of what its component
does with the events of its fixtures; a test keeps it true. A field that a table does not name is never sent: the plugin does
not even see it.

`#` as a SHA-256 digest, made by the gateway before the plugin sees it · `x` in another form · empty: not with this event.
";

fn chapter(sandbox: &Sandbox, built_in: &BuiltIn, idle: &mut Vec<String>) -> String {
    let plugin = sandbox.load(built_in.wasm).unwrap();
    let suite = Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(built_in.name)).unwrap();
    let uses = Uses::of(&suite, &|event, ctx| transform(&plugin, &event, &ctx).map_err(|e| e.to_string()));
    let manifest = suite.manifest();
    let unused = manifest.reads.keys().filter(|field| !uses.is_used(field));
    idle.extend(unused.map(|field| format!("{}: {field}", manifest.name)));
    render(manifest, &uses)
}

fn render(manifest: &Manifest, uses: &Uses) -> String {
    let columns: Vec<&str> = EVENTS.into_iter().filter(|name| uses.of_event(name).is_some()).collect();
    let mut text = format!("## {}\n\n{}.\n\n", manifest.name, manifest.summary);
    let hosts: BTreeSet<String> = manifest.endpoints.values().map(|endpoint| host(&endpoint.url)).collect();
    let hosts: Vec<String> = hosts.into_iter().collect();
    let purposes: Vec<&str> = manifest.purposes.iter().map(|purpose| word(*purpose)).collect();
    let batch = match manifest.batch.joins_any() {
        false => "one event a request".to_owned(),
        true => format!("up to {} events a request", manifest.batch.events_max),
    };
    let _ = writeln!(
        text,
        "To {}; after consent to {}; {batch}; {}.\n",
        hosts.join(", "),
        purposes.join(" and "),
        auth(manifest)
    );
    let _ = writeln!(text, "| field | {} |", columns.join(" | "));
    let _ = writeln!(text, "|---|{}", ":-:|".repeat(columns.len()));
    for (field, read) in &manifest.reads {
        let mark = if read.form == Form::Sha256 { "#" } else { "x" };
        let is_sent = |name: &&str| uses.of_event(name).is_some_and(|fields| fields.contains(field));
        let cells: Vec<&str> = columns.iter().map(|name| if is_sent(name) { mark } else { "" }).collect();
        let _ = writeln!(text, "| `{field}` | {} |", cells.join(" | "));
    }
    text
}

fn host(url: &str) -> String {
    match url.split_once("://") {
        Some((_, rest)) => format!("`{}`", rest.split('/').next().unwrap_or(rest)),
        None => "the address in the configuration".to_owned(),
    }
}

fn word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Analytics => "analytics",
        Purpose::AdStorage => "ad-storage",
        Purpose::AdUserData => "ad-user-data",
        Purpose::AdPersonalization => "ad-personalization",
    }
}

fn auth(manifest: &Manifest) -> String {
    let scheme = match &manifest.auth {
        None => return "no credentials".to_owned(),
        Some(Auth::Bearer { .. }) => "a bearer token",
        Some(Auth::Header { .. }) => "a header",
        Some(Auth::Basic { .. }) => "Basic authentication",
        Some(Auth::Query { .. }) => "a parameter of the query",
        Some(Auth::Path { .. }) => "a secret path",
        Some(Auth::JsonField { .. }) => "a field of the body",
        Some(Auth::Oauth2Refresh { .. }) => "OAuth 2 with a refresh token",
        Some(Auth::Oauth2ServiceAccount { .. }) => "OAuth 2 with a service account",
        Some(Auth::Oauth1 { .. }) => "OAuth 1.0a signatures",
        Some(Auth::StandardWebhooks { .. }) => "Standard Webhooks signatures",
    };
    format!("authenticated by the gateway with {scheme}")
}
