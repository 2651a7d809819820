//! A gateway as a process of its own: it can be killed at any moment, and started again on the same store.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use crate::PATIENCE;
use crate::client::Client;
use crate::config::{Settings, plugin_cache, variable};
use crate::programs::binary;
use crate::stack::Platforms;

/// The environment that the configuration's `env:` secrets come from.
const VARIABLES: &[&str] =
    &["TIDEGATE_ADMIN_TOKEN", "TIDEGATE_VISITOR_KEY", "SHOP_API_KEY", "META_TOKEN", "GA4_SECRET", "WEBHOOK_SECRET"];

/// A gateway's process.
pub struct Process {
    /// Of a process that does not collect, its public address is the admin listener's.
    pub client: Client,
    child: Child,
    log: Log,
}

/// The messages that a process has logged.
type Log = Arc<Mutex<Vec<String>>>;

impl Process {
    /// Writes a configuration into a directory.
    pub fn configure(settings: &Settings, platforms: &Platforms, dir: &Path) -> PathBuf {
        let file = dir.join("tidegate.toml");
        settings.write_files(dir);
        std::fs::write(&file, settings.text(platforms, &plugin_cache())).expect("a writable directory");
        file
    }

    /// The same on another store than a file in that directory.
    pub fn configure_on(store: &str, settings: &Settings, platforms: &Platforms, dir: &Path) -> PathBuf {
        let file = Process::configure(settings, platforms, dir);
        let text = std::fs::read_to_string(&file).expect("it was written");
        std::fs::write(&file, text.replace("sqlite:tidegate.db", store)).expect("a writable directory");
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
        Process::start_as(config, "collect,deliver").await
    }

    /// The same with some roles only: `"collect"`, `"deliver"`.
    ///
    /// # Panics
    /// When it ends instead; shows what it said.
    pub async fn start_as(config: &Path, roles: &str) -> Process {
        let config = config.to_str().expect("a path in UTF-8");
        let mut command = Process::command(&["run", "--config", config, "--log-format", "json", "--roles", roles]);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = child.stderr.take().expect("it is piped");
        let log = Log::default();
        let addresses = tokio::time::timeout(PATIENCE, listening(BufReader::new(stderr), Arc::clone(&log)));
        let (http, admin) = addresses.await.expect("the gateway starts in time");
        Process { client: Client::new(http, admin), child, log }
    }

    /// What it has logged that contains this text.
    pub fn said(&self, text: &str) -> Vec<String> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|message| message.contains(text)).cloned().collect()
    }

    /// Kills it as `kill -9` does.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Stops it, as SIGSTOP does: it holds what it holds, and does nothing.
    pub async fn pause(&self) {
        self.signal("STOP").await;
    }

    /// Lets it go on.
    pub async fn resume(&self) {
        self.signal("CONT").await;
    }

    /// Tells it to reload, as SIGHUP does.
    pub async fn hang_up(&self) {
        self.signal("HUP").await;
    }

    async fn signal(&self, name: &str) {
        // The shell's own kill: the program of that name is not on every machine.
        let kill = format!("kill -{name} {}", self.id());
        let killed = Command::new("sh").args(["-c", &kill]).status().await.expect("a shell runs");
        assert!(killed.success());
    }

    /// Asks it to end, as a service manager does, and waits.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM").await;
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends in time").expect("it can be waited for")
    }
}

/// Reads the log until it says where the listeners are; the rest of it is read by a task.
async fn listening(stderr: BufReader<ChildStderr>, log: Log) -> (std::net::SocketAddr, std::net::SocketAddr) {
    let mut lines = stderr.lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await.expect("the log is text") {
        let message = message(&line);
        let address = |label: &str| {
            let rest = message.split_once(label)?.1;
            rest.split([',', ' ']).next()?.parse().ok()
        };
        if let Some(admin) = address("admin on http://") {
            let http = address("collecting on http://").unwrap_or(admin);
            #[expect(clippy::disallowed_methods, reason = "the task ends with the process whose log it reads")]
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(self::message(&line));
                }
            });
            return (http, admin);
        }
        said.push(line);
    }
    panic!("the gateway ended instead of starting:\n{}", said.join("\n"));
}

/// The message of a line of the log.
fn message(line: &str) -> String {
    let entry: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    let message = entry["fields"]["message"].as_str().or(entry["message"].as_str());
    message.unwrap_or_default().to_owned()
}
