//! What is asked of the writer, and what it answers. Decides nothing.

use tokio::sync::oneshot;

use super::export;
use crate::chain::{Head, Link};
use crate::{
    Appended, Attempt, DeliveryKey, Entry, Error, Item, NewDelivery, Replay, ReplayWith, Retention, Settled, Swept,
};

/// What is asked of the writer.
pub(super) enum Request {
    Append(Entry, Answer<Appended>),
    Settle(Vec<Attempt>, Answer<Vec<Settled>>),
    Replay {
        letters: Vec<Replay>,
        now_ms: u64,
        answer: Answer<usize>,
    },
    Purge(Vec<DeliveryKey>, Answer<usize>),
    Sweep {
        now_ms: u64,
        retention: Retention,
        answer: Answer<Swept>,
    },
    Import(Vec<Item>, Answer<usize>),
    /// One more entry of the chained log.
    Chain {
        at_ms: u64,
        bytes: Vec<u8>,
        answer: Answer<Head>,
    },
    /// Entries of another chained log.
    Join(Vec<Link>, Answer<usize>),
    /// Without a value the setting is deleted.
    Set {
        name: String,
        value: Option<String>,
        answer: Answer<usize>,
    },
    /// Ends the thread when everything before it is done.
    Close(Answer<()>),
}

pub(super) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// A request with the room that it takes in the channel.
pub(super) struct Envelope {
    pub(super) request: Request,
    pub(super) room: u32,
}

impl Request {
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Append(..) => "append",
            Self::Settle(..) => "settle",
            Self::Replay { .. } => "replay",
            Self::Purge(..) => "purge",
            Self::Sweep { .. } => "sweep",
            Self::Import(..) => "import",
            Self::Chain { .. } => "chain_append",
            Self::Join(..) => "chain_import",
            Self::Set { .. } => "set",
            Self::Close(_) => "close",
        }
    }

    /// How many bytes it will write, roughly.
    pub(super) fn bytes(&self) -> usize {
        let deliveries = |all: &[NewDelivery]| all.iter().map(|one| one.payload.len() + 100).sum::<usize>();
        match self {
            Self::Append(entry, _) => {
                let fields = entry.profile.iter().flat_map(|patch| &patch.fields);
                let profile = fields.map(|field| field.name.len() + field.value.len() + 100).sum::<usize>();
                entry.record.len() + deliveries(&entry.deliveries) + profile + 100
            }
            Self::Settle(attempts, _) => attempts.iter().map(|attempt| attempt.record.len() + 100).sum(),
            Self::Replay { letters, .. } => {
                let instead = letters.iter().map(|letter| match &letter.with {
                    ReplayWith::AsRecorded => 100,
                    ReplayWith::Instead(all) => 100 + deliveries(all),
                });
                instead.sum()
            }
            Self::Purge(keys, _) => 100 * keys.len(),
            Self::Import(items, _) => items.iter().map(export::bytes).sum(),
            Self::Chain { bytes, .. } => bytes.len() + 150,
            Self::Join(links, _) => links.iter().map(|link| link.bytes.len() + 150).sum(),
            Self::Set { name, value, .. } => name.len() + value.as_ref().map_or(0, String::len) + 100,
            Self::Sweep { .. } | Self::Close(_) => 0,
        }
    }
}

/// An answer that is ready to be sent.
pub(super) enum Reply {
    Append(Answer<Appended>, Result<Appended, Error>),
    Settle(Answer<Vec<Settled>>, Result<Vec<Settled>, Error>),
    Change(Answer<usize>, Result<usize, Error>),
    Sweep(Answer<Swept>, Result<Swept, Error>),
    Chain(Answer<Head>, Result<Head, Error>),
    Close(Answer<()>, Result<(), Error>),
}

impl Reply {
    pub(super) fn send(self) {
        // Who asked may have gone; what was committed stays committed.
        match self {
            Self::Append(answer, result) => drop(answer.send(result)),
            Self::Settle(answer, result) => drop(answer.send(result)),
            Self::Change(answer, result) => drop(answer.send(result)),
            Self::Sweep(answer, result) => drop(answer.send(result)),
            Self::Chain(answer, result) => drop(answer.send(result)),
            Self::Close(answer, result) => drop(answer.send(result)),
        }
    }
}
