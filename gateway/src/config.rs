//! The configuration, `tidegate.toml`, as the rest of the gateway uses it: parsed, checked, secrets resolved.
//!
//! Owns the types, their defaults and every check that needs nothing else. Opens nothing and listens nowhere; a plugin's own configuration is checked
//! against its manifest when the plugin is loaded.

mod fixed;
mod mistake;
mod parse;
mod publisher;
mod reader;
mod secret;
mod source;
mod store;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
pub(crate) use mistake::suggestion;
pub use mistake::{Mistake, Mistakes, Severity};
pub use publisher::{Key, KeyId, Publisher};
pub use secret::{Secret, UNSET};
pub use source::{Source, Variables};
pub use store::{Backend, Redis, Store};
use tidegate_consent::Rules;
use tidegate_identity::clicks::Aliases;
use tidegate_identity::domain::Domain;
use tidegate_identity::link;
use tidegate_identity::redirect::Allowed;
use tidegate_identity::set_cookie::SameSite;
use tidegate_queue::Cap;
use url::Url;

/// A whole `tidegate.toml`.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: Listen,
    /// `[tls]`, where there is `listen.https`.
    pub tls: Option<Tls>,
    pub admin: Admin,
    pub store: Store,
    pub visitor: Visitor,
    pub plugins: Plugins,
    pub limits: Limits,
    pub delivery: Delivery,
    pub geo: Geo,
    pub sites: Vec<Site>,
    pub destinations: Vec<Destination>,
    /// What somebody should look at, though the gateway starts.
    pub warnings: Mistakes,
}

/// What a configuration is read in.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Relative paths are relative to this directory: the configuration file's.
    pub base: &'a Path,
    /// The environment variables that `env:` secrets come from.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
    /// The names of the plugins that are embedded in the gateway.
    pub built_in: &'a [&'a str],
}

/// `[tls]`: what the TLS listener shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `certificates`, `default_host`, `[tls.acme]`: where certificates come from.
    pub options: tidegate_tls::Options,
    /// `hsts_days`: how long browsers keep to HTTPS after an answer by it; 0 says nothing. Default 365.
    pub hsts_days: u32,
}

/// `[listen]`: where the listeners are.
#[derive(Debug, Clone)]
pub struct Listen {
    /// `http`: the public listener. Default `127.0.0.1:8080`.
    pub http: SocketAddr,
    /// `https`: the public listener with TLS. Default none: TLS is a proxy's.
    pub https: Option<SocketAddr>,
    /// `admin`: the operator's listener. Default `127.0.0.1:9090`.
    pub admin: SocketAddr,
    /// `trusted_proxies`: whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Default none.
    pub trusted_proxies: Vec<IpNet>,
}

/// `[admin]`: who may operate the gateway.
#[derive(Debug, Clone)]
pub struct Admin {
    /// `token`: the bearer token. Required.
    pub token: Secret,
}

/// `[visitor]`: the first-party cookie.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// `keys`: `<id>:<key>`; the first signs, all verify. At least one.
    pub keys: Vec<VisitorKey>,
    /// `cookie`: its name, without the prefix that HTTPS adds. Default `tg_vid`.
    pub cookie: String,
}

/// One key of the visitor cookie's ring.
#[derive(Debug, Clone)]
pub struct VisitorKey {
    /// Letters and digits, at most 16.
    pub id: String,
    pub key: Secret,
}

/// `[plugins]`: the sandbox.
#[derive(Debug, Clone)]
pub struct Plugins {
    /// `cache`: the directory of compiled plugins. Default `plugin-cache` beside the SQLite file, or beside the
    /// configuration with Redis.
    pub cache: PathBuf,
    /// `lock`: what the lock file is good for. Default: enforced where there is one.
    pub lock: LockMode,
    /// The lock file: `tidegate.lock` beside the configuration.
    pub lock_file: PathBuf,
    /// `signatures`: whether a plugin's file has to be signed. Default: not.
    pub signatures: Signatures,
    /// `[[plugins.publisher]]`: whose signatures count.
    pub publishers: Vec<Publisher>,
}

/// `[plugins] signatures`: what becomes of a plugin's file that nobody signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// `optional`, the default: it starts. A signature that is there has to fit, where there is a publisher.
    Optional,
    /// `required`: it does not start.
    Required,
}

/// `[plugins] lock`: what becomes of a plugin that the lock file does not cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// The default: as [`LockMode::Enforce`] where there is a lock file, else nothing is asked.
    WhenThere,
    /// `enforce`: it does not start, nor without a lock file.
    Enforce,
    /// `report`: it starts, and the log and the status say so.
    Report,
    /// `off`: nothing is asked.
    Off,
}

/// `[limits]` of the public listener.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `body_bytes_max`: a request's body, as sent. Default 512 KiB.
    pub body_bytes_max: usize,
    /// `body_inflated_bytes_max`: the same after decompression. Default 4 MiB.
    pub body_inflated_bytes_max: usize,
    /// `batch_events_max`: events in one request. Default 1,000.
    pub batch_events_max: usize,
    /// `event_bytes_max`: one event of it. Default 32 KiB.
    pub event_bytes_max: usize,
    /// `header_bytes_max`: a request's head. Default 32 KiB.
    pub header_bytes_max: usize,
    /// `head_timeout_ms`: time to send the head. Default 10,000.
    pub head_timeout_ms: u64,
    /// `body_timeout_ms`: time to send the body. Default 20,000.
    pub body_timeout_ms: u64,
    /// `connections_max`. Default 10,000.
    pub connections_max: usize,
    /// `requests_per_second`: for each write key; above it 429. Default 0: no limit.
    pub requests_per_second: u32,
    /// `in_flight_max`: requests worked on at once; above it 503. Default 2,048.
    pub in_flight_max: usize,
    /// `pending_bytes_max`: bytes that wait for the store at once; above it 503. Default 64 MiB.
    pub pending_bytes_max: usize,
}

/// `[delivery]`: what every destination has by default.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `timeout_ms`: of one request. Default 10,000.
    pub timeout_ms: u64,
    /// `attempts_max`: before a delivery is dead. Default 100: with the longest waits about two days.
    pub attempts_max: u32,
    /// `backoff_base_ms`: the first retry comes within this. Default 1,000.
    pub backoff_base_ms: u64,
    /// `backoff_max_ms`: no retry waits longer. Default 3,600,000.
    pub backoff_max_ms: u64,
    /// `concurrency`: requests under way for one destination. Default 8.
    pub concurrency: usize,
    /// `response_bytes_max`: what is read of an answer. Default 64 KiB.
    pub response_bytes_max: usize,
    /// `shutdown_ms`: how long requests under way may take to end when the gateway stops. Default 10,000.
    pub shutdown_ms: u64,
}

/// `[geo]`: where visitors are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Geo {
    /// `database`: a MaxMind database of countries or cities, for `consent.regions`. Default none.
    pub database: Option<PathBuf>,
}

/// `[[site]]`: one site whose events are taken.
#[derive(Debug, Clone)]
pub struct Site {
    pub name: String,
    /// `hosts` that the gateway is reached under.
    pub hosts: Vec<String>,
    /// `origins` whose pages may send: scheme, host and port.
    pub origins: Vec<String>,
    /// `write_keys`: public, for browsers.
    pub write_keys: Vec<String>,
    /// `api_keys`: secret, for backends.
    pub api_keys: Vec<Secret>,
    /// `domains` that cookies are set for, where they are not the hosts' registrable ones.
    pub domains: Vec<Domain>,
    /// `click_aliases`: `{ x = "gclid" }`, for browsers that strip the names they know.
    pub click_aliases: Aliases,
    /// `redirect_hosts` that `/r` may lead to: `shop.example`, `*.shop.example`. Default none.
    pub redirect_hosts: Allowed,
    /// `snippet`: the path of the browser's script. Default `/t.js`.
    pub snippet: String,
    /// `cookieless`: no cookie is read or written, and a visitor is one for a day. Default false.
    pub cookieless: bool,
    /// `same_site` of its cookies: `lax`, `none`, `partitioned`. Default `lax`.
    pub same_site: SameSite,
    pub consent: Rules,
}

/// `[[destination]]`: one platform account that events go to.
#[derive(Debug, Clone)]
pub struct Destination {
    pub name: String,
    /// The site whose events it gets.
    pub site: String,
    pub plugin: PluginSource,
    /// `publisher`: who has to have signed the plugin's file.
    pub publisher: Option<String>,
    /// The plugin's own configuration, checked against the manifest's schema when the plugin is loaded.
    pub config: serde_json::Value,
    pub secrets: BTreeMap<String, Secret>,
    /// Replaces scheme and authority of every endpoint.
    pub base_url: Option<Url>,
    /// Plain HTTP and private addresses are allowed.
    pub allow_insecure: bool,
    /// `enabled`. Default true.
    pub enabled: bool,
    /// `test_mode`: every event is a test. Default false.
    pub test_mode: bool,
    /// `concurrency`, where it differs from `[delivery]`.
    pub concurrency: Option<usize>,
    /// `timeout_ms`, where it differs from `[delivery]`.
    pub timeout_ms: Option<u64>,
    /// `waiting_max` and `when_full`: how many deliveries may wait for it, and what happens to more. Default none.
    pub cap: Option<Cap>,
    /// The line of its table, for later messages about it.
    pub line: usize,
}

/// Where a plugin's component comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PluginSource {
    /// Embedded in the gateway, by name.
    BuiltIn(String),
    /// A `.wasm` file.
    File(PathBuf),
}

impl Site {
    /// The registrable domains of the gateway's hosts and of the pages: links between them carry who follows them.
    pub fn linked_domains(&self) -> Vec<Domain> {
        let pages = self.origins.iter().filter_map(|origin| origin.split_once("://")).map(|(_, host)| host);
        link::domains(self.hosts.iter().map(String::as_str).chain(pages))
    }
}

impl Config {
    /// Parses the text of a configuration file. Relative paths are relative to `base`; `env:` secrets come from
    /// `variables`.
    ///
    /// # Errors
    /// Everything that is wrong with it, with lines and hints; warnings too.
    pub fn parse(text: &str, base: &Path, variables: &dyn Fn(&str) -> Option<String>) -> Result<Config, Mistakes> {
        let built_in: Vec<&str> = tidegate_plugins::BUILT_IN.iter().map(|plugin| plugin.name).collect();
        Config::parse_in(text, &Surroundings { base, variables, built_in: &built_in })
    }

    /// The same, with a choice of built-in plugins.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn parse_in(text: &str, surroundings: &Surroundings<'_>) -> Result<Config, Mistakes> {
        parse::config(text, surroundings)
    }

    /// Where the operator's listener is, and its token, by a text in which everything else may be wrong.
    ///
    /// # Errors
    /// What is wrong with these two, or with the text as a whole.
    pub fn parse_admin(text: &str, surroundings: &Surroundings<'_>) -> Result<(SocketAddr, Secret), Mistakes> {
        parse::admin_alone(text, surroundings)
    }

    /// How much the queue may hold.
    pub fn queue_limits(&self) -> tidegate_queue::Limits {
        let caps = self.destinations.iter().filter_map(|one| Some((one.name.clone(), one.cap?)));
        tidegate_queue::Limits { waiting_max: self.store.waiting_max, destinations: caps.collect() }
    }

    /// The site of this name.
    pub fn site(&self, name: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.name == name)
    }
}
