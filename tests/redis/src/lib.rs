//! Real Redis and Valkey servers for tests, which start, harm and end them.
//!
//! - [`Server`]: one process; the program, users and TLS are chosen with [`Builder`]
//! - [`Replicated`]: a primary with replicas and [`Sentinels`]
//! - [`Cluster`]: three primaries with a replica each, whose slots can be moved
//! - [`Proxy`]: stands before any of them and harms the connections
//!
//! Each process has its own directory and ports. Nothing is shared with a server that the machine runs, and
//! nothing is left when it is dropped. All calls block the thread and take bounded time ([`PATIENCE`]); [`Server::cli`]
//! speaks to a server with a client of this crate, which shares no code with what is tested.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has to say so and end")]

mod cluster;
mod port;
mod program;
mod proxy;
mod resp;
mod sentinels;
mod server;
mod tls;
mod wait;

pub use cluster::{Cluster, Move, SLOTS, slot_of};
pub use program::Program;
pub use proxy::Proxy;
pub use resp::{Connection, Error, Reply};
pub use sentinels::{Replicated, Sentinels};
pub use server::{Builder, Server};
pub use tls::{ClientCertificates, Tls};
pub use wait::{PATIENCE, until};
