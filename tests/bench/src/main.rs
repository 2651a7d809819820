//! What an event costs, measured beside what it would cost bare, in one run: a table for people, and
//! `target/bench.json` (`[{"name", "value", "unit", "baseline", "ratio"}]`) for machines.
//!
//! `make bench` builds what it measures first. Ratios are what counts: absolute figures are this machine's.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod bare;
mod load;
mod path;
mod proc;
mod table;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use self::path::Destination;
use self::table::Row;

fn main() -> anyhow::Result<()> {
    // The bare server is this program again: its processor time must be its own.
    if std::env::args().nth(1).as_deref() == Some("bare") {
        return bare::serve();
    }
    let mut rows = transform()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bare = runtime.block_on(path::bare())?;
    println!("bare hyper server: {:.0} events a CPU-second", bare.events_per_cpu_s);
    for destination in [Destination::Batched, Destination::Single] {
        let measured = runtime.block_on(path::whole(destination))?;
        rows.extend(measured.rows(destination, &bare));
    }
    table::print(&rows);
    let file = target()?.join("bench.json");
    std::fs::write(&file, table::json(&rows).to_string()).with_context(|| format!("write `{}`", file.display()))?;
    println!("\nwritten to {}", file.display());
    Ok(())
}

/// The transform's rows come from the sandbox's own benchmark, which runs the plugin natively as well.
fn transform() -> anyhow::Result<Vec<Row>> {
    let program = target()?.join("release/examples/transform");
    let output =
        Command::new(&program).arg("--json").output().with_context(|| format!("run `{}`", program.display()))?;
    anyhow::ensure!(
        output.status.success(),
        "`{}` failed: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).context("read the transform's rows")?;
    rows.iter().map(Row::from_json).collect()
}

/// The target directory, which this program lies in.
fn target() -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let target = exe.ancestors().nth(2).context("the benchmark lies in target/release")?;
    Ok(target.to_path_buf())
}
