//! `[store]`: where the queue lives, how much it holds and for how long, and what an acknowledgement has to mean.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tidegate_queue::Level;
use tidegate_queue::redis::{Address, Persistence, Timeouts};

/// `[store]`: where the queue lives.
#[derive(Debug, Clone)]
pub struct Store {
    /// `url`: default `sqlite:data/tidegate.db`.
    pub backend: Backend,
    /// `durability`: what an acknowledgement has to mean at least. Default `fsync`. SQLite always syncs.
    pub durability: Level,
    /// `waiting_max`: deliveries that may wait, over all destinations. Default 5,000,000.
    pub waiting_max: u64,
    /// `journal_days` or `journal_minutes`: how long traces of finished events, and de-duplication, last. Default
    /// 7 days with SQLite, 60 minutes with Redis, where memory is dear.
    pub journal: Duration,
    /// `dead_letters_days`: how long dead letters are kept. Default 90.
    pub dead_letters_days: u32,
    /// `ledger_days`: how long the egress ledger is kept. Default 400 with SQLite, 30 with Redis, where memory is dear.
    pub ledger_days: u32,
    /// `profile_days`: how long a visitor's profile is kept after it was last written. Default 90.
    pub profile_days: u32,
}

/// What keeps the queue.
#[derive(Debug, Clone, PartialEq)]
pub enum Backend {
    /// `sqlite:<path>`, relative to the configuration file's directory.
    Sqlite { path: PathBuf },
    /// `redis://…` and its kin.
    Redis(Box<Redis>),
}

/// How a Redis is reached and used.
#[derive(Debug, Clone, PartialEq)]
pub struct Redis {
    /// `url`, with `username` and `password` where they are given.
    pub address: Address,
    /// `ca_file`: authorities that the server's certificate is checked against. Default the system's.
    pub ca_file: Option<PathBuf>,
    /// `prefix` of all keys. Default `tidegate`.
    pub prefix: String,
    /// `partitions` of a store that is new. Default 64 in a cluster, 8 on one server.
    pub partitions: u16,
    /// `durability_assumed`: how the server persists, where it forbids asking. Default unknown.
    pub assumed: Option<Persistence>,
    /// `connect_timeout_ms` and `timeout_ms`. Default 2,000 each.
    pub timeouts: Timeouts,
}

impl fmt::Display for Backend {
    /// Where the store is, without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Backend::Sqlite { path } => write!(f, "sqlite:{}", path.display()),
            Backend::Redis(redis) => write!(f, "{}", redis.address),
        }
    }
}
