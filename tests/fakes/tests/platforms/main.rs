//! The fake platforms, as a raw client sees them. One program, so that it links once.
#![cfg(test)]

mod ga4;
mod meta;
mod misbehaviour;
mod plugins;
mod raw;
mod webhook;
