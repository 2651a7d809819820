//! What every test of this binary stands on: the cluster, the gateways and workers, the platform, the clients.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_test_redis::{Cluster, slot_of};
use tidegate_tests::{Accounts, Client, Fault, Platforms, Process, Row, Senders, Settings};
use tokio::time::Instant;

/// So many that some go on while others wait for a partition that is away.
const SENDERS: usize = 12;
/// So many acknowledgements are no leftovers: each client has got some.
const ENOUGH: u64 = 3 * SENDERS as u64;
/// What a dead worker leased is somebody else's after half a minute; a busy machine needs more.
const PATIENCE: Duration = Duration::from_secs(120);
/// After which time leases of half a minute are renewed.
const RENEWAL_MS: i64 = 10_000;
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Of a store that is not told otherwise.
pub(crate) const PARTITIONS: u16 = 64;

pub(crate) struct Stand {
    pub(crate) cluster: Cluster,
    pub(crate) platforms: Platforms,
    pub(crate) config: PathBuf,
    pub(crate) gateways: Vec<Process>,
    pub(crate) workers: Vec<Process>,
    pub(crate) senders: Senders,
    pub(crate) dir: TempDir,
    faults: Vec<Fault>,
    /// Since when nobody has done anything to the cluster, and its epoch then.
    calm: (Fault, u64),
    silent: Duration,
    recovery: Option<Duration>,
}

/// How a test is told of.
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) fault: &'static str,
    pub(crate) done: String,
}

/// A webhook alone, no failure of which ends a delivery; an acknowledged event is in two memories.
pub(crate) fn settings() -> Settings {
    Settings {
        store: "durability = \"replicated\"\ntimeout_ms = 1000\nconnect_timeout_ms = 1000\n".into(),
        delivery: "timeout_ms = 2000\nbackoff_base_ms = 40\nbackoff_max_ms = 400\nattempts_max = 1000\n\
                   shutdown_ms = 3000\n"
            .into(),
        ..Settings::hook()
    }
}

pub(crate) fn event(id: &str) -> Value {
    json!({ "event": "purchase", "message_id": id, "anonymous_id": format!("visitor-{id}") })
}

/// The slot in which a partition's keys are.
pub(crate) fn slot(partition: u16) -> u16 {
    slot_of(&format!("tidegate:{{q:{partition:02}}}:delivery"))
}

/// A primary that dies may take leases along that its replica has never heard of, and the replica gives them to somebody
/// else. Whoever had them sends what it leased, until it asks for its leases and learns that they are gone.
fn with_leases(fault: Fault) -> Fault {
    Fault { until_ms: fault.until_ms + RENEWAL_MS, ..fault }
}

/// Something that blocks the thread while servers start, end or move their slots.
pub(crate) fn block<T>(what: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(what)
}

impl Stand {
    /// Starts everything; the clients send to both gateways already.
    pub(crate) async fn start() -> Stand {
        let stand = Stand::quiet(&settings()).await;
        stand.point_senders();
        stand
    }

    /// The same with clients that wait.
    pub(crate) async fn quiet(settings: &Settings) -> Stand {
        let cluster = block(Cluster::start);
        let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
        let config = Process::configure_on(&cluster.url(), settings, &platforms, dir.path());
        let (mut gateways, mut workers) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            gateways.push(Process::start_as(&config, "collect").await);
            workers.push(Process::start_as(&config, "deliver").await);
        }
        let senders = Senders::start(SENDERS, dir.path(), event).await;
        let (faults, silent, recovery) = (Vec::new(), Duration::ZERO, None);
        let calm = (Fault::begin(), cluster.epoch());
        Stand { cluster, platforms, config, gateways, workers, senders, dir, faults, calm, silent, recovery }
    }

    /// On a busy machine a server may not get a turn for so long that the others elect its replica. Nobody asked for
    /// that; it is a fault all the same.
    #[expect(clippy::print_stdout, reason = "what a test met with is worth reading")]
    fn note_unasked(&mut self) {
        let (since, epoch) = self.calm;
        let now = block(|| self.cluster.epoch());
        if now != epoch {
            println!("the cluster elected by itself: epoch {epoch} became {now}");
            self.faults.push(with_leases(since.end()));
        }
    }

    /// Tells the clients where both gateways are.
    pub(crate) fn point_senders(&self) {
        self.senders.point_to(self.gateways.iter().map(|gateway| &gateway.client));
    }

    /// Waits until the clients are at work, and begins a fault.
    pub(crate) async fn begin(&mut self) -> Fault {
        self.senders.more(ENOUGH).await;
        self.senders.forget_gap();
        self.note_unasked();
        Fault::begin()
    }

    /// Notes that a fault has ended, and waits until events are taken again; gives the longest time in which nothing
    /// was acknowledged.
    pub(crate) async fn end(&mut self, fault: Fault) -> Duration {
        let ended = Instant::now();
        self.senders.more(ENOUGH).await;
        self.recovery = self.recovery.max(Some(ended.elapsed()));
        self.faults.push(with_leases(fault.end()));
        self.calm = (Fault::begin(), block(|| self.cluster.epoch()));
        let silent = self.senders.pace().gap_max;
        self.silent = self.silent.max(silent);
        silent
    }

    /// Ends the clients, waits until nothing waits, and asks for every acknowledged event.
    ///
    /// # Panics
    /// When one is lost.
    #[expect(clippy::print_stdout, reason = "the numbers of a test that passed are worth reading, too")]
    pub(crate) async fn settle(mut self, story: Story) {
        self.note_unasked();
        let pace = self.senders.pace();
        let ledger: BTreeSet<String> = self.senders.ledger().await;
        drained(&self.gateways[0].client).await;
        let accounts = Accounts::take(&self.config, &ledger, &self.platforms.webhook, &self.faults).await;
        let row = Row {
            name: story.name,
            fault: story.fault,
            done: story.done,
            acknowledged: ledger.len(),
            lost: accounts.lost.len(),
            again: accounts.again,
            silent: self.silent,
            recovery: self.recovery,
        };
        row.write();
        println!("{row:?} {pace:?}");
        assert!(!ledger.is_empty(), "nothing was acknowledged");
        accounts.all_settled();
    }
}

/// Waits until no delivery waits.
pub(crate) async fn drained(client: &Client) {
    let mut last = Value::Null;
    let search = async {
        loop {
            last = client.status("hook").await;
            if last["waiting"] == 0 {
                return;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    if tokio::time::timeout(PATIENCE, search).await.is_err() {
        panic!("deliveries wait still: {last:#}");
    }
}
