//! The doctor: looks at a site from outside, and says what a browser will do with its cookies.
//!
//! [`examine()`] takes a [`Site`] and [`Options`] and gives a [`Report`]. It asks DNS for the page's and the gateway's host
//! ([`dns`]); then, at the same time, shakes hands with the gateway ([`certificate`]), asks it for the snippet and for
//! leave to send ([`checks`]), and reads the page ([`html`], [`csp`]). What Safari and the others make of the
//! addresses is pure: [`predict()`]. Whatever could not be looked at is a [`Finding`] of its own; nothing fails the rest.
//!
//! Owns what is looked at and how it is judged. Knows nothing of the gateway's configuration, and prints nothing.

mod browser;
mod certificate;
mod checks;
mod csp;
mod dns;
mod domain;
mod examine;
mod fetch;
mod finding;
mod html;
mod predict;
mod report;
mod site;
mod words;

pub use browser::{BROWSERS, Browser, Limit, Mark, ThirdParty};
pub use certificate::Certificate;
pub use dns::{Answer as DnsAnswer, Problem as DnsProblem};
pub use examine::examine;
pub use finding::{Code, Finding, Severity};
pub use predict::{Facts, Life, Pair, Place, Term, Why, pairs, predict};
pub use report::{CookieLife, Report, VERSION};
pub use site::{Cookie, Error, Mode, Options, SetBy, Site, place};
