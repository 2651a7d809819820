//! `tidegate ledger`: what has left the gateway, for a person to read, to take away, and to verify.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tidegate_plugin_sdk::manifest::Form;
use tidegate_queue::Queue;
use tidegate_queue::chain::{Hash, Link};

use super::failure::{Exit, Failure};
use super::output::{Output, Paint, clean, plural, table, time};
use super::{ConfigFile, Variables, store};
use crate::admin::ops;
use crate::clock::{Clock as _, SystemClock};
use crate::ledger::check::{self, Checking, Report};
use crate::ledger::filter::{self, Filter};
use crate::ledger::line::Line;
use crate::ledger::summary::{self, Field, Row, Summary};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add up what has left: fields and forms, by destination, host, plugin and consent
    Show {
        /// Only to this destination
        #[arg(long, value_name = "NAME")]
        destination: Option<String>,
        /// Only to this host
        #[arg(long, value_name = "HOST")]
        host: Option<String>,
        /// Only this field, by the name that manifests have: `user.email`
        #[arg(long, value_name = "FIELD")]
        field: Option<String>,
        #[command(flatten)]
        times: Times,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Write whole entries as lines of JSON, each with its hash
    Export {
        #[command(flatten)]
        times: Times,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Verify that nothing was changed, removed or moved since it was written
    Verify {
        /// What `tidegate ledger export` wrote; without it, the store's ledger
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// A hash that was noted before: it has to be there still
        #[arg(long, value_name = "HASH", value_parser = hash)]
        head: Option<Hash>,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// `--since` and `--until`.
#[derive(Debug, Args)]
pub(super) struct Times {
    /// From this time on: RFC 3339, a date, or how long ago (`36h`, `7d`)
    #[arg(long, value_name = "TIME", value_parser = at)]
    since: Option<u64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = at)]
    until: Option<u64>,
}

/// How many entries the store is asked for at once.
const PAGE: usize = 500;
/// No line of an export is longer.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// How much of a digest a person is shown.
const DIGEST_CHARS: usize = 12;

pub(super) async fn run(command: &Command, out: &Output) -> Result<(), Failure> {
    match command {
        Command::Show { destination, host, field, times, config } => {
            let queue = store::open(&config.load(Variables::Optional)?).await?;
            let filter = Filter {
                destination: destination.clone(),
                host: host.clone(),
                field: field.clone(),
                since_ms: times.since,
                until_ms: times.until,
            };
            out.data(&ops::left(&*queue, filter).await?, show);
            Ok(())
        }
        Command::Export { times, config } => {
            let queue = store::open(&config.load(Variables::Optional)?).await?;
            export(&*queue, times, out).await
        }
        Command::Verify { file: Some(file), head, config: _ } => verified(&of_file(file, *head)?, out),
        Command::Verify { file: None, head, config } => {
            let queue = store::open(&config.load(Variables::Optional)?).await?;
            verified(&check::store(&*queue, *head).await?, out)
        }
    }
}

fn show(summary: &Summary, paint: Paint) -> String {
    let mut lines = Vec::new();
    if let (Some(from_ms), Some(to_ms)) = (summary.from_ms, summary.to_ms) {
        lines.push(format!("from {} to {}, in {}", time(from_ms), time(to_ms), counted(summary.entries)));
    }
    if summary.flows.is_empty() {
        lines.push("nothing has left".to_owned());
    }
    for row in &summary.flows {
        lines.push(String::new());
        lines.extend(of_row(row, paint));
    }
    let odd = [
        (summary.unreadable, "entries cannot be read: `tidegate ledger verify` says whether they were changed"),
        (summary.undescribed, "events are of flows whose description is not kept any more"),
        (
            summary.unended,
            "of the processes that wrote it run still or were killed: a killed one's last counts are missing",
        ),
    ];
    let odd = odd.into_iter().filter(|(count, _)| *count > 0);
    lines.extend(odd.map(|(count, what)| format!("\n{}", paint.dim(format!("{count} {what}")))));
    lines.join("\n")
}

fn of_row(row: &Row, paint: Paint) -> Vec<String> {
    let granted: Vec<&str> = row.granted.iter().map(|purpose| purpose.as_str()).collect();
    let digest: String = row.digest.chars().take(DIGEST_CHARS).collect();
    let counts = &row.counts;
    let events = plural(usize::try_from(counts.events).unwrap_or(usize::MAX), "event");
    let requests = plural(usize::try_from(counts.requests).unwrap_or(usize::MAX), "request");
    let mut lines = vec![
        format!("{}  to  {}", paint.bold(&row.destination), paint.bold(&row.host)),
        format!("  consent  {} ({})", row.consent.as_str(), granted.join(", ")),
        format!("  plugin   {} {}", clean(&row.plugin), paint.dim(digest)),
        format!(
            "  left     {events} in {requests}: {} taken, {} refused, {} unanswered",
            counts.taken, counts.refused, counts.unanswered
        ),
        format!("  between  {} and {}", time(row.first_ms), time(row.last_ms)),
    ];
    match &row.fields {
        None => lines.push("  fields   not known: stored before the gateway kept them".to_owned()),
        Some(fields) if fields.is_empty() => lines.push("  fields   none that is granted".to_owned()),
        Some(fields) => {
            let form = |field: &Field| if field.form == Form::Sha256 { "sha256" } else { "plain" };
            let cells = |field: &Field| [field.name.clone(), form(field).to_owned(), field.events.to_string()];
            let rows: Vec<[String; 3]> = fields.iter().map(cells).collect();
            lines.extend(table(paint, ["FIELD", "AS", "EVENTS"], &rows).lines().map(|line| format!("  {line}")));
        }
    }
    lines
}

async fn export(queue: &dyn Queue, times: &Times, out: &Output) -> Result<(), Failure> {
    let mut after = match times.since {
        Some(since_ms) => summary::before(queue, since_ms).await?,
        None => 0,
    };
    let mut written = 0;
    'pages: loop {
        let page = queue.chain_page(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for link in page {
            if times.until.is_some_and(|until_ms| link.at_ms >= until_ms) {
                break 'pages;
            }
            written += 1;
            // A line whose parts are all text and numbers cannot fail to become JSON.
            out.text(&serde_json::to_string(&Line::from(link)).unwrap_or_default());
        }
    }
    out.note(&format!("exported {}", counted(written)));
    Ok(())
}

fn of_file(path: &Path, head: Option<Hash>) -> Result<Report, Failure> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::of(Exit::NotFound, &format!("open `{name}`"), &error))?;
    let (mut lines, mut number) = (BufReader::new(file), 0);
    let mut checking = Checking::after(None, head);
    loop {
        let mut text = String::new();
        number += 1;
        let read = (&mut lines).take(LINE_BYTES_MAX).read_line(&mut text);
        let length =
            read.map_err(|error| Failure::of(Exit::Data, &format!("read line {number} of `{name}`"), &error))?;
        if length == 0 {
            return Ok(checking.finish());
        }
        if text.trim().is_empty() {
            continue;
        }
        let link: Link = Line::parse(&text).map_err(|error| {
            let failure = Failure::new(Exit::Data, format!("line {number} of `{name}`: {error}"));
            failure.hint("`tidegate ledger export` writes such files; nothing may be added to them")
        })?;
        if !checking.next(&link) {
            return Ok(checking.finish());
        }
    }
}

fn verified(report: &Report, out: &Output) -> Result<(), Failure> {
    out.data(report, |report, paint| {
        let mut lines = match &report.broken {
            None => vec![paint.green("whole: every entry is as it was written")],
            Some(broken) => vec![paint.red(format!("broken: {broken}"))],
        };
        lines.push(format!("  entries  {}", report.entries));
        if let (Some(first_ms), Some(last_ms)) = (report.first_ms, report.last_ms) {
            lines.push(format!("  written  from {} to {}", time(first_ms), time(last_ms)));
        }
        lines.push(format!("  begins   after entry {}, hash {}", report.base.seq, report.base.hash));
        lines.push(format!("  head     entry {}, hash {}", report.head.seq, report.head.hash));
        lines.join("\n")
    });
    if report.whole { Ok(()) } else { Err(Failure::said(Exit::No)) }
}

fn counted(entries: u64) -> String {
    format!("{entries} {}", if entries == 1 { "entry" } else { "entries" })
}

fn at(text: &str) -> Result<u64, String> {
    filter::time(text, SystemClock.now_ms())
}

fn hash(text: &str) -> Result<Hash, String> {
    Hash::parse(text).ok_or_else(|| "is no hash: 64 hexadecimal digits".to_owned())
}
