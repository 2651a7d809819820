//! Real Redis and Valkey servers for tests, which start, harm and end them.
//!
//! [`Server`] is one process with its own directory and ports. Nothing is shared with a server that the machine runs, and
//! nothing is left when it is dropped. All calls block the thread and take bounded time ([`PATIENCE`]); [`Server::cli`]
//! speaks to a server with a client of this crate, which shares no code with what is tested.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has to say so and end")]

mod port;
mod program;
mod resp;
mod server;
mod tls;
mod wait;

pub use program::Program;
pub use resp::{Connection, Error, Reply};
pub use server::{Builder, Server};
pub use tls::{ClientCertificates, Tls};
pub use wait::{PATIENCE, until};
