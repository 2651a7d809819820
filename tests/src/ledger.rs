//! Clients that write down what the gateways acknowledged, durably, before they go on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{API_KEY, Client};

/// A client gives up on an answer after this time, and asks again.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// A client that was told to come later, or that found nobody, does so after this time: what `Retry-After` says would
/// be long for a test.
const PAUSE: Duration = Duration::from_millis(40);

/// Several clients that send one event after the other, to whichever gateway answers.
pub struct Senders {
    gateways: watch::Sender<Vec<Client>>,
    acknowledged: watch::Receiver<u64>,
    pace: Arc<Mutex<Pace>>,
    tasks: JoinSet<()>,
    files: Vec<PathBuf>,
}

/// How it went for all of them together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// How often 503 was answered, each time with `Retry-After`.
    pub refused: u64,
    /// How often nobody took the connection.
    pub unreachable: u64,
    /// How often a connection was cut, or no answer came in time: what became of the event was not known.
    pub unanswered: u64,
    /// How often an event that was sent again turned out to be stored already.
    pub known_already: u64,
    /// The longest time in which nothing was acknowledged.
    pub gap_max: Duration,
    acknowledged_at: Option<Instant>,
}

impl Senders {
    /// Starts so many, each with a file in the directory; they wait for a gateway. `event` makes an event of an id.
    pub async fn start(count: usize, dir: &Path, event: fn(&str) -> Value) -> Senders {
        let gateways = watch::Sender::new(Vec::new());
        let (sender, acknowledged) = watch::channel(0);
        let pace = Arc::<Mutex<Pace>>::default();
        let mut tasks = JoinSet::new();
        let files: Vec<PathBuf> = (0..count).map(|number| dir.join(format!("ledger-{number}"))).collect();
        for (number, path) in files.iter().enumerate() {
            let one = Sending {
                number,
                event,
                gateways: gateways.subscribe(),
                ledger: File::create(path).await.expect("a ledger"),
                acknowledged: sender.clone(),
                pace: Arc::clone(&pace),
            };
            tasks.spawn(one.run());
        }
        Senders { gateways, acknowledged, pace, tasks, files }
    }

    /// Tells them where the gateways are; with none they wait.
    pub fn point_to<'a>(&self, gateways: impl IntoIterator<Item = &'a Client>) {
        self.gateways.send_replace(gateways.into_iter().cloned().collect());
    }

    /// How many events have been acknowledged.
    pub fn acknowledged(&self) -> u64 {
        *self.acknowledged.borrow()
    }

    /// How it went so far.
    pub fn pace(&self) -> Pace {
        let mut pace = *locked(&self.pace);
        pace.gap();
        pace
    }

    /// The longest time in which nothing is acknowledged is counted anew from now on.
    pub fn forget_gap(&self) {
        locked(&self.pace).gap_max = Duration::ZERO;
    }

    /// Waits until so many events have been acknowledged.
    ///
    /// # Panics
    /// When a sender ends: it got an answer that no client should get.
    pub async fn until(&mut self, count: u64) {
        tokio::select! {
            reached = self.acknowledged.wait_for(|acknowledged| *acknowledged >= count) => {
                reached.expect("the senders go on");
            }
            ended = self.tasks.join_next() => panic!("a sender ended: {ended:?}"),
        }
    }

    /// Waits until so many more have been acknowledged; gives how long that took.
    pub async fn more(&mut self, count: u64) -> Duration {
        let began = Instant::now();
        self.until(self.acknowledged() + count).await;
        began.elapsed()
    }

    /// Waits until so many more requests have been answered with 503.
    pub async fn until_refused(&mut self, more: u64) {
        let wanted = self.pace().refused + more;
        while self.pace().refused < wanted {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
                ended = self.tasks.join_next() => panic!("a sender ended: {ended:?}"),
            }
        }
    }

    /// Ends them, and reads from the disk what was acknowledged.
    ///
    /// # Panics
    /// When one of them has ended before.
    pub async fn ledger(mut self) -> BTreeSet<String> {
        if let Some(ended) = self.tasks.try_join_next() {
            panic!("a sender ended: {ended:?}");
        }
        self.tasks.shutdown().await;
        let read = |path: &PathBuf| std::fs::read_to_string(path).expect("the ledger");
        // A line that was cut off when its sender ended is no entry.
        let lines =
            |text: String| text.split_inclusive('\n').filter_map(|l| Some(l.strip_suffix('\n')?.into())).collect();
        self.files.iter().map(read).flat_map(|text| -> Vec<String> { lines(text) }).collect()
    }
}

impl Pace {
    fn gap(&mut self) {
        let gap = self.acknowledged_at.map_or(Duration::ZERO, |at| at.elapsed());
        self.gap_max = self.gap_max.max(gap);
    }

    fn acknowledge(&mut self) {
        self.gap();
        self.acknowledged_at = Some(Instant::now());
    }
}

struct Sending {
    number: usize,
    event: fn(&str) -> Value,
    gateways: watch::Receiver<Vec<Client>>,
    ledger: File,
    acknowledged: watch::Sender<u64>,
    pace: Arc<Mutex<Pace>>,
}

impl Sending {
    /// Sends events until it is ended.
    async fn run(mut self) {
        // Each prefers another gateway.
        let mut turn = self.number;
        for sequence in 0u64.. {
            let id = format!("sender-{}-{sequence}", self.number);
            self.insist(&id, &mut turn).await;
            self.ledger.write_all(format!("{id}\n").as_bytes()).await.expect("a line");
            self.ledger.flush().await.expect("a line");
            self.ledger.sync_data().await.expect("a durable line");
            locked(&self.pace).acknowledge();
            self.acknowledged.send_modify(|count| *count += 1);
        }
    }

    /// Sends an event until it is acknowledged, always under the same id, to the next gateway where one fails.
    async fn insist(&mut self, id: &str, turn: &mut usize) {
        let body = (self.event)(id).to_string();
        loop {
            let gateways = self.gateways.wait_for(|all| !all.is_empty()).await.expect("the test goes on").clone();
            let client = &gateways[*turn % gateways.len()];
            let request = client.request(reqwest::Method::POST, "/v1/events").bearer_auth(API_KEY).body(body.clone());
            match client.send(request.timeout(ANSWER_MAX)).await {
                Ok(answer) if answer.status == 200 => {
                    assert_eq!(answer.event_id(0), id, "{}", answer.text);
                    locked(&self.pace).known_already += u64::from(answer.json["duplicates"] == 1);
                    return;
                }
                Ok(answer) => {
                    assert_eq!(answer.status, 503, "{}", answer.text);
                    let seconds = answer.header("retry-after").and_then(|after| after.parse::<u64>().ok());
                    assert!(seconds.is_some_and(|seconds| seconds > 0), "503 says when to come again: {}", answer.text);
                    locked(&self.pace).refused += 1;
                }
                Err(error) if is_connect(&error) => locked(&self.pace).unreachable += 1,
                Err(_) => locked(&self.pace).unanswered += 1,
            }
            *turn += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn is_connect(error: &anyhow::Error) -> bool {
    error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect)
}

fn locked(pace: &Mutex<Pace>) -> std::sync::MutexGuard<'_, Pace> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}
