//! `tidegate store import`: stores what another store exported.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _};
use std::path::PathBuf;

use serde::Serialize;
use tidegate_queue::chain::Link;
use tidegate_queue::{Error, Item, Queue};

use super::super::failure::{Exit, Failure};
use super::super::output::Output;
use super::super::{ConfigFile, Variables};
use crate::app::store::Purpose;
use crate::config::{Backend, Config};
use crate::transfer::{Counts, Line, VERSION};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// What `tidegate store export` wrote; `-` is stdin
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Take a file that was cut, too: one without the last line
    #[arg(long)]
    partial: bool,
    /// Leave the egress ledger out: two cannot become one
    #[arg(long)]
    without_ledger: bool,
}

/// What is stored at once, at most.
const BATCH_ITEMS: usize = 500;
const BATCH_BYTES: usize = 4 << 20;
/// No line that was exported is longer.
const LINE_BYTES_MAX: u64 = 256 << 20;
/// After how many items a person is told how far it is.
const TOLD: u64 = 50_000;

/// What was imported.
#[derive(Debug, Default, Serialize)]
struct Report {
    #[serde(flatten)]
    read: Counts,
    /// How many of them the store did not have yet.
    new: usize,
}

pub(super) async fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let config = arguments.config.load(Variables::Optional)?;
    let name = arguments.file.display().to_string();
    let lines: Box<dyn BufRead> = if name == "-" {
        if io::stdin().is_terminal() {
            let failure = Failure::new(Exit::Usage, "there is nothing on stdin");
            return Err(failure.hint("name the file that `tidegate store export` wrote, or pipe it in"));
        }
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = File::open(&arguments.file);
        Box::new(BufReader::new(file.map_err(|error| Failure::of(Exit::NotFound, &format!("open `{name}`"), &error))?))
    };
    let queue = super::open_for(&config, purpose(&config)).await?;
    let ledger = if arguments.without_ledger { Ledger::LeaveOut } else { Ledger::Import };
    let mut importing = Importing { queue: &*queue, lines, line: 0, report: Report::default(), ledger, out };
    let imported = importing.all().await;
    let report = importing.report;
    // Whether or not all of it came in: what did has to be in the file before this ends.
    queue.close().await?;
    let end = imported?;
    out.data(&report, |report, _| {
        let Report { read, new } = report;
        format!("imported {read}, {new} of them new")
    });
    match end {
        Some(end) if end == report.read => Ok(()),
        Some(end) => Err(Failure::new(Exit::Data, format!("`{name}` should hold {end}"))
            .hint("lines have been added or removed: export it again; importing again is safe")),
        None if arguments.partial => Ok(()),
        None => Err(Failure::new(Exit::Data, format!("`{name}` has no last line: it was cut"))
            .hint("what there is has been imported; `--partial` says that this is meant")),
    }
}

/// A new SQLite file is made as a gateway would; one that is there may be served at the same time.
fn purpose(config: &Config) -> Purpose {
    match &config.store.backend {
        Backend::Sqlite { path } if !path.exists() => Purpose::Serve,
        Backend::Sqlite { .. } | Backend::Redis(_) => Purpose::Inspect,
    }
}

struct Importing<'a> {
    queue: &'a dyn Queue,
    lines: Box<dyn BufRead>,
    /// The line that was read last, from 1.
    line: usize,
    report: Report,
    ledger: Ledger,
    out: &'a Output,
}

/// What becomes of the egress ledger.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ledger {
    Import,
    LeaveOut,
}

impl Importing<'_> {
    /// Imports all lines; gives what the last one says there should be.
    async fn all(&mut self) -> Result<Option<Counts>, Failure> {
        match self.next()? {
            Some((Line::Head(head), _)) if head.tidegate_export <= VERSION => {}
            Some((Line::Head(head), _)) => {
                let newer = format!("the export has the version {}", head.tidegate_export);
                return Err(Failure::new(Exit::Data, newer)
                    .hint(format!("this program reads up to {VERSION}: use a newer one")));
            }
            Some(_) | None => return Err(self.wrong("an export begins with `{\"tidegate_export\":4,…}`")),
        }
        let (mut batch, mut links, mut bytes, mut end) = (Vec::new(), Vec::new(), 0, None);
        while let Some((line, length)) = self.next()? {
            if end.is_some() {
                return Err(self.wrong("nothing may follow the line that begins with `{\"end\"`"));
            }
            let item = match line {
                Line::Ledger { ledger } => {
                    links.push(Link::try_from(*ledger).map_err(|error| self.wrong(&error.to_string()))?);
                    bytes += length;
                    if links.len() >= BATCH_ITEMS || bytes >= BATCH_BYTES {
                        self.join(std::mem::take(&mut links)).await?;
                        bytes = 0;
                    }
                    continue;
                }
                Line::Entry { entry } => Item::from(entry),
                Line::Profile { profile } => Item::from(profile),
                Line::Setting { setting } => Item::from(setting),
                Line::End { end: counts } => {
                    end = Some(counts);
                    continue;
                }
                Line::Head(_) => return Err(self.wrong("a second first line: import one export after the other")),
            };
            // The ledger comes first: one that does not fit is refused before anything is stored.
            self.join(std::mem::take(&mut links)).await?;
            batch.push(item);
            bytes += length;
            if batch.len() >= BATCH_ITEMS || bytes >= BATCH_BYTES {
                self.store(std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
        }
        self.join(links).await?;
        self.store(batch).await?;
        Ok(end)
    }

    async fn join(&mut self, links: Vec<Link>) -> Result<(), Failure> {
        if links.is_empty() {
            return Ok(());
        }
        self.report.read.ledger += links.len() as u64;
        if self.ledger == Ledger::Import {
            self.report.new += self.queue.chain_import(links).await.map_err(|error| {
                let hint = "a chain of hashes cannot be joined to another: import into an empty store; or keep the other one \
                            as a file (`tidegate ledger export`), and import with `--without-ledger`";
                match error {
                    Error::Forked { .. } | Error::Corrupt { .. } => Failure::from(error).hint(hint),
                    other => other.into(),
                }
            })?;
        }
        Ok(())
    }

    async fn store(&mut self, batch: Vec<Item>) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let told = |counts: &Counts| counts.total() / TOLD;
        let before = told(&self.report.read);
        batch.iter().for_each(|item| self.report.read.add(item));
        self.report.new += self.queue.import(batch).await?;
        if told(&self.report.read) > before {
            self.out.note(&format!("{} imported …", self.report.read.total()));
        }
        Ok(())
    }

    /// The next line with its length; empty ones are passed over.
    fn next(&mut self) -> Result<Option<(Line, usize)>, Failure> {
        loop {
            let mut bytes = Vec::new();
            self.line += 1;
            let read = (&mut self.lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
            let length = read.map_err(|error| Failure::of(Exit::Unavailable, "read the export", &error))?;
            if length == 0 {
                return Ok(None);
            }
            let text = String::from_utf8(bytes).map_err(|_| self.wrong("it is not UTF-8"))?;
            if text.trim().is_empty() {
                continue;
            }
            let line = Line::parse(&text).map_err(|error| self.wrong(&error.to_string()))?;
            return Ok(Some((line, length)));
        }
    }

    fn wrong(&self, why: &str) -> Failure {
        let failure = Failure::new(Exit::Data, format!("line {} of the export: {why}", self.line));
        failure.hint("the lines of its batch have not been stored; mend it, or export again: importing again is safe")
    }
}
