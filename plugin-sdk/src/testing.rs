//! Runs a plugin's fixtures natively: one JSON file for one event, or for one answer of the platform.
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
//! # A fixture of `transform`
//!
//! ```json
//! {
//!   "about": "A purchase by a known customer.",
//!   "event": {
//!     "name": "purchase", "kind": "track",
//!     "identifiers": { "email": "62a14e44f765419d10efea99367361a727c12365e2520f32218d505ed9aa0f62f" },
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
//!   that its URL has not, and carry no credential.
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
//! left out; `body` is JSON, or text as it is. `context` is as above. A verdict is `"delivered"`, `"retry"`, `{"retry": 30000}`, `{"reject": "why"}`,
//! `"split"`, `{"credentials": "why"}`, or `{"each": ["delivered", "retry", {"reject": "why"}]}`.

mod diff;
mod fixture;
mod grants;
mod outcome;

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use fixture::{Case, Fixture};
use serde_json::Value;

use crate::manifest::Manifest;
use crate::{Context, Event, Plugin, Rejection, Request, Response, Verdict};

/// Runs every fixture of the plugin in `dir`, its crate's folder: `env!("CARGO_MANIFEST_DIR")`.
///
/// # Panics
/// When a fixture fails, or cannot be read, or when there is none; the message tells of all of them.
pub fn run<P: Plugin>(dir: &str) {
    run_with(dir, &Calls { transform: &P::transform, classify: &P::classify });
}

/// The plugin's two functions, wherever they run: natively, or in a sandbox.
pub struct Calls<'a> {
    /// [`Plugin::transform`].
    pub transform: &'a dyn Fn(Event, Context) -> Result<Vec<Request>, Rejection>,
    /// [`Plugin::classify`].
    pub classify: &'a dyn Fn(Response, u32, Context) -> Verdict,
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
    let failures = run_all(Path::new(dir), calls, if bless { Mode::Bless } else { Mode::Compare });
    assert!(failures.is_empty(), "{dir}: {}", report(&failures));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Compare,
    Bless,
}

struct Failure {
    file: String,
    problems: Vec<String>,
}

fn report(failures: &[Failure]) -> String {
    let mut text = format!("{} of the plugin's files fail:\n", failures.len());
    for failure in failures {
        text += &format!("\n{}\n", failure.file);
        for problem in &failure.problems {
            text += &format!("    {}\n", problem.replace('\n', "\n    "));
        }
    }
    text + "\nhint: TIDEGATE_BLESS=1 writes what the plugin gives into the fixtures, for you to review\n"
}

fn run_all(dir: &Path, calls: &Calls<'_>, mode: Mode) -> Vec<Failure> {
    let fail = |file: &str, problems| vec![Failure { file: file.to_owned(), problems }];
    let manifest = match fs::read_to_string(dir.join("plugin.toml")) {
        Ok(text) => match Manifest::parse(&text) {
            Ok(manifest) => manifest,
            Err(mistakes) => return fail("plugin.toml", mistakes.iter().map(ToString::to_string).collect()),
        },
        Err(e) => return fail("plugin.toml", vec![format!("cannot be read: {e}")]),
    };
    let folder = dir.join("fixtures");
    match files(&folder) {
        Ok(files) if files.is_empty() => fail("fixtures", vec!["has no fixture: a `*.json` for each kind".into()]),
        Ok(files) => files.iter().filter_map(|file| run_one(&manifest, file, calls, mode)).collect(),
        Err(e) => fail("fixtures", vec![format!("cannot be read: {e}")]),
    }
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

fn run_one(manifest: &Manifest, file: &Path, calls: &Calls<'_>, mode: Mode) -> Option<Failure> {
    let problems = match Fixture::load(file) {
        Ok(fixture) => check(manifest, file, fixture, calls, mode),
        Err(problem) => vec![problem],
    };
    let file = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    (!problems.is_empty()).then(|| Failure { file: format!("fixtures/{file}"), problems })
}

fn check(manifest: &Manifest, file: &Path, mut fixture: Fixture, calls: &Calls<'_>, mode: Mode) -> Vec<String> {
    let case = match fixture.case(manifest) {
        Ok(case) => case,
        Err(problem) => return vec![problem],
    };
    let mut problems = Vec::new();
    let actual = match case {
        Case::Transform(event, ctx) => {
            problems.extend(grants::not_granted(manifest, &event));
            let result = (calls.transform)((*event).clone(), ctx.clone());
            if result != (calls.transform)(*event, ctx.clone()) {
                problems.push("the same event gives something else the second time: is a HashMap iterated?".into());
            }
            if let Ok(requests) = &result {
                problems.extend(outcome::not_allowed(manifest, requests, &ctx));
            }
            outcome::of_transform(&result)
        }
        Case::Classify(response, count, ctx) => outcome::of_verdict(&(calls.classify)(response, count, ctx)),
    };
    let expected = fixture.expected();
    if expected != Value::Object(actual.clone()) {
        match mode {
            Mode::Bless => problems.extend(fixture.bless(file, actual).err()),
            Mode::Compare if expected.as_object().is_some_and(serde_json::Map::is_empty) => {
                problems.push("expects nothing yet".into());
            }
            Mode::Compare => problems.extend(diff::lines(&expected, &Value::Object(actual))),
        }
    }
    problems
}

#[cfg(test)]
mod tests;
