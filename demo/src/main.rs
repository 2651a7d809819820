//! The demo: a shop, the gateway, and platforms that answer like the real ones, in one process.
//!
//! Starts them, says where they are, and stops them. What they do is in `shop`, `platforms` and the gateway itself.

mod gateway;
mod platforms;
mod shop;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tokio_util::sync::CancellationToken;

/// A shop, the gateway and fake platforms, to try everything out on this machine.
#[derive(Debug, Parser)]
#[command(name = "tidegate-demo")]
struct Options {
    /// Where the shop is served.
    #[arg(long, default_value = "127.0.0.1:8000")]
    shop: SocketAddr,
    /// Where the gateway takes events.
    #[arg(long, default_value = "127.0.0.1:8080")]
    gateway: SocketAddr,
    /// Where the gateway's dashboard is.
    #[arg(long, default_value = "127.0.0.1:9090")]
    admin: SocketAddr,
    /// Where the queue and the configuration are kept.
    #[arg(long, default_value = "data/demo")]
    data: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Everything from start to stop.
async fn run(options: Options) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let platforms = platforms::Platforms::start().await?;
    let listener = shop::listen(options.shop).await?;
    let file = gateway::configure(&options, &platforms)?;
    let gateway = gateway::start(&file).await?;
    say(&options, &file);

    let addresses = shop::Addresses {
        gateway: gateway::public_url(&options),
        dashboard: gateway::dashboard_url(&options),
        write_key: gateway::WRITE_KEY,
    };
    // Whichever ends first, by Ctrl-C or by a failure, ends the others.
    let shutdown = CancellationToken::new();
    let interrupted = async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => shutdown.cancel(),
            () = shutdown.cancelled() => {}
        }
    };
    let site = async {
        let served = shop::serve(listener, addresses, platforms, shutdown.clone()).await;
        shutdown.cancel();
        served
    };
    let gate = async {
        let ran = gateway.run_until(shutdown.clone()).await;
        shutdown.cancel();
        ran
    };
    let (served, ran, ()) = tokio::join!(site, gate, interrupted);
    served?;
    Ok(ran?)
}

#[expect(clippy::print_stdout, reason = "what the demo prints is what it is for")]
fn say(options: &Options, file: &Path) {
    let (shop, dashboard) = (shop::url(options.shop), gateway::dashboard_url(options));
    println!("\n  Tidegate's demo is running. Open:\n");
    println!("    the shop           {shop}");
    println!("    the dashboard      {dashboard}/#token={}", gateway::ADMIN_TOKEN);
    println!("    the platforms      {shop}platforms\n");
    println!("  The dashboard's token is {}. The configuration is {}.", gateway::ADMIN_TOKEN, file.display());
    println!("  Stop with Ctrl-C.\n");
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
