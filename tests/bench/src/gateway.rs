//! The release program as a process of its own, in any role.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tidegate_tests::Process;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinSet;

use crate::proc::cpu_s;

const STARTS_WITHIN: Duration = Duration::from_secs(60);
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// A gateway's process; dropped, it is killed.
pub(crate) struct Gateway {
    pub(crate) id: u32,
    /// Where it collects, if it does.
    http: Option<SocketAddr>,
    /// The same by TLS, if it speaks it.
    https: Option<SocketAddr>,
    pub(crate) admin: SocketAddr,
    child: Child,
    /// Reads the log and throws it away.
    _log: JoinSet<()>,
}

impl Gateway {
    /// Starts one with roles as the command line has them: `collect,deliver`.
    pub(crate) async fn start(config: &Path, roles: &str) -> anyhow::Result<Gateway> {
        let config = config.to_str().context("a path in UTF-8")?;
        let mut command = Process::command(&["run", "--config", config, "--roles", roles, "--log-format", "json"]);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().context("start the gateway")?;
        let id = child.id().context("it runs")?;
        let mut lines = BufReader::new(child.stderr.take().context("it is piped")?).lines();
        let announced = tokio::time::timeout(STARTS_WITHIN, announced(&mut lines)).await;
        let Announced { http, https, admin } = announced.context("start in time")??;
        let mut log = JoinSet::new();
        log.spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Gateway { id, http, https, admin, child, _log: log })
    }

    pub(crate) fn http(&self) -> anyhow::Result<SocketAddr> {
        self.http.context("it does not collect")
    }

    pub(crate) fn https(&self) -> anyhow::Result<SocketAddr> {
        self.https.context("it does not speak TLS")
    }

    pub(crate) fn cpu_s(&self) -> anyhow::Result<f64> {
        cpu_s(self.id)
    }

    /// Asks it to end, as a service manager does, and waits.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let kill = format!("kill -TERM {}", self.id);
        anyhow::ensure!(Command::new("sh").args(["-c", &kill]).status().await?.success(), "it can be asked to end");
        let status = tokio::time::timeout(STOPS_WITHIN, self.child.wait()).await.context("stop in time")??;
        anyhow::ensure!(status.success(), "the gateway did not end in order: {status}");
        Ok(())
    }
}

/// Where a gateway listens, as its log says.
struct Announced {
    http: Option<SocketAddr>,
    https: Option<SocketAddr>,
    admin: SocketAddr,
}

/// Reads the log until it says that the gateway runs.
async fn announced(lines: &mut Lines<BufReader<ChildStderr>>) -> anyhow::Result<Announced> {
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await? {
        let entry: Value = serde_json::from_str(&line).unwrap_or_default();
        let message = entry["fields"]["message"].as_str().or(entry["message"].as_str()).unwrap_or_default();
        let address = |label: &str| message.split_once(label)?.1.split([',', ' ']).next()?.parse().ok();
        if let Some(admin) = address("admin on http://") {
            let (http, https) = (address("collecting on http://"), address(" and https://"));
            return Ok(Announced { http, https, admin });
        }
        said.push(line);
    }
    anyhow::bail!("the gateway ended instead of starting:\n{}", said.join("\n"))
}
