//! What arrived: each request, in order, and waiting for more of them. Knows no platform and no HTTP server.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tokio::sync::watch;

/// One request, as it arrived, and what was made of it.
#[derive(Debug, Clone)]
pub struct Received {
    /// 0 for the first request that this fake has read in full.
    pub order: u64,
    /// Unix time in milliseconds, by the fake's clock.
    pub arrived_ms: i64,
    pub method: String,
    pub path: String,
    /// The query's pairs, decoded, in order.
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The body, where it is JSON.
    pub json: Option<Value>,
    /// The status of the answer; `None` where the connection ends without one.
    pub status: Option<u16>,
    /// The events that the platform took from it.
    pub events: Vec<Value>,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

impl Received {
    /// User and password of Basic authentication (RFC 7617).
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        let pair = self.header("authorization")?.strip_prefix("Basic ")?;
        let pair = String::from_utf8(BASE64_STANDARD.decode(pair).ok()?).ok()?;
        pair.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
    }

    /// The first value of this query parameter.
    pub fn query_value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The header's value, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// How much of what arrives is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Every request.
    Everything,
    /// The last so many requests.
    Last(usize),
    /// Only how often each event id came; requests are neither checked nor kept. For load tests.
    EventIds,
}

/// What was waited for did not come.
#[derive(Debug, thiserror::Error)]
#[error("`{platform}` got {got} of {wanted} {what} within {within_ms} ms; what arrived:\n{arrived}")]
pub struct WaitError {
    pub platform: &'static str,
    pub what: &'static str,
    pub wanted: u64,
    pub got: u64,
    pub within_ms: u128,
    /// One line a request.
    pub arrived: String,
}

/// How much has arrived, ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) events: u64,
}

/// Everything that has arrived.
#[derive(Debug)]
pub(crate) struct Log {
    keep: Keep,
    kept: Mutex<Kept>,
    counts: watch::Sender<Counts>,
}

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<Arc<Received>>,
    ids: BTreeMap<String, u64>,
}

impl Log {
    pub(crate) fn new(keep: Keep) -> Log {
        Log { keep, kept: Mutex::default(), counts: watch::Sender::new(Counts::default()) }
    }

    pub(crate) fn keep(&self) -> Keep {
        self.keep
    }

    /// Records a request and gives it its place in the order of arrival.
    pub(crate) fn record(&self, mut received: Received) {
        let mut kept = self.lock();
        self.counts.send_modify(|counts| {
            received.order = counts.requests;
            counts.requests += 1;
            counts.events += received.events.len() as u64;
        });
        if let Keep::Last(most) = self.keep
            && kept.requests.len() >= most
        {
            kept.requests.pop_front();
        }
        kept.requests.push_back(Arc::new(received));
    }

    /// Counts the events of a request that is not kept.
    pub(crate) fn tally(&self, events: u64, event_ids: Vec<String>) {
        let mut kept = self.lock();
        self.counts.send_modify(|counts| {
            counts.requests += 1;
            counts.events += events;
        });
        for id in event_ids {
            *kept.ids.entry(id).or_default() += 1;
        }
    }

    pub(crate) fn requests(&self) -> Vec<Arc<Received>> {
        self.lock().requests.iter().cloned().collect()
    }

    pub(crate) fn ids(&self) -> BTreeMap<String, u64> {
        self.lock().ids.clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Forgets what arrived, but not the order: the next request's number goes on from here.
    pub(crate) fn clear(&self) {
        *self.lock() = Kept::default();
    }

    /// Waits until `enough` of the counts; `None` where that takes longer than `within`.
    pub(crate) async fn wait(&self, within: Duration, enough: impl FnMut(&Counts) -> bool) -> Option<()> {
        let mut counts = self.counts.subscribe();
        tokio::time::timeout(within, counts.wait_for(enough)).await.ok()?.ok()?;
        Some(())
    }

    /// What arrived, a line a request, for an error that a person reads.
    pub(crate) fn summary(&self) -> String {
        const LINES_MAX: usize = 50;
        let requests = self.requests();
        let mut lines = String::new();
        for request in requests.iter().take(LINES_MAX) {
            let status = request.status.map_or("no answer".to_owned(), |status| status.to_string());
            let _ = writeln!(lines, "  {}. {} {} → {status}", request.order, request.method, request.path);
            for problem in &request.problems {
                let _ = writeln!(lines, "     problem: {problem}");
            }
            let body: String = String::from_utf8_lossy(&request.body).chars().take(600).collect();
            let _ = writeln!(lines, "     {body}");
        }
        if requests.len() > LINES_MAX {
            let _ = writeln!(lines, "  … and {} more", requests.len() - LINES_MAX);
        }
        if lines.is_empty() {
            lines.push_str("  nothing\n");
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A panic while recording leaves whole requests behind, which are still worth showing.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
