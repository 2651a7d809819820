//! The test of a plugin: its fixtures in the sandbox, with what each used beside what the manifest allows.
//!
//! Owns the report. How a fixture is compared is the SDK's (`tidegate_plugin_sdk::testing`).

use std::cell::RefCell;

use serde::Serialize;
use tidegate_plugin_sdk::manifest::Limits;
use tidegate_plugin_sdk::testing::{Calls, Diff, Ran, Suite, unused};
use tidegate_sandbox::{Plugin, Usage, fixtures};

/// The part of a limit, in percent, from which on somebody should look.
const NEAR_PERCENT: u64 = 50;

/// What became of a plugin's fixtures.
#[derive(Debug, Serialize)]
pub struct Report {
    pub plugin: String,
    pub version: String,
    pub digest: String,
    pub passed: usize,
    pub failed: usize,
    pub fixtures: Vec<Fixture>,
    /// The most that any call used.
    pub highest: Used,
    pub limits: Allowed,
    /// What comes near a limit, in sentences.
    pub warnings: Vec<String>,
    /// The grants without which every fixture gives the same.
    pub unused_grants: Vec<String>,
}

/// What became of one fixture.
#[derive(Debug, Serialize)]
pub struct Fixture {
    pub file: String,
    pub ok: bool,
    /// Its file was written, and expects what came from now on.
    pub blessed: bool,
    pub problems: Vec<String>,
    /// Where what came is not what was expected, a line for each place.
    pub differences: Vec<String>,
    #[serde(skip)]
    pub diff: Option<Diff>,
    /// Nothing, where it was never run.
    pub used: Option<Used>,
}

/// What a call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Used {
    /// Instructions: the same on every machine.
    pub fuel: u64,
    pub memory_bytes: u64,
    /// The time of the quickest of its runs: the others were waiting for the machine as well.
    pub time_us: u64,
}

/// What the manifest allows a call.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Allowed {
    pub memory_bytes: u64,
    pub time_us: u64,
}

impl From<&Limits> for Allowed {
    fn from(limits: &Limits) -> Allowed {
        Allowed { memory_bytes: limits.memory_max.0, time_us: u64::from(limits.time_max_ms) * 1_000 }
    }
}

impl From<Usage> for Used {
    fn from(usage: Usage) -> Used {
        Used {
            fuel: usage.fuel.unwrap_or_default(),
            memory_bytes: usage.memory_bytes,
            time_us: u64::try_from(usage.took.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

impl Used {
    fn highest(self, other: Used) -> Used {
        Used {
            fuel: self.fuel.max(other.fuel),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            time_us: self.time_us.max(other.time_us),
        }
    }

    /// Of two runs of the same call.
    fn of_both(self, other: Used) -> Used {
        Used { time_us: self.time_us.min(other.time_us), ..self.highest(other) }
    }
}

/// Whether fixtures that fail are to expect what came from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blessing {
    Given,
    Withheld,
}

/// What is to be tested, and how.
pub struct Test<'a> {
    pub plugin: &'a Plugin,
    pub suite: &'a Suite,
    pub blessing: Blessing,
}

impl Test<'_> {
    /// Runs the fixtures whose files are `wanted`, each in instances of its own.
    pub fn run(&self, wanted: impl Fn(&str) -> bool) -> Report {
        let used = RefCell::new(None::<Used>);
        let plugin = self.plugin;
        let note = |usage: Usage| {
            let usage = Used::from(usage);
            let mut used = used.borrow_mut();
            *used = Some(used.map_or(usage, |before| before.of_both(usage)));
        };
        let calls = Calls {
            transform: &|event, ctx| {
                fixtures::transform_metered(plugin, &event, &ctx, &note).map_err(|e| e.to_string())
            },
            classify: &|response, count, ctx| {
                fixtures::classify_metered(plugin, (&response, count), &ctx, &note).map_err(|e| e.to_string())
            },
        };
        let names: Vec<String> = self.suite.names().filter(|name| wanted(name)).map(str::to_owned).collect();
        let ran = self.suite.run_only(&calls, &wanted);
        // What each used is measured by itself: a run of all says only what all of them used.
        let measured = names.iter().map(|name| {
            used.take();
            self.suite.run_only(&calls, |it| it == name);
            used.take()
        });
        let fixtures = ran.into_iter().zip(measured).map(|(ran, used)| self.fixture(ran, used)).collect();
        self.report(fixtures)
    }

    fn fixture(&self, mut ran: Ran, used: Option<Used>) -> Fixture {
        let blessed = match self.blessing {
            Blessing::Given => self.suite.bless(&mut ran),
            Blessing::Withheld => Ok(false),
        };
        if let Err(error) = &blessed {
            ran.problems.push(crate::causes::chain(error));
        }
        Fixture {
            ok: ran.is_ok(),
            blessed: blessed.unwrap_or_default(),
            differences: ran.diff.as_ref().map(|diff| diff.places.clone()).unwrap_or_default(),
            file: ran.file,
            problems: ran.problems,
            diff: ran.diff,
            used,
        }
    }

    fn report(&self, fixtures: Vec<Fixture>) -> Report {
        let manifest = self.plugin.manifest();
        let highest = fixtures.iter().filter_map(|it| it.used).fold(Used::default(), Used::highest);
        let limits = Allowed::from(&manifest.limits);
        let transform = |event, ctx| fixtures::transform(self.plugin, &event, &ctx).map_err(|e| e.to_string());
        let passed = fixtures.iter().filter(|it| it.ok).count();
        Report {
            plugin: manifest.name.clone(),
            version: manifest.version.to_string(),
            digest: self.plugin.digest().to_string(),
            passed,
            failed: fixtures.len() - passed,
            warnings: warnings(highest, limits),
            highest,
            limits,
            unused_grants: unused(self.suite, &transform),
            fixtures,
        }
    }
}

/// What comes near a limit.
fn warnings(highest: Used, limits: Allowed) -> Vec<String> {
    let near = |what: &str, used: u64, limit: u64, key: &str| {
        let percent = used.saturating_mul(100) / limit.max(1);
        let says = format!("a call used {percent} % of the {what} that it may: `{key}` in `[limits]`");
        (percent >= NEAR_PERCENT).then_some(says)
    };
    let time = near("time", highest.time_us, limits.time_us, "time_max_ms");
    let memory = near("memory", highest.memory_bytes, limits.memory_bytes, "memory_max");
    time.into_iter().chain(memory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_limit_is_worth_a_warning() {
        let limits = Allowed { memory_bytes: 1_000, time_us: 10_000 };
        let used = |memory_bytes, time_us| Used { fuel: 1, memory_bytes, time_us };
        assert_eq!(warnings(used(499, 4_999), limits), Vec::<String>::new());
        assert_eq!(
            warnings(used(500, 9_000), limits),
            [
                "a call used 90 % of the time that it may: `time_max_ms` in `[limits]`",
                "a call used 50 % of the memory that it may: `memory_max` in `[limits]`",
            ]
        );
    }
}
