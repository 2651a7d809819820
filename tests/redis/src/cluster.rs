//! A cluster of six: three primaries, each with a replica. The nodes `i` and `i + 3` are a shard and stay so.

mod slot;
mod topology;

pub use self::slot::{Move, slot_of};
use self::topology::View;
use crate::server::{Builder, Mode, Server};
use crate::wait::until;

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;

const SHARDS: usize = 3;

const SETTINGS: &[&str] = &[
    "cluster-node-timeout 1000",
    "cluster-announce-ip 127.0.0.1",
    // Shards stay as they are, so that a test knows who replaces whom.
    "cluster-allow-replica-migration no",
];

/// Six running, stopped or killed servers. Dropped, they are killed.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Server>,
}

impl Cluster {
    /// Starts six servers and makes them a cluster. When this returns, all of them serve.
    pub fn start() -> Cluster {
        Cluster::of(&Server::builder())
    }

    /// The same with servers of one's own making; without TLS.
    pub fn of(builder: &Builder) -> Cluster {
        let builder = builder.clone().mode(Mode::Cluster).with(SETTINGS);
        let cluster = Cluster { nodes: (0..2 * SHARDS).map(|_| builder.clone().start()).collect() };
        cluster.form();
        cluster
    }

    fn form(&self) {
        for (i, node) in self.nodes.iter().enumerate() {
            // Nodes that agree on their ages from the beginning need not settle that later.
            node.must(&["CLUSTER", "SET-CONFIG-EPOCH", &(i + 1).to_string()]);
            if i < SHARDS {
                let bound = |shard: usize| shard * usize::from(SLOTS) / SHARDS;
                let (first, last) = (bound(i), bound(i + 1) - 1);
                node.must(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
            }
        }
        // Each meets each: faster than to wait for what they hear of each other.
        for (i, node) in self.nodes.iter().enumerate() {
            for other in &self.nodes[i + 1..] {
                let (port, bus) = (other.port().to_string(), other.bus_port().to_string());
                node.must(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
            }
        }
        for (i, replica) in self.nodes.iter().enumerate().skip(SHARDS) {
            let primary = self.nodes[i - SHARDS].must(&["CLUSTER", "MYID"]).text();
            until("the replica has met its primary", || replica.cli(&["CLUSTER", "REPLICATE", &primary]).ok());
        }
        self.wait_until_ok();
    }

    /// `redis+cluster://127.0.0.1:<port>,…` with all six, and the password if there is one.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let password = self.nodes[0].password().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis+cluster://{password}{}", hosts.join(","))
    }

    /// A node's server, to be stopped and asked.
    pub fn node(&self, i: usize) -> &Server {
        &self.nodes[i]
    }

    /// All of them.
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    /// Kills a node as `kill -9` does.
    pub fn kill(&self, i: usize) {
        self.nodes[i].kill();
    }

    /// Starts a node again on its data, and waits until all nodes that run agree that all is well.
    pub fn restart(&self, i: usize) {
        self.nodes[i].restart();
        self.wait_until_ok();
    }

    /// How many elections there have been: each, and each slot that changes its owner, begins an epoch.
    pub fn epoch(&self) -> u64 {
        let epoch = |node: &Server| {
            let info = node.cli(&["CLUSTER", "INFO"]).ok()?.text();
            info.lines().find_map(|line| line.strip_prefix("cluster_current_epoch:"))?.trim().parse().ok()
        };
        self.nodes.iter().filter_map(epoch).max().unwrap_or(0)
    }

    /// The nodes that are primaries with slots now, by their own account.
    pub fn primaries(&self) -> Vec<usize> {
        let is_primary = |i: &usize| self.view(*i).is_some_and(|view| !view.own().slots.is_empty());
        (0..self.nodes.len()).filter(is_primary).collect()
    }

    /// The other node of the same shard: its replica, or its primary.
    pub fn partner(&self, i: usize) -> usize {
        (i + SHARDS) % self.nodes.len()
    }

    /// The node that serves a slot. Waits while none does.
    pub fn owner_of_slot(&self, slot: u16) -> usize {
        until("a node owns the slot", || {
            let views = (0..self.nodes.len()).filter_map(|i| Some((i, self.view(i)?)));
            // One that comes back may not know yet that another took its place.
            let owners = views.filter(|(_, view)| view.own().slots.contains(slot));
            owners.max_by_key(|(_, view)| view.own().epoch).map(|(i, _)| i)
        })
    }

    /// Waits until a node that was killed or stopped is replaced by its partner, and the others know; gives that.
    pub fn until_replaced(&self, i: usize) -> usize {
        let partner = self.partner(i);
        until("the replica is the primary", || (!self.view(partner)?.own().slots.is_empty()).then_some(()));
        self.wait_until_ok();
        partner
    }

    /// Waits until all nodes that answer agree on who has which slots, all slots are served, and the replicas that run
    /// are in sync. A cluster that has not noticed yet that a node is gone is well, too: see [`Cluster::until_replaced`].
    pub fn wait_until_ok(&self) {
        until("the cluster is well", || self.is_ok().then_some(()));
    }

    fn is_ok(&self) -> bool {
        let answering: Vec<usize> = (0..self.nodes.len()).filter(|&i| self.nodes[i].answers()).collect();
        let views: Option<Vec<View>> = answering.iter().map(|&i| self.view(i)).collect();
        let Some(views) = views else { return false };
        let serves = |&i: &usize| {
            let node = &self.nodes[i];
            let state = node.cli(&["CLUSTER", "INFO"]).map(|info| info.text()).unwrap_or_default();
            let primary_runs = self.nodes[self.partner(i)].answers();
            let in_sync = node.info("role").as_deref() == Some("master")
                || !primary_runs
                || node.info("master_link_status").as_deref() == Some("up");
            state.contains("cluster_state:ok") && in_sync
        };
        let agreed = views.first().is_some_and(|first| {
            views.iter().all(|view| view.nodes.len() == self.nodes.len() && view.layout() == first.layout())
        });
        let all_seen = views.iter().all(|view| answering.iter().all(|&i| view.sees(self.nodes[i].port())));
        agreed && all_seen && answering.iter().all(serves)
    }

    fn view(&self, i: usize) -> Option<View> {
        let node = &self.nodes[i];
        if !node.answers() {
            return None;
        }
        View::parse(&node.cli(&["CLUSTER", "NODES"]).ok()?.text())
    }
}
