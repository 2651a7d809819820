//! The demo: a shop, the gateway, and platforms that answer like the real ones.
//!
//! [`alone`] has them in one process, over SQLite; [`cluster`] has gateways and workers as processes of their own, over a
//! Redis Cluster. What they have in common is in [`shop`], [`platforms`] and [`gateway`].

mod alone;
mod cluster;
mod gateway;
mod platforms;
mod shop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A shop, the gateway and fake platforms, to try everything out on this machine.
#[derive(Debug, Parser)]
#[command(name = "tidegate-demo", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    alone: alone::Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Two gateways and two workers over a Redis Cluster of six servers, all of which may be killed
    Cluster(cluster::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let done = match cli.command {
        None => alone::run(cli.alone).await,
        Some(Command::Cluster(options)) => cluster::run(options).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says what went wrong and, last, how to mend it: a context may end in a line `hint: …`.
#[expect(clippy::print_stderr, reason = "a person started this and reads why it ended")]
fn complain(error: &anyhow::Error) {
    let said: Vec<String> = error.chain().map(ToString::to_string).collect();
    let parts = said.iter().map(|text| text.split_once("\nhint: ").unwrap_or((text, "")));
    let (what, hints): (Vec<&str>, Vec<&str>) = parts.unzip();
    eprintln!("error: {}", what.join(": "));
    for hint in hints.iter().filter(|hint| !hint.is_empty()) {
        eprintln!("hint: {hint}");
    }
}
