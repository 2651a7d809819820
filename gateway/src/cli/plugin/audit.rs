//! `tidegate plugin audit`: the audit in the form that was asked for, with what was asked to be run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use tidegate_plugin_sdk::manifest::Fixtures;
use tidegate_plugin_sdk::testing::Suite;
use tidegate_sandbox::{Sandbox, fixtures};
use url::Url;

use super::super::failure::{Exit, Failure};
use super::super::output::{Format, Output, Paint, clean, line, plural, time};
use super::super::sandbox;
use super::super::{ConfigFile, Variables};
use super::{bytes_of, describe, diff, named, verify};
use crate::audit::{Audit, Exercise, Finding, Level, Report, Since, page, sarif};
use crate::causes::chain;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Key, PluginSource, Publisher};
use crate::permissions::lock::Lock;
use crate::permissions::signature::{self, Signed};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// `.wasm` files, or names of built-in plugins
    #[arg(value_name = "FILE|NAME", required_unless_present = "all")]
    plugins: Vec<String>,
    /// Every built-in plugin too
    #[arg(long)]
    all: bool,
    /// Show what is different since it was approved: the lock file, `tidegate.lock`
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Run the fixtures too, and once more for each granted field without it; those of this folder, or else those that
    /// the component carries
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    fixtures: Option<Option<PathBuf>>,
    /// Run the fixtures' events with marked data in every field, and look at what leaves of it
    #[arg(long)]
    canary: bool,
    /// Verify the files' signatures by this publisher's key: `acme=RWQ…`, or `acme=FILE.pub`
    #[arg(long = "publisher", value_name = "NAME=KEY")]
    publishers: Vec<String>,
    /// Verify them by the publishers of this configuration
    #[arg(long, value_name = "FILE", conflicts_with = "publishers")]
    config: Option<PathBuf>,
    /// Print SARIF 2.1.0, which code-scanning pages take
    #[arg(long, conflicts_with_all = ["html", "json"])]
    sarif: bool,
    /// Print one HTML page, for the screen and for paper
    #[arg(long, conflicts_with = "json")]
    html: bool,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let built_in = tidegate_plugins::BUILT_IN.iter().filter(|_| arguments.all).map(|one| one.name.to_owned());
    let mut names: Vec<String> = built_in.collect();
    // Each once, however often it is named.
    for name in &arguments.plugins {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let exercises = Exercises::of(arguments)?;
    let publishers = publishers(arguments)?;
    let asked = Asked { exercises: exercises.as_ref(), publishers: publishers.as_deref() };
    let audits: Result<Vec<Audit>, Failure> = names.iter().map(|name| one(name, &asked)).collect();
    let mut audits = audits?;
    if let Some(file) = &arguments.lock {
        let lock = Lock::read(file).map_err(|error| Failure::of(Exit::Data, "", &error))?;
        let missing = || Failure::new(Exit::NotFound, format!("there is no lock `{}`", file.display()));
        let lock = lock.ok_or_else(missing)?;
        audits = audits.into_iter().map(|audit| audit.since(&lock)).collect();
    }
    let report = Report::new(audits);
    match (arguments.sarif, arguments.html, out.format) {
        (true, _, _) => out.text(&serde_json::to_string_pretty(&sarif(&report)).unwrap_or_default()),
        (_, true, _) => out.text(&page(&report, &time(SystemClock.now_ms()))),
        (_, _, Format::Human | Format::Json) => out.data(&report, render),
    }
    if report.errors == 0 { Ok(()) } else { Err(Failure::said(Exit::No)) }
}

/// What beyond reading it is to be done with each plugin.
struct Asked<'a> {
    exercises: Option<&'a Exercises<'a>>,
    publishers: Option<&'a [Publisher]>,
}

/// What is to be run of each plugin, and where.
struct Exercises<'a> {
    sandbox: Sandbox,
    all: Vec<Exercise>,
    /// The folder of fixtures, where not those of the components are run.
    folder: Option<&'a Path>,
}

impl Exercises<'_> {
    fn of(arguments: &Arguments) -> Result<Option<Exercises<'_>>, Failure> {
        let fixtures = arguments.fixtures.as_ref().map(|_| Exercise::Fixtures);
        let canary = arguments.canary.then_some(Exercise::Canary);
        let all: Vec<Exercise> = fixtures.into_iter().chain(canary).collect();
        if all.is_empty() {
            return Ok(None);
        }
        let folder = arguments.fixtures.as_ref().and_then(|folder| folder.as_deref());
        Ok(Some(Exercises { sandbox: sandbox()?, all, folder }))
    }

    /// Runs them all.
    fn run(&self, audit: Audit, wasm: &[u8]) -> Result<Audit, Failure> {
        let loaded = self.sandbox.load(wasm);
        let plugin =
            loaded.map_err(|error| Failure::new(Exit::Data, format!("`{}` {}", audit.source, chain(&error))))?;
        let suite = match self.folder {
            None => fixtures::embedded(&plugin),
            Some(folder) => {
                let inner = folder.join("fixtures");
                let read = Fixtures::read(if inner.is_dir() { &inner } else { folder });
                let read = read.map_err(|error| Failure::of(Exit::Data, "", &error))?;
                Suite::embedded(plugin.manifest(), &read)
            }
        };
        match suite.names().next() {
            // The audit says already that there are none.
            None if self.folder.is_none() => Ok(audit),
            None => Err(Failure::new(Exit::NotFound, format!("the folder has no fixtures for `{}`", audit.source))),
            Some(_) => Ok(self.all.iter().fold(audit, |audit, exercise| audit.exercised(&plugin, &suite, *exercise))),
        }
    }
}

/// Whose signatures count; `None` where nobody asked for any.
fn publishers(arguments: &Arguments) -> Result<Option<Vec<Publisher>>, Failure> {
    if let Some(config) = &arguments.config {
        let config = ConfigFile { config: config.clone() };
        return Ok(Some(config.load(Variables::Optional)?.plugins.publishers));
    }
    let mut publishers: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for text in &arguments.publishers {
        let (name, key) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            let failure = Failure::new(Exit::Usage, format!("`{}` is no publisher", clean(text)));
            failure.hint("write `--publisher acme=RWQ…`, or `--publisher acme=acme.pub`")
        })?;
        publishers.entry(name.to_owned()).or_default().push(verify::key(key)?);
    }
    let publisher = |(name, keys)| Publisher { name, keys, retired_keys: Vec::new() };
    Ok(Some(publishers.into_iter().map(publisher).collect())
        .filter(|publishers: &Vec<Publisher>| !publishers.is_empty()))
}

/// A plugin whose signature is wrong is told to be so, and nothing more of it is looked at.
fn one(name: &str, asked: &Asked<'_>) -> Result<Audit, Failure> {
    let artifact = match tidegate_plugins::find(name) {
        Some(built_in) => format!("plugins/{}/plugin.toml", built_in.name),
        None => uri(name),
    };
    let wasm = bytes_of(name)?;
    let audit = match (named(name), asked.publishers) {
        (PluginSource::File(path), Some(publishers)) => {
            let signature = signature::read(&path);
            let verified =
                signature.and_then(|text| text.map(|text| signature::verify(&wasm, &text, publishers)).transpose());
            Audit::verified((name, &artifact), &wasm, verified)
        }
        _ => Audit::of(name, &artifact, &wasm),
    };
    match asked.exercises {
        // What would not be loaded is not run either.
        Some(exercises) if audit.count(Level::Error) == 0 => exercises.run(audit, &wasm),
        _ => Ok(audit),
    }
}

/// A file as a URI: relative where the name is, so that a code-scanning page finds it in the repository.
fn uri(file: &str) -> String {
    if let Ok(url) = Url::from_file_path(file) {
        return url.into();
    }
    let parts = Path::new(file).components().map(|part| {
        let part = part.as_os_str().to_string_lossy().into_owned();
        percent_encoding::utf8_percent_encode(&part, ESCAPED).to_string()
    });
    parts.filter(|part| part != ".").collect::<Vec<_>>().join("/")
}

/// All but what RFC 3986 calls unreserved.
const ESCAPED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn render(report: &Report, paint: Paint) -> String {
    let mut parts: Vec<String> = report.plugins.iter().map(|audit| plugin(audit, paint)).collect();
    parts.push(format!(
        "{}: {}, {}, {}",
        plural(report.plugins.len(), "plugin"),
        plural(report.errors, "error"),
        plural(report.warnings, "warning"),
        plural(report.notes, "note")
    ));
    parts.join("\n\n")
}

fn plugin(audit: &Audit, paint: Paint) -> String {
    let mut lines = vec![match &audit.inspection {
        Some(inspection) => describe::plugin(inspection, paint),
        None => {
            format!("{}\n  digest      {}\n  size        {} B", paint.bold(&audit.source), audit.digest, audit.size)
        }
    }];
    if let Some(Signed { signer, comment, .. }) = &audit.signed {
        let said = line(&format!("Signed by {} (key {}): {comment}", signer.publisher, signer.key));
        lines.extend([String::new(), paint.bold(said)]);
    }
    lines.extend(audit.approvals.iter().flatten().flat_map(|since| approval(since, paint)));
    let ran = if audit.ran.is_empty() { String::new() } else { format!(" (run: {})", audit.ran.join(", ")) };
    lines.extend(["".to_owned(), format!("{}{ran}", paint.bold("Findings"))]);
    if audit.findings.is_empty() {
        lines.push("  none".to_owned());
    }
    lines.extend(audit.findings.iter().map(|one| finding(one, paint)));
    lines.join("\n")
}

fn approval(since: &Since, paint: Paint) -> Vec<String> {
    let Since { destination, approved_by, approved_at, .. } = since;
    let head = line(&format!("Since {approved_by} approved it for `{destination}` at {approved_at}"));
    let mut lines = vec![String::new(), paint.bold(head)];
    match since.changes.as_slice() {
        [] => lines.push("  nothing".to_owned()),
        changes => lines.extend(diff::lines(changes, paint)),
    }
    lines
}

fn finding(finding: &Finding, paint: Paint) -> String {
    let level = format!("{:8}", finding.level.name());
    let level = match finding.level {
        Level::Error => paint.red(level),
        Level::Warning => paint.yellow(level),
        Level::Note => paint.dim(level),
    };
    let hint = finding.hint.as_ref().map(|hint| format!("\n            {} {}", paint.cyan("hint:"), line(hint)));
    format!("  {level}  {}  {}{}", line(&finding.message), paint.dim(finding.rule), hint.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_as_a_code_scanning_page_wants_it() {
        assert_eq!(uri("./out/my plugin.wasm"), "out/my%20plugin.wasm");
        assert_eq!(uri("/tmp/a b.wasm"), "file:///tmp/a%20b.wasm");
    }
}
