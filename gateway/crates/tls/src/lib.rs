//! TLS for the gateway's listener: which certificate answers which host, where certificates come from, and their renewal.
//! Knows nothing of events, and nothing of HTTP but the one answer that proves a host to be ours.
//!
//! # A connection's journey
//!
//! [`Tls::accept`] reads the client's first message and looks for the name in it among the certificates: the name itself,
//! then a wildcard. A name that is not there gets an `unrecognized_name` alert. What is there is shown, TLS 1.3 or 1.2 is
//! agreed on, with a post-quantum key exchange where the client has one, and the caller gets the stream: HTTP/2 or HTTP/1.1,
//! as its ALPN says. An authority that validates a host (TLS-ALPN-01) is answered and goes no further.
//!
//! # A certificate's journey
//!
//! It is in files that the operator names, or ordered from an ACME authority for exactly the hosts that are configured.
//! [`Tls::open`] reads the files and the cache and never touches the network, so that a gateway starts whatever the authority
//! does. [`Tls::run`] then looks at the files every some seconds, and takes up what changed unless it is bad; and it orders
//! what is due: hosts without a certificate, and those with a third of its life left. Before an order [`Precheck`] sees
//! whether the host leads here at all. The challenge is posted in the cache, where every gateway that shares it finds it; the
//! authority asks one of them ([`Tls::accept`], or [`Tls::challenge`] by the plain listener); the certificate is written
//! there, and all take it up. What fails is tried again later and later, each host for itself, also across restarts.
//!
//! [`Tls::status`] tells all of it.

mod accept;
mod acme;
mod clock;
mod config;
mod error;
mod files;
mod host;
mod options;
mod pair;
mod precheck;
mod status;
mod table;
mod tls;
mod validation;

pub use accept::AcceptError;
pub use clock::{Clock, SystemClock};
pub use error::{Error, Mistake};
pub use options::{Acme, Challenge, ExternalAccount, Files, LETS_ENCRYPT, LETS_ENCRYPT_STAGING, Options, Seams};
pub use precheck::{Checking, PointsTo, Precheck, Resolves};
pub use status::{Certificate, Source, Status, Trouble};
pub use tls::{Reloaded, Tls};
