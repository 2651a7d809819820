//! Reads `[tls]`: certificate files, and how others are ordered. What is in the files is checked when they are opened.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use tidegate_identity::domain::host_name;
use tidegate_tls::{Acme, Challenge, ExternalAccount, Files, LETS_ENCRYPT, Options};

use super::{store, values};
use crate::config::mistake::Mistake;
use crate::config::reader::{Node, Section};
use crate::config::{Tls, secret};

const CHALLENGES: [(&str, Challenge); 2] = [("tls-alpn-01", Challenge::TlsAlpn01), ("http-01", Challenge::Http01)];
/// What browsers make a site wait for before they have it preloaded; twice that is common.
const HSTS_DAYS: u32 = 365;
const HSTS_DAYS_MAX: u32 = 730;

/// `None` only where a mistake has been reported. `hosts` are the sites': those with a name get a certificate by ACME.
pub(super) fn tls<'h>(
    section: Section<'_>,
    https: Option<SocketAddr>,
    hosts: impl Iterator<Item = &'h String>,
) -> Option<Option<Tls>> {
    let certificates = section.get("certificates").and_then(|node| node.sections()).unwrap_or_default();
    let files: Vec<Option<Files>> = certificates.into_iter().map(files).collect();
    let default_host = text(&section, "default_host");
    let hsts_days = section.number("hsts_days", 0..=HSTS_DAYS_MAX, HSTS_DAYS);
    let sites: Vec<&String> = hosts.collect();
    let acme_section = section.get("acme").and_then(|node| node.section());
    let acme_line = acme_section.as_ref().and_then(|section| section.line);
    let acme = optional(acme_section.map(|section| self::acme(section, &sites)));
    section.finish();
    let files: Option<Vec<Files>> = files.into_iter().collect();
    let (files, acme) = (files?, acme?);
    let has_any = !files.is_empty() || acme.is_some();
    if https.is_none() {
        if has_any {
            let silent = Mistake::warning(section.line, "`[tls]` has certificates, and nothing listens for TLS");
            section.reader.report(silent.hint("add `https = \"0.0.0.0:443\"` to `[listen]`"));
        }
        return Some(None);
    }
    if !has_any {
        let none = Mistake::error(section.line, "`listen.https` has no certificate to show");
        let hint =
            "name its files, `certificates = [{ cert = \"…\", key = \"…\" }]` in `[tls]`, or order it: `[tls.acme]`";
        section.reader.report(none.hint(hint));
        return None;
    }
    // Where no site could be read, there is another mistake.
    let orders_none = acme.as_ref().is_some_and(|acme| acme.hosts.is_empty()) && !sites.is_empty();
    if files.is_empty() && orders_none {
        let none = Mistake::error(acme_line, "`[tls.acme]` has no host to order a certificate for");
        let hint = "a certificate is ordered for a public name, not for an address nor a name without a dot: add one \
                    to `hosts` of a site, or of `[tls.acme]`";
        section.reader.report(none.hint(hint));
        return None;
    }
    Some(Some(Tls { options: Options { files, default_host, acme, ..Options::default() }, hsts_days }))
}

fn files(section: Section<'_>) -> Option<Files> {
    let path = |key, example| section.required(key, example).and_then(|node| in_base(&node));
    let (cert, key) = (path("cert", "\"shop.pem\""), path("key", "\"shop.key\""));
    section.finish();
    Some(Files { cert: cert?, key: key? })
}

fn acme(section: Section<'_>, sites: &[&String]) -> Option<Acme> {
    let directory = text(&section, "directory").unwrap_or_else(|| LETS_ENCRYPT.to_owned());
    let contact = text(&section, "contact");
    let terms_agreed = section.flag("terms_agreed").unwrap_or(false);
    let cache = section.required("cache", "\"acme\"").and_then(|node| in_base(&node));
    let root = section.get("root").and_then(|node| in_base(&node));
    let challenge = match section.get("challenge") {
        Some(node) => store::choice(&node, "`tls.acme.challenge`", CHALLENGES),
        None => Some(Challenge::TlsAlpn01),
    };
    let own = section.get("hosts").and_then(|node| node.list());
    let hosts = match own {
        Some(list) => list.iter().map(|node| node.parsed(values::host)).collect(),
        None => Some(names(sites)),
    };
    let account = section.get("external_account").and_then(|node| node.section());
    let external_account = optional(account.map(external_account));
    section.finish();
    let (hosts, cache, challenge, external_account) = (hosts?, cache?, challenge?, external_account?);
    Some(Acme { directory, contact, terms_agreed, hosts, cache, root, challenge, external_account })
}

/// The hosts that an authority could find, without their ports: no address, and not `localhost`.
fn names(hosts: &[&String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for host in hosts.iter().map(|host| host_name(host)) {
        let is_name = host.contains('.') && host.parse::<IpAddr>().is_err();
        if is_name && !names.iter().any(|known| known == host) {
            names.push(host.to_owned());
        }
    }
    names
}

fn external_account(section: Section<'_>) -> Option<ExternalAccount> {
    let key_id = section.required("key_id", "\"env:ACME_KEY_ID\"").and_then(|node| secret::read(&node));
    let hmac_key = section.required("hmac_key", "\"env:ACME_HMAC_KEY\"").and_then(|node| secret::read(&node));
    section.finish();
    Some(ExternalAccount { key_id: key_id?.reveal().to_owned(), hmac_key: hmac_key?.reveal().to_owned() })
}

/// What is absent is none; what is there and cannot be read has been reported.
fn optional<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |read| read.map(Some))
}

fn text(section: &Section<'_>, key: &'static str) -> Option<String> {
    section.get(key).and_then(|node| node.text()).map(str::to_owned)
}

fn in_base(node: &Node<'_>) -> Option<PathBuf> {
    Some(node.reader.surroundings.base.join(node.text()?))
}
