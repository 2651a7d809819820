//! `tidegate plugin audit`: the audit in the form that was asked for.

use std::path::{Path, PathBuf};

use clap::Args;
use url::Url;

use super::super::failure::{Exit, Failure};
use super::super::output::{Format, Output, Paint, clean, plural, time};
use super::{bytes_of, describe, diff};
use crate::audit::{Audit, Finding, Level, Report, Since, page, sarif};
use crate::clock::{Clock as _, SystemClock};
use crate::permissions::lock::Lock;

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
    let audits: Result<Vec<Audit>, Failure> = names.iter().map(|name| one(name)).collect();
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

fn one(name: &str) -> Result<Audit, Failure> {
    let artifact = match tidegate_plugins::find(name) {
        Some(built_in) => format!("plugins/{}/plugin.toml", built_in.name),
        None => uri(name),
    };
    Ok(Audit::of(name, &artifact, &bytes_of(name)?))
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
    lines.extend(audit.approvals.iter().flatten().flat_map(|since| approval(since, paint)));
    lines.extend(["".to_owned(), paint.bold("Findings")]);
    if audit.findings.is_empty() {
        lines.push("  none".to_owned());
    }
    lines.extend(audit.findings.iter().map(|one| finding(one, paint)));
    lines.join("\n")
}

fn approval(since: &Since, paint: Paint) -> Vec<String> {
    let Since { destination, approved_by, approved_at, .. } = since;
    let head = clean(&format!("Since {approved_by} approved it for `{destination}` at {approved_at}"));
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
    let hint = finding.hint.as_ref().map(|hint| format!("\n            {} {}", paint.cyan("hint:"), clean(hint)));
    format!("  {level}  {}  {}{}", clean(&finding.message), paint.dim(finding.rule), hint.unwrap_or_default())
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
