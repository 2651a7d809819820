//! `tidegate plugin replay`: runs an event's recorded transforms again, through the components that ran, and compares.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tidegate_queue::Journal;
use tidegate_sandbox::{Digest, Metering, Options, Plugin, Sandbox};

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, Paint, bytes, clean, plural};
use super::super::{ConfigFile, Variables, store};
use super::read;
use crate::causes::chain;
use crate::config::Config;
use crate::destination::{Archive, component};
use crate::reproduce::{Comparison, Recorded, Reproduced};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// The event's id; `tidegate events list` has the newest
    #[arg(value_name = "EVENT")]
    event: String,
    /// Only this delivery of it; the event's trace names them
    #[arg(long, value_name = "ID")]
    delivery: Option<String>,
    /// Only its deliveries to this destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// A component that the gateway does not have any more; it is used where its digest is the recorded one
    #[arg(long, value_name = "FILE")]
    plugin: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, Serialize)]
struct Report {
    event: String,
    deliveries: Vec<Reproduced>,
    /// Deliveries that could not be run again, and why.
    unknown: Vec<Unknown>,
}

#[derive(Debug, Serialize)]
struct Unknown {
    delivery: String,
    destination: String,
    reason: String,
}

pub(super) async fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let config = arguments.config.load(Variables::Optional)?;
    let queue = store::open(&config).await?;
    let journals = queue.find(&arguments.event).await?;
    let mut components = Components::new(&config, &arguments.plugin)?;
    let report = report(arguments, &journals, &mut components)?;
    out.data(&report, render);
    match report.unknown.is_empty() && report.deliveries.iter().all(Reproduced::is_identical) {
        true => Ok(()),
        false => Err(Failure::said(Exit::No)),
    }
}

fn report(arguments: &Arguments, journals: &[Journal], components: &mut Components) -> Result<Report, Failure> {
    let wanted = |id: &str, destination: &str| {
        arguments.delivery.as_deref().is_none_or(|only| only == id)
            && arguments.destination.as_deref().is_none_or(|only| only == destination)
    };
    let mut report = Report { event: arguments.event.clone(), deliveries: Vec::new(), unknown: Vec::new() };
    for journal in journals.iter().flat_map(|journal| &journal.deliveries) {
        let (delivery, destination) = (journal.key.to_string(), journal.destination.clone());
        if !wanted(&delivery, &destination) {
            continue;
        }
        let recorded = Recorded::of(journal).map_err(|error| chain(&error));
        match recorded.and_then(|recorded| Ok(recorded.run(&components.of(&recorded.digest)?))) {
            Ok(reproduced) => report.deliveries.push(reproduced),
            Err(reason) => report.unknown.push(Unknown { delivery, destination, reason }),
        }
    }
    if report.deliveries.is_empty() && report.unknown.is_empty() {
        let failure = Failure::new(Exit::NotFound, format!("no delivery of `{}` is recorded", arguments.event));
        return Err(failure.hint("`tidegate events show` tells what became of it; traces last `store.journal_days`"));
    }
    Ok(report)
}

/// Where components come from: the files that were named, the configuration's plugins, the built-in ones, and those that
/// ran before.
struct Components {
    sandbox: Sandbox,
    known: HashMap<Digest, Vec<u8>>,
    archive: Archive,
    loaded: HashMap<Digest, Plugin>,
}

impl Components {
    fn new(config: &Config, files: &[PathBuf]) -> Result<Components, Failure> {
        // Fuel is counted here: it is the same on every machine, and tells whether the same was done.
        let options = Options { metering: Metering::Fuel, ..Options::default() };
        let sandbox =
            Sandbox::new(options).map_err(|error| Failure::of(Exit::Internal, "set up the sandbox", &error))?;
        let mut known = HashMap::new();
        for file in files {
            let name = file.display().to_string();
            let wasm = std::fs::read(file)
                .map_err(|error| Failure::of(Exit::NotFound, &format!("read the plugin `{name}`"), &error))?;
            known.insert(read(&name, &wasm)?.digest, wasm);
        }
        // What is configured and cannot be read ran some other time, or never: no reason not to look further. Who signed
        // it is not asked: of these bytes only the digest is looked at, and only those that ran once are loaded.
        let configured = config.destinations.iter().filter_map(|destination| component(&destination.plugin).ok());
        let built_in = tidegate_plugins::BUILT_IN.iter().map(|plugin| plugin.wasm.to_vec());
        known.extend(configured.chain(built_in).map(|wasm| (Digest::of(&wasm), wasm)));
        let archive = Archive::beside(&config.plugins.cache);
        Ok(Components { sandbox, known, archive, loaded: HashMap::new() })
    }

    /// The plugin of a digest, loaded.
    fn of(&mut self, digest: &str) -> Result<Plugin, String> {
        let digest = Digest::parse(digest).ok_or_else(|| format!("`{digest}` is no digest"))?;
        if let Some(plugin) = self.loaded.get(&digest) {
            return Ok(plugin.clone());
        }
        let missing = || format!("the component {digest} is not here any more; name its file: `--plugin FILE`");
        let wasm = self.known.get(&digest).cloned().or_else(|| self.archive.find(&digest)).ok_or_else(missing)?;
        let plugin = self.sandbox.load(&wasm).map_err(|error| format!("the component {digest} {error}"))?;
        self.loaded.insert(digest, plugin.clone());
        Ok(plugin)
    }
}

fn render(report: &Report, paint: Paint) -> String {
    let mut lines: Vec<String> = report.deliveries.iter().flat_map(|one| reproduced(one, paint)).collect();
    for Unknown { delivery, destination, reason } in &report.unknown {
        lines.push(format!("{}  {}", paint.bold(destination), paint.yellow("cannot be run again")));
        lines.push(format!("  delivery   {}", clean(delivery)));
        lines.push(format!("  because    {}", clean(reason)));
    }
    let identical = report.deliveries.iter().filter(|one| one.is_identical()).count();
    let all = report.deliveries.len() + report.unknown.len();
    lines.push(format!("{identical} of {} identical", plural(all, "recorded transform")));
    lines.join("\n")
}

fn reproduced(one: &Reproduced, paint: Paint) -> Vec<String> {
    let fact = |name: &str, value: String| format!("  {name:11}{}", clean(&value));
    let (verdict, mut more) = match &one.result {
        Comparison::Identical { body_bytes: Some(count) } => (
            paint.green("identical"),
            vec![fact("request", format!("the same, with a body of {}", bytes(*count as u64)))],
        ),
        Comparison::Identical { body_bytes: None } => {
            (paint.green("identical"), vec![fact("outcome", "the same failure".into())])
        }
        Comparison::Different { part, recorded, now } => {
            (paint.red(format!("different {part}")), vec![fact("recorded", recorded.clone()), fact("now", now.clone())])
        }
        Comparison::NotDeterministic => {
            (paint.red("not deterministic"), vec![fact("because", "two runs gave two answers".into())])
        }
    };
    let mut lines = vec![format!("{}  {verdict}", paint.bold(&one.destination))];
    lines.push(fact("delivery", one.delivery.clone()));
    lines.push(fact("plugin", format!("{} @ {}", one.plugin, one.digest)));
    lines.append(&mut more);
    let fuel = one.fuel.map_or_else(|| "not counted".to_owned(), |fuel| fuel.to_string());
    lines.push(fact("used", format!("fuel {fuel}, memory {}, {} µs", bytes(one.memory_bytes), one.took_us)));
    lines
}
