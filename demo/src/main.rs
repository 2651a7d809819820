//! The demo: a shop, the gateway, and platforms that answer like the real ones, in one process.
//!
//! Starts them, says where they are, and stops them. What they do is in `shop`, `platforms` and the gateway itself.

mod gateway;
mod platforms;
mod shop;

use std::net::SocketAddr;
use std::path::PathBuf;

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
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let platforms = platforms::Platforms::start().await?;
    let gateway = gateway::Gateway::configure(&options, &platforms)?;
    let shop = shop::listen(options.shop).await?;

    let shutdown = CancellationToken::new();
    say(&options, &gateway);
    let interrupted = async {
        // Where the signal cannot be listened for, the demo runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        shutdown.cancel();
    };
    let addresses = shop::Addresses {
        gateway: gateway::public_url(&options),
        dashboard: gateway::dashboard_url(&options),
        write_key: gateway::WRITE_KEY,
    };
    let (served, ran, ()) = tokio::join!(
        shop::serve(shop, addresses, platforms, shutdown.clone()),
        gateway.run(shutdown.clone()),
        interrupted,
    );
    served?;
    ran
}

#[expect(clippy::print_stdout, reason = "what the demo prints is what it is for")]
fn say(options: &Options, gateway: &gateway::Gateway) {
    let shop = shop::url(options.shop);
    println!("\n  Tidegate's demo is running. Open:\n");
    println!("    the shop           {shop}");
    println!("    the dashboard      {}/#token={}", gateway::dashboard_url(options), gateway::ADMIN_TOKEN);
    println!("    the platforms      {shop}platforms\n");
    println!("  Configuration: {}   Stop with Ctrl-C.\n", gateway.file().display());
}
