//! Sentinels that watch a primary and its replicas, and make a replica the primary when the primary is gone.

use crate::resp::Connection;
use crate::server::{Builder, Mode, Server};
use crate::wait::until;

const SERVICE: &str = "tidegate";

/// Three sentinels, of which two must agree.
#[derive(Debug)]
pub struct Sentinels {
    nodes: Vec<Server>,
    password: Option<String>,
}

/// A primary, its replicas, and sentinels that watch them.
#[derive(Debug)]
pub struct Replicated {
    /// The servers; the first one was the primary at the beginning.
    pub nodes: Vec<Server>,
    pub sentinels: Sentinels,
}

impl Sentinels {
    /// Makes servers replicas of a primary, and starts sentinels. When this returns, each sentinel knows all servers
    /// and the other sentinels. The servers have to have the same password, if any.
    pub fn watching(primary: &Server, replicas: &[&Server]) -> Sentinels {
        for replica in replicas {
            replica.replica_of(primary);
        }
        let port = primary.port();
        let lines = [
            format!("sentinel monitor {SERVICE} 127.0.0.1 {port} 2"),
            format!("sentinel down-after-milliseconds {SERVICE} 700"),
            format!("sentinel failover-timeout {SERVICE} 3000"),
        ];
        let mut lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let secret = primary.password().map(|password| format!("sentinel auth-pass {SERVICE} {password}"));
        lines.extend(secret.as_deref());
        let start = |_| {
            let sentinel = Builder::default().program(primary.program()).mode(Mode::Sentinel).with(&lines).start();
            // By default they look around once in ten seconds, and do nothing for thirty when the machine was busy
            // for two.
            let settings = "INFO-PERIOD 500 ASK-PERIOD 200 PUBLISH-PERIOD 200 TILT-PERIOD 1000";
            let command: Vec<_> = ["SENTINEL", "DEBUG"].into_iter().chain(settings.split(' ')).collect();
            sentinel.must(&command);
            sentinel
        };
        let nodes: Vec<_> = (0..3).map(start).collect();
        let sentinels = Sentinels { nodes, password: primary.password().map(str::to_owned) };
        for sentinel in &sentinels.nodes {
            until("the sentinel knows all servers and the other sentinels", || {
                let knows = |list: &str| Some(sentinel.cli(&["SENTINEL", list, SERVICE]).ok()?.array().len());
                (knows("REPLICAS")? == replicas.len() && knows("SENTINELS")? == 2).then_some(())
            });
        }
        sentinels
    }

    /// `redis+sentinel://127.0.0.1:<port>,127.0.0.1:<port>,127.0.0.1:<port>/tidegate`, with the servers' password.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let password = self.password.iter().map(|password| format!(":{password}@")).collect::<String>();
        format!("redis+sentinel://{password}{}/{SERVICE}", hosts.join(","))
    }

    /// The name under which they watch the primary.
    pub fn service(&self) -> &'static str {
        SERVICE
    }

    /// The sentinels' own processes, to be harmed like others.
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    /// The primary's port, as the sentinels that answer say; during a failover, as the first of them says.
    ///
    /// # Panics
    /// When none answers.
    pub fn primary_port(&self) -> u16 {
        self.ports().first().copied().expect("a sentinel answers")
    }

    /// Waits until all sentinels that answer name another primary than this one, and that takes writes; gives its port.
    pub fn until_primary_is_not(&self, port: u16) -> u16 {
        until("the sentinels name another primary", || {
            let ports = self.ports();
            let first = *ports.first()?;
            (first != port && ports.iter().all(|other| *other == first) && self.is_primary(first)).then_some(first)
        })
    }

    /// Tells them to make a replica the primary while the primary lives, and waits until it is; gives its port.
    pub fn failover(&self) -> u16 {
        let before = self.primary_port();
        let sentinel = self.nodes.iter().find(|node| node.answers()).expect("a sentinel answers");
        // It refuses while it has not seen a replica's state for the last seconds.
        until("a sentinel begins", || sentinel.cli(&["SENTINEL", "FAILOVER", SERVICE]).ok());
        self.until_primary_is_not(before)
    }

    fn ports(&self) -> Vec<u16> {
        let answering = self.nodes.iter().filter(|node| node.answers());
        answering
            .filter_map(|node| node.cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).ok())
            .filter_map(|address| address.texts().get(1)?.parse().ok())
            .collect()
    }

    fn is_primary(&self, port: u16) -> bool {
        let ask = || {
            let mut connection = Connection::open(port)?;
            if let Some(password) = &self.password {
                connection.call(&["AUTH", password])?;
            }
            connection.call(&["ROLE"])
        };
        ask().is_ok_and(|role| role.array().first().is_some_and(|role| role.text() == "master"))
    }
}

impl Replicated {
    /// A primary, so many replicas and three sentinels.
    pub fn start(replicas: usize) -> Replicated {
        Replicated::of(&Server::builder(), replicas)
    }

    /// The same with servers of one's own making.
    pub fn of(builder: &Builder, replicas: usize) -> Replicated {
        let nodes: Vec<_> = (0..=replicas).map(|_| builder.clone().start()).collect();
        let others: Vec<_> = nodes.iter().skip(1).collect();
        let sentinels = Sentinels::watching(&nodes[0], &others);
        Replicated { nodes, sentinels }
    }

    /// The sentinels' address.
    pub fn url(&self) -> String {
        self.sentinels.url()
    }

    /// The server that the sentinels say is the primary.
    pub fn primary(&self) -> &Server {
        self.by_port(self.sentinels.primary_port())
    }

    /// Kills the primary and waits until another is; gives the dead and the new one.
    pub fn kill_primary(&self) -> (&Server, &Server) {
        let dead = self.primary();
        dead.kill();
        (dead, self.by_port(self.sentinels.until_primary_is_not(dead.port())))
    }

    fn by_port(&self, port: u16) -> &Server {
        self.nodes.iter().find(|node| node.port() == port).expect("the primary is one of them")
    }
}
