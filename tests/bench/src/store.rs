//! Stores to measure with: a file of SQLite, or a Redis server of its own. Both lie on the disk of the build, for a
//! temporary file system in memory would make commits cheaper than a disk does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use tidegate_queue::redis::{Address, LAPSES_MAX, Options, Time, Timeouts, Wanted};
use tidegate_queue::{Level, Limits, Queue, RedisQueue, SqliteQueue, sqlite};
use tidegate_test_redis::Server;
use tidegate_tests::{API_KEY, WRITE_KEY};

use crate::proc::cpu_s;

/// The prefix of the keys; the configuration's default.
const PREFIX: &str = "tidegate";
/// A million deliveries have room.
const WAITING_MAX: u64 = 5_000_000;

/// Which store, and what an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SQLite with `synchronous=FULL`.
    Sqlite,
    /// Redis with `appendfsync everysec`.
    EverySecond,
    /// Redis with `appendfsync always`.
    Always,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "sqlite",
            Kind::EverySecond => "everysec",
            Kind::Always => "always",
        }
    }
}

/// An empty store.
pub(crate) struct Store {
    server: Option<Server>,
    dir: TempDir,
}

impl Store {
    pub(crate) fn start(kind: Kind) -> anyhow::Result<Store> {
        let dir = tempfile::tempdir_in(crate::target()?)?;
        let lines = |fsync: &str| {
            // A rewrite of the log would fall into one measurement and not into the next.
            [format!("dir {}", dir.path().display()), fsync.into(), "auto-aof-rewrite-percentage 0".into()]
        };
        let start = |fsync: &str| Server::with(&lines(fsync).each_ref().map(String::as_str));
        let server = match kind {
            Kind::Sqlite => None,
            Kind::EverySecond => Some(start("appendfsync everysec")),
            Kind::Always => Some(start("appendfsync always")),
        };
        Ok(Store { server, dir })
    }

    /// The server, if it has one.
    pub(crate) fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// Writes a gateway's configuration with these destinations, and gives its path.
    pub(crate) fn configure(&self, destinations: &str) -> anyhow::Result<PathBuf> {
        let url = self.server.as_ref().map_or_else(|| "sqlite:tidegate.db".to_owned(), Server::url);
        let cache = crate::target()?.join("release/plugin-cache");
        let text = format!(
            r#"[listen]
http = "127.0.0.1:0"
admin = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1/32"]

[admin]
token = "env:TIDEGATE_ADMIN_TOKEN"

[store]
url = "{url}"
durability = "any"

[visitor]
keys = ["k1:env:TIDEGATE_VISITOR_KEY"]

[plugins]
cache = "{}"

[delivery]
timeout_ms = 2000

[[site]]
name = "shop"
hosts = ["track.shop.example"]
origins = ["https://www.shop.example"]
write_keys = ["{WRITE_KEY}"]
api_keys = ["env:SHOP_API_KEY"]
consent = {{ default = "none" }}

{destinations}"#,
            cache.display(),
        );
        debug_assert!(!text.contains(API_KEY), "secrets come from the environment");
        let file = self.dir.path().join("tidegate.toml");
        std::fs::write(&file, text).with_context(|| format!("write `{}`", file.display()))?;
        Ok(file)
    }

    /// Opens it in this process, as a gateway does.
    pub(crate) async fn open(&self) -> anyhow::Result<Arc<dyn Queue>> {
        let limits = Limits::overall(WAITING_MAX);
        let Some(server) = &self.server else {
            let options = sqlite::Options { mode: sqlite::Mode::Serve, limits };
            return Ok(Arc::new(SqliteQueue::open(self.dir.path().join("tidegate.db"), options)?));
        };
        let options = Options {
            address: Address::parse(&server.url())?,
            ca_file: None,
            prefix: PREFIX.into(),
            partitions: 8,
            limits,
            durability: Wanted { level: Level::Any, assumed: None },
            timeouts: Timeouts { connect: Duration::from_secs(2), response: Duration::from_secs(10) },
            time: Time::Server,
            lapses_max: LAPSES_MAX,
        };
        Ok(Arc::new(RedisQueue::open(options).await?))
    }
}

/// What a Redis server has done and holds.
#[derive(Debug, Clone)]
pub(crate) struct Vitals {
    pub(crate) cpu_s: f64,
    pub(crate) used_memory: f64,
    /// How often each command ran, in scripts too.
    calls: BTreeMap<String, u64>,
}

/// What a gateway sends itself; all else runs inside scripts.
const SENT: [&str; 13] = [
    "auth",
    "client|setinfo",
    "config|get",
    "evalsha",
    "exec",
    "hello",
    "hgetall",
    "hrandfield",
    "info",
    "multi",
    "ping",
    "script|load",
    "subscribe",
];

impl Vitals {
    pub(crate) fn of(server: &Server) -> anyhow::Result<Vitals> {
        let info = server.cli(&["INFO", "everything"])?.text();
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let used_memory = field("used_memory").context("no `used_memory`")?.trim().parse()?;
        let mut calls = BTreeMap::new();
        for line in info.lines() {
            let Some((name, rest)) = line.strip_prefix("cmdstat_").and_then(|rest| rest.split_once(":calls=")) else {
                continue;
            };
            let count = rest.split(',').next().unwrap_or_default().parse()?;
            calls.insert(name.to_owned(), count);
        }
        // The question itself is counted after its answer.
        *calls.entry("info".to_owned()).or_default() += 1;
        Ok(Vitals { cpu_s: cpu_s(server.pid())?, used_memory, calls })
    }

    /// Commands that were sent since then, and commands that ran inside scripts.
    pub(crate) fn commands_since(&self, before: &Vitals) -> (u64, u64) {
        let (mut sent, mut inside) = (0, 0);
        for name in self.calls.keys() {
            let count = self.calls_since(before, name);
            if SENT.contains(&name.as_str()) { sent += count } else { inside += count }
        }
        // The question that this is told by counts for nobody.
        (sent.saturating_sub(1), inside)
    }

    pub(crate) fn calls_since(&self, before: &Vitals, name: &str) -> u64 {
        let at = |vitals: &Vitals| vitals.calls.get(name).copied().unwrap_or(0);
        at(self).saturating_sub(at(before))
    }
}
