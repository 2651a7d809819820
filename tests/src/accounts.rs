//! Asks after faults for every event that was acknowledged: whether the platform has it, whether the store has it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use tidegate_fakes::{Clock, Fake};

use crate::Process;

/// When something was done to a process: between these two times, both Unix milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub from_ms: i64,
    pub until_ms: i64,
}

impl Fault {
    /// One that begins now.
    pub fn begin() -> Fault {
        let now_ms = Clock::system().now_ms();
        Fault { from_ms: now_ms, until_ms: now_ms }
    }

    /// It is over.
    #[must_use]
    pub fn end(self) -> Fault {
        Fault { until_ms: Clock::system().now_ms(), ..self }
    }
}

/// What became of the acknowledged events of a test with one destination.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    pub delivered: usize,
    pub waiting: usize,
    pub dead: usize,
    /// Those that are nowhere.
    pub lost: BTreeSet<String>,
    /// Those that the platform has, and the store has not any more: its journal is kept for a while only.
    pub swept: BTreeSet<String>,
    /// How many the platform took more than once.
    pub again: usize,
    /// The longest time from receiving an event to its coming to the platform.
    pub latency_max_ms: u64,
}

/// One event in the store.
#[derive(Debug, Default)]
struct Stored {
    entries: usize,
    received_ms: i64,
    states: Vec<Value>,
}

impl Accounts {
    /// Takes stock of the store that the configuration names, by `tidegate store export`, and of the platform that its
    /// one destination delivers to. Nothing may change meanwhile.
    ///
    /// # Panics
    /// When an event is stored as two, when one that is told to be delivered never arrived, and when the platform took
    /// one again although none of these faults came in between.
    pub async fn take(config: &Path, ledger: &BTreeSet<String>, platform: &Fake, faults: &[Fault]) -> Accounts {
        let stored = export(config).await;
        let arrivals = arrivals(platform);
        let mut accounts = Accounts::default();
        for id in ledger {
            let Some(one) = stored.get(id) else {
                let gone = if arrivals.contains_key(id) { &mut accounts.swept } else { &mut accounts.lost };
                gone.insert(id.clone());
                continue;
            };
            assert!(one.entries == 1 && one.states.len() == 1, "`{id}` is stored {} times: {one:?}", one.entries);
            match &one.states[0] {
                Value::String(state) if state == "delivered" => {
                    let came_ms = arrivals.get(id).and_then(|times| times.first());
                    let came_ms = came_ms.unwrap_or_else(|| panic!("`{id}` is said to be delivered, and never came"));
                    let latency_ms = u64::try_from(came_ms - one.received_ms).unwrap_or(0);
                    accounts.latency_max_ms = accounts.latency_max_ms.max(latency_ms);
                    accounts.delivered += 1;
                }
                state if !state["waiting"].is_null() => accounts.waiting += 1,
                state if !state["dead"].is_null() => accounts.dead += 1,
                state => panic!("`{id}` is {state}"),
            }
        }
        for (id, times) in &arrivals {
            for pair in times.windows(2) {
                let explains = |fault: &Fault| pair[0] <= fault.until_ms && pair[1] >= fault.from_ms;
                assert!(faults.iter().any(explains), "the platform got `{id}` again without a fault: {times:?}");
            }
            accounts.again += usize::from(times.len() > 1);
        }
        accounts
    }

    /// Nothing is lost, nothing waits, and the journal has all of it.
    ///
    /// # Panics
    /// When that is not so.
    pub fn all_settled(&self) {
        assert!(self.swept.is_empty(), "the store has forgotten events that it took: {:?}", self.swept);
        self.all_delivered();
    }

    /// Nothing is lost, nothing waits; of what was delivered, the journal may have gone.
    ///
    /// # Panics
    /// When that is not so.
    pub fn all_delivered(&self) {
        assert!(self.lost.is_empty(), "{} acknowledged events are lost: {:?}", self.lost.len(), self.lost);
        assert_eq!(self.waiting, 0, "events wait that should have been delivered: {self:?}");
    }
}

/// When the platform took each event, in order.
fn arrivals(platform: &Fake) -> BTreeMap<String, Vec<i64>> {
    let mut all = BTreeMap::<String, Vec<i64>>::new();
    for request in platform.requests() {
        for event in &request.events {
            let ids = [&event["data"]["id"], &event["event_id"], &event["params"]["event_id"]];
            let id = ids.iter().find_map(|id| id.as_str()).unwrap_or_else(|| panic!("an event has an id: {event:#}"));
            all.entry(id.to_owned()).or_default().push(request.arrived_ms);
        }
    }
    all
}

/// Everything that is stored, by the events' ids.
async fn export(config: &Path) -> BTreeMap<String, Stored> {
    let config = config.to_str().expect("a path in UTF-8");
    let output = Process::command(&["store", "export", "--config", config]).output().await.expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the store was not exported: {said}");
    let mut all = BTreeMap::<String, Stored>::new();
    for line in String::from_utf8(output.stdout).expect("lines of JSON").lines() {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        let entry = line["entry"].take();
        let Some(id) = entry["id"].as_str() else { continue };
        let one = all.entry(id.to_owned()).or_default();
        one.entries += 1;
        one.received_ms = entry["received_ms"].as_i64().unwrap_or(0);
        let deliveries = entry["deliveries"].as_array().into_iter().flatten();
        one.states.extend(deliveries.map(|delivery| delivery["state"].clone()));
    }
    all
}
