//! Reloading, as those see it who ask for it: how, and what the last one came to. Reloads nothing: `app/reload.rs` does.

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::config::Mistakes;
use crate::snapshot::Snapshot;

/// What the last reload came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Status {
    /// What runs is what was started.
    #[default]
    Never,
    /// What runs is what was read then.
    Done { at_ms: u64, took_ms: u64, changes: Changes },
    /// It was refused, and what ran before runs still.
    Failed {
        at_ms: u64,
        #[serde(flatten)]
        problems: Problems,
    },
}

/// What a reload changed: names of destinations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    /// How many go on untouched.
    pub unchanged: usize,
}

/// What is wrong, as `tidegate check` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(#[serde(serialize_with = "as_problems")] pub Mistakes);

fn as_problems<S: serde::Serializer>(mistakes: &Mistakes, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeStruct as _;
    let mut fields = serializer.serialize_struct("Problems", 2)?;
    fields.serialize_field("file", &mistakes.file)?;
    fields.serialize_field("problems", &mistakes.iter().collect::<Vec<_>>())?;
    fields.end()
}

/// Asks for reloads. Clones ask the same gateway.
#[derive(Debug, Clone)]
pub struct Reloads {
    requests: mpsc::Sender<Asked>,
    status: Snapshot<Status>,
}

/// Somebody who waits for what a reload comes to.
pub type Asked = oneshot::Sender<Status>;

/// The gateway is stopping.
#[derive(Debug, thiserror::Error)]
#[error("reload: the gateway is stopping")]
pub struct Stopping;

/// So many may wait for a reload; all of them get the same one.
const ASKED_MAX: usize = 16;

impl Reloads {
    /// With where the requests come out.
    pub fn new() -> (Reloads, mpsc::Receiver<Asked>) {
        let (requests, asked) = mpsc::channel(ASKED_MAX);
        (Reloads { requests, status: Snapshot::new(Status::Never) }, asked)
    }

    /// Reads the configuration again, and lets it run if nothing is wrong with it; says what came of that.
    ///
    /// # Errors
    /// When the gateway is stopping.
    pub async fn reload(&self) -> Result<Status, Stopping> {
        let (asked, answer) = oneshot::channel();
        self.requests.send(asked).await.map_err(|_| Stopping)?;
        answer.await.map_err(|_| Stopping)
    }

    /// What the last one came to.
    pub fn status(&self) -> Status {
        (*self.status.take()).clone()
    }

    /// Notes what one came to.
    pub fn note(&self, status: Status) {
        self.status.put(status);
    }
}
