//! `tidegate plugin approve`: shows what the lock does not cover of the configuration's plugins, asks, and writes the lock.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use tidegate_sandbox::Inspection;

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, Paint, clean, plural, time};
use super::super::{ConfigFile, Variables};
use super::{describe, diff, read};
use crate::audit::{Audit, Level};
use crate::causes::chain;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config, PluginSource, suggestion};
use crate::destination::{Component, PluginError};
use crate::permissions::lock::{Approved, Lock};
use crate::permissions::{Change, Effect, Permissions, compare};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// Destinations whose plugins to approve; all of the configuration where none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Every destination, and forget those that are not configured any more
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Why, or where it was decided: kept in the lock
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who approves; the user of this process where nobody is named
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// What was, or would be, approved.
#[derive(Debug, Serialize)]
struct Report {
    lock: String,
    approved: Vec<Approval>,
    /// Destinations that are not configured any more.
    forgotten: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Approval {
    destination: String,
    /// Nothing where nothing was approved before.
    changes: Option<Vec<Change>>,
    permissions: Permissions,
    #[serde(skip)]
    text: String,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let config = arguments.config.load(Variables::Optional)?;
    let path = &config.plugins.lock_file;
    let unusable = |error| Failure::of(Exit::Data, "", &error);
    let mut lock = Lock::read(path).map_err(unusable)?.unwrap_or_default();
    let pending = pending(&config, arguments, &lock, out)?;
    let is_gone = |name: &&String| !config.destinations.iter().any(|one| one.name == **name);
    let named_none = arguments.names.is_empty();
    let forgotten: Vec<String> = lock.destinations.keys().filter(|_| named_none).filter(is_gone).cloned().collect();
    let report = Report { lock: path.display().to_string(), approved: pending, forgotten };
    if report.approved.is_empty() && report.forgotten.is_empty() {
        out.data(&report, |report, _| format!("`{}` covers every plugin already", report.lock));
        return Ok(());
    }
    consent(arguments, &report, out)?;
    let by = arguments.by.clone().or_else(|| std::env::var("USER").ok()).unwrap_or_default();
    let by = Some(by.trim())
        .filter(|by| !by.is_empty())
        .ok_or_else(|| Failure::new(Exit::Usage, "who approves?").hint("add `--by NAME`"))?;
    let at = time(SystemClock.now_ms());
    for name in &report.forgotten {
        lock.destinations.remove(name);
    }
    for one in &report.approved {
        let (approved_by, note) = (by.to_owned(), arguments.note.clone());
        let approved = Approved { approved_by, approved_at: at.clone(), note, permissions: one.permissions.clone() };
        lock.destinations.insert(one.destination.clone(), approved);
    }
    lock.write(path).map_err(unusable)?;
    out.data(&report, |report, paint| {
        let count = plural(report.approved.len(), "plugin");
        format!("{} {count} approved by {} in `{}`", paint.green("ok"), clean(by), report.lock)
    });
    Ok(())
}

/// What the lock lacks, of the destinations that are asked for.
fn pending(config: &Config, arguments: &Arguments, lock: &Lock, out: &Output) -> Result<Vec<Approval>, Failure> {
    let names = || config.destinations.iter().map(|one| one.name.as_str());
    if let Some(unknown) = arguments.names.iter().find(|name| !names().any(|known| known == name.as_str())) {
        let failure = Failure::new(Exit::NotFound, format!("unknown destination `{unknown}`"));
        return Err(failure.hint(suggestion(unknown, names())));
    }
    let mut known: BTreeMap<String, Component> = BTreeMap::new();
    let mut pending = Vec::new();
    let asked = |one: &&config::Destination| arguments.names.is_empty() || arguments.names.contains(&one.name);
    for destination in config.destinations.iter().filter(asked) {
        let source = match &destination.plugin {
            PluginSource::BuiltIn(name) => name.clone(),
            PluginSource::File(path) => path.display().to_string(),
        };
        // One file is read once: destinations that share it are approved as the same bytes.
        let component = match known.entry(source.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Component::read(&config.plugins, &destination.plugin).map_err(unread)?)
            }
        };
        let before = lock.destinations.get(&destination.name);
        let approved = before.map(|approved| &approved.permissions.digest);
        component.admit(&config.plugins, destination, approved).map_err(unread)?;
        let wasm = &component.wasm;
        let inspection = read(&source, wasm)?;
        let audit = Audit::of(&source, &source, wasm);
        if let Some(error) = audit.findings.iter().find(|finding| finding.level == Level::Error) {
            let what = format!("destination `{}`: `{source}` cannot be approved: {}", destination.name, error.message);
            return Err(Failure::new(Exit::Data, what).hint(error.hint.clone().unwrap_or_default()));
        }
        let permissions = Permissions::from(&inspection).signed_by(component.signer());
        let changes = before.map(|approved| compare(&approved.permissions, &permissions));
        if changes.as_ref().is_none_or(|changes| !changes.is_empty()) {
            let name = &destination.name;
            let text = text(name, (&inspection, changes.as_deref()), &audit, out.paint_errors);
            pending.push(Approval { destination: name.clone(), changes, permissions, text });
        }
    }
    Ok(pending)
}

/// Says why a plugin is not even looked at.
fn unread(error: PluginError) -> Failure {
    let exit = if matches!(error, PluginError::Unsigned { .. }) { Exit::Data } else { Exit::NotFound };
    let failure = Failure::new(exit, chain(&error));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// What there is to read before one says yes: the difference, or the whole of what is new.
fn text(name: &str, (new, changes): (&Inspection, Option<&[Change]>), audit: &Audit, paint: Paint) -> String {
    let mut lines = vec![paint.bold(format!("destination {name}"))];
    match changes {
        None => lines.push(describe::plugin(new, paint)),
        Some(changes) => {
            lines.push(format!("{} {}", clean(&new.manifest.name), clean(&new.manifest.version.to_string())));
            lines.extend(diff::lines(changes, paint));
        }
    }
    let widens = changes.is_none_or(|changes| changes.iter().any(|change| change.effect == Effect::Widens));
    let warnings = audit.findings.iter().filter(|finding| widens && finding.level == Level::Warning);
    let warnings: Vec<String> =
        warnings.map(|one| format!("  {} {}", paint.yellow("warning:"), clean(&one.message))).collect();
    if !warnings.is_empty() {
        lines.push(String::new());
        lines.extend(warnings);
    }
    lines.join("\n")
}

/// Shows what is new, and asks. It goes to stderr: stdout is for what was done.
fn consent(arguments: &Arguments, report: &Report, out: &Output) -> Result<(), Failure> {
    for one in &report.approved {
        out.note(&format!("{}\n", one.text));
    }
    for name in &report.forgotten {
        out.note(&format!("destination {} is not configured any more: its approval is taken out\n", clean(name)));
    }
    if arguments.yes {
        return Ok(());
    }
    let count = plural(report.approved.len(), "plugin");
    match out.ask(&format!("approve {count}? [y/N]")) {
        Some(answer) if matches!(answer.as_str(), "y" | "yes") => Ok(()),
        Some(_) => Err(Failure::new(Exit::No, "nothing was approved")),
        None => Err(Failure::new(Exit::Usage, format!("approving {count} needs a yes")).hint("add `--yes`")),
    }
}
