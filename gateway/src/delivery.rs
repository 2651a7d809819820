//! Delivery: what the queue holds, out to the platforms, until each delivery is delivered or dead.
//!
//! lease → merge → attempt → classify → settle: one worker a destination, so that one that is down slows no other.

mod attempt;
pub mod auth;
mod consent;
pub mod courier;
pub mod egress;
mod excerpt;
mod keep;
pub mod merge;
pub mod request;
pub mod retry;
mod settle;
pub mod state;
mod work;
pub mod worker;

pub use egress::{Answer, Outgoing, SendError, Sender};
