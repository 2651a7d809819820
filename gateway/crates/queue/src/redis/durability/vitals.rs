//! What a server tells of itself: INFO and CONFIG. Judges nothing.

use std::collections::BTreeMap;

use redis::{Cmd, Value, cmd};

use super::super::Persistence;
use super::super::link::Trouble;

/// One server's account of itself.
#[derive(Debug)]
pub(super) struct Vitals {
    pub(super) node: String,
    info: BTreeMap<String, String>,
    /// Or why it does not tell.
    config: Result<BTreeMap<String, String>, Refused>,
}

/// Why a server does not tell its configuration.
#[derive(Debug, Clone)]
pub(super) struct Refused(pub(super) String);

/// What of a server's data survives the end of its machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Disk {
    Always,
    /// `always`, but for the time of a rewrite of the append-only file.
    AlwaysButInRewrites,
    EverySecond,
    /// `everysec`, but for the time of a rewrite.
    EverySecondButInRewrites,
    /// When the operating system likes.
    Seldom,
    Snapshots(String),
    Nothing,
    /// The operator says that it is one of the last three.
    AssumedSeldom,
    /// The server does not tell, and nobody asserts anything.
    Unknown(String),
}

pub(super) fn questions() -> [Cmd; 2] {
    let mut config = cmd("CONFIG");
    config.arg("GET").arg(&["appendonly", "appendfsync", "no-appendfsync-on-rewrite", "save"]);
    config.arg("stop-writes-on-bgsave-error");
    [cmd("INFO"), config]
}

impl Vitals {
    /// Of the answers to [`questions`].
    pub(super) fn read(node: String, answers: Vec<Result<Value, Trouble>>) -> Result<Vitals, Trouble> {
        let mut answers = answers.into_iter();
        let info = match answers.next() {
            Some(Ok(Value::BulkString(bytes))) => read_info(&String::from_utf8_lossy(&bytes)),
            Some(Ok(Value::VerbatimString { text, .. })) => read_info(&text),
            Some(Err(trouble)) => return Err(trouble),
            other => return Err(Trouble::Odd(format!("INFO gave {other:?}"))),
        };
        let config = match answers.next() {
            Some(Ok(Value::Array(parts))) if !parts.is_empty() => Ok(pairs(&parts)),
            Some(Err(trouble @ Trouble::Server { .. })) => Err(Refused(trouble.to_string())),
            Some(Err(trouble)) => return Err(trouble),
            // Some providers answer with nothing instead of an error.
            _ => Err(Refused("CONFIG GET gave nothing".to_owned())),
        };
        Ok(Vitals { node, info, config })
    }

    /// As people write it: `Redis 7.0.15`, `Valkey 8.0.1`.
    pub(super) fn server(&self) -> String {
        match self.info("valkey_version") {
            "" => format!("Redis {}", self.info("redis_version")),
            version => format!("Valkey {version}"),
        }
    }

    /// The version of Redis that it is compatible with.
    pub(super) fn version(&self) -> (u32, u32) {
        let mut parts = self.info("redis_version").split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    pub(super) fn is_primary(&self) -> bool {
        self.info("role") == "master"
    }

    pub(super) fn is_loading(&self) -> bool {
        self.info("loading") == "1"
    }

    pub(super) fn replicas_online(&self) -> usize {
        let is_replica = |key: &str| key.strip_prefix("slave").is_some_and(|n| n.parse::<u32>().is_ok());
        self.info.iter().filter(|(key, value)| is_replica(key) && value.contains("state=online")).count()
    }

    /// The policy by which it deletes data when its memory is full, if it deletes any.
    pub(super) fn evicts(&self) -> Option<&str> {
        let policy = self.info("maxmemory_policy");
        (self.memory_max() > 0 && policy != "noeviction").then_some(policy)
    }

    /// Used and allowed bytes; nought allows any number.
    pub(super) fn memory(&self) -> (u64, u64) {
        (self.info("used_memory").parse().unwrap_or(0), self.memory_max())
    }

    pub(super) fn append_fails(&self) -> bool {
        self.info("aof_enabled") == "1" && self.info("aof_last_write_status") == "err"
    }

    /// Whether it takes no writes because its last snapshot failed. A server that does not tell its configuration is
    /// taken to have the default, which is that.
    pub(super) fn stopped_by_snapshot(&self) -> bool {
        let setting = |key: &str| self.config.as_ref().ok().and_then(|config| config.get(key));
        self.info("rdb_last_bgsave_status") == "err"
            && setting("stop-writes-on-bgsave-error").is_none_or(|value| value == "yes")
            && setting("save").is_none_or(|value| !value.is_empty())
    }

    pub(super) fn disk(&self, assumed: Option<Persistence>) -> Disk {
        let config = match (&self.config, assumed) {
            (Ok(config), _) => config,
            (Err(_), Some(Persistence::Always)) => return Disk::Always,
            (Err(_), Some(Persistence::EverySecond)) => return Disk::EverySecond,
            (Err(_), Some(Persistence::Seldom)) => return Disk::AssumedSeldom,
            (Err(Refused(why)), None) => return Disk::Unknown(why.clone()),
        };
        let setting = |key: &str| config.get(key).map_or("", String::as_str);
        let whole = setting("no-appendfsync-on-rewrite") != "yes";
        match (setting("appendonly"), setting("appendfsync"), setting("save")) {
            ("yes", "always", _) if whole => Disk::Always,
            ("yes", "always", _) => Disk::AlwaysButInRewrites,
            ("yes", "everysec", _) if whole => Disk::EverySecond,
            ("yes", "everysec", _) => Disk::EverySecondButInRewrites,
            ("yes", ..) => Disk::Seldom,
            (_, _, "") => Disk::Nothing,
            (_, _, save) => Disk::Snapshots(save.to_owned()),
        }
    }

    fn memory_max(&self) -> u64 {
        self.info("maxmemory").parse().unwrap_or(0)
    }

    fn info(&self, key: &str) -> &str {
        self.info.get(key).map_or("", String::as_str)
    }
}

fn read_info(text: &str) -> BTreeMap<String, String> {
    text.lines().filter_map(|line| line.split_once(':')).map(|(key, value)| (key.into(), value.trim().into())).collect()
}

fn pairs(parts: &[Value]) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        _ => String::new(),
    };
    parts.chunks_exact(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}
