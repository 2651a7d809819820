//! Consent: what each signal says, and which of them decides.
//!
//! A request and its event bring [`Signals`]; a site has [`Rules`]; [`decide()`] makes one [`Consent`] of both. The most
//! restrictive signal wins, purpose by purpose, and what cannot be read grants nothing
//! (`docs/decisions/0015-a-consent-string-that-cannot-be-read.md`).
//!
//! Owns the signals' formats and the rules. Sets no cookie, takes no time, and does no I/O but reading a MaxMind database
//! ([`Geo::open`]). Every decoder takes text from anybody: none panics, and none works longer than its text is long.
//!
//! [`Consent`]: tidegate_event::Consent

mod bits;
pub mod cookie;
mod decide;
mod error;
pub mod geo;
pub mod google;
pub mod gpp;
mod own;
mod reading;
mod region;
mod rules;
mod signals;
pub mod tcf;

pub use decide::decide;
pub use error::{FieldError, Unreadable};
pub use geo::Geo;
pub use own::Own;
pub use region::{Region, RegionError, Regions};
pub use rules::Rules;
pub use signals::Signals;
