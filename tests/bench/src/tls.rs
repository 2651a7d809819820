//! What TLS costs the gateway, beside nginx with the same certificate and the same answer: full handshakes, resumed ones,
//! and requests over connections that are kept, in a second of the server's CPU.

mod client;
mod nginx;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use rustls::{HandshakeKind, NamedGroup};
use tidegate_test_tls::{Authority, Nginx};

use self::client::Client;
use crate::gateway::Gateway;
use crate::proc::family_cpu_s;
use crate::store::{Kind, Store};
use crate::table::{Row, median};

/// The site's host, as `Store` configures it.
const HOST: &str = "track.shop.example";
const ROUNDS: usize = 5;
/// The kernel counts in hundredths of a second: so many take one or more.
const CONNECTIONS: u64 = 3_000;
const REQUESTS: u64 = 40_000;
const WARM_UP: u64 = 200;
const GROUPS: [NamedGroup; 2] = [NamedGroup::X25519, NamedGroup::X25519MLKEM768];

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    /// A connection, one request, and its end; with a key exchange of this group, and the certificate shown or not.
    Connect(NamedGroup, HandshakeKind),
    /// A request over a connection that is there.
    Request,
}

impl Act {
    const ALL: [Act; 5] = [
        Act::Connect(GROUPS[0], HandshakeKind::Full),
        Act::Connect(GROUPS[0], HandshakeKind::Resumed),
        Act::Connect(GROUPS[1], HandshakeKind::Full),
        Act::Connect(GROUPS[1], HandshakeKind::Resumed),
        Act::Request,
    ];

    fn name(self) -> String {
        match self {
            Act::Connect(group, HandshakeKind::Resumed) => format!("tls/resumed, {group:?}"),
            Act::Connect(group, _) => format!("tls/full handshake, {group:?}"),
            Act::Request => "tls/request, connection kept".into(),
        }
    }

    /// What is compared with it in a server that knows the groups, or only the first of them.
    fn in_server(self, knows: &[NamedGroup]) -> Act {
        match self {
            Act::Connect(group, kind) if !knows.contains(&group) => Act::Connect(GROUPS[0], kind),
            known => known,
        }
    }

    fn group(self) -> NamedGroup {
        match self {
            Act::Connect(group, _) => group,
            Act::Request => GROUPS[0],
        }
    }
}

/// A server that runs, and whose processor time is told.
struct Server {
    address: SocketAddr,
    pid: u32,
    groups: Vec<NamedGroup>,
    /// For each act, the times in a CPU-second of each round.
    rates: Vec<(Act, Vec<f64>)>,
}

pub(crate) async fn measure() -> anyhow::Result<Vec<Row>> {
    let store = Store::start(Kind::Sqlite)?;
    let config = secured(&store)?;
    let dir = config.parent().context("it lies in a directory")?;
    Authority::new().issue(&[HOST]).write(dir, "shop");
    let gateway = Gateway::start(&config, "collect,deliver").await?;
    let https = gateway.https()?;
    let answer = Client::new(https, NamedGroup::X25519, HandshakeKind::Full)?.ask().await?;
    let nginx = Nginx::start(dir, "shop", &nginx::server(&answer)?);
    let same = Client::new(nginx.address, NamedGroup::X25519, HandshakeKind::Full)?.ask().await?;
    anyhow::ensure!((&same.status, &same.body) == (&answer.status, &answer.body), "nginx answers otherwise: {same:?}");
    let mut servers = [Server::new(https, gateway.id).await?, Server::new(nginx.address, nginx.id()).await?];
    let [ours, theirs] = servers.each_ref().map(|server| &server.groups);
    println!("both answer GET / with {}; nginx is {}", answer.status, nginx.version);
    println!("key exchanges: gateway {ours:?}, nginx {theirs:?}");
    for round in 0..ROUNDS {
        for act in Act::ALL {
            // Whoever is first in one round is last in the next.
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for index in order {
                servers[index].round(act).await?;
            }
        }
    }
    let [ours, theirs] = &servers;
    let rows = Act::ALL.map(|act| {
        let beside = act.in_server(&theirs.groups);
        let note = if beside == act { String::new() } else { format!(" (nginx: {:?})", beside.group()) };
        Row::new(format!("{}{note}", act.name()), ours.rate(act), "1/CPU-s", theirs.rate(beside))
    });
    drop(nginx);
    gateway.stop().await?;
    Ok(rows.into())
}

/// The configuration of a gateway that speaks TLS.
fn secured(store: &Store) -> anyhow::Result<PathBuf> {
    let file = store.configure("[tls]\ncertificates = [{ cert = \"shop.pem\", key = \"shop.key\" }]\n")?;
    let text = std::fs::read_to_string(&file).with_context(|| format!("read `{}`", file.display()))?;
    let listening = text.replacen("[listen]\n", "[listen]\nhttps = \"127.0.0.1:0\"\n", 1);
    std::fs::write(&file, listening).with_context(|| format!("write `{}`", file.display()))?;
    Ok(file)
}

impl Server {
    async fn new(address: SocketAddr, pid: u32) -> anyhow::Result<Server> {
        let mut groups = Vec::new();
        for group in GROUPS {
            if Client::new(address, group, HandshakeKind::Full)?.ask().await.is_ok() {
                groups.push(group);
            }
        }
        anyhow::ensure!(groups.contains(&GROUPS[0]), "no handshake comes about with {address}");
        Ok(Server { address, pid, groups, rates: Act::ALL.map(|act| (act, Vec::new())).into() })
    }

    /// Does it so often, and notes what it cost; not what the server has no key exchange for.
    async fn round(&mut self, act: Act) -> anyhow::Result<()> {
        if !self.groups.contains(&act.group()) {
            return Ok(());
        }
        let times = match act {
            Act::Connect(..) => CONNECTIONS,
            Act::Request => REQUESTS,
        };
        let kind = match act {
            Act::Connect(_, kind) => kind,
            Act::Request => HandshakeKind::Full,
        };
        let client = Client::new(self.address, act.group(), kind)?;
        let perform = async |times| match act {
            Act::Connect(..) => client.connect(times).await,
            Act::Request => client.request(times).await,
        };
        perform(WARM_UP).await?;
        let before = family_cpu_s(self.pid)?;
        perform(times).await?;
        let spent_s = family_cpu_s(self.pid)? - before;
        let (_, rates) = self.rates.iter_mut().find(|(one, _)| *one == act).context("every act has its place")?;
        rates.push(times as f64 / spent_s);
        Ok(())
    }

    /// The middle of the rounds.
    fn rate(&self, act: Act) -> f64 {
        let rates = self.rates.iter().find(|(one, _)| *one == act).map(|(_, rates)| rates.clone());
        median(rates.unwrap_or_default())
    }
}
