//! The sandbox: runs a destination's plugin as a pure function.
//!
//! Owns everything between a plugin's bytes and its answer: [`inspect()`] says what a component is and wants without
//! executing it, [`Sandbox::load`] refuses what must not run and compiles the rest, [`Projection`] hands over the granted
//! fields only, and [`Plugin`] runs one event in a fresh instance, within limits. Does no networking, applies no
//! credentials, and knows neither queue nor configuration.
//!
//! An event's way through it:
//!
//! ```text
//! event::Event ──▶ Projection::apply ──▶ contract::Event ──▶ Plugin::transform ──▶ requests, skip or invalid
//!                  (grants, consent,                         (fresh instance,
//!                   normalize, digests)                       limits, deadline)
//! ```
//!
//! What a plugin does wrong costs the one call in which it does it: a trap, an endless loop, too much memory or output is
//! a [`CallError`], and the next call starts from the compiled component again.

mod batch;
mod cache;
pub mod contract;
mod digest;
mod engine;
mod error;
pub mod fixtures;
mod inspect;
mod limits;
pub mod normalize;
mod panic;
mod plugin;
mod pool;
mod projection;
mod ticker;

pub use batch::EVENTS_PER_INSTANCE_MAX;
pub use digest::Digest;
pub use engine::{Metering, Options, Sandbox, obstacles};
pub use error::{CallError, Error, InspectError, LoadError};
pub use inspect::{Import, Inspection, Memory, Table, WASM_BYTES_MAX, inspect};
pub use plugin::{Plugin, REASON_BYTES_MAX, REQUESTS_MAX, Transformed, Usage};
pub use pool::Weight;
pub use projection::{Granted, Projection};
pub use tidegate_plugin_sdk::manifest;
