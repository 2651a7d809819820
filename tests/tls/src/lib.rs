//! What tests of TLS need: an authority of their own, whose certificates nobody else trusts, and a client that trusts
//! anybody's; pebble, a real ACME server; and nginx, a real web server.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot be set up has to say so and end")]

mod anyone;
mod authority;
mod nginx;
mod pebble;
mod process;

pub use anyone::Anyone;
pub use authority::{Authority, Pem};
pub use nginx::Nginx;
pub use pebble::{Pebble, Ports};
