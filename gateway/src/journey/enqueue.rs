//! Enqueue: an event and all its deliveries in one durable commit.

use tidegate_event::Event;
use tidegate_queue::{Entry, EntryKey, ProfilePatch};

use super::consent::Consented;
use super::transform::Deliveries;
use crate::record::{self, EventRecord};

/// The entry of an event.
pub fn entry(consented: Consented, made: Deliveries, profile: Vec<ProfilePatch>, site: &str) -> Entry {
    let event = consented.event;
    let key = EntryKey { scope: site.to_owned(), id: event.id.as_str().to_owned() };
    let (affinity, received_ms) = (affinity(&event), event.received_ms);
    let now_ms = made.now_ms;
    let record = EventRecord {
        v: record::VERSION,
        site: site.to_owned(),
        refused: None,
        name: event.name.clone(),
        event: Some(event),
        dropped: made.dropped,
    };
    Entry { key, affinity, received_ms, now_ms, record: record::write(&record), deliveries: made.deliveries, profile }
}

/// The entry of an event that was refused. Its scope is its own, so that the event may be sent again, mended, under
/// the same id.
pub fn refused(id: &str, name: &str, reason: &str, site: &str, received_ms: u64) -> Entry {
    let record = EventRecord {
        v: record::VERSION,
        site: site.to_owned(),
        refused: Some(reason.to_owned()),
        name: name.chars().take(200).collect(),
        event: None,
        dropped: Vec::new(),
    };
    Entry {
        key: EntryKey { scope: format!("{site}#refused"), id: id.to_owned() },
        affinity: id.to_owned(),
        received_ms,
        // Nothing of it is ever due.
        now_ms: received_ms,
        record: record::write(&record),
        deliveries: Vec::new(),
        profile: Vec::new(),
    }
}

fn affinity(event: &Event) -> String {
    let who = event.anonymous_id.as_ref().or(event.user_id.as_ref());
    who.map_or_else(|| event.id.as_str().to_owned(), Clone::clone)
}
