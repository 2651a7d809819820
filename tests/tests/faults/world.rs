//! What every fault test stands on: platforms, clients with their ledger, a configuration; and the reckoning at the end.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_tests::{Accounts, Client, Fault, Form, Pace, Platforms, Process, Row, Senders, Settings};
use tokio::time::Instant;

const SENDERS: usize = 4;
/// Requests under way for one destination of one process.
pub(crate) const CONCURRENCY: usize = 4;
/// What a dead worker leased is somebody else's after half a minute; a busy machine needs more.
const PATIENCE: Duration = Duration::from_secs(120);
/// After which time leases of half a minute are renewed.
const RENEWAL_MS: i64 = 10_000;
const ASK_EVERY: Duration = Duration::from_millis(20);

pub(crate) struct World {
    pub(crate) platforms: Platforms,
    pub(crate) senders: Senders,
    pub(crate) config: PathBuf,
    faults: Vec<Fault>,
    recovery: Option<Duration>,
    _dir: TempDir,
}

/// How a test is told of.
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) fault: &'static str,
    pub(crate) done: String,
}

/// What was counted before the senders ended.
pub(crate) struct End {
    pub(crate) accounts: Accounts,
    pub(crate) pace: Pace,
}

/// A webhook alone, no failure of which ends a delivery, and a store whose absence is noticed soon.
pub(crate) fn settings() -> Settings {
    Settings {
        store: "timeout_ms = 500\nconnect_timeout_ms = 500\n".into(),
        delivery: format!(
            "timeout_ms = 2000\nbackoff_base_ms = 40\nbackoff_max_ms = 400\nattempts_max = 1000\nshutdown_ms = 3000\n\
             concurrency = {CONCURRENCY}\n"
        ),
        ..Settings::hook()
    }
}

/// The same with a store that may take its time: for who counts refusals, on a machine that is busy.
pub(crate) fn patient() -> Settings {
    Settings { store: "timeout_ms = 10000\nconnect_timeout_ms = 5000\n".into(), ..settings() }
}

pub(crate) fn event(id: &str) -> Value {
    json!({ "event": "purchase", "message_id": id, "anonymous_id": format!("visitor-{id}") })
}

/// A number from 1 to the greatest, no one knows which.
pub(crate) fn random(max: u64) -> u64 {
    1 + RandomState::new().hash_one(max) % max
}

impl World {
    pub(crate) async fn over(store: &str) -> World {
        World::with(store, &settings()).await
    }

    pub(crate) async fn with(store: &str, settings: &Settings) -> World {
        let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
        let config = Process::configure_on(store, settings, &platforms, dir.path());
        let senders = Senders::start(SENDERS, dir.path(), event).await;
        World { platforms, senders, config, faults: Vec::new(), recovery: None, _dir: dir }
    }

    pub(crate) async fn process(&self, roles: &str) -> Process {
        Process::start_as(&self.config, roles).await
    }

    /// A collector that the senders are pointed to, and a worker.
    pub(crate) async fn pair(&self) -> (Process, Process) {
        let (collector, worker) = (self.process("collect").await, self.process("deliver").await);
        self.senders.point_to([&collector.client]);
        (collector, worker)
    }

    /// Notes a fault that has ended: it explains why the platform gets something again.
    pub(crate) fn note(&mut self, fault: Fault) {
        self.faults.push(fault.end());
    }

    /// The same of a fault that the store lost leases in. A worker sends what it leased before, until it asks for its
    /// leases after a third of their time and learns that they are gone.
    pub(crate) fn note_with_leases(&mut self, fault: Fault) {
        let fault = fault.end();
        self.faults.push(Fault { until_ms: fault.until_ms + RENEWAL_MS, ..fault });
    }

    /// Waits until events are taken again, and notes how long that took from the end of a fault.
    pub(crate) async fn recovered(&mut self, since: Instant) {
        self.senders.more(SENDERS as u64 + 1).await;
        self.recovery = self.recovery.max(Some(since.elapsed()));
    }

    /// Ends the senders, waits until nothing waits, and asks for every acknowledged event.
    pub(crate) async fn settle(self, client: &Client, story: Story) -> End {
        let end = self.reckon(Some(client), story).await;
        end.accounts.all_settled();
        end
    }

    /// The same, but without waiting for what waits, and without failing where events are lost, where `client` is none.
    pub(crate) async fn reckon(self, client: Option<&Client>, story: Story) -> End {
        let pace = self.senders.pace();
        let ledger: BTreeSet<String> = self.senders.ledger().await;
        if let Some(client) = client {
            drained(client).await;
        }
        let accounts = Accounts::take(&self.config, &ledger, &self.platforms.webhook, &self.faults).await;
        let row = Row {
            name: story.name,
            fault: story.fault,
            done: story.done,
            acknowledged: ledger.len(),
            lost: accounts.lost.len(),
            again: accounts.again,
            silent: pace.gap_max,
            recovery: self.recovery,
        };
        row.write();
        assert!(!ledger.is_empty(), "nothing was acknowledged");
        End { accounts, pace }
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

/// Waits until `/readyz` answers so; gives what it says.
pub(crate) async fn ready(client: &Client, status: u16) -> Value {
    let asking = async {
        loop {
            let answer = client.admin("/readyz").await;
            if answer.status == status {
                return answer.json;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("/readyz never says {status}"))
}

/// Something that blocks the thread while a server starts or ends.
pub(crate) fn block<T>(what: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(what)
}

/// The forms' numbers.
pub(crate) fn times<T>(short: T, long: T) -> T {
    Form::asked().of(short, long)
}
