//! The gateways and workers: real processes of the program `tidegate`, each started again when it dies.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{say, shown};
use crate::gateway::SECRETS;

/// How long one that died stays away, as with a service manager.
const RESTART_AFTER: Duration = Duration::from_secs(1);
/// A first start compiles the plugins.
const START_MAX: Duration = Duration::from_secs(120);
/// Above `delivery.shutdown_ms` and what comes after it.
const STOP_MAX: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);

/// What one process is to be.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: String,
    /// Where it takes events; `None`: it delivers.
    pub(super) http: Option<SocketAddr>,
    pub(super) admin: SocketAddr,
    pub(super) config: PathBuf,
    pub(super) log: PathBuf,
}

/// One that runs.
pub(super) struct Running {
    pub(super) member: Member,
    child: Child,
}

/// The program that cargo built beside this one.
pub(super) fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("find the program `tidegate`")?;
    let program = own.with_file_name("tidegate");
    if !program.is_file() {
        bail!("`{}` is not there\nhint: `make cluster` builds it, or `cargo build -p tidegate`", shown(&program));
    }
    Ok(program)
}

impl Member {
    pub(super) fn new(name: &str, http: Option<SocketAddr>, admin: SocketAddr, dir: &Path) -> Member {
        let file = |ending: &str| dir.join(format!("{name}.{ending}"));
        Member { name: name.to_owned(), http, admin, config: file("toml"), log: file("log") }
    }

    /// What its configuration has as the public address, which one that delivers does not use.
    pub(super) fn gateway(&self) -> SocketAddr {
        self.http.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    pub(super) fn role(&self) -> &'static str {
        if self.http.is_some() { "collect" } else { "deliver" }
    }

    /// Starts it for the first time, with an empty log; when this returns, it takes connections.
    pub(super) async fn start(self, program: &Path) -> anyhow::Result<Running> {
        std::fs::write(&self.log, "").with_context(|| format!("write `{}`", shown(&self.log)))?;
        self.launch(program).await
    }

    async fn launch(self, program: &Path) -> anyhow::Result<Running> {
        let log = std::fs::File::options().append(true).create(true).open(&self.log);
        let log = log.with_context(|| format!("write `{}`", shown(&self.log)))?;
        let mut command = Command::new(program);
        command.args(["run", "--roles", self.role(), "--config"]).arg(&self.config).envs(SECRETS);
        // In a group of its own, Ctrl-C does not reach it: it is ended before the servers are.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("start `{}`", shown(program)))?;
        let mut running = Running { member: self, child };
        running.until_it_listens().await?;
        Ok(running)
    }
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    async fn until_it_listens(&mut self) -> anyhow::Result<()> {
        let member = &self.member;
        let end = Instant::now() + START_MAX;
        let places: Vec<SocketAddr> = member.http.into_iter().chain([member.admin]).collect();
        for place in places {
            while TcpStream::connect(place).await.is_err() {
                let ended = self.child.try_wait().context("wait for a process")?;
                if ended.is_some() || Instant::now() > end {
                    let log = std::fs::read_to_string(&member.log).unwrap_or_default();
                    let said = log.lines().rev().take(2).collect::<Vec<_>>();
                    let said = said.into_iter().rev().collect::<Vec<_>>().join("\n");
                    let hints = "--gateway and --admin choose other addresses";
                    bail!(
                        "`{}` does not start:\n{said}\nhint: {hints}; its log is {}",
                        member.name,
                        shown(&member.log)
                    );
                }
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Starts it again whenever it dies, until all is to stop; then ends it in order.
    pub(super) async fn keep_running(mut self, program: PathBuf, stop: CancellationToken) {
        loop {
            let pid = self.pid();
            let status = tokio::select! {
                status = self.child.wait() => status,
                () = stop.cancelled() => return self.end().await,
            };
            let name = self.member.name.clone();
            say::died(&name, pid, &how(status.as_ref().ok()), RESTART_AFTER);
            self = match again(self.member, &program, &stop).await {
                Some(running) => running,
                None => return,
            };
            say::back(&name, self.pid());
        }
    }

    /// SIGTERM, and some time.
    async fn end(mut self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid {
            // One that is gone already needs no signal.
            let _ = kill_process(pid, Signal::TERM);
        }
        if timeout(STOP_MAX, self.child.wait()).await.is_err() {
            tracing::warn!("`{}` does not end: it is killed", self.member.name);
            let _ = self.child.kill().await;
        }
    }
}

/// Tries to start it until that succeeds; nothing when all is to stop.
async fn again(member: Member, program: &Path, stop: &CancellationToken) -> Option<Running> {
    loop {
        tokio::select! {
            () = sleep(RESTART_AFTER) => {}
            () = stop.cancelled() => return None,
        }
        tokio::select! {
            started = member.clone().launch(program) => match started {
                Ok(running) => return Some(running),
                Err(error) => tracing::warn!("{error:#}"),
            },
            () = stop.cancelled() => return None,
        }
    }
}

/// How a process ended, for people.
fn how(status: Option<&ExitStatus>) -> String {
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("ended with exit code {code}"),
        Some((None, Some(9))) => "was killed".to_owned(),
        Some((None, Some(signal))) => format!("was ended by signal {signal}"),
        _ => "is gone".to_owned(),
    }
}
