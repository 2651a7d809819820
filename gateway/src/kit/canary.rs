//! The canary: events whose every field about a person holds a marked value, and a look at what leaves of the marks.
//!
//! Owns the comparison with what was granted. An event goes the whole way, from the gateway's own form through the
//! projection and the plugin; so this checks the gateway as well as the plugin. Sends nothing.

mod marks;
mod search;

use std::collections::BTreeSet;

use tidegate_plugin_sdk::manifest::{Form, Manifest, Read};
use tidegate_plugin_sdk::testing::{Suite, granted_by};
use tidegate_sandbox::contract::Request;
use tidegate_sandbox::{Plugin, Transformed, fixtures};

pub use self::marks::{Mark, marks, planted};
use self::search::{Haystack, Needles};

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many marked events were transformed: one for each fixture that has an event.
    pub events: usize,
    /// How many requests were made of them.
    pub requests: usize,
    /// Marks that left, each field in each form and place once.
    pub sightings: BTreeSet<Sighting>,
}

/// A mark that left in a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    pub kind: Kind,
    /// The field as manifests name it: `user.email`.
    pub field: String,
    /// In which form: `as it is`, `in base64`.
    pub form: &'static str,
    /// Where: `the body`.
    pub place: &'static str,
    /// The endpoint that the request is for.
    pub endpoint: String,
}

/// What is wrong with a sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The field was not granted at all.
    NotGranted,
    /// It was granted as a digest only, and left in another form.
    NotInThisForm,
    /// It was granted as it is, and is in the URL, where proxies log it.
    InUrl,
}

/// Runs the canary with the events of a plugin's fixtures.
pub fn run(plugin: &Plugin, suite: &Suite) -> Report {
    let marks = marks(plugin.manifest());
    let mut watch = Watch::new(plugin.manifest(), &marks);
    for (_, event, ctx) in suite.events() {
        let event = plugin.projection().apply(&planted(&event, &marks));
        watch.report.events += 1;
        let Ok(ctx) = fixtures::convert(&ctx) else { continue };
        if let Ok(Transformed::Requests(requests)) = fixtures::patiently(|| plugin.transform(&event, &ctx)) {
            requests.iter().for_each(|request| watch.look(request));
        }
    }
    watch.report
}

/// Looks at requests for the marks that must not be there.
pub struct Watch<'a> {
    watched: Vec<Watched<'a>>,
    pub report: Report,
}

struct Watched<'a> {
    mark: &'a Mark,
    grant: Option<&'a Read>,
    needles: Needles,
}

impl<'a> Watch<'a> {
    pub fn new(manifest: &'a Manifest, marks: &'a [Mark]) -> Watch<'a> {
        let watched = |mark: &'a Mark| {
            let grant = granted_by(manifest, &mark.field).and_then(|grant| manifest.reads.get(grant));
            Watched { mark, grant, needles: Needles::new(mark, grant) }
        };
        let watched = marks.iter().map(watched).collect();
        Watch { watched, report: Report::default() }
    }

    /// Looks at one request.
    pub fn look(&mut self, request: &Request) {
        self.report.requests += 1;
        let pairs = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n").into_bytes()
        };
        let parts = [
            ("the path", pairs(&request.path)),
            ("the query", pairs(&request.query)),
            ("a header", pairs(&request.headers)),
            ("the body", request.body.clone()),
        ];
        for (place, bytes) in parts.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let haystack = Haystack::new(&bytes);
            let is_url = matches!(place, "the path" | "the query");
            for watched in &self.watched {
                let found = match watched.form() {
                    Some(Form::Plain) if is_url && watched.is_personal() => watched.needles.plain(&haystack),
                    Some(Form::Plain) => continue,
                    Some(Form::Sha256) | None => watched.needles.any(&haystack),
                };
                let Some(form) = found else { continue };
                let kind = match watched.form() {
                    Some(Form::Plain) => Kind::InUrl,
                    Some(Form::Sha256) => Kind::NotInThisForm,
                    None => Kind::NotGranted,
                };
                let (field, endpoint) = (watched.mark.field.clone(), request.endpoint.clone());
                self.report.sightings.insert(Sighting { kind, field, form, place, endpoint });
            }
        }
    }
}

impl Watched<'_> {
    fn form(&self) -> Option<Form> {
        self.grant.map(|read| read.form)
    }

    /// Whether it tells of a person or of a browser, rather than of a page or a purchase.
    fn is_personal(&self) -> bool {
        let field = &self.mark.field;
        ["user.", "client.ip", "click.", "cookie."].iter().any(|family| field.starts_with(family))
    }
}

#[cfg(test)]
mod tests;
