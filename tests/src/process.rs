//! A gateway as a process of its own: it can be killed at any moment, and started again on the same store.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use crate::PATIENCE;
use crate::client::Client;
use crate::config::{Settings, build_dir, plugin_cache, variable};
use crate::stack::Platforms;

/// The environment that the configuration's `env:` secrets come from.
const VARIABLES: &[&str] =
    &["TIDEGATE_ADMIN_TOKEN", "TIDEGATE_VISITOR_KEY", "SHOP_API_KEY", "META_TOKEN", "GA4_SECRET", "WEBHOOK_SECRET"];

/// A gateway's process.
pub struct Process {
    pub client: Client,
    child: Child,
}

/// The program that the workspace built.
///
/// # Panics
/// When it has not been built.
pub fn binary() -> PathBuf {
    let path = build_dir().join("tidegate");
    assert!(
        path.exists(),
        "`{}` is not there: run `cargo build -p tidegate` first, as `make test` does",
        path.display()
    );
    path
}

impl Process {
    /// Writes a configuration into a directory.
    pub fn configure(settings: &Settings, platforms: &Platforms, dir: &Path) -> PathBuf {
        let file = dir.join("tidegate.toml");
        settings.write_files(dir);
        std::fs::write(&file, settings.text(platforms, &plugin_cache())).expect("a writable directory");
        file
    }

    /// A command of the program with the secrets in its environment.
    pub fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).env_clear().kill_on_drop(true);
        command.envs(VARIABLES.iter().filter_map(|name| Some((*name, variable(name)?))));
        command
    }

    /// Starts it; when this returns, both listeners take connections.
    ///
    /// # Panics
    /// When it ends instead; shows what it said.
    pub async fn start(config: &Path) -> Process {
        let config = config.to_str().expect("a path in UTF-8");
        let mut command = Process::command(&["run", "--config", config, "--log-format", "json"]);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = child.stderr.take().expect("it is piped");
        let addresses = tokio::time::timeout(PATIENCE, listening(BufReader::new(stderr)));
        let (http, admin) = addresses.await.expect("the gateway starts in time");
        Process { client: Client::new(http, admin), child }
    }

    /// Kills it as `kill -9` does.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Asks it to end, as a service manager does, and waits.
    pub async fn terminate(mut self) -> ExitStatus {
        // The shell's own kill: the program of that name is not on every machine.
        let kill = format!("kill -TERM {}", self.id());
        let killed = Command::new("sh").args(["-c", &kill]).status().await.expect("a shell runs");
        assert!(killed.success());
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends in time").expect("it can be waited for")
    }
}

/// Reads the log until it says where the listeners are; the rest of it is read and thrown away by a task.
async fn listening(stderr: BufReader<ChildStderr>) -> (std::net::SocketAddr, std::net::SocketAddr) {
    let mut lines = stderr.lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await.expect("the log is text") {
        let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        let message = entry["fields"]["message"].as_str().or(entry["message"].as_str()).unwrap_or_default();
        let address = |label: &str| {
            let rest = message.split_once(label)?.1;
            rest.split([',', ' ']).next()?.parse().ok()
        };
        if let (Some(http), Some(admin)) = (address("collecting on http://"), address("admin on http://")) {
            #[expect(clippy::disallowed_methods, reason = "the task ends with the process whose log it reads")]
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (http, admin);
        }
        said.push(line);
    }
    panic!("the gateway ended instead of starting:\n{}", said.join("\n"));
}
