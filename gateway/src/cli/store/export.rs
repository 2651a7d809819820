//! `tidegate store export`: everything that is stored, as lines of JSON.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use tidegate_queue::Queue;

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, time};
use super::super::{ConfigFile, Variables};
use crate::clock::{Clock as _, SystemClock};
use crate::transfer::{Counts, Line};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// A new file that only you can read; without it the lines go to stdout
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Items that the store is asked for at once.
const PAGE: usize = 200;
/// After how many items a person is told how far it is.
const TOLD: u64 = 50_000;

pub(super) async fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let config = arguments.config.load(Variables::Optional)?;
    let queue = super::open(&config).await?;
    out.note("note: what a gateway changes meanwhile may be missed: to move a store, stop its gateways first");
    let counts = match &arguments.to {
        None => write(&*queue, BufWriter::new(io::stdout().lock()), out).await?,
        Some(path) => {
            let name = path.display().to_string();
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            let file = file.map_err(|error| not_made(&name, &error))?;
            let counts = write(&*queue, BufWriter::new(&file), out).await?;
            file.sync_all().map_err(|error| Failure::of(Exit::Unavailable, &format!("write `{name}`"), &error))?;
            counts
        }
    };
    out.note(&format!("exported {counts}"));
    Ok(())
}

async fn write(queue: &dyn Queue, mut to: impl Write, out: &Output) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    let mut cursor = None;
    put(&mut to, &Line::head(time(SystemClock.now_ms())))?;
    let mut after = 0;
    loop {
        let page = queue.chain_page(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        counts.ledger += page.len() as u64;
        for link in page {
            put(&mut to, &Line::from(link))?;
        }
    }
    loop {
        let page = queue.export(cursor, PAGE).await?;
        for item in page.items {
            counts.add(&item);
            put(&mut to, &Line::from(item))?;
            let all = counts.total();
            if all.is_multiple_of(TOLD) {
                out.note(&format!("{all} exported …"));
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    put(&mut to, &Line::End { end: counts })?;
    to.flush().map_err(|error| unwritten(&error))?;
    Ok(counts)
}

fn put(to: &mut impl Write, line: &Line) -> Result<(), Failure> {
    serde_json::to_writer(&mut *to, line).map_err(|error| unwritten(&error.into()))?;
    to.write_all(b"\n").map_err(|error| unwritten(&error))
}

fn not_made(name: &str, error: &io::Error) -> Failure {
    let failure = Failure::of(Exit::Unavailable, &format!("make `{name}`"), error);
    if error.kind() == ErrorKind::AlreadyExists {
        return failure.hint("an export overwrites nothing: give it another name");
    }
    failure
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::of(Exit::Unavailable, "write the export", error)
        .hint("what was written so far has no last line: remove it")
}
