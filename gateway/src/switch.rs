//! The switches of destinations: whether one is off or paused, who said so, when and why.
//!
//! They are settings of the store, so that every process over it obeys them, also after a restart. Owns what is stored,
//! which carries a version, and what this process knows of it. Stops nothing; whoever sends or queues asks here first.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_queue::{Error, Queue};
use tokio::sync::watch;

/// The version of what is stored.
const VERSION: u32 = 1;
/// What the names of their settings begin with.
const PREFIX: &str = "destination/";
/// Longer words are cut.
const BY_CHARS_MAX: usize = 100;
const REASON_CHARS_MAX: usize = 500;

/// Where a switch stands that is not on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    /// Nothing is sent, and new events are dropped for it. What waits stays as it is.
    Off,
    /// Nothing is sent; new events wait with the others.
    Paused,
}

/// A switch that is not on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    pub position: Position,
    pub by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// In Unix milliseconds.
    pub at_ms: u64,
}

/// As it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    #[serde(flatten)]
    switched: Switched,
}

/// Only the version, whatever else a later one has.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// All switches that are not on, as this process knows them. Clones share them.
#[derive(Debug, Clone)]
pub struct Switches(Arc<watch::Sender<BTreeMap<String, Arc<Switched>>>>);

impl Default for Switches {
    fn default() -> Switches {
        Switches(Arc::new(watch::Sender::default()))
    }
}

impl Switched {
    /// With words of a length that can be shown.
    pub fn new(position: Position, by: &str, reason: Option<&str>, at_ms: u64) -> Switched {
        let words = |text: &str, max| text.chars().filter(|c| !c.is_control()).take(max).collect::<String>();
        let reason = reason.map(|reason| words(reason, REASON_CHARS_MAX)).filter(|reason| !reason.is_empty());
        Switched { position, by: words(by, BY_CHARS_MAX), reason, at_ms }
    }

    fn write(&self) -> String {
        // A type of ours whose keys are all text cannot fail to become JSON.
        serde_json::to_string(&Stored { v: VERSION, switched: self.clone() }).unwrap_or_default()
    }

    /// What was stored. Something that cannot be read was meant to stop the destination, most likely.
    fn read(text: &str) -> Switched {
        let known = serde_json::from_str::<Version>(text).is_ok_and(|version| version.v <= VERSION);
        let stored = serde_json::from_str::<Stored>(text).ok().filter(|_| known);
        let unreadable = || {
            let reason = "what the store holds of its switch cannot be read; switching it on replaces that";
            Switched { position: Position::Off, by: "the gateway".into(), reason: Some(reason.into()), at_ms: 0 }
        };
        stored.map_or_else(unreadable, |stored| stored.switched)
    }
}

impl fmt::Display for Switched {
    /// Such as `switched off by anna: wrong audience`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.position {
            Position::Off => "switched off",
            Position::Paused => "paused",
        };
        write!(f, "{what} by {}", self.by)?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl Switches {
    /// How a destination's switch stands; nothing where it is on.
    pub fn of(&self, destination: &str) -> Option<Arc<Switched>> {
        self.0.borrow().get(destination).cloned()
    }

    /// Whether requests may begin.
    pub fn lets_send(&self, destination: &str) -> bool {
        !self.0.borrow().contains_key(destination)
    }

    /// All that are not on.
    pub fn all(&self) -> BTreeMap<String, Arc<Switched>> {
        self.0.borrow().clone()
    }

    /// Resolves as soon as requests to the destination may not begin any more.
    pub fn until_stopped(&self, destination: &str) -> impl Future<Output = ()> + Send + use<> {
        self.until(destination, Wanted::Stopped)
    }

    /// Resolves as soon as requests to the destination may begin.
    pub fn until_sending(&self, destination: &str) -> impl Future<Output = ()> + Send + use<> {
        self.until(destination, Wanted::Sending)
    }

    fn until(&self, destination: &str, wanted: Wanted) -> impl Future<Output = ()> + Send + use<> {
        let (mut all, name) = (self.0.subscribe(), destination.to_owned());
        async move {
            let stands = |all: &BTreeMap<String, _>| all.contains_key(&name) == (wanted == Wanted::Stopped);
            if all.wait_for(stands).await.is_err() {
                // Nobody is left to move a switch.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Learns from the store how they stand, and says in the log which have been moved.
    ///
    /// # Errors
    /// When it cannot be read; what was known stays.
    pub async fn learn(&self, queue: &dyn Queue) -> Result<(), Error> {
        let settings = queue.settings().await?.into_iter();
        let named = settings.filter_map(|setting| {
            let name = setting.name.strip_prefix(PREFIX)?.to_owned();
            Some((name, Arc::new(Switched::read(&setting.value))))
        });
        let learned: BTreeMap<_, _> = named.collect();
        self.0.send_if_modified(|known| {
            let is_news = *known != learned;
            if is_news {
                tell(known, &learned);
                *known = learned;
            }
            is_news
        });
        Ok(())
    }

    /// Moves a destination's switch, for every process over the store: to a position, or on (`None`).
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn turn(&self, queue: &dyn Queue, destination: &str, to: Option<&Switched>) -> Result<(), Error> {
        queue.set(&format!("{PREFIX}{destination}"), to.map(Switched::write)).await?;
        self.learn(queue).await
    }
}

/// What somebody waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Stopped,
    Sending,
}

fn tell(known: &BTreeMap<String, Arc<Switched>>, learned: &BTreeMap<String, Arc<Switched>>) {
    for (name, switched) in learned.iter().filter(|(name, switched)| known.get(*name) != Some(*switched)) {
        tracing::warn!(destination.name = %name, "`{name}` is {switched}");
    }
    for name in known.keys().filter(|name| !learned.contains_key(*name)) {
        tracing::info!(destination.name = %name, "`{name}` is switched on");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_version_1_wrote_is_read_and_written_the_same() {
        let text = r#"{"v":1,"position":"off","by":"anna","reason":"wrong audience","at_ms":1768487520123}"#;
        let off = Switched::new(Position::Off, "anna", Some("wrong audience"), 1_768_487_520_123);
        assert_eq!((Switched::read(text), off.write().as_str()), (off.clone(), text));
        let text = r#"{"v":1,"position":"paused","by":"anna","at_ms":5}"#;
        let paused = Switched::new(Position::Paused, "anna", None, 5);
        assert_eq!((Switched::read(text), paused.write().as_str()), (paused.clone(), text));
        assert_eq!(
            (off.to_string(), paused.to_string()),
            ("switched off by anna: wrong audience".to_owned(), "paused by anna".to_owned(),)
        );
    }

    #[test]
    fn a_switch_that_cannot_be_read_is_off() {
        for text in ["", "on", r#"{"v":2,"position":"paused","by":"a","at_ms":5}"#, r#"{"v":1,"position":"half"}"#] {
            assert_eq!(Switched::read(text).position, Position::Off, "{text}");
        }
    }

    #[test]
    fn words_that_are_stored_are_bounded_and_fit_for_a_log() {
        let long = "x\n".repeat(1_000);
        let switched = Switched::new(Position::Off, &long, Some(&long), 5);
        assert_eq!(switched.by.len(), BY_CHARS_MAX);
        assert_eq!(switched.reason.map(|reason| reason.len()), Some(REASON_CHARS_MAX));
        assert_eq!(Switched::new(Position::Off, "a", Some("\n"), 5).reason, None);
    }
}
