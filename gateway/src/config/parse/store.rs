//! Reads `[store]`: which backend the URL names, the keys that are its own, and those that both have.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tidegate_queue::Level;
use tidegate_queue::redis::{Address, Kind, Persistence, Timeouts};

use super::values;
use crate::config::mistake::{Mistake, suggestion};
use crate::config::reader::{Complaint, Node, Section};
use crate::config::{Backend, Redis, Secret, Store, secret};

const DEFAULT_URL: &str = "sqlite:data/tidegate.db";
const REDIS_ONLY: [&str; 8] = [
    "username",
    "password",
    "ca_file",
    "prefix",
    "partitions",
    "durability_assumed",
    "timeout_ms",
    "connect_timeout_ms",
];
const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn store(section: Section<'_>) -> Option<Store> {
    // What only Redis has is read whatever the URL says, so that all its mistakes are told at once.
    let redis = RedisKeys::read(&section);
    let backend = match section.get("url") {
        Some(node) => secret::needed(&node).and_then(|url| backend(&node, &url, redis, &section)),
        None => {
            refuse_redis_only(&section);
            sqlite(DEFAULT_URL, &section).ok()
        }
    };
    let durability = match section.get("durability") {
        Some(node) => level(&node),
        None => Some(Level::Fsync),
    };
    let waiting_max = section.number("waiting_max", 1..=1_000_000_000, 5_000_000);
    let journal = journal(&section, backend.as_ref());
    let dead_letters_days = section.number("dead_letters_days", 1..=3_650, 90);
    let profile_days = section.number("profile_days", 1..=3_650, 90);
    let ledger_days = section.number("ledger_days", 1..=3_650, ledger_days(backend.as_ref()));
    section.finish();
    Some(Store {
        backend: backend?,
        durability: durability?,
        waiting_max,
        journal,
        dead_letters_days,
        ledger_days,
        profile_days,
    })
}

/// How many partitions a new store gets: enough to spread over a cluster's nodes, and where there is one server, few, so
/// that what is committed together is not cut into small pieces.
const PARTITIONS_OF_A_CLUSTER: u16 = 64;
const PARTITIONS: u16 = 8;

/// The keys that only Redis has; `None` where there is none, or it has a mistake.
struct RedisKeys {
    username: Option<String>,
    password: Option<Secret>,
    ca_file: Option<PathBuf>,
    prefix: Option<String>,
    /// `None` where the kind of store decides.
    partitions: Option<u16>,
    assumed: Option<Persistence>,
    timeouts: Timeouts,
}

impl RedisKeys {
    fn read(section: &Section<'_>) -> RedisKeys {
        let username = section.get("username").and_then(|node| node.parsed(values::user_name));
        let password = section.get("password").and_then(|node| secret::needed(&node));
        let ca_file = section.get("ca_file").and_then(|node| ca_file(&node));
        let prefix = match section.get("prefix") {
            Some(node) => node.parsed(values::key_prefix),
            None => Some("tidegate".to_owned()),
        };
        let ms = |key| Duration::from_millis(section.number(key, 50..=60_000, 2_000));
        RedisKeys {
            username,
            password,
            ca_file,
            prefix,
            partitions: section.get("partitions").map(|_| section.number("partitions", 1..=256, PARTITIONS)),
            assumed: section.get("durability_assumed").and_then(|node| persistence(&node)),
            timeouts: Timeouts { connect: ms("connect_timeout_ms"), response: ms("timeout_ms") },
        }
    }

    fn with(self, address: Address) -> Option<Redis> {
        let RedisKeys { ca_file, prefix, partitions, assumed, timeouts, username: _, password: _ } = self;
        let usual = if *address.kind() == Kind::Cluster { PARTITIONS_OF_A_CLUSTER } else { PARTITIONS };
        let partitions = partitions.unwrap_or(usual);
        Some(Redis { address, ca_file, prefix: prefix?, partitions, assumed, timeouts })
    }

    /// The URL with the user and the password that have keys of their own instead of its own.
    fn log_in(&self, url: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (Some((scheme, rest)), true) = (url.split_once("://"), self.username.is_some() || self.password.is_some())
        else {
            return url.to_owned();
        };
        let (rest, query) = rest.find('?').map_or((rest, ""), |at| rest.split_at(at));
        let (old, hosts) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (old_user, old_password) = old.split_once(':').unwrap_or((old, ""));
        let user = self.username.as_deref().map_or_else(|| old_user.to_owned(), encode);
        let password = self.password.as_ref().map_or_else(|| old_password.to_owned(), |own| encode(own.reveal()));
        format!("{scheme}://{user}:{password}@{hosts}{query}")
    }
}

/// What the URL names. It may hold a password, so no message shows it.
fn backend(node: &Node<'_>, url: &Secret, redis: RedisKeys, section: &Section<'_>) -> Option<Backend> {
    let url = url.reveal();
    if url.starts_with("sqlite:") || !url.contains("://") {
        refuse_redis_only(section);
        return match sqlite(url, section) {
            Ok(backend) => Some(backend),
            Err(Complaint { what, hint }) => {
                node.wrong(format!("`{}` {what}", node.path), hint);
                None
            }
        };
    }
    match Address::parse(&redis.log_in(url)) {
        Ok(address) => {
            if let Some(node) = section.get("ca_file").filter(|_| !address.tls()) {
                let hint = "the connection is not encrypted: write `rediss://` in `url`, or remove `ca_file`";
                node.wrong("`store.ca_file` without TLS", hint);
            }
            redis.with(address).map(|redis| Backend::Redis(Box::new(redis)))
        }
        Err(error) => {
            node.wrong(format!("`{}` {}", node.path, error.what()), error.hint());
            None
        }
    }
}

fn sqlite(url: &str, section: &Section<'_>) -> Result<Backend, Complaint> {
    let path = values::sqlite_path(url)?;
    Ok(Backend::Sqlite { path: section.reader.surroundings.base.join(path) })
}

fn refuse_redis_only(section: &Section<'_>) {
    for node in REDIS_ONLY.into_iter().filter_map(|key| section.get(key)) {
        node.wrong(
            format!("`{}` does not apply to SQLite", node.path),
            "remove it, or name a Redis in `url`, such as `redis://127.0.0.1:6379`",
        );
    }
}

fn journal(section: &Section<'_>, backend: Option<&Backend>) -> Duration {
    let (days, minutes) = (section.get("journal_days"), section.get("journal_minutes"));
    if let (Some(days), Some(minutes)) = (&days, &minutes) {
        let first = days.line.map(|line| format!("`journal_days` is in line {line}: ")).unwrap_or_default();
        let both = Mistake::error(minutes.line, "both `store.journal_days` and `store.journal_minutes`");
        section.reader.report(both.hint(format!("{first}they say the same thing, remove one")));
    }
    let days = days.map(|node| DAY * node.number(1..=3_650).unwrap_or(7));
    let minutes = minutes.map(|node| MINUTE * node.number(1..=5_256_000).unwrap_or(60));
    days.or(minutes).unwrap_or(match backend {
        Some(Backend::Redis(_)) => MINUTE * 60,
        _ => DAY * 7,
    })
}

/// More than a year, to compare a season with the one before; less where all of it is in memory.
fn ledger_days(backend: Option<&Backend>) -> u32 {
    match backend {
        Some(Backend::Redis(_)) => 30,
        _ => 400,
    }
}

fn ca_file(node: &Node<'_>) -> Option<PathBuf> {
    let name = node.text()?;
    let path = node.reader.surroundings.base.join(name);
    if !path.is_file() {
        node.wrong(format!("no file `{name}` for `{}`", node.path), format!("looked for {}", path.display()));
        return None;
    }
    Some(path)
}

fn level(node: &Node<'_>) -> Option<Level> {
    let levels = [Level::Fsync, Level::Replicated, Level::Any];
    choice(node, "durability", levels.map(|level| (level.name(), level)))
}

fn persistence(node: &Node<'_>) -> Option<Persistence> {
    let known = [("always", Persistence::Always), ("everysec", Persistence::EverySecond), ("no", Persistence::Seldom)];
    choice(node, "`appendfsync`", known)
}

/// One of a few words.
pub(super) fn choice<T: Copy, const N: usize>(node: &Node<'_>, what: &str, known: [(&str, T); N]) -> Option<T> {
    let text = node.text()?;
    let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    if found.is_none() {
        node.wrong(format!("unknown {what} `{text}`"), suggestion(text, known.map(|(name, _)| name)));
    }
    found
}
