//! The shared backend: Redis or Valkey, for any number of gateways and workers. Owns what is stored there and how;
//! refuses servers that do not give the durability asked for.
//!
//! - [`address`] reads the store's URL; [`link`] keeps connections to one server, Sentinel's primary or a cluster;
//!   [`durability`] asks the server what an acknowledgement means.

pub mod address;
mod durability;
mod link;
mod script;

use std::path::PathBuf;
use std::time::Duration;

pub use self::address::Address;
use crate::{Level, Limits};

/// How a queue is set up.
#[derive(Debug, Clone)]
pub struct Options {
    pub address: Address,
    /// A PEM file of the authorities that the server's certificate is checked against; `None`: those of the system.
    pub ca_file: Option<PathBuf>,
    /// All keys begin with it, so that several installations can share a server.
    pub prefix: String,
    /// How many partitions a new store gets. An existing one keeps its own.
    pub partitions: u16,
    pub limits: Limits,
    pub durability: Wanted,
    pub timeouts: Timeouts,
    pub time: Time,
}

/// The durability that a server must give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub level: Level,
    /// What the operator asserts of a server that forbids CONFIG; not used where CONFIG is allowed.
    pub assumed: Option<Persistence>,
}

/// When a server writes its append-only file to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Before it answers: `appendonly yes`, `appendfsync always`.
    Always,
    /// Each second: `appendonly yes`, `appendfsync everysec`.
    EverySecond,
    /// When the operating system likes, or snapshots only, or never.
    Seldom,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    /// One answer, or the confirmation by a replica or the disk.
    pub response: Duration,
}

/// Whose clock ends leases and makes retries due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// The server's: gateways whose clocks differ or jump agree all the same.
    Server,
    /// The caller's, as the arguments tell it: for tests that decide what time it is.
    Caller,
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("could not reach the store at `{address}`")]
    Unreachable {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server's answer makes it unusable: its version, its persistence, its eviction policy.
    #[error("the store at `{address}` {why}")]
    Unfit { address: String, why: String, hint: String },
    /// What is stored under the prefix is not ours, or of a version that this program does not know.
    #[error("the store at `{address}` holds something else under the prefix `{prefix}`: {why}")]
    Foreign { address: String, prefix: String, why: String },
}
