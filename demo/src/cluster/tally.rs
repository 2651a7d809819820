//! What became of the client's events: acknowledged, delivered, lost. Asks the platform first, and the gateways where
//! the platform has not seen an event for long.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tidegate_fakes::Fake;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{PLATFORM, say};
use crate::gateway::ADMIN_TOKEN;
use crate::platforms::Platforms;

/// What the ids of the client's events begin with.
pub(super) const PREFIX: &str = "cluster-client-";

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What has not come by then is asked for.
const PATIENCE: Duration = Duration::from_secs(10);
const QUESTIONS_MAX: usize = 20;
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The client's events.
#[derive(Default)]
pub(super) struct Tally {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    under_way: usize,
    acknowledged: u64,
    delivered: u64,
    /// Acknowledged and not delivered yet, with the time of the acknowledgement or of the last question.
    open: HashMap<String, Instant>,
    /// Delivered before the client heard of the acknowledgement.
    early: HashSet<String>,
    lost: BTreeSet<String>,
    refusals: BTreeMap<String, u64>,
    last: Option<Instant>,
}

/// Everything at one moment.
pub(super) struct Numbers {
    /// Sent and not acknowledged.
    pub(super) under_way: usize,
    pub(super) acknowledged: u64,
    pub(super) delivered: u64,
    pub(super) open: usize,
    pub(super) lost: usize,
    /// Since the last acknowledgement.
    pub(super) silence: Duration,
    /// Why events were not taken since the last look, with how often.
    pub(super) refusals: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn under_way(&self, count: usize) {
        self.lock().under_way = count;
    }

    pub(super) fn acknowledged(&self, id: String) {
        let mut inner = self.lock();
        inner.acknowledged += 1;
        inner.last = Some(Instant::now());
        if inner.early.remove(&id) {
            inner.delivered += 1;
        } else {
            inner.open.insert(id, Instant::now());
        }
    }

    pub(super) fn refused(&self, why: String) {
        *self.lock().refusals.entry(why).or_default() += 1;
    }

    pub(super) fn numbers(&self) -> Numbers {
        let mut inner = self.lock();
        Numbers {
            under_way: inner.under_way,
            acknowledged: inner.acknowledged,
            delivered: inner.delivered,
            open: inner.open.len(),
            lost: inner.lost.len(),
            silence: inner.last.map(|last| last.elapsed()).unwrap_or_default(),
            refusals: std::mem::take(&mut inner.refusals),
        }
    }

    /// Waits until all that was acknowledged has been delivered, so long at most.
    pub(super) async fn settle(&self, max: Duration) {
        let settled = async {
            while !self.lock().open.is_empty() {
                sleep(LOOK_EVERY).await;
            }
        };
        // What is open still is told by the numbers.
        let _ = timeout(max, settled).await;
    }

    fn delivered(&self, id: &str) {
        let mut inner = self.lock();
        inner.lost.remove(id);
        if inner.open.remove(id).is_some() {
            inner.delivered += 1;
        } else {
            // Or once more, which is rare enough to be kept as well.
            inner.early.insert(id.to_owned());
        }
    }

    /// What has been open for long; each is not asked for again for as long.
    fn overdue(&self) -> Vec<String> {
        let mut inner = self.lock();
        let late = inner.open.iter_mut().filter(|(_, since)| since.elapsed() > PATIENCE).take(QUESTIONS_MAX);
        let asked = late.map(|(id, since)| {
            *since = Instant::now();
            id.clone()
        });
        asked.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at what arrives, and prints the numbers once a second.
pub(super) async fn watch(
    tally: Arc<Tally>,
    platforms: Arc<Platforms>,
    admins: Vec<SocketAddr>,
    stop: CancellationToken,
) {
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build() else { return };
    let Some(webhook) = platforms.fake(PLATFORM) else { return };
    let (mut next, mut looks) = (0, 0_u32);
    let (started, mut look_again) = (Instant::now(), interval(LOOK_EVERY));
    look_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look_again.tick() => {}
        }
        next = arrived(&tally, webhook, next);
        for id in tally.overdue() {
            ask(&tally, &client, &admins, &id).await;
        }
        looks += 1;
        if looks.is_multiple_of(4) {
            say::numbers(started.elapsed(), &tally.numbers());
        }
    }
}

/// Counts what the webhook's receiver took since the last look; gives where the next one begins.
fn arrived(tally: &Tally, webhook: &Fake, from: u64) -> u64 {
    let requests = webhook.requests();
    for request in requests.iter().filter(|request| request.order >= from) {
        let ids = request.events.iter().filter_map(|event| event["data"]["id"].as_str());
        ids.filter(|id| id.starts_with(PREFIX)).for_each(|id| tally.delivered(id));
    }
    requests.last().map_or(from, |request| request.order + 1)
}

/// Asks the first process that answers what became of an event.
async fn ask(tally: &Tally, client: &reqwest::Client, admins: &[SocketAddr], id: &str) {
    for admin in admins {
        let request = client.get(format!("http://{admin}/api/events/{id}")).bearer_auth(ADMIN_TOKEN);
        let Ok(answer) = request.send().await else { continue };
        match answer.status().as_u16() {
            200 => {
                let trace = answer.text().await.unwrap_or_default();
                let trace: Value = serde_json::from_str(&trace).unwrap_or_default();
                if trace["outcome"] == "delivered" {
                    tally.delivered(id);
                }
                return;
            }
            404 => {
                tally.lock().lost.insert(id.to_owned());
                return;
            }
            _ => {}
        }
    }
}
