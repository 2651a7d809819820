//! The demo in one process: starts the shop, the platforms and the gateway over SQLite, says where they are, and stops
//! them. What they do is in `shop`, `platforms` and the gateway itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tidegate::app::{Gateway, Signals};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::gateway::{self, Places};
use crate::platforms::{Platforms, REQUESTS_KEPT};
use crate::shop;

/// After so long a person wonders what is going on.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where everything is.
#[derive(Debug, Args)]
pub(crate) struct Options {
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

/// Everything from start to stop.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let platforms = Platforms::start(tidegate_fakes::KINDS, REQUESTS_KEPT).await?;
    let listener = shop::listen(options.shop).await?;
    let file = options.data.join("tidegate.toml");
    let store = "url = \"sqlite:tidegate.db\"";
    let places = Places { gateway: options.gateway, admin: options.admin, shop: options.shop, store };
    gateway::configure(&file, &places, &platforms)?;
    let gateway = patiently(&file, platforms.count()).await?;
    say(&options, &file);

    let addresses = shop::Addresses {
        gateway: gateway::public_url(options.gateway),
        dashboard: gateway::dashboard_url(options.admin),
        token: gateway::ADMIN_TOKEN,
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
        let served = shop::serve(listener, addresses, Arc::new(platforms), shutdown.clone()).await;
        shutdown.cancel();
        served
    };
    let gate = async {
        let ran = gateway.run_until(Signals { shutdown: shutdown.clone(), ..Signals::default() }).await;
        shutdown.cancel();
        ran
    };
    let (served, ran, ()) = tokio::join!(site, gate, interrupted);
    served?;
    Ok(ran?)
}

/// Starts the gateway, and says what takes so long where it does.
async fn patiently(file: &Path, destinations: usize) -> anyhow::Result<Gateway> {
    // Compiling keeps a thread busy, which must not be the one that watches the time.
    let (runtime, file) = (Handle::current(), file.to_owned());
    let mut start = spawn_blocking(move || runtime.block_on(gateway::start(&file)));
    if let Ok(started) = timeout(PATIENCE, &mut start).await {
        return started.context("start the gateway")?;
    }
    say_compiling(destinations);
    start.await.context("start the gateway")?
}

#[expect(clippy::print_stdout, reason = "what the demo prints is what it is for")]
fn say_compiling(destinations: usize) {
    println!(
        "\n  Compiling {destinations} plugins for this machine. The result is kept: the next start takes a second …"
    );
}

#[expect(clippy::print_stdout, reason = "what the demo prints is what it is for")]
fn say(options: &Options, file: &Path) {
    let (shop, dashboard) = (shop::url(options.shop), gateway::dashboard_url(options.admin));
    println!("\n  Tidegate's demo is running. Open:\n");
    println!("    the shop           {shop}");
    println!("    the dashboard      {dashboard}/#token={}", gateway::ADMIN_TOKEN);
    println!("    the platforms      {shop}platforms\n");
    println!("  The dashboard's token is {}. The configuration is {}.", gateway::ADMIN_TOKEN, file.display());
    println!("  Stop with Ctrl-C.\n");
}
