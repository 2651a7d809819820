//! The durable queue: what was acknowledged is here until it is delivered or dead.
//!
//! Owns the interface that every backend keeps, and the backends. Knows nothing of events: records and payloads are
//! bytes to it. Takes the time as an argument, so that tests decide what time it is.
//!
//! Beside the queue the same store keeps each entry's journal (for traces and de-duplication), profiles, the few settings
//! that all processes over it share, and a log whose entries are chained by hashes ([`chain`]).

pub mod chain;
mod limiting;
pub mod redis;
pub mod sqlite;
mod stored;
mod types;

pub use redis::RedisQueue;
pub use sqlite::SqliteQueue;
pub use stored::*;
pub use types::*;
