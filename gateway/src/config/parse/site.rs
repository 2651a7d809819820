//! Reads `[[site]]`, and what must hold between sites: names, keys and hosts of their own.

use std::collections::BTreeMap;

use tidegate_consent::{Regions, Rules, tcf};
use tidegate_event::Level;
use tidegate_identity::clicks::Aliases;
use tidegate_identity::domain::Domain;
use tidegate_identity::link::DOMAINS_MAX;
use tidegate_identity::redirect::Allowed;
use tidegate_identity::set_cookie::SameSite;

use super::{destination, name, store, values};
use crate::config::mistake::{Mistake, suggestion};
use crate::config::reader::{Complaint, Node, Section};
use crate::config::{Secret, Site, secret};

/// Where a site's pages load the browser's script from.
const SNIPPET: &str = "/t.js";
/// What `same_site` may be.
const SAME_SITE: [(&str, SameSite); 3] =
    [("lax", SameSite::Lax), ("none", SameSite::None), ("partitioned", SameSite::Partitioned)];

/// Name and line of every site, whatever else is wrong with it.
pub(super) type Names = Vec<(String, Option<usize>)>;

/// What sites have had so far, by the line where they had it.
#[derive(Default)]
struct Taken {
    names: Names,
    keys: BTreeMap<String, Option<usize>>,
    hosts: BTreeMap<String, Option<usize>>,
}

pub(super) fn all(root: &Section<'_>) -> (Option<Vec<Site>>, Names) {
    let Some(node) = root.get("site") else {
        let missing = Mistake::error(None, "there is no `[[site]]`");
        root.reader.report(missing.hint("add one with `name`, `hosts` and `write_keys`: events are taken for sites"));
        return (None, Names::new());
    };
    let mut taken = Taken::default();
    let sections = node.sections().unwrap_or_default();
    let sites: Vec<Option<Site>> = sections.into_iter().map(|section| one(section, &mut taken)).collect();
    (sites.into_iter().collect(), taken.names)
}

/// Doubts each site that no destination belongs to: its events are kept and go nowhere.
pub(super) fn doubt_if_silent(root: &Section<'_>, sites: &Names, destinations: &destination::All) {
    for (site, line) in sites.iter().filter(|(site, _)| !destinations.sites.contains(site)) {
        let doubt = Mistake::warning(*line, format!("site `{site}` has no destination"));
        root.reader.report(doubt.hint(format!("add a `[[destination]]` with `site = \"{site}\"`")));
    }
}

fn one(section: Section<'_>, taken: &mut Taken) -> Option<Site> {
    let name = section.required("name", "\"shop\"").and_then(|node| name(&node, "site", &taken.names));
    taken.names.extend(name.clone().map(|name| (name, section.line)));
    let hosts = hosts(&section, taken);
    let origins = section.list("origins").iter().filter_map(|node| node.parsed(values::origin)).collect();
    let write_keys: Vec<Secret> = keys(&section, "write_keys", taken);
    let api_keys = keys(&section, "api_keys", taken);
    if section.get("write_keys").is_none() && section.get("api_keys").is_none() {
        let silent = Mistake::warning(section.line, "a site has neither `write_keys` nor `api_keys`");
        section
            .reader
            .report(silent.hint("no client can send to it: add `write_keys` for browsers, `api_keys` for backends"));
    }
    let domains = domains(&section, &hosts);
    let click_aliases = click_aliases(&section);
    let redirect_hosts = redirect_hosts(&section);
    let snippet = match section.get("snippet") {
        Some(node) => node.parsed(values::script_path),
        None => Some(SNIPPET.to_owned()),
    };
    let cookieless = section.flag("cookieless").unwrap_or(false);
    let same_site = match section.get("same_site") {
        Some(node) => store::choice(&node, "`same_site`", SAME_SITE),
        None => Some(SameSite::Lax),
    };
    let consent = consent(section.section("consent"));
    section.finish();
    let write_keys = write_keys.iter().map(|key| key.reveal().to_owned()).collect();
    let site = Site {
        name: name?,
        hosts,
        origins,
        write_keys,
        api_keys,
        domains,
        click_aliases,
        redirect_hosts,
        snippet: snippet?,
        cookieless,
        same_site: same_site?,
        consent,
    };
    doubt_if_unlinked(&section, &site);
    Some(site)
}

/// Doubts a site of so many domains that links between them carry nobody.
fn doubt_if_unlinked(section: &Section<'_>, site: &Site) {
    let domains = site.linked_domains().len();
    if domains > DOMAINS_MAX && !site.cookieless {
        let line = section.get("origins").map_or(section.line, |node| node.line);
        let what = format!("site `{}` has {domains} domains by `hosts` and `origins`", site.name);
        let hint =
            format!("a visitor stays the same over links between {DOMAINS_MAX} at most: make them several sites");
        section.reader.report(Mistake::warning(line, what).hint(hint));
    }
}

fn hosts(section: &Section<'_>, taken: &mut Taken) -> Vec<String> {
    let Some(node) = section.required("hosts", "[\"track.shop.example\"]") else { return Vec::new() };
    let Some(list) = node.list() else { return Vec::new() };
    if list.is_empty() {
        node.wrong("`site.hosts` is empty", "add the host that the gateway is reached under: `track.shop.example`");
    }
    let mut hosts = Vec::new();
    for element in &list {
        let Some(host) = element.parsed(values::host) else { continue };
        if let Some(line) = taken.hosts.insert(host.clone(), element.line) {
            let first = line.map(|line| format!("also in line {line}: ")).unwrap_or_default();
            element.doubt(
                format!("`{host}` is a host twice"),
                format!("{first}what is asked for under it, without a key, is the first site's"),
            );
        }
        hosts.push(host);
    }
    hosts
}

fn domains(section: &Section<'_>, hosts: &[String]) -> Vec<Domain> {
    let mut domains = Vec::new();
    for node in section.list("domains") {
        let Some(domain) = node.parsed(values::domain) else { continue };
        if !hosts.iter().any(|host| domain.covers(host)) {
            let hint = "cookies are set with answers of the gateway's hosts: add one below it to `hosts`";
            node.doubt(format!("no host of the site is in the domain `{domain}`"), hint);
        }
        domains.push(domain);
    }
    domains
}

fn click_aliases(section: &Section<'_>) -> Aliases {
    let mut aliases = Aliases::default();
    let entries = section.get("click_aliases").and_then(|node| node.section()).map(|section| section.entries());
    for (alias, node) in entries.unwrap_or_default() {
        let Some(parameter) = node.text() else { continue };
        if let Err(why) = aliases.add(alias, parameter) {
            let hint = "your own name, and the parameter it stands for: `click_aliases = { x = \"gclid\" }`";
            node.wrong(format!("`{alias} = \"{parameter}\"` {why}"), hint);
        }
    }
    aliases
}

fn redirect_hosts(section: &Section<'_>) -> Allowed {
    let mut allowed = Allowed::default();
    for node in section.list("redirect_hosts") {
        node.parsed(|text| {
            let hint = "a host, or `*.` and a domain, with a port where it has one: `*.shop.example`";
            allowed.add(text).map_err(|_| Complaint { what: "names no hosts", hint: hint.to_owned() })
        });
    }
    allowed
}

fn keys(section: &Section<'_>, key: &'static str, taken: &mut Taken) -> Vec<Secret> {
    section.list(key).iter().filter_map(|node| one_key(node, key, taken)).collect()
}

fn one_key(node: &Node<'_>, key: &str, taken: &mut Taken) -> Option<Secret> {
    let value = secret::read(node)?;
    if !values::is_key(value.reveal()) {
        node.wrong(
            format!("a key of `{}` has characters that clients cannot send", node.path),
            "visible ASCII without a colon, at most 256",
        );
        return None;
    }
    if let Some(line) = taken.keys.insert(value.reveal().to_owned(), node.line) {
        let first = line.map(|line| format!("it is also in line {line}; ")).unwrap_or_default();
        node.wrong(
            format!("a key of `{}` is there twice", node.path),
            format!("{first}a key says which site an event is of, and whether a browser or a backend sent it"),
        );
        return None;
    }
    if key == "api_keys" {
        secret::doubt_if_short(node, &value, "an API key");
    }
    Some(value)
}

fn consent(section: Section<'_>) -> Rules {
    let usual = Rules::default();
    let default = section.get("default").as_ref().and_then(level).unwrap_or(usual.default);
    let mut regions = Regions::default();
    let named = section.section("regions");
    for (region, node) in named.entries() {
        let Some(level) = level(&node) else { continue };
        if let Err(error) = regions.add(region, level) {
            node.wrong(format!("{error}, in `{}`", node.path), error.hint());
        }
    }
    let tcf = tcf(section.section("tcf"), usual.tcf);
    let segment_categories = match section.get("segment_categories") {
        Some(node) => {
            let entries = node.section().map(|section| section.entries()).unwrap_or_default();
            entries.iter().filter_map(|(category, node)| Some(((*category).to_owned(), level(node)?))).collect()
        }
        None => usual.segment_categories,
    };
    section.finish();
    Rules { default, regions, tcf, segment_categories }
}

fn tcf(section: Section<'_>, usual: tcf::Rules) -> tcf::Rules {
    let purposes = |key: &'static str, usual: Vec<u8>| {
        let Some((node, list)) = section.get(key).and_then(|node| node.list().map(|list| (node, list))) else {
            return usual;
        };
        if list.is_empty() {
            // Nothing to consent to would be consent by everybody.
            node.wrong(format!("`{}` is empty", node.path), "name the purposes that have to be consented to");
        }
        list.iter().filter_map(|node| node.number(1..=tcf::PURPOSE_MAX)).collect()
    };
    let analytics = purposes("analytics", usual.analytics);
    let marketing = purposes("marketing", usual.marketing);
    let vendors = section.list("vendors").iter().filter_map(|node| node.number(1..=u16::MAX)).collect();
    section.finish();
    tcf::Rules { analytics, marketing, vendors }
}

fn level(node: &Node<'_>) -> Option<Level> {
    let text = node.text()?;
    let level = Level::parse(text);
    if level.is_none() {
        let levels = [Level::None, Level::Analytics, Level::Marketing].map(Level::as_str);
        node.wrong(format!("unknown consent level `{text}`"), suggestion(text, levels));
    }
    level
}
