//! The table of what each destination sends of which event, `docs/destinations.md`: made of the manifests and of what the
//! components do with their fixtures' events, so that it cannot drift. `TIDEGATE_BLESS=1` writes it.
//!
//! A field is sent where a request is another without it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tidegate_plugin_sdk::manifest::{Auth, Form, Manifest, Purpose};
use tidegate_plugin_sdk::testing::{Calls, run_with};
use tidegate_plugin_sdk::{Client, Context, Event, EventKind, Page, Request};
use tidegate_plugins::{BUILT_IN, BuiltIn};
use tidegate_sandbox::{Options, Plugin, Sandbox, Transformed};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/destinations.md");

/// The canonical events, in the order in which a visitor comes to them; what else a fixture has is `other`.
const EVENTS: [&str; 18] = [
    "page_view",
    "search",
    "view_item_list",
    "select_item",
    "view_item",
    "add_to_wishlist",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "add_shipping_info",
    "add_payment_info",
    "purchase",
    "refund",
    "generate_lead",
    "sign_up",
    "login",
    "other",
];

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

/// All that is known of one plugin.
struct Known<'a> {
    plugin: &'a Plugin,
    /// The events of its fixtures, with their contexts.
    cases: Vec<(Event, Context)>,
    /// Everything that any of those events has.
    pool: Event,
}

fn chapter(sandbox: &Sandbox, built_in: &BuiltIn, idle: &mut Vec<String>) -> String {
    let manifest = Manifest::parse(built_in.manifest).unwrap();
    let plugin = sandbox.load(built_in.wasm).unwrap();
    let cases = RefCell::new(Vec::new());
    let calls = Calls {
        transform: &|event, ctx| {
            let result = transform(&plugin, &event, &ctx);
            cases.borrow_mut().push((event, ctx));
            match result {
                Some(Transformed::Requests(requests)) => Ok(convert(&requests)),
                Some(Transformed::Skip(reason)) => Err(tidegate_plugin_sdk::Rejection::Skip(reason)),
                Some(Transformed::Invalid(reason)) => Err(tidegate_plugin_sdk::Rejection::Invalid(reason)),
                None => panic!("{} always runs out of time", built_in.name),
            }
        },
        classify: &|response, count, ctx| {
            convert(&plugin.classify(&convert(&response), count, &convert(&ctx)).unwrap())
        },
    };
    run_with(&format!("{}/../{}", env!("CARGO_MANIFEST_DIR"), built_in.name), &calls);
    let cases = cases.into_inner();
    let pool = pool(cases.iter().map(|(event, _)| event));
    let known = Known { plugin: &plugin, cases, pool };
    render(&manifest, &known, idle)
}

fn render(manifest: &Manifest, known: &Known<'_>, idle: &mut Vec<String>) -> String {
    let used = used(manifest, known);
    let columns: Vec<&str> = EVENTS.into_iter().filter(|name| used.contains_key(name)).collect();
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
        let cells: Vec<&str> =
            columns.iter().map(|name| if used[name].contains(field.as_str()) { mark } else { "" }).collect();
        let _ = writeln!(text, "| `{field}` | {} |", cells.join(" | "));
    }
    let sent: BTreeSet<&str> = used.values().flatten().copied().collect();
    let unused = manifest.reads.keys().filter(|field| !sent.contains(field.as_str()));
    idle.extend(unused.map(|field| format!("{}: {field}", manifest.name)));
    text
}

/// The granted fields that change a request, for each event that gives one.
fn used<'a>(manifest: &'a Manifest, known: &Known<'_>) -> BTreeMap<&'static str, BTreeSet<&'a str>> {
    let mut used = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (event, ctx) in &known.cases {
        for event in [event, &enriched(event, &known.pool)] {
            look(manifest, known, (event, ctx), &mut used);
        }
    }
    // What stands in for something else shows where that is missing, as it is in the fixtures of other events.
    let names: Vec<&str> = used.keys().copied().filter(|name| *name != "other").collect();
    for (event, ctx) in known.cases.iter().filter(|(event, _)| event.kind == EventKind::Track) {
        for name in &names {
            look(manifest, known, (&Event { name: (*name).to_owned(), ..event.clone() }, ctx), &mut used);
        }
    }
    used
}

/// Adds the fields without which this event's requests are others.
fn look<'a>(
    manifest: &'a Manifest,
    known: &Known<'_>,
    (event, ctx): (&Event, &Context),
    used: &mut BTreeMap<&'static str, BTreeSet<&'a str>>,
) {
    let column = column(event);
    let already = used.get(column).cloned().unwrap_or_default();
    let unseen = manifest.reads.keys().filter(|field| !already.contains(field.as_str()));
    let less: Vec<_> = unseen.map(|field| (field, without(event, field))).filter(|(_, less)| less != event).collect();
    if less.is_empty() && used.contains_key(column) {
        return;
    }
    let Some(made) = requests(known.plugin, event, ctx) else { return };
    let fields = used.entry(column).or_default();
    for (field, less) in less {
        if requests(known.plugin, &less, ctx).as_ref() != Some(&made) {
            fields.insert(field);
        }
    }
}

fn column(event: &Event) -> &'static str {
    let name = match event.kind {
        EventKind::Page => "page_view",
        _ => event.name.as_str(),
    };
    EVENTS.into_iter().find(|known| *known == name).unwrap_or("other")
}

/// The sandbox's types and the SDK's are of one contract, and have one form as JSON.
fn convert<T: DeserializeOwned>(value: &impl Serialize) -> T {
    serde_json::from_value(serde_json::to_value(value).unwrap()).unwrap()
}

/// A plugin's time is measured by the wall, and a busy machine may take it away for a while.
fn transform(plugin: &Plugin, event: &Event, ctx: &Context) -> Option<Transformed> {
    (0..10).find_map(|_| plugin.transform(&convert(event), &convert(ctx)).ok())
}

fn requests(plugin: &Plugin, event: &Event, ctx: &Context) -> Option<Vec<Request>> {
    match transform(plugin, event, ctx)? {
        Transformed::Requests(requests) if !requests.is_empty() => Some(convert(&requests)),
        _ => None,
    }
}

/// One event with everything that any of them has.
fn pool<'a>(events: impl Iterator<Item = &'a Event>) -> Event {
    let nothing = Event { identifiers: Vec::new(), ..Event::example() };
    events.fold(nothing, |pool, event| enriched(&pool, event))
}

/// The event, and what only the other has.
fn enriched(event: &Event, other: &Event) -> Event {
    let mut full = event.clone();
    let or = |own: &Option<String>, other: &Option<String>| own.clone().or_else(|| other.clone());
    full.anonymous_id = or(&full.anonymous_id, &other.anonymous_id);
    full.user_id = or(&full.user_id, &other.user_id);
    full.currency = or(&full.currency, &other.currency);
    full.order_id = or(&full.order_id, &other.order_id);
    full.value = full.value.or(other.value);
    full.session = full.session.or_else(|| other.session.clone());
    if full.items.is_empty() {
        full.items.clone_from(&other.items);
    }
    for identifier in &other.identifiers {
        if full.identifier(&identifier.key).is_none() {
            full.identifiers.push(identifier.clone());
        }
    }
    for click in &other.clicks {
        if full.click(&click.kind).is_none() {
            full.clicks.push(click.clone());
        }
    }
    for (name, value) in &other.cookies {
        if full.cookie(name).is_none() {
            full.cookies.push((name.clone(), value.clone()));
        }
    }
    let blank = Page { url: None, title: None, referrer: None };
    let (page, more) = (full.page.unwrap_or(blank.clone()), other.page.clone().unwrap_or(blank));
    full.page = Some(Page {
        url: page.url.or(more.url),
        title: page.title.or(more.title),
        referrer: page.referrer.or(more.referrer),
    });
    let blank = Client { ip: None, user_agent: None, locale: None, region: None };
    let (client, more) = (full.client.unwrap_or(blank.clone()), other.client.clone().unwrap_or(blank));
    full.client = Some(Client {
        ip: client.ip.or(more.ip),
        user_agent: client.user_agent.or(more.user_agent),
        locale: client.locale.or(more.locale),
        region: client.region.or(more.region),
    });
    let mut properties: Map<String, Value> = serde_json::from_str(&other.properties).unwrap_or_default();
    properties.extend(serde_json::from_str::<Map<String, Value>>(&full.properties).unwrap_or_default());
    full.properties = Value::Object(properties).to_string();
    full
}

/// The event without a field, or without all that begin like it where its name ends in `*`.
fn without(event: &Event, field: &str) -> Event {
    let mut less = event.clone();
    let (family, name) = field.split_once('.').unwrap_or((field, ""));
    let keeps = |known: &str| match name.strip_suffix('*') {
        Some(beginning) => !known.starts_with(beginning),
        None => known != name,
    };
    match (family, name) {
        ("session", _) => less.session = None,
        ("user", "anonymous_id") => less.anonymous_id = None,
        ("user", "id") => less.user_id = None,
        ("user", _) => less.identifiers.retain(|identifier| keeps(&identifier.key)),
        ("click", _) => less.clicks.retain(|click| keeps(&click.kind)),
        ("cookie", _) => less.cookies.retain(|(known, _)| keeps(known)),
        ("event", "value") => less.value = None,
        ("event", "currency") => less.currency = None,
        ("event", "order_id") => less.order_id = None,
        ("event", "items") => less.items.clear(),
        ("page", _) => {
            if let Some(page) = &mut less.page {
                match name {
                    "url" => page.url = None,
                    "title" => page.title = None,
                    _ => page.referrer = None,
                }
            }
        }
        ("client", _) => {
            if let Some(client) = &mut less.client {
                match name {
                    "ip" => client.ip = None,
                    "user_agent" => client.user_agent = None,
                    "locale" => client.locale = None,
                    _ => client.region = None,
                }
            }
        }
        _ => {
            let mut properties: Map<String, Value> = serde_json::from_str(&less.properties).unwrap_or_default();
            properties.retain(|known, _| keeps(known));
            less.properties = Value::Object(properties).to_string();
        }
    }
    less
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
