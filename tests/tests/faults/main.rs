//! Faults: whole gateways over real Redis servers, clients with a ledger of what was acknowledged, and a platform that
//! says what it got. Whatever is killed, stopped or filled up: what was acknowledged is delivered, waits, or is among
//! the dead letters, and the platform gets again only what a fault explains.
//!
//! `TIDEGATE_FAULTS=long` does more of everything, as `make faults` does, which also writes `docs/faults.md`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod away;
mod failover;
mod full;
mod groups;
mod kills;
mod leases;
mod rolling;
mod world;
