//! What is found out by running a plugin: whether it keeps to its fixtures, which grants it makes nothing of, and what
//! leaves of marked data. Only where somebody asks for it; everything else in an audit runs nothing.

use tidegate_plugin_sdk::testing::{Suite, unused};
use tidegate_sandbox::{Plugin, fixtures};

use super::rules;
use super::{Audit, Finding, findings::finding};
use crate::kit::canary::{self, Kind, Sighting};
use crate::permissions::words;

/// What is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exercise {
    /// The fixtures, once more for each granted field without that field.
    Fixtures,
    /// Events that hold marked data in every field.
    Canary,
}

impl Exercise {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Exercise::Fixtures => "fixtures",
            Exercise::Canary => "canary",
        }
    }
}

impl Audit {
    /// The same, with what is found out by running the plugin with these fixtures.
    #[must_use]
    pub fn exercised(mut self, plugin: &Plugin, suite: &Suite, exercise: Exercise) -> Audit {
        self.findings.extend(match exercise {
            Exercise::Fixtures => by_fixtures(plugin, suite),
            Exercise::Canary => by_canary(plugin, suite),
        });
        self.ran.push(exercise.name());
        self.findings.sort_by_key(|finding| finding.level);
        self
    }
}

fn by_fixtures(plugin: &Plugin, suite: &Suite) -> Vec<Finding> {
    let failing = fixtures::failures(plugin, suite);
    let mut found = Vec::new();
    if !failing.is_empty() {
        let names: Vec<String> = failing.iter().map(|ran| format!("`{}`", ran.file)).collect();
        let message = format!("does not give what {} of its fixtures say: {}", names.len(), listed(&names));
        let hint = Some("`tidegate plugin test` shows what they say and what came".to_owned());
        found.push(Finding { hint, ..finding(&rules::FAILING_FIXTURES, "fixtures", message) });
    }
    let transform = |event, ctx| fixtures::transform(plugin, &event, &ctx).map_err(|error| error.to_string());
    found.extend(unused(suite, &transform).into_iter().map(|grant| {
        let why = plugin.manifest().reads.get(&grant).map(|read| read.why.as_str()).unwrap_or_default();
        let message = format!("sees `{grant}`, and gives the same without it for every fixture: {why}");
        finding(&rules::UNUSED_GRANT, grant, message)
    }));
    found
}

fn by_canary(plugin: &Plugin, suite: &Suite) -> Vec<Finding> {
    let report = canary::run(plugin, suite);
    if report.requests == 0 {
        let message = format!("made no request of {} marked events: nothing was tried", report.events);
        return vec![finding(&rules::CANARY_SILENT, "canary", message)];
    }
    report.sightings.iter().map(|sighting| leak(plugin, sighting)).collect()
}

fn leak(plugin: &Plugin, sighting: &Sighting) -> Finding {
    let Sighting { kind, field, form, place, endpoint } = sighting;
    let sent = format!("sends `{field}` {form}, in {place} of requests to `{endpoint}`");
    match kind {
        Kind::InUrl => finding(&rules::PERSONAL_IN_URL, field, sent),
        Kind::NotGranted => finding(&rules::CANARY_LEAK, field, format!("{sent}: it was not granted at all")),
        Kind::NotInThisForm => {
            let granted = plugin.manifest().reads.get(field).map(words::form);
            let granted = granted.unwrap_or_else(|| "a digest".to_owned());
            finding(&rules::CANARY_LEAK, field, format!("{sent}: it was granted as {granted}"))
        }
    }
}

/// The first few of a list.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
