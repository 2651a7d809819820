//! Reads `[[destination]]`: its name, its site, where its plugin comes from, and whether it may be insecure.

use std::collections::BTreeMap;

use tidegate_queue::{Cap, WhenFull};
use url::{Host, Url};

use super::{name, site, store, values};
use crate::config::mistake::{nearest, suggestion};
use crate::config::reader::{Node, Section};
use crate::config::{Destination, PluginSource, Plugins, Secret, secret};

/// What the list of destinations gave.
pub(super) struct All {
    /// `None` where one of them has a mistake.
    pub(super) parsed: Option<Vec<Destination>>,
    /// Every site that one of them names, whatever else is wrong with it.
    pub(super) sites: Vec<String>,
}

pub(super) fn all(root: &Section<'_>, site_names: &site::Names, plugins: Option<&Plugins>) -> All {
    let sections = root.get("destination").and_then(|node| node.sections()).unwrap_or_default();
    let mut names = Vec::new();
    let mut sites = Vec::new();
    let mut parsed = Vec::new();
    for section in sections {
        let name = section.required("name", "\"meta\"").and_then(|node| name(&node, "destination", &names));
        names.extend(name.clone().map(|name| (name, section.line)));
        let site = section.required("site", "\"shop\"").and_then(|node| site(&node, site_names));
        sites.extend(site.clone());
        parsed.push(one(section, name, site, plugins));
    }
    All { parsed: parsed.into_iter().collect(), sites }
}

fn one(
    section: Section<'_>,
    name: Option<String>,
    site: Option<String>,
    plugins: Option<&Plugins>,
) -> Option<Destination> {
    let plugin = section.required("plugin", "\"meta-capi\"").and_then(|node| plugin(&node));
    let publisher = match section.get("publisher") {
        Some(node) => publisher(&node, plugin.as_ref(), plugins).map(Some),
        None => Some(None),
    };
    let config = match section.get("config") {
        Some(node) => node.section().and_then(|_| node.json()),
        None => Some(serde_json::json!({})),
    };
    let secrets = secrets(section.section("secrets"));
    let allow_insecure = section.flag("allow_insecure").unwrap_or(false);
    let base_url = section.get("base_url").and_then(|node| base_url(&node, allow_insecure));
    let enabled = section.flag("enabled").unwrap_or(true);
    let test_mode = section.flag("test_mode").unwrap_or(false);
    let concurrency = section.get("concurrency").and_then(|node| node.number(1..=1_024));
    let timeout_ms = section.get("timeout_ms").and_then(|node| node.number(100..=600_000));
    let cap = cap(&section);
    let line = section.line.unwrap_or(1);
    section.finish();
    Some(Destination {
        name: name?,
        site: site?,
        plugin: plugin?,
        publisher: publisher?,
        config: config?,
        secrets,
        base_url,
        allow_insecure,
        enabled,
        test_mode,
        concurrency,
        timeout_ms,
        cap,
        line,
    })
}

fn cap(section: &Section<'_>) -> Option<Cap> {
    let known = [("refuse", WhenFull::Refuse), ("dead-letter", WhenFull::Die)];
    let waiting_max = section.get("waiting_max");
    let when_full = section.get("when_full");
    if let (None, Some(node)) = (&waiting_max, &when_full) {
        node.wrong(
            "`destination.when_full` without `waiting_max`",
            "add `waiting_max = 100000`: without it the destination is never full",
        );
    }
    let when_full = match when_full {
        Some(node) => store::choice(&node, "way to be full,", known),
        None => Some(WhenFull::Refuse),
    };
    let waiting_max = waiting_max.and_then(|node| node.number(1..=1_000_000_000))?;
    Some(Cap { waiting_max, when_full: when_full? })
}

fn site(node: &Node<'_>, names: &site::Names) -> Option<String> {
    let site = node.text()?;
    let candidates = names.iter().map(|(name, _)| name.as_str());
    if !candidates.clone().any(|name| name == site) {
        node.wrong(format!("unknown site `{site}`"), suggestion(site, candidates));
        return None;
    }
    Some(site.to_owned())
}

fn plugin(node: &Node<'_>) -> Option<PluginSource> {
    let plugin = node.text()?;
    let surroundings = node.reader.surroundings;
    if surroundings.built_in.contains(&plugin) {
        return Some(PluginSource::BuiltIn(plugin.to_owned()));
    }
    if !plugin.ends_with(".wasm") && !plugin.contains(['/', '\\']) {
        let built_in = surroundings.built_in.iter().copied();
        let hint = match nearest(plugin, built_in.clone()) {
            Some(_) => suggestion(plugin, built_in),
            None => format!("{} built in; any other is a path to a `.wasm` file", suggestion(plugin, built_in)),
        };
        node.wrong(format!("unknown plugin `{plugin}`"), hint);
        return None;
    }
    let path = surroundings.base.join(plugin);
    if !path.is_file() {
        node.wrong(format!("no file `{plugin}`, named as a plugin"), format!("looked for {}", path.display()));
        return None;
    }
    Some(PluginSource::File(path))
}

/// Who has to have signed: one of the publishers, and of a file.
fn publisher(node: &Node<'_>, plugin: Option<&PluginSource>, plugins: Option<&Plugins>) -> Option<String> {
    let name = node.text()?;
    if let Some(PluginSource::BuiltIn(plugin)) = plugin {
        node.wrong(
            format!("`{}` of the built-in plugin `{plugin}`", node.path),
            "a built-in plugin is part of the gateway's own release, and has no publisher: leave it out",
        );
        return None;
    }
    let known = plugins?.publishers.iter().map(|publisher| publisher.name.as_str());
    if !known.clone().any(|known| known == name) {
        let suggestion = match suggestion(name, known) {
            none if none.is_empty() => "add a `[[plugins.publisher]]` with this name and its `keys`".to_owned(),
            suggestion => suggestion,
        };
        node.wrong(format!("unknown publisher `{name}`"), suggestion);
        return None;
    }
    Some(name.to_owned())
}

fn secrets(section: Section<'_>) -> BTreeMap<String, Secret> {
    let entries = section.entries();
    entries.iter().filter_map(|(name, node)| Some(((*name).to_owned(), secret::read(node)?))).collect()
}

fn base_url(node: &Node<'_>, allow_insecure: bool) -> Option<Url> {
    let url = node.parsed(values::base_url)?;
    if !allow_insecure {
        node.wrong(
            "`base_url` without `allow_insecure = true`",
            "it sends customers' data elsewhere than the plugin's manifest says: add `allow_insecure = true` if that is meant",
        );
        return None;
    }
    let local = match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !local {
        node.doubt(
            format!("customers' data and secrets go to `{url}` unencrypted, as said"),
            "use `https` for anything but this machine",
        );
    }
    Some(url)
}
