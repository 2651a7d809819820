//! What a server is to be like: its program, its configuration file, its users and certificates.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use super::{CONFIG, Ended, LOG, Ports, Server};
use crate::port;
use crate::program::Program;
use crate::tls::{ClientCertificates, Tls};

/// What every server is configured with, unless lines that follow say otherwise: what docs ask of an operator, and
/// below that what makes a server quick to follow another.
const DEFAULTS: &[&str] = &[
    "appendonly yes",
    "appendfsync everysec",
    "save \"\"",
    "maxmemory-policy noeviction",
    "bind 127.0.0.1",
    "protected-mode no",
    "daemonize no",
    "enable-debug-command local",
    "tcp-backlog 128",
    "repl-diskless-sync-delay 0",
    "repl-ping-replica-period 1",
];

/// How often a start is tried anew with other ports, after others took the chosen ones.
const STARTS_MAX: u32 = 10;

/// What a server is to be like.
#[derive(Debug, Clone)]
pub struct Builder {
    program: Program,
    lines: Vec<String>,
    password: Option<String>,
    tls: Option<ClientCertificates>,
    mode: Mode,
    terminal: Terminal,
}

/// What kind of server the process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Single,
    Cluster,
    Sentinel,
}

/// Whom the terminal's signals reach, such as that of Ctrl-C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// The server too, so that nothing is left of a test that is interrupted.
    Shared,
    /// Only who started it.
    Apart,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            program: Program::Redis,
            lines: Vec::new(),
            password: None,
            tls: None,
            mode: Mode::Single,
            terminal: Terminal::Shared,
        }
    }
}

impl Builder {
    /// Redis unless this says otherwise.
    #[must_use]
    pub fn program(self, program: Program) -> Builder {
        Builder { program, ..self }
    }

    /// Lines of the configuration file, after the defaults.
    #[must_use]
    pub fn with(mut self, lines: &[&str]) -> Builder {
        self.lines.extend(lines.iter().map(|&line| line.to_owned()));
        self
    }

    /// The password of the user `default`; [`Server::url`] and [`Server::cli`] use it.
    #[must_use]
    pub fn password(self, password: &str) -> Builder {
        Builder { password: Some(password.to_owned()), ..self }
    }

    /// A further user, with rules as ACL SETUSER takes them: `~tidegate:* &* +@all -@dangerous`.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str, rules: &str) -> Builder {
        self.lines.push(format!("user {name} on >{password} {rules}"));
        self
    }

    /// A port with TLS besides the plain one; [`Server::url`] then names that.
    #[must_use]
    pub fn tls(self, clients: ClientCertificates) -> Builder {
        Builder { tls: Some(clients), ..self }
    }

    /// Ctrl-C does not reach it: whoever started it ends it, after those that use it.
    #[must_use]
    pub fn apart(self) -> Builder {
        Builder { terminal: Terminal::Apart, ..self }
    }

    #[must_use]
    pub(crate) fn mode(self, mode: Mode) -> Builder {
        Builder { mode, ..self }
    }

    /// Starts it; when this returns, it answers.
    ///
    /// # Panics
    /// When it does not start; shows its log.
    pub fn start(self) -> Server {
        let dir = tempfile::Builder::new().prefix("tidegate-redis-").tempdir().expect("a temporary directory");
        let tls = self.tls.map(|_| Tls::make(dir.path()));
        let mut server = Server {
            program: self.program,
            mode: self.mode,
            terminal: self.terminal,
            ports: Ports { plain: 0, tls: None, bus: None },
            password: self.password.clone(),
            tls,
            child: Mutex::new(None),
            paused: AtomicBool::new(false),
            dir,
        };
        for _ in 0..STARTS_MAX {
            server.ports = Ports {
                plain: port::free(),
                tls: self.tls.map(|_| port::free()),
                bus: (self.mode == Mode::Cluster).then(port::free),
            };
            std::fs::write(server.dir().join(CONFIG), self.config(&server)).expect("a writable directory");
            match server.launch() {
                Ok(()) => return server,
                Err(Ended::PortTaken) => {}
                Err(Ended::Otherwise(said)) => panic!("the server did not start:\n{said}"),
            }
        }
        panic!("others took every port that was chosen, {STARTS_MAX} times");
    }

    fn config(&self, server: &Server) -> String {
        let mut lines = vec![
            format!("port {}", server.ports.plain),
            format!("dir {}", server.dir().display()),
            format!("logfile {LOG}"),
        ];
        match self.mode {
            // A sentinel knows few of a server's settings.
            Mode::Sentinel => lines.extend(["bind 127.0.0.1", "protected-mode no"].map(str::to_owned)),
            Mode::Single | Mode::Cluster => lines.extend(DEFAULTS.iter().map(|&line| line.to_owned())),
        }
        if let Some(bus) = server.ports.bus {
            lines.push(format!("cluster-enabled yes\ncluster-port {bus}\ncluster-config-file nodes.conf"));
        }
        if let Some(password) = &self.password {
            lines.push(format!("requirepass {password}\nmasterauth {password}"));
        }
        if let (Some(tls), Some(port), Some(clients)) = (&server.tls, server.ports.tls, self.tls) {
            let clients = if clients == ClientCertificates::Required { "yes" } else { "no" };
            lines.push(format!("tls-port {port}\ntls-auth-clients {clients}"));
            lines.push(format!("tls-cert-file {}\ntls-key-file {}", tls.certificate.display(), tls.key.display()));
            lines.push(format!("tls-ca-cert-file {}", tls.ca.display()));
        }
        lines.extend_from_slice(&self.lines);
        lines.push(String::new());
        lines.join("\n")
    }
}
