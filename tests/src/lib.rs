//! The harness of the end-to-end tests: a real gateway between real clients and fake platforms.
//!
//! [`Stack`] is a gateway in this process with its own directory, ports and platforms; [`Process`] is the same as a
//! process of its own, which can be killed. Neither shares anything with another test but the compiled plugins.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has to say so and end")]

mod accounts;
mod client;
mod config;
mod everywhere;
mod ledger;
pub mod oauth;
pub mod plugin;
mod process;
mod programs;
pub mod published;
mod raw;
mod report;
mod stack;

pub use accounts::{Accounts, Fault};
pub use client::{Answer, Client};
pub use config::{
    ADMIN_TOKEN, API_KEY, Destinations, GA4_SECRET, HOOK, META_TOKEN, ORIGIN, Settings, WEBHOOK_SECRET, WRITE_KEY,
    plugin_cache, variable,
};
pub use everywhere::Everywhere;
pub use ledger::{Pace, Senders};
pub use process::Process;
pub use programs::{binary, passes_natively, python};
pub use raw::Raw;
pub use report::{Form, Row};
pub use stack::{Platforms, Stack};

/// How long a test waits for what must happen before it fails: long, for a machine may be busy.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
