//! A flow while the gateway runs: what is the same of its events, and what has been counted of it since the last entry.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::entry::{Counted, Counts, Described, Description};

/// A flow, and its counts that are in no entry yet.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) id: String,
    pub(super) description: Description,
    /// The day, counted from 1970, on which it was described last; 0 where it never was.
    described: AtomicU64,
    /// Somebody waits for it to be described.
    wanted: AtomicBool,
    pending: Mutex<Pending>,
}

/// Which of a flow's fields an event was given.
pub(super) type Places = Arc<[usize]>;

#[derive(Debug, Default)]
struct Pending {
    counts: Counts,
    fields: Vec<u64>,
}

impl Flow {
    pub(super) fn new(description: Description) -> Flow {
        Flow {
            id: description.id(),
            description,
            described: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
            pending: Mutex::default(),
        }
    }

    /// Where fields are in the description; `None` where it has not all of them.
    pub(super) fn places<'a>(&self, mut fields: impl Iterator<Item = &'a String>) -> Option<Places> {
        let known = self.description.fields.as_ref();
        let place = |field: &String| known?.keys().position(|known| known == field);
        fields
            .try_fold(Vec::new(), |mut places, field| {
                places.push(place(field)?);
                Some(places)
            })
            .map(Places::from)
    }

    pub(super) fn is_described(&self, day: u64) -> bool {
        self.described.load(Ordering::Acquire) == day
    }

    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    pub(super) fn set_described(&self, day: u64) {
        self.described.store(day, Ordering::Release);
        self.wanted.store(false, Ordering::Release);
    }

    /// Adds to what is not in any entry yet; the fields of `events` events.
    pub(super) fn count(&self, counts: &Counts, places: &[usize]) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.counts.add(counts);
        let known = self.description.fields.as_ref().map_or(0, std::collections::BTreeMap::len);
        pending.fields.resize(known, 0);
        for place in places {
            if let Some(count) = pending.fields.get_mut(*place) {
                *count += counts.events;
            }
        }
    }

    /// What an entry written that day has to say of it: its description, if that is new, and what was counted.
    pub(super) fn report(&self, day: u64) -> (Option<Described>, Option<Counted>) {
        let counted = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            let Pending { counts, fields } = std::mem::take(&mut *pending);
            (counts != Counts::default()).then(|| Counted { flow: self.id.clone(), counts, fields })
        };
        let is_wanted = counted.is_some() || self.wanted.load(Ordering::Acquire);
        let described = (is_wanted && !self.is_described(day))
            .then(|| Described { id: self.id.clone(), flow: self.description.clone() });
        (described, counted)
    }

    /// Whether nothing is left to say of it.
    pub(super) fn is_quiet(&self) -> bool {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).counts == Counts::default()
    }
}
