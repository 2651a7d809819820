//! Makes `docs/faults.md` of the rows that the fault tests wrote, and of what the tests of the file store's faults said:
//! `faults-report <folder of rows> <file of what they said> <page>`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let mut next = |what: &'static str| arguments.next().context(what);
    let (folder, said, page) = (next("the folder of rows")?, next("what the tests said")?, next("the page")?);
    let mut text = String::from(HEAD);
    for (what, command, argument) in [("Made on", "date", "-u"), ("with", "redis-server", "--version")] {
        writeln!(text, "{what} `{}`,", first_line(command, argument)?)?;
    }
    let cores = std::thread::available_parallelism()?;
    writeln!(text, "on a machine of {cores} cores.\n")?;
    text.push_str(TABLE);
    for path in rows(&folder)? {
        text.push_str(&row(&path).with_context(|| format!("read `{}`", path.display()))?);
    }
    text.push_str(FILE_STORE);
    let said = std::fs::read_to_string(&said).with_context(|| format!("read `{}`", said.display()))?;
    for line in said.lines() {
        let test = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "));
        // What the tests start is no test.
        if let Some((name, result)) = test.filter(|(name, _)| !name.starts_with("the_process_")) {
            writeln!(text, "| {} | {result} |", name.rsplit("::").next().unwrap_or(name).replace('_', " "))?;
        }
    }
    text.push_str(ELSEWHERE);
    std::fs::write(&page, text).with_context(|| format!("write `{}`", page.display()))
}

const HEAD: &str = "# Faults\n
What `make faults` did, and what it found. Whole gateways, real Redis servers, a platform that counts what it gets, and
clients that write down each acknowledged event, durably, before they go on; what is not acknowledged they send again under
the same id. Afterwards every acknowledged event must be delivered, waiting, or among the dead letters, stored once; what
the platform got more than once must be explained by a fault in between, or the test fails.\n
";
const TABLE: &str = "| fault | what was done | acknowledged | lost | delivered more than once | longest silence | taken again after |\n\
                     |---|---|---|---|---|---|---|\n";
const FILE_STORE: &str = "\n*Longest silence*: the longest time in which nothing was acknowledged, the start of a new process included. *Taken again
after*: from the end of the fault (a server that answers again, a gateway that listens) to the fifth acknowledged event.\n
## The file store\n
SQLite's own faults, made by `strace`: SIGKILL at each sync of a life and at each of its first 119 writes; EIO and ENOSPC
at each of 24 syncs, EIO at each of 60 writes, and disks that are full for a while.\n
| test | result |\n|---|---|\n";
const ELSEWHERE: &str = "\n## Elsewhere\n
Each run of `make test` does a short form of all this. What is not in the table is tested there: the network (delays,
resets, half-open connections, answers dropped after the commit) in `gateway/crates/queue/tests/redis_network.rs`, what
somebody writes into the store or deletes from it in `redis_damage.rs` beside it, clocks that jump in
`gateway/src/clock.rs` (`setting_the_machines_clock_leaves_the_steady_time_alone`), `gateway/src/delivery/work/tests.rs`
(`a_clock_that_is_set_forward_ends_no_lease_and_one_that_is_set_back_delays_no_retry`) and `tests/tests/drain.rs`
(`retries_of_a_time_when_the_clock_was_ahead_go_on_within_minutes`); scripts in Redis go by its own clock.\n
To repeat: `make faults`. One test alone: `TIDEGATE_FAULTS=long cargo test -p tidegate-tests --test faults NAME`.\n";

/// The first line that a program prints.
fn first_line(command: &str, argument: &str) -> anyhow::Result<String> {
    let output = Command::new(command).arg(argument).output().with_context(|| format!("run `{command}`"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

fn rows(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(folder).with_context(|| format!("read `{}`", folder.display()))?;
    let mut paths = files.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
    paths.sort();
    Ok(paths)
}

fn row(path: &Path) -> anyhow::Result<String> {
    let row: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let seconds = |name: &str| row[name].as_f64().map_or("–".to_owned(), |ms| format!("{:.1} s", ms / 1000.0));
    let (lost, silence, recovery) = (&row["lost"], seconds("silent_ms"), seconds("recovery_ms"));
    let (acknowledged, again) = (&row["acknowledged"], &row["again"]);
    let (fault, done) = (text("fault"), text("done"));
    Ok(format!("| {fault} | {done} | {acknowledged} | {lost} | {again} | {silence} | {recovery} |\n"))
}
