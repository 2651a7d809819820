//! One server: a process with a directory and ports of its own, which a test can kill, stop and start again.

mod builder;
mod process;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use rustix::process::Signal;
use tempfile::TempDir;

pub use self::builder::Builder;
pub(crate) use self::builder::{Mode, Terminal};
use self::process::{all_stopped, has_ended, signal, stop_with_forks};
use crate::program::Program;
use crate::resp::{Connection, Error, Reply};
use crate::tls::Tls;
use crate::wait::{PATIENCE, until, within};

const CONFIG: &str = "server.conf";
const LOG: &str = "server.log";

/// A running, stopped or killed server. Dropped, it is killed and its directory removed.
#[derive(Debug)]
pub struct Server {
    program: Program,
    mode: Mode,
    terminal: Terminal,
    ports: Ports,
    password: Option<String>,
    tls: Option<Tls>,
    child: Mutex<Option<Child>>,
    paused: AtomicBool,
    dir: TempDir,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    plain: u16,
    tls: Option<u16>,
    bus: Option<u16>,
}

/// Why a process is not a server that answers.
enum Ended {
    PortTaken,
    Otherwise(String),
}

impl Server {
    /// A Redis server that writes its log of commands to disk each second and never evicts.
    pub fn start() -> Server {
        Server::builder().start()
    }

    /// The same with further lines of its configuration file: `Server::with(&["appendfsync always"])`.
    pub fn with(lines: &[&str]) -> Server {
        Server::builder().with(lines).start()
    }

    /// To choose the program, users, or TLS.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The plain port, also of a server with TLS.
    pub fn port(&self) -> u16 {
        self.ports.plain
    }

    /// The port with TLS.
    ///
    /// # Panics
    /// When it has none.
    pub fn tls_port(&self) -> u16 {
        self.ports.tls.expect("the server was started with TLS")
    }

    /// The certificates of a server with TLS.
    ///
    /// # Panics
    /// When it has none.
    pub fn tls(&self) -> &Tls {
        self.tls.as_ref().expect("the server was started with TLS")
    }

    /// `redis://127.0.0.1:<port>`, with the password if there is one; `rediss://` and its port with TLS.
    pub fn url(&self) -> String {
        match &self.password {
            Some(password) => self.url_of(&format!(":{password}@")),
            None => self.url_of(""),
        }
    }

    /// The same for another user.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        self.url_of(&format!("{user}:{password}@"))
    }

    fn url_of(&self, user: &str) -> String {
        match self.ports.tls {
            Some(port) => format!("rediss://{user}127.0.0.1:{port}"),
            None => format!("redis://{user}127.0.0.1:{}", self.ports.plain),
        }
    }

    /// Where its data, its configuration and its log are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// All that it has logged, also before it was started again.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.dir().join(LOG)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it was killed.
    pub fn pid(&self) -> u32 {
        self.child().as_ref().expect("the server runs").id()
    }

    /// Whether there is a process, be it stopped or not.
    pub fn is_running(&self) -> bool {
        self.child().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Whether it runs and is not stopped by [`Server::pause`].
    pub fn answers(&self) -> bool {
        self.is_running() && !self.paused.load(Ordering::SeqCst)
    }

    pub(crate) fn program(&self) -> Program {
        self.program
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    pub(crate) fn bus_port(&self) -> u16 {
        self.ports.bus.expect("it is a cluster's node")
    }

    /// A connection of a test's own, authenticated.
    pub fn connect(&self) -> Result<Connection, Error> {
        let mut connection = Connection::open(self.ports.plain)?;
        if let Some(password) = &self.password {
            connection.call(&["AUTH", password])?;
        }
        Ok(connection)
    }

    /// Sends one command on a new connection: `server.cli(&["CONFIG", "GET", "save"])`.
    pub fn cli<A: AsRef<[u8]>>(&self, command: &[A]) -> Result<Reply, Error> {
        self.connect()?.call(command)
    }

    /// The same where it has to succeed.
    ///
    /// # Panics
    /// When it does not.
    pub fn must<A: AsRef<[u8]>>(&self, command: &[A]) -> Reply {
        self.cli(command).unwrap_or_else(|error| {
            let words: Vec<_> = command.iter().map(|word| String::from_utf8_lossy(word.as_ref())).collect();
            panic!("`{}` on port {}: {error}: {error:?}\n{}", words.join(" "), self.ports.plain, self.log());
        })
    }

    /// One field of INFO, such as `used_memory` or `master_link_status`.
    pub fn info(&self, field: &str) -> Option<String> {
        let info = self.cli(&["INFO", "everything"]).ok()?.text();
        info.lines()
            .find_map(|line| Some(line.split_once(':')?).filter(|(name, _)| *name == field))?
            .1
            .to_owned()
            .into()
    }

    /// Kills it as `kill -9` does, also when it is stopped, and waits for its end. What it has forked to write a file
    /// dies with it: nothing writes to its directory any more.
    pub fn kill(&self) {
        let child = self.child().take();
        self.paused.store(false, Ordering::SeqCst);
        if let Some(mut child) = child {
            let forks = if matches!(child.try_wait(), Ok(None)) { stop_with_forks(&child) } else { Vec::new() };
            child.kill().expect("it can be killed");
            child.wait().expect("it can be waited for");
            until("the processes that it forked are gone", || forks.iter().all(|&fork| has_ended(fork)).then_some(()));
        }
    }

    /// Asks it to end, as a service manager does, and waits: it saves what it has to.
    pub fn terminate(&self) {
        let child = self.child().take();
        if let Some(mut child) = child {
            signal(&child, Signal::TERM);
            until("the server ends", || child.try_wait().expect("it can be waited for"));
        }
    }

    /// Stops it, as SIGSTOP does: its connections stay, and it answers nothing.
    pub fn pause(&self) {
        let child = self.child();
        let child = child.as_ref().expect("the server runs");
        signal(child, Signal::STOP);
        self.paused.store(true, Ordering::SeqCst);
        until("every thread of the server stands still", || all_stopped(child.id()).then_some(()));
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal(self.child().as_ref().expect("the server runs"), Signal::CONT);
        self.paused.store(false, Ordering::SeqCst);
    }

    /// Starts it again on the same ports and the same directory, and kills it before if it still runs. When this
    /// returns, it has loaded its data.
    ///
    /// # Panics
    /// When it does not start; shows its log.
    pub fn restart(&self) {
        self.kill();
        // Whoever took the port in the meantime may let go of it.
        let started = within(PATIENCE, || match self.launch() {
            Ok(()) => Some(()),
            Err(Ended::PortTaken) => None,
            Err(Ended::Otherwise(said)) => panic!("the server did not start again:\n{said}"),
        });
        assert!(started.is_some(), "others hold the server's port {}", self.ports.plain);
    }

    /// Makes it a replica of another server, and waits until it has that server's data.
    pub fn replica_of(&self, primary: &Server) {
        self.must(&["REPLICAOF", "127.0.0.1", &primary.ports.plain.to_string()]);
        self.must(&["CONFIG", "REWRITE"]);
        until("the replica is in sync", || (self.info("master_link_status")? == "up").then_some(()));
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Starts the process and waits until it answers.
    fn launch(&self) -> Result<(), Ended> {
        let logged = self.log().len();
        let mut command = Command::new(self.program.path());
        command.arg(self.dir().join(CONFIG)).current_dir(self.dir());
        if self.mode == Mode::Sentinel {
            command.arg("--sentinel");
        }
        if self.terminal == Terminal::Apart {
            command.process_group(0);
        }
        let output = || {
            let path: PathBuf = self.dir().join("output.log");
            Stdio::from(std::fs::File::options().create(true).append(true).open(path).expect("a writable directory"))
        };
        let child = command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(output()).stderr(output()).spawn();
        let pid = {
            let mut slot = self.child();
            slot.insert(child.expect("the server's program runs")).id()
        };
        let said = || {
            let output = std::fs::read_to_string(self.dir().join("output.log")).unwrap_or_default();
            output + self.log().get(logged..).unwrap_or_default()
        };
        let answers = || {
            if !self.is_running() {
                self.child().take();
                let said = said();
                let taken = said.contains("Address already in use") || said.contains("Failed listening on port");
                return Some(Err(if taken { Ended::PortTaken } else { Ended::Otherwise(said) }));
            }
            // What answers might be a server of somebody else who was quicker.
            let ours = self.info("process_id").is_some_and(|id| id == pid.to_string());
            (ours && self.cli(&["PING"]).is_ok_and(|reply| reply.text() == "PONG")).then_some(Ok(()))
        };
        within(PATIENCE, answers).unwrap_or_else(|| Err(Ended::Otherwise(said())))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
