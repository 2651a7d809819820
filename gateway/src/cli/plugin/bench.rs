//! `tidegate plugin bench`: what a plugin's events cost, beside what those of some built-in plugins do.

use clap::Args;
use serde::Serialize;

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, Paint, bytes, clean, table};
use super::subject::{Subject, metered};
use super::test::matches;
use crate::kit::bench::{Loaded, Measure, Measures};

/// The built-in plugins that one is measured beside: a small one, one that hashes nothing, one with a large manifest.
const BESIDE: [&str; 3] = ["webhook", "ga4", "meta-capi"];

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// A plugin's folder, a `.wasm` file, or the name of a built-in plugin
    #[arg(value_name = "DIR|FILE|NAME", default_value = ".")]
    plugin: String,
    /// Only fixtures of this name; `*` stands for anything
    #[arg(long, value_name = "GLOB", default_value = "*")]
    only: String,
}

#[derive(Debug, Serialize)]
struct Report {
    /// `debug` measures too much: the host's part of a call is slow then.
    build: &'static str,
    #[serde(flatten)]
    plugin: Measures,
    typical: Option<Measure>,
    /// Built-in plugins, measured by the same program on the same machine.
    beside: Vec<Beside>,
}

#[derive(Debug, Serialize)]
struct Beside {
    plugin: String,
    typical: Measure,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let subject = Subject::of(&arguments.plugin, out)?;
    let sandboxes = (super::super::sandbox()?, metered()?);
    let measure = |subject: &Subject, glob: &str| {
        let plugin = Loaded { timed: subject.load(&sandboxes.0)?, metered: subject.load(&sandboxes.1)? };
        let suite = subject.suite(&plugin.timed)?;
        Measures::of(&plugin, &suite, |file| matches(glob, file)).map_err(|(fixture, error)| {
            Failure::of(Exit::Data, &format!("measure `{}` with `{fixture}`", subject.name), &error)
        })
    };
    let plugin = measure(&subject, &arguments.only)?;
    if plugin.events.is_empty() {
        let failure = Failure::new(Exit::NotFound, format!("no fixture with an event is called `{}`", arguments.only));
        return Err(failure.hint("a fixture with an `event` is measured, one with a `response` is not"));
    }
    let mut beside = Vec::new();
    for name in BESIDE.into_iter().filter(|name| *name != plugin.plugin) {
        let typical = measure(&Subject::of(name, out)?, "purchase*")?.typical();
        beside.extend(typical.map(|typical| Beside { plugin: name.to_owned(), typical }));
    }
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    out.data(&Report { build, typical: plugin.typical(), plugin, beside }, render);
    if cfg!(debug_assertions) {
        out.note("hint: this is a debug build of tidegate: a release build takes a part of these times");
    }
    Ok(())
}

fn render(report: &Report, paint: Paint) -> String {
    let Measures { plugin, version, events } = &report.plugin;
    let title = format!("{} {}", paint.bold(plugin), clean(version));
    let mut rows: Vec<[String; 5]> = events.iter().map(|it| row(&it.fixture, it)).collect();
    rows.extend(report.typical.iter().map(|it| row(&format!("({})", it.fixture), it)));
    rows.extend(report.beside.iter().map(|it| row(&format!("{}, purchases", it.plugin), &it.typical)));
    format!("{title}\n\n{}", table(paint, ["EVENT", "FRESH", "IN A BATCH", "MEMORY", "FUEL"], &rows))
}

fn row(name: &str, measure: &Measure) -> [String; 5] {
    let batch = measure.batch_ns.map_or("-".to_owned(), micros);
    [name.to_owned(), micros(measure.fresh_ns), batch, bytes(measure.memory_bytes), measure.fuel.to_string()]
}

fn micros(ns: u64) -> String {
    format!("{}.{} µs", ns / 1_000, ns % 1_000 / 100)
}
