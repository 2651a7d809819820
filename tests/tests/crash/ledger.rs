//! Clients that write down what the gateway acknowledged, durably, before they go on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tidegate_tests::{API_KEY, Client};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::purchase;

/// Several clients that send one event after the other, to whichever gateway there is.
pub(crate) struct Senders {
    /// Where the gateway is; `None` while it is down.
    gateway: watch::Sender<Option<Client>>,
    acknowledged: watch::Receiver<u64>,
    tasks: JoinSet<()>,
    files: Vec<PathBuf>,
}

impl Senders {
    /// Starts so many; they wait for a gateway.
    pub(crate) async fn start(count: usize, dir: &Path) -> Senders {
        let gateway = watch::Sender::new(None);
        let (sender, acknowledged) = watch::channel(0);
        let mut tasks = JoinSet::new();
        let files: Vec<PathBuf> = (0..count).map(|number| dir.join(format!("ledger-{number}"))).collect();
        for (number, path) in files.iter().enumerate() {
            let ledger = File::create(path).await.expect("a ledger");
            tasks.spawn(send(number, gateway.subscribe(), ledger, sender.clone()));
        }
        Senders { gateway, acknowledged, tasks, files }
    }

    /// Tells them where the gateway is, or that it is about to be gone.
    pub(crate) fn point_to(&self, gateway: Option<&Client>) {
        self.gateway.send_replace(gateway.cloned());
    }

    /// How many events have been acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        *self.acknowledged.borrow()
    }

    /// Waits until so many events have been acknowledged.
    pub(crate) async fn until(&mut self, count: u64) {
        tokio::select! {
            reached = self.acknowledged.wait_for(|acknowledged| *acknowledged >= count) => {
                reached.expect("the senders go on");
            }
            ended = self.tasks.join_next() => panic!("a sender ended: {ended:?}"),
        }
    }

    /// Ends them, and reads from the disk what was acknowledged.
    pub(crate) async fn ledger(mut self) -> BTreeSet<String> {
        self.tasks.shutdown().await;
        let read = |path: &PathBuf| std::fs::read_to_string(path).expect("the ledger");
        // A line that was cut off when its sender ended is no entry.
        let lines =
            |text: String| text.split_inclusive('\n').filter_map(|l| Some(l.strip_suffix('\n')?.into())).collect();
        self.files.iter().map(read).flat_map(|text| -> Vec<String> { lines(text) }).collect()
    }
}

/// Sends events until it is ended. One that was not acknowledged is sent again, under the same id.
async fn send(
    number: usize,
    mut gateway: watch::Receiver<Option<Client>>,
    mut ledger: File,
    acknowledged: watch::Sender<u64>,
) {
    for sequence in 0u64.. {
        let id = format!("sender-{number}-{sequence}");
        let body = purchase(&id).to_string();
        loop {
            let client =
                gateway.wait_for(Option::is_some).await.expect("the test goes on").clone().expect("it is some");
            let request = client.request(reqwest::Method::POST, "/v1/events").bearer_auth(API_KEY).body(body.clone());
            if let Ok(answer) = client.send(request).await {
                assert_eq!(answer.status, 200, "{}", answer.text);
                break;
            }
        }
        ledger.write_all(format!("{id}\n").as_bytes()).await.expect("a line");
        ledger.flush().await.expect("a line");
        ledger.sync_data().await.expect("a durable line");
        acknowledged.send_modify(|count| *count += 1);
    }
}
