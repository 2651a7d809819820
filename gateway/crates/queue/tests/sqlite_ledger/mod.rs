//! A ledger of what a process that may die was told is safe: it prints a line for each, and whoever started it looks
//! for them in the file afterwards.

// Each test file is compiled with its own copy of this module, and none uses all of it.
#![allow(dead_code, reason = "shared by several test binaries")]

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tidegate_queue::sqlite::{Mode, OpenError, Options};
use tidegate_queue::*;

/// Set for the process that is to die: the path of its file, and the number of its life.
const FILE: &str = "QUEUE_LEDGER_FILE";
const LIFE: &str = "QUEUE_LEDGER_LIFE";

/// What was told.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) stored: Vec<String>,
    pub(crate) delivered: Vec<String>,
    /// What else was told: refusals, failures, the end.
    pub(crate) remarks: Vec<String>,
}

pub(crate) fn open(path: &Path) -> Result<Arc<dyn Queue>, OpenError> {
    let options = Options { mode: Mode::Serve, limits: Limits::overall(1_000_000) };
    Ok(Arc::new(SqliteQueue::open(path, options)?))
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The file and the life of the process that is to die; none in the ordinary run of its test, which then does nothing.
pub(crate) fn task() -> Option<(std::path::PathBuf, u128)> {
    let (path, life) = (std::env::var_os(FILE)?, std::env::var(LIFE).ok()?);
    Some((path.into(), life.parse().unwrap()))
}

/// Adds to a command that starts this test binary, or starts it under something, what makes it do its task.
pub(crate) fn arm<'a>(command: &'a mut Command, path: &Path, life: u64) -> &'a mut Command {
    command
        .args(["--exact", "the_process_to_be_killed", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .env(LIFE, life.to_string())
}

/// An entry with a delivery to `meta` and one to `ga4`; `n` is its own.
pub(crate) fn entry(id: &str, n: u128) -> Entry {
    Entry {
        key: EntryKey { scope: "shop".into(), id: id.into() },
        affinity: String::new(),
        received_ms: 1,
        now_ms: 1,
        record: id.into(),
        deliveries: ["meta", "ga4"]
            .iter()
            .zip(2 * n..)
            .map(|(destination, key)| NewDelivery {
                key: DeliveryKey(key.to_be_bytes()),
                destination: (*destination).into(),
                payload: format!("{destination} {id}").into_bytes(),
                state: NewState::Due(1),
            })
            .collect(),
        profile: Vec::new(),
    }
}

/// Leases some of `meta`, with the attempts that deliver them.
pub(crate) async fn begin_deliveries(queue: &Arc<dyn Queue>) -> (Vec<Lease>, Vec<Attempt>) {
    let wish =
        LeaseRequest { destination: "meta".into(), count_max: 10, bytes_max: 1 << 20, now_ms: 1, until_ms: 1000 };
    let leased = queue.lease(wish).await.unwrap().deliveries;
    let attempts = leased.iter().map(|lease| Attempt {
        key: lease.key,
        token: lease.token,
        record: Vec::new(),
        at_ms: 1,
        now_ms: 1,
        outcome: Outcome::Delivered,
    });
    let attempts = attempts.collect();
    (leased, attempts)
}

/// One line in one write, so that a kill cuts it nowhere but at the end.
pub(crate) fn tell(line: &str) {
    std::io::stdout().lock().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl Ledger {
    /// Notes a line; what the test harness prints in between is none, nor is a line that a kill cut short. Tells whether
    /// something was acknowledged.
    pub(crate) fn note(&mut self, line: &str) -> bool {
        let (list, text) = match line.split_once(' ') {
            Some(("stored", id)) => (&mut self.stored, id),
            Some(("delivered", id)) => (&mut self.delivered, id),
            Some(("remark", text)) => {
                self.remarks.push(text.to_owned());
                return false;
            }
            _ => return false,
        };
        list.push(text.to_owned());
        true
    }

    pub(crate) fn remarked(&self, text: &str) -> bool {
        self.remarks.iter().any(|remark| remark.contains(text))
    }

    /// Looks for everything that was acknowledged.
    pub(crate) async fn check(&self, queue: &Arc<dyn Queue>) {
        for id in &self.stored {
            let found = queue.find(id).await.unwrap();
            assert_eq!(found.len(), 1, "`{id}` was acknowledged");
            assert_eq!(found[0].record, id.as_bytes());
            assert_eq!(found[0].deliveries.len(), 2, "`{id}` is whole");
            assert_eq!(found[0].deliveries[0].payload, format!("meta {id}").into_bytes());
            assert_eq!(found[0].deliveries[1].state, State::Waiting(1), "nobody delivered `{id}` to ga4");
        }
        for id in &self.delivered {
            let found = queue.find(id).await.unwrap();
            assert_eq!(found[0].deliveries[0].state, State::Delivered, "`{id}` was delivered");
        }
    }
}
