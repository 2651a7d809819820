//! Who a browser is: its signed visitor ID, the platforms' cookies and click IDs, and what of them is written back.
//!
//! Owns the rules and the tables that they go by. Does no I/O: time and chance come in as values, a request's cookies as
//! text, and what goes out is text again. Knows nothing of events' bodies, and decides no consent.
//!
//! A request passes through it in this order: [`jar`] reads its cookies, [`visitor`] says whose they are, [`clicks`] finds
//! what led here, [`strip`] cleans the addresses for the store; once consent is known, [`answer`] says what is written.

pub mod answer;
pub mod clicks;
pub mod cookieless;
pub mod domain;
pub mod jar;
pub mod link;
mod mac;
pub mod platform;
pub mod redirect;
pub mod set_cookie;
pub mod strip;
pub mod visitor;

/// Whether a request came encrypted: only then a cookie is `Secure` and has a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain: a developer's machine.
    Http,
    /// What a site is served by.
    Https,
}
