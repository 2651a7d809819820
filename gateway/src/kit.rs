//! The kit: what an integrator and an auditor find out about a plugin by running it.
//!
//! Owns the tests of a plugin by its fixtures, its measures, and the canary. Everything runs in the sandbox that the gateway
//! runs it in, with events that nobody sent; no request leaves.

pub mod bench;
pub mod canary;
pub mod preview;
pub mod project;
pub mod test;
