//! Reads a whole `tidegate.toml`: which keys there are, their defaults, and what holds between them.

mod destination;
mod site;
mod store;
#[cfg(test)]
mod tests;
mod tls;
mod values;

use std::net::SocketAddr;

use toml_edit::Document;

use super::mistake::{Mistake, Mistakes};
use super::reader::{Complaint, Node, Reader, Section};
use super::{
    Admin, Backend, Config, Delivery, Geo, Limits, Listen, LockMode, Plugins, Secret, Severity, Signatures, Store,
    Surroundings, Visitor, VisitorKey,
};
use super::{publisher, secret};

pub(super) fn config(text: &str, surroundings: &Surroundings<'_>) -> Result<Config, Mistakes> {
    let reader = Reader::new(text, surroundings);
    let document = document(text, &reader)?;
    let config = whole(&reader.root(document.as_table()));
    let mistakes = Mistakes::new(reader.into_mistakes());
    match config {
        Some(config) if mistakes.count(Severity::Error) == 0 => Ok(Config { warnings: mistakes, ..config }),
        _ => Err(mistakes),
    }
}

/// The operator's address and token, whatever else is wrong.
pub(super) fn admin_alone(text: &str, surroundings: &Surroundings<'_>) -> Result<(SocketAddr, Secret), Mistakes> {
    let reader = Reader::new(text, surroundings);
    let document = document(text, &reader)?;
    let (listen, admin) = {
        let root = reader.root(document.as_table());
        (listen(root.section("listen")), admin(root.section("admin")))
    };
    let mistakes = Mistakes::new(reader.into_mistakes());
    listen.zip(admin).map(|(listen, admin)| (listen.admin, admin.token)).ok_or(mistakes)
}

/// The line of a key such as `listen.http`, or of its table where it is not there.
pub(super) fn line(text: &str, key: &str) -> Option<usize> {
    let document = Document::parse(text).ok()?;
    let (table, key) = key.split_once('.')?;
    let (spelled, item) = document.as_table().get_key_value(table)?;
    let own = item.as_table_like().and_then(|table| table.get_key_value(key)).and_then(|(key, _)| key.span());
    let span = own.or_else(|| spelled.span()).or_else(|| item.span())?;
    Some(text.get(..span.start)?.bytes().filter(|byte| *byte == b'\n').count() + 1)
}

fn document<'t>(text: &'t str, reader: &Reader<'_>) -> Result<Document<&'t str>, Mistakes> {
    Document::parse(text).map_err(|error| {
        let what = error.message().trim().lines().map(str::trim).collect::<Vec<_>>().join(", ");
        Mistakes::new(vec![Mistake::error(reader.line(error.span()), format!("no valid TOML ({what})"))])
    })
}

/// `None` only where a mistake has been reported.
fn whole(root: &Section<'_>) -> Option<Config> {
    let listen = listen(root.section("listen"));
    let admin = admin(root.section("admin"));
    let store = store::store(root.section("store"));
    let visitor = visitor(root.section("visitor"));
    let plugins = plugins(root.section("plugins"), &store);
    let limits = limits(root.section("limits"));
    let delivery = delivery(root.section("delivery"));
    let geo = geo(root.section("geo"));
    let (sites, site_names) = site::all(root);
    let destinations = destination::all(root, &site_names, plugins.as_ref());
    let hosts = sites.iter().flatten().flat_map(|site| &site.hosts);
    let tls = tls::tls(root.section("tls"), listen.as_ref().and_then(|listen| listen.https), hosts);
    root.finish();
    site::doubt_if_silent(root, &site_names, &destinations);
    Some(Config {
        listen: listen?,
        tls: tls?,
        admin: admin?,
        store: store?,
        visitor: visitor?,
        plugins: plugins?,
        limits,
        delivery,
        geo,
        sites: sites?,
        destinations: destinations.parsed?,
        warnings: Mistakes::default(),
    })
}

fn geo(section: Section<'_>) -> Geo {
    let base = section.reader.surroundings.base;
    let database = section.get("database").and_then(|node| node.text().map(|path| base.join(path)));
    section.finish();
    Geo { database }
}

fn listen(section: Section<'_>) -> Option<Listen> {
    let http_node = section.get("http");
    let admin_node = section.get("admin");
    let address = |node: &Option<Node<'_>>, default: &str| match node {
        Some(node) => node.parsed(values::address),
        None => default.parse().ok(),
    };
    let http = address(&http_node, "127.0.0.1:8080");
    let https = section.get("https").map(|node| node.parsed(values::address));
    let admin = address(&admin_node, "127.0.0.1:9090");
    if let (Some(http), Some(admin), Some(node)) = (http, admin, admin_node.as_ref().or(http_node.as_ref())) {
        if http == admin && http.port() != 0 {
            node.wrong(
                format!("`listen.http` and `listen.admin` are both `{admin}`"),
                "the public listener never serves the operator: give each a port of its own",
            );
        }
        if !admin.ip().is_loopback() {
            node.doubt(
                format!("`listen.admin` is reachable from other machines, at `{admin}`,"),
                "it speaks plain HTTP: put it on 127.0.0.1, or behind something that encrypts",
            );
        }
    }
    let mut trusted_proxies = Vec::new();
    for node in section.list("trusted_proxies") {
        let Some(network) = node.parsed(values::network) else { continue };
        if network.prefix_len() == 0 {
            node.doubt(
                format!("`{network}` trusts every client to say what its address is"),
                "name the proxies' own networks",
            );
        }
        trusted_proxies.push(network);
    }
    section.finish();
    // One that cannot be read has been reported; none is none.
    let https = https.map_or(Some(None), |read| read.map(Some));
    Some(Listen { http: http?, https: https?, admin: admin?, trusted_proxies })
}

fn admin(section: Section<'_>) -> Option<Admin> {
    let node = section.required("token", "\"env:TIDEGATE_ADMIN_TOKEN\"");
    section.finish();
    let node = node?;
    let token = secret::read(&node)?;
    secret::doubt_if_short(&node, &token, "the admin token");
    Some(Admin { token })
}

fn visitor(section: Section<'_>) -> Option<Visitor> {
    let cookie = match section.get("cookie") {
        Some(node) => node.parsed(values::cookie_name),
        None => Some("tg_vid".to_owned()),
    };
    let node = section.required("keys", "[\"k1:env:TIDEGATE_VISITOR_KEY\"]");
    section.finish();
    let node = node?;
    let list = node.list()?;
    if list.is_empty() {
        node.wrong("`visitor.keys` is empty", "add `\"k1:env:TIDEGATE_VISITOR_KEY\"`: the first key signs the cookie");
    }
    let mut keys: Vec<VisitorKey> = Vec::new();
    for element in &list {
        let Some(key) = visitor_key(element) else { continue };
        if keys.iter().any(|other| other.id == key.id) {
            element
                .wrong(format!("two visitor keys have the id `{}`", key.id), "a cookie says by the id who signed it");
        }
        keys.push(key);
    }
    (!keys.is_empty()).then_some(())?;
    Some(Visitor { keys, cookie: cookie? })
}

fn visitor_key(node: &Node<'_>) -> Option<VisitorKey> {
    let hint = "an id of letters and digits, at most 16, a colon, and the key: `k1:env:TIDEGATE_VISITOR_KEY`";
    let (id, key) = node.text()?.split_once(':').or_else(|| {
        node.wrong("a visitor key has no id", hint);
        None
    })?;
    if id == "env" {
        node.wrong("a visitor key has no id", hint);
        return None;
    }
    if id.is_empty() || id.len() > 16 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        node.wrong("a visitor key's id is malformed", hint);
        return None;
    }
    let key = secret::resolve(node, key)?;
    if key.reveal().len() < 16 {
        node.wrong(format!("visitor key `{id}` is shorter than 16 bytes"), "make one by `openssl rand -hex 32`");
        return None;
    }
    Some(VisitorKey { id: id.to_owned(), key })
}

fn plugins(section: Section<'_>, store: &Option<Store>) -> Option<Plugins> {
    let base = section.reader.surroundings.base;
    let cache = match section.get("cache") {
        Some(node) => node.text().map(|path| base.join(path)),
        None => store.as_ref().map(|store| match &store.backend {
            Backend::Sqlite { path } => path.with_file_name("plugin-cache"),
            Backend::Redis(_) => base.join("plugin-cache"),
        }),
    };
    let known = [("enforce", LockMode::Enforce), ("report", LockMode::Report), ("off", LockMode::Off)];
    let lock = match section.get("lock") {
        Some(node) => store::choice(&node, "use of the lock file,", known),
        None => Some(LockMode::WhenThere),
    };
    let known = [("optional", Signatures::Optional), ("required", Signatures::Required)];
    let signatures = match section.get("signatures") {
        Some(node) => store::choice(&node, "use of signatures,", known),
        None => Some(Signatures::Optional),
    };
    let publishers = publisher::all(&section);
    section.finish();
    Some(Plugins {
        cache: cache?,
        lock: lock?,
        lock_file: base.join("tidegate.lock"),
        signatures: signatures?,
        publishers: publishers?,
    })
}

fn limits(section: Section<'_>) -> Limits {
    const MIB: usize = 1 << 20;
    let limits = Limits {
        body_bytes_max: section.number("body_bytes_max", 1_024..=64 * MIB, 512 << 10),
        body_inflated_bytes_max: section.number("body_inflated_bytes_max", 1_024..=256 * MIB, 4 * MIB),
        batch_events_max: section.number("batch_events_max", 1..=100_000, 1_000),
        event_bytes_max: section.number("event_bytes_max", 256..=16 * MIB, 32 << 10),
        header_bytes_max: section.number("header_bytes_max", 1_024..=MIB, 32 << 10),
        head_timeout_ms: section.number("head_timeout_ms", 100..=600_000, 10_000),
        body_timeout_ms: section.number("body_timeout_ms", 100..=600_000, 20_000),
        connections_max: section.number("connections_max", 1..=1_000_000, 10_000),
        requests_per_second: section.number("requests_per_second", 0..=10_000_000, 0),
        in_flight_max: section.number("in_flight_max", 1..=1_000_000, 2_048),
        pending_bytes_max: section.number("pending_bytes_max", 1_024..=1_024 * MIB, 64 * MIB),
    };
    section.finish();
    limits
}

fn delivery(section: Section<'_>) -> Delivery {
    let backoff_base = section.get("backoff_base_ms");
    let delivery = Delivery {
        timeout_ms: section.number("timeout_ms", 100..=600_000, 10_000),
        attempts_max: section.number("attempts_max", 1..=1_000, 100),
        backoff_base_ms: backoff_base.as_ref().and_then(|node| node.number(1..=3_600_000)).unwrap_or(1_000),
        backoff_max_ms: section.number("backoff_max_ms", 1..=86_400_000, 3_600_000),
        concurrency: section.number("concurrency", 1..=1_024, 8),
        response_bytes_max: section.number("response_bytes_max", 1_024..=16 << 20, 64 << 10),
        shutdown_ms: section.number("shutdown_ms", 0..=600_000, 10_000),
    };
    if let Some(node) = backoff_base.filter(|_| delivery.backoff_base_ms > delivery.backoff_max_ms) {
        node.wrong("`delivery.backoff_base_ms` is more than `delivery.backoff_max_ms`", "");
    }
    section.finish();
    delivery
}

/// Reads a name that ids, metrics and addresses are made of, and says where it was taken already.
pub(super) fn name(node: &Node<'_>, what: &str, taken: &[(String, Option<usize>)]) -> Option<String> {
    let name = node.parsed(|text| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
            let hint = "letters, digits, `-`, `_` and `.`, at most 64".to_owned();
            return Err(Complaint { what: "is no name", hint });
        }
        Ok(text.to_owned())
    })?;
    if let Some((_, line)) = taken.iter().find(|(other, _)| *other == name) {
        let first = line.map(|line| format!("the first is in line {line}; ")).unwrap_or_default();
        node.wrong(format!("a second {what} is named `{name}`"), format!("{first}each needs a name of its own"));
        return None;
    }
    Some(name)
}
