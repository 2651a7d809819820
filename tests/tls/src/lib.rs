//! What tests of TLS need beside clients: an authority of their own, whose certificates nobody else trusts, and pebble, a real
//! ACME server.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot be set up has to say so and end")]

mod authority;
mod pebble;

pub use authority::{Authority, Pem};
pub use pebble::{Pebble, Ports};
