//! A whole installation over a Redis Cluster: six servers, two gateways that collect, two workers that deliver, and
//! clients that send all the while, each with a ledger of what was acknowledged. Whichever process is killed and
//! whatever is moved: nothing of it is lost.
//!
//! `TIDEGATE_FAULTS=long` does more of everything, as `make faults` does.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod failover;
mod kills;
mod moves;
mod stand;
mod tools;
