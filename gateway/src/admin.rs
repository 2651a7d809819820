//! The operator's side: what happened to an event, what waits, what died, and putting it back; reloads and switches.
//!
//! `ops` are the functions, `view` what they give; the listener and the command line both call them.

mod control;
mod listener;
pub mod ops;
mod status;
pub mod view;

pub use listener::{Operator, serve};
