//! The demo as a cluster: two gateways and two workers, each a process, over six Redis servers. Starts them, starts again
//! whichever dies, as a service manager does, and ends them in order.
//!
//! [`store`] has the Redis servers, [`fleet`] the gateways and workers, [`client`] sends events and [`tally`] counts them,
//! [`say`] prints. Keeps nothing: what was stored is gone when it ends.

mod client;
mod fleet;
mod say;
mod store;
mod tally;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::fleet::Member;
use self::store::Store;
use self::tally::Tally;
use crate::gateway::{self, Places};
use crate::platforms::Platforms;
use crate::shop;

/// The one platform that is delivered to: its receiver tells events apart by their ids.
const PLATFORM: &str = "webhook";
/// So many that none is overlooked between two looks of [`tally`].
const REQUESTS_KEPT: usize = 5_000;
/// How long what was acknowledged may take to be delivered at the end.
const LAST_DELIVERIES_MAX: Duration = Duration::from_secs(20);

/// Where everything is.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the shop is served.
    #[arg(long, default_value = "127.0.0.1:8000")]
    shop: SocketAddr,
    /// Where the first gateway takes events; the second does at the next port.
    #[arg(long, default_value = "127.0.0.1:8080")]
    gateway: SocketAddr,
    /// Where the first process's dashboard is; those of the other three are at the next ports.
    #[arg(long, default_value = "127.0.0.1:9090")]
    admin: SocketAddr,
    /// Where configurations and logs are written.
    #[arg(long, default_value = "data/cluster")]
    data: PathBuf,
    /// Sends events all the time, and says once a second what became of them.
    #[arg(long)]
    client: bool,
}

/// Everything from start to stop.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let program = fleet::program()?;
    let interrupted = interruption()?;
    let webhook = tidegate_fakes::find(PLATFORM).context("there is no fake of a webhook's receiver")?;
    let platforms = Arc::new(Platforms::start(&[*webhook], REQUESTS_KEPT).await?);
    let listener = shop::listen(options.shop).await?;
    say::starting();
    let store = Store::start().await?;
    let members = members(&options)?;
    let lines = store.lines();
    for member in &members {
        let places = Places { gateway: member.gateway(), admin: member.admin, shop: options.shop, store: &lines };
        gateway::configure(&member.config, &places, &platforms)?;
    }
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let mut running = Vec::new();
    for member in members.iter().cloned() {
        running.push(member.start(&program).await?);
    }
    say::running(&options, &store.describe(), &running);

    let tally = Arc::new(Tally::default());
    let client_stop = CancellationToken::new();
    if options.client {
        let gateways: Arc<[SocketAddr]> = members.iter().filter_map(|member| member.http).collect();
        tracker.spawn(client::send(gateways, tally.clone(), client_stop.clone()));
        let admins = members.iter().map(|member| member.admin).collect();
        tracker.spawn(tally::watch(tally.clone(), platforms.clone(), admins, stop.clone()));
    }
    for one in running {
        tracker.spawn(one.keep_running(program.clone(), stop.clone()));
    }
    let addresses = shop::Addresses {
        gateway: gateway::public_url(options.gateway),
        dashboard: gateway::dashboard_url(options.admin),
        token: gateway::ADMIN_TOKEN,
        write_key: gateway::WRITE_KEY,
    };
    let site_stop = stop.clone();
    tracker.spawn(async move {
        if let Err(error) = shop::serve(listener, addresses, platforms, site_stop).await {
            tracing::error!("{error:#}");
        }
    });
    let store_stop = CancellationToken::new();
    let kept = store.keep_running(store_stop.clone());
    let ended = async {
        interrupted.await;
        say::ending();
        client_stop.cancel();
        if options.client {
            tally.settle(LAST_DELIVERIES_MAX).await;
            say::summary(&tally.numbers());
        }
        stop.cancel();
        tracker.close();
        tracker.wait().await;
        // The gateways and workers give back what they have not begun: the servers end last.
        store_stop.cancel();
    };
    tokio::join!(kept, ended);
    Ok(())
}

/// Resolves when a person or a service manager wants an end: Ctrl-C, SIGTERM, a terminal that is closed.
fn interruption() -> anyhow::Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).context("listen for signals");
    let (mut interrupt, mut terminate, mut hang_up) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

/// Two that collect and two that deliver.
fn members(options: &Options) -> anyhow::Result<Vec<Member>> {
    std::fs::create_dir_all(&options.data).with_context(|| format!("make `{}`", options.data.display()))?;
    let dir = std::path::absolute(&options.data).context("name the directory")?;
    let nth = |address: SocketAddr, n: u16| -> anyhow::Result<SocketAddr> {
        let port = address.port().checked_add(n).context("a port above 65535\nhint: choose a lower one")?;
        Ok(SocketAddr::new(address.ip(), port))
    };
    let member =
        |name: &str, http: Option<SocketAddr>, admin: SocketAddr| Member::new(name, http, admin, dir.as_path());
    Ok(vec![
        member("gateway-1", Some(options.gateway), options.admin),
        member("gateway-2", Some(nth(options.gateway, 1)?), nth(options.admin, 1)?),
        member("worker-1", None, nth(options.admin, 2)?),
        member("worker-2", None, nth(options.admin, 3)?),
    ])
}

/// A path as a person would write it here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}
