//! Certificates from an ACME authority (RFC 8555), one order a host.
//!
//! [`desk`] knows every host's certificate and record and orders what is due; [`policy`] decides when that is; [`cache`]
//! keeps everything on disk, also for other gateways; [`order`] is the conversation with the authority over [`client`].

mod cache;
mod client;
mod desk;
mod order;
mod policy;
mod record;

pub(crate) use cache::Posted;
pub(crate) use desk::Desk;
