//! The public listener: the product's hot path, with every limit explicit.
//!
//! Owns HTTP: connections, bodies, keys, cookies, CORS, answers. What an event means is the journey's; nothing of the
//! operator's is served here.

mod address;
mod body;
mod collect;
mod cookies;
mod cors;
mod keys;
mod linking;
mod pixel;
mod redirect;
mod reply;
mod secure;
mod server;
mod sites;
pub mod snippet;
mod stay;
mod throttle;

pub use collect::Collector;
pub use secure::Secured;
pub use server::{Door, Serving, serve};
pub use sites::Sites;
