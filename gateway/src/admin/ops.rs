//! What an operator can do, as functions of the queue: look, search, put back, delete, turn a destination's switch.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use tidegate_event::EventId;
use tidegate_queue::{DeadFilter, DeliveryKey, Error, NewState, Queue, Replay, ReplayWith};

use super::view::{DeadLetter, Summary, Trace};
use crate::clock::Clock;
use crate::destination::Destination;
use crate::journey::transform::{self, Made, Moment};
use crate::ledger;
use crate::ledger::filter::Filter;
use crate::ledger::summary::Summary as Left;
use crate::record::{self, DeliveryRecord};
use crate::switch::{Position, Switched};

/// The most that one call lists.
pub const LIST_MAX: usize = 500;

/// How a dead letter is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The request as it was recorded; where there is none, because the transform failed, through the plugin again.
    Recorded,
    /// Through the plugin as it is now, from what it saw then.
    Fresh,
}

/// What became of a dead letter that was to be put back.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    pub id: String,
    pub queued: bool,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Replayed {
    /// Somebody has put it back or deleted it meanwhile.
    fn came_too_late(&mut self) {
        *self = Replayed { queued: false, reason: Some("it is no longer a dead letter".into()), ..self.clone() };
    }
}

/// Everything that happened to the events of an id: one a site, and one more where such an event was refused.
///
/// # Errors
/// When the store cannot be read.
pub async fn trace(queue: &dyn Queue, id: &str) -> Result<Vec<Trace>, Error> {
    Ok(queue.find(id).await?.iter().map(Trace::of).collect())
}

/// The newest events.
///
/// # Errors
/// When the store cannot be read.
pub async fn recent(queue: &dyn Queue, limit: usize) -> Result<Vec<Summary>, Error> {
    Ok(queue.recent(limit.min(LIST_MAX)).await?.iter().map(Summary::of).collect())
}

/// Dead letters, newest first.
///
/// # Errors
/// When the store cannot be read.
pub async fn dead_letters(queue: &dyn Queue, mut filter: DeadFilter) -> Result<Vec<DeadLetter>, Error> {
    filter.limit = filter.limit.clamp(1, LIST_MAX);
    Ok(queue.dead_letters(filter).await?.iter().map(DeadLetter::of).collect())
}

/// What has left, as far as it is asked for.
///
/// # Errors
/// When the store cannot be read.
pub async fn left(queue: &dyn Queue, filter: Filter) -> Result<Left, Error> {
    ledger::summary::of(queue, filter).await
}

/// Which dead letters are put back, and how.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub filter: DeadFilter,
    /// Of those, only these; `None` is all.
    pub ids: Option<Vec<DeliveryKey>>,
    pub how: How,
}

/// Puts dead letters back.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn replay(
    queue: &dyn Queue,
    wanted: Wanted,
    destinations: &[Arc<Destination>],
    clock: &dyn Clock,
) -> Result<Vec<Replayed>, Error> {
    let Wanted { filter, ids, how } = wanted;
    let ids = ids.as_deref();
    let mut report = Vec::new();
    let mut before = filter.before;
    loop {
        let page = DeadFilter { before, limit: LIST_MAX, ..filter.clone() };
        let letters = queue.dead_letters(page).await?;
        let Some(last) = letters.last() else { break };
        before = Some(last.key);
        let mut batch = Vec::new();
        let first = report.len();
        for letter in letters.iter().filter(|letter| ids.is_none_or(|ids| ids.contains(&letter.key))) {
            let (with, reason) = match again(letter, how, destinations, clock).await {
                Ok(with) => (Some(with), None),
                Err(reason) => (None, Some(reason)),
            };
            batch.extend(with.map(|with| Replay { key: letter.key, with }));
            report.push(Replayed { id: letter.key.to_string(), queued: reason.is_none(), reason });
        }
        if !batch.is_empty() {
            let (count, now_ms) = (batch.len(), clock.steady_ms());
            match queue.replay(batch, now_ms).await? {
                0 => report[first..].iter_mut().filter(|one| one.queued).for_each(Replayed::came_too_late),
                back if back < count => tracing::warn!("{} of {count} were no longer dead letters", count - back),
                _ => {}
            }
        }
        if ids.is_some_and(|ids| report.len() >= ids.len()) {
            break;
        }
    }
    for id in ids.into_iter().flatten().map(ToString::to_string) {
        if !report.iter().any(|replayed| replayed.id == id) {
            report.push(Replayed { id, queued: false, reason: Some("there is no such dead letter".into()) });
        }
    }
    Ok(report)
}

/// Deletes dead letters for good; gives how many.
///
/// # Errors
/// When the store cannot be written.
pub async fn purge(queue: &dyn Queue, filter: DeadFilter) -> Result<usize, Error> {
    let mut purged = 0;
    loop {
        let letters = queue.dead_letters(DeadFilter { limit: LIST_MAX, ..filter.clone() }).await?;
        if letters.is_empty() {
            return Ok(purged);
        }
        let gone = queue.purge(letters.iter().map(|letter| letter.key).collect()).await?;
        if gone == 0 {
            // Somebody else is at it too; asking again for ever would not help.
            return Ok(purged);
        }
        purged += gone;
    }
}

/// Where a destination's switch is turned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Off,
    Pause,
    On,
}

impl Turn {
    /// By the word in an address.
    pub fn parse(word: &str) -> Option<Turn> {
        match word {
            "off" => Some(Turn::Off),
            "pause" => Some(Turn::Pause),
            "on" | "resume" => Some(Turn::On),
            _ => None,
        }
    }

    /// What is stored for it; nothing where it is on.
    pub fn switched(self, by: &str, reason: Option<&str>, at_ms: u64) -> Option<Switched> {
        let position = match self {
            Turn::On => return None,
            Turn::Off => Position::Off,
            Turn::Pause => Position::Paused,
        };
        Some(Switched::new(position, by, reason, at_ms))
    }
}

/// A switch as answers show it.
pub fn shown(switched: Option<&Switched>) -> Value {
    switched.map_or_else(|| json!({ "position": "on" }), |switched| json!(switched))
}

/// What to put back for a letter, or why nothing can be.
async fn again(
    letter: &tidegate_queue::DeadLetter,
    how: How,
    destinations: &[Arc<Destination>],
    clock: &dyn Clock,
) -> Result<ReplayWith, String> {
    let stored: DeliveryRecord =
        record::read(&letter.payload).map_err(|error| format!("the stored delivery {error}"))?;
    if how == How::Recorded && stored.request.is_some() {
        return Ok(ReplayWith::AsRecorded);
    }
    let destination = destinations
        .iter()
        .find(|destination| destination.name == letter.destination)
        .ok_or_else(|| format!("destination `{}` is not configured any more", letter.destination))?;
    let saw = serde_json::from_str(stored.saw.get())
        .map_err(|error| format!("what the plugin saw cannot be read: {error}"))?;
    let now_ms = clock.now_ms();
    let seed = EventId::parse(&letter.entry.id).map_or(0, |id| transform::seed(&id));
    let DeliveryRecord { at_ms, consent, who, .. } = stored;
    // Whose it is stays as it was: a withdrawal since its event arrived holds for it.
    let moment = Moment { at_ms, received_ms: now_ms, seed, consent, who: who.map(Arc::new) };
    match transform::one(destination, saw, moment, clock).await {
        Made::Filtered(reason) => Err(format!("the plugin filters it now: {reason}")),
        Made::Deliveries(made) => {
            let still = made.iter().find_map(|delivery| match &delivery.state {
                NewState::Dead(reason) => Some(format!("it fails still: {reason}")),
                NewState::Due(_) => None,
            });
            still.map_or(Ok(ReplayWith::Instead(made)), Err)
        }
    }
}
