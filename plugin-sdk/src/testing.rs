//! Runs a plugin's fixtures: one JSON file for one event, or for one answer of the platform.
//!
//! A plugin's whole test is
//!
//! ```text
//! #[test]
//! fn fixtures() {
//!     tidegate_plugin_sdk::testing::run::<MyPlugin>(env!("CARGO_MANIFEST_DIR"));
//! }
//! ```
//!
//! which reads `plugin.toml` and every `fixtures/*.json`, reports all that fail at once, each with its file and what
//! differs, and with `TIDEGATE_BLESS=1` writes what the plugin really gives into the files instead, for you to review.
//!
//! A host does the same with a [`Suite`], which it loads from a folder or from a component, and with [`Calls`] that run
//! the plugin where the host runs it; it gets a [`Ran`] for each fixture. [`unused`] and [`Uses`] say which grants the
//! plugin makes anything of.
//!
//! # A fixture of `transform`
//!
//! ```json
//! {
//!   "about": "A purchase by a known customer.",
//!   "event": {
//!     "name": "purchase", "kind": "track",
//!     "identifiers": { "email": "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f" },
//!     "clicks": [{ "kind": "fbclid", "value": "AbC", "seen_ms": 1768000000000 }],
//!     "cookies": { "_fbp": "fb.1.1768000000000.42" },
//!     "page": { "url": "https://shop.example/thanks" },
//!     "client": { "ip": "192.0.2.1", "user_agent": "Mozilla/5.0" },
//!     "session": { "id": "1768487000", "number": 2 },
//!     "consent": { "granted": ["analytics"], "denied": ["ad-user-data"], "limited_data_use": true },
//!     "value": 149.99, "currency": "EUR", "order_id": "A-1",
//!     "items": [{ "id": "sku-1", "quantity": 2, "price": 74.995, "properties": { "size": "M" } }],
//!     "properties": { "coupon": "WINTER" }
//!   },
//!   "context": { "config": { "pixel_id": "123" }, "test_mode": false },
//!   "requests": [{
//!     "endpoint": "events",
//!     "query": { "debug": "1" },
//!     "headers": { "content-type": "application/json" },
//!     "body": { "data": [] }
//!   }]
//! }
//! ```
//!
//! - `event` and `context` are laid over [`Event::example`] and [`Context::example`]; all of their fields may be left
//!   out. Identifiers and cookies are objects; `properties` is an object, not text; an item needs no field. Every
//!   purpose is granted, unless `consent.granted` is given: then those that it names.
//! - `context.config` is an object; the defaults in the manifest's `[config]` schema are filled in, as the gateway
//!   does. The other fields are `now_ms`, `seed`, `attempt` and `test_mode`.
//! - `"like": "purchase.json"` starts from another fixture's `event` and `context` instead, and lays this one's over
//!   them: objects are merged, `null` removes, anything else (a list too) replaces.
//! - An event may give only what the manifest's `[reads]` grants, because that is all that a plugin would see.
//!
//! What must come of it is one of
//!
//! - `"requests"`: a list, compared whole. `path`, `query` and `headers` are objects (lists of pairs when a name comes
//!   twice) and are left out when they are empty. `body` is JSON when the body is JSON (`1` and `1.0` differ), else
//!   text, and left out when it is empty. Every request must name an endpoint of the manifest, give no path parameter
//!   that its URL has not, set no header that is the gateway's, keep `[batch] body_max`, and have exactly one element
//!   where `[batch] join` joins it with others.
//! - `"skip": "reason"` or `"invalid": "reason"`.
//!
//! A fixture that expects nothing yet fails, and is filled in by `TIDEGATE_BLESS=1`.
//!
//! # A fixture of `classify`
//!
//! ```json
//! {
//!   "about": "The platform asks for patience.",
//!   "response": { "status": 429, "headers": { "Retry-After": "30" }, "body": { "error": "slow down" } },
//!   "count": 3,
//!   "verdict": { "retry": 30000 }
//! }
//! ```
//!
//! `endpoint` is the manifest's first, `status` is 200, `headers` and `body` are empty and `count` is 1 where they are
//! left out; `body` is JSON, or text as it is. `context` is as above. A verdict is `"delivered"`, `"retry"`, `{"retry":
//! 30000}`, `{"reject": "why"}`, `"split"`, `{"credentials": "why"}`, or `{"each": ["delivered", "retry", {"reject":
//! "why"}]}`.

mod diff;
mod fields;
mod fixture;
mod outcome;
mod suite;
mod uses;

use std::fmt;
use std::path::Path;

pub use diff::{Diff, Line, Sign, lines_between};
pub use fields::{granted_by, without};
pub use fixture::Case;
pub use suite::{Ran, Suite, SuiteError};
pub use uses::{EVENTS, Uses, unused};

use crate::{Context, Event, Plugin, Rejection, Request, Response, Verdict};

/// What `transform` makes of an event.
pub type Answer = Result<Vec<Request>, Rejection>;

/// Runs every fixture of the plugin in `dir`, its crate's folder: `env!("CARGO_MANIFEST_DIR")`.
///
/// # Panics
/// When a fixture fails, or cannot be read, or when there is none; the message tells of all of them.
pub fn run<P: Plugin>(dir: &str) {
    let calls = Calls {
        transform: &|event, ctx| Ok(P::transform(event, ctx)),
        classify: &|response, count, ctx| Ok(P::classify(response, count, ctx)),
    };
    run_with(dir, &calls);
}

/// The plugin's two functions, wherever they run: natively, or in a sandbox. Where a call gives no answer at all, its
/// error says why, for a person.
pub struct Calls<'a> {
    /// [`Plugin::transform`].
    pub transform: &'a dyn Fn(Event, Context) -> Result<Answer, String>,
    /// [`Plugin::classify`].
    pub classify: &'a dyn Fn(Response, u32, Context) -> Result<Verdict, String>,
}

impl fmt::Debug for Calls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calls")
    }
}

/// As [`run`], with functions that run somewhere else: a component in a sandbox must give what the same code natively
/// gives.
///
/// # Panics
/// As [`run`].
pub fn run_with(dir: &str, calls: &Calls<'_>) {
    let bless = std::env::var_os("TIDEGATE_BLESS").is_some_and(|value| value == "1");
    let mode = if bless { Mode::Bless } else { Mode::Compare };
    if let Err(report) = run_all(Path::new(dir), calls, mode) {
        panic!("{dir}: {report}");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Compare,
    Bless,
}

/// Runs the fixtures of a folder, and says all that is wrong with them.
fn run_all(dir: &Path, calls: &Calls<'_>, mode: Mode) -> Result<(), String> {
    let suite = Suite::load(dir).map_err(|error| error.with_cause())?;
    let mut failed = suite.run(calls);
    if mode == Mode::Bless {
        for ran in &mut failed {
            if let Err(error) = suite.bless(ran) {
                ran.problems.push(error.with_cause());
            }
        }
    }
    failed.retain(|ran| !ran.is_ok());
    if failed.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = failed.iter().map(|ran| format!("\n{ran}\n")).collect();
    let hint = "hint: TIDEGATE_BLESS=1 writes what the plugin gives into the fixtures, for you to review";
    Err(format!("{} of the plugin's fixtures fail:\n{}\n{hint}\n", failed.len(), texts.concat()))
}

#[cfg(test)]
mod tests;
