//! The Redis Cluster: six servers, each started again when it dies.
//!
//! A server stays away for longer than its replica takes to be promoted. A primary that comes back at once, before the
//! replica takes over, is the primary still, with what it had written to its file; and what it acknowledged in its last
//! moments may only be at the replica, which then forgets it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tidegate_test_redis::{Cluster, Server};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::say;

const LOOK_EVERY: Duration = Duration::from_millis(300);
/// A failover takes two to three seconds here.
const RESTART_AFTER: Duration = Duration::from_secs(5);

/// Three primaries, each with a replica.
pub(super) struct Store {
    cluster: Arc<Cluster>,
}

/// A server as it is at the moment.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) pid: u32,
    pub(super) address: String,
    pub(super) role: String,
}

/// What one look at the servers shows.
struct Look {
    dead: BTreeSet<usize>,
    primaries: BTreeSet<usize>,
}

impl Store {
    pub(super) async fn start() -> anyhow::Result<Store> {
        let start = || Cluster::of(&Server::builder().apart());
        let cluster = spawn_blocking(start).await.context(
            "start a Redis Cluster\nhint: is `redis-server` 7.0 or newer installed? `make redis` installs it on Debian",
        )?;
        Ok(Store { cluster: Arc::new(cluster) })
    }

    /// What `[store]` has to say. Traces are kept for as long as a person may look at them, for they cost memory.
    pub(super) fn lines(&self) -> String {
        format!("url = \"{}\"\ndurability = \"replicated\"\njournal_minutes = 10", self.cluster.url())
    }

    pub(super) fn describe(&self) -> Vec<Node> {
        let primaries = self.cluster.primaries();
        let node = |(i, server): (usize, &Server)| Node {
            name: name(i),
            pid: server.pid(),
            address: format!("127.0.0.1:{}", server.port()),
            role: match primaries.contains(&i) {
                true => "primary".to_owned(),
                false => format!("replica of {}", name(self.cluster.partner(i))),
            },
        };
        self.cluster.nodes().iter().enumerate().map(node).collect()
    }

    /// Starts again what dies, until all is to stop; then ends all.
    pub(super) async fn keep_running(self, stop: CancellationToken) {
        let mut look_again = interval(LOOK_EVERY);
        look_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut away: [Option<Instant>; 6] = [None; 6];
        let mut pids: Vec<u32> = self.cluster.nodes().iter().map(Server::pid).collect();
        let mut primaries: BTreeSet<usize> = self.cluster.primaries().into_iter().collect();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = look_again.tick() => {}
            }
            let Some(look) = self.look().await else { continue };
            for &i in &look.dead {
                if away[i].is_none() {
                    say::died(&name(i), pids[i], "is gone", RESTART_AFTER);
                    away[i] = Some(Instant::now());
                }
            }
            for &i in look.primaries.difference(&primaries) {
                say::promoted(&name(i), &name(self.cluster.partner(i)));
            }
            // One that is away has not stopped being the primary until another is.
            let still = |i: &&usize| look.dead.contains(i) && !look.primaries.contains(&self.cluster.partner(**i));
            primaries = look.primaries.union(&primaries.iter().filter(still).copied().collect()).copied().collect();
            for (i, since) in away.iter_mut().enumerate() {
                if since.is_some_and(|since| since.elapsed() >= RESTART_AFTER)
                    && let Some(pid) = self.restart(i).await
                {
                    *since = None;
                    pids[i] = pid;
                    say::back(&name(i), pid);
                }
            }
        }
        let _ = spawn_blocking(move || drop(self)).await;
    }

    async fn look(&self) -> Option<Look> {
        let cluster = self.cluster.clone();
        let look = move || Look {
            dead: (0..cluster.nodes().len()).filter(|&i| !cluster.node(i).is_running()).collect(),
            primaries: cluster.primaries().into_iter().collect(),
        };
        spawn_blocking(look).await.ok()
    }

    async fn restart(&self, i: usize) -> Option<u32> {
        let cluster = self.cluster.clone();
        let restart = move || {
            cluster.node(i).restart();
            cluster.node(i).pid()
        };
        spawn_blocking(restart).await.ok()
    }
}

fn name(i: usize) -> String {
    format!("redis-{}", i + 1)
}
