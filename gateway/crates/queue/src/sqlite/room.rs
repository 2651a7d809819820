//! Counts what waits while a transaction goes on, and decides what there is room for. Knows nothing of the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Cap, Entry, Error, Limits, NewState, WhenFull};

/// What waits at this moment of a transaction, beside what may.
#[derive(Debug, Clone)]
pub(super) struct Room {
    limits: Arc<Limits>,
    waiting: u64,
    /// Only of destinations with a limit of their own.
    destinations: BTreeMap<String, u64>,
}

impl Room {
    /// `destinations` tells how many wait for each that has a limit of its own.
    pub(super) fn new(limits: Arc<Limits>, waiting: u64, destinations: BTreeMap<String, u64>) -> Self {
        Self { limits, waiting, destinations }
    }

    /// One more waits.
    pub(super) fn add(&mut self, destination: &str) {
        self.waiting += 1;
        if let Some(waiting) = self.destinations.get_mut(destination) {
            *waiting += 1;
        }
    }

    /// One fewer waits.
    pub(super) fn remove(&mut self, destination: &str) {
        self.waiting = self.waiting.saturating_sub(1);
        if let Some(waiting) = self.destinations.get_mut(destination) {
            *waiting = waiting.saturating_sub(1);
        }
    }

    /// Whether there is room for an entry: as it is (`None`), or with deliveries dead that their destination's limit
    /// lets die. A destination's own limit comes before the one over all.
    pub(super) fn admit(&self, entry: &Entry) -> Result<Option<Entry>, Error> {
        let mut changed: Option<Entry> = None;
        let mut adds = Adds::default();
        for (index, delivery) in entry.deliveries.iter().enumerate() {
            let (NewState::Due(_), destination) = (&delivery.state, &*delivery.destination) else { continue };
            match self.over(destination, &adds) {
                Some((Cap { when_full: WhenFull::Refuse, waiting_max }, waiting)) => {
                    return Err(full(Some(destination), waiting, waiting_max));
                }
                Some((Cap { when_full: WhenFull::Die, waiting_max }, waiting)) => {
                    // Those before it in the same entry wait already, as far as this one can tell.
                    let reason = full(Some(destination), waiting + adds.of(destination), waiting_max).to_string();
                    changed.get_or_insert_with(|| entry.clone()).deliveries[index].state = NewState::Dead(reason);
                }
                None => adds.add(destination),
            }
        }
        self.admit_overall(adds.total)?;
        Ok(changed)
    }

    /// Whether dead letters may wait again. They are dead already, so that a limit that lets die refuses as well.
    pub(super) fn admit_replay(&self, destinations: &[Option<String>]) -> Result<(), Error> {
        let mut adds = Adds::default();
        for destination in destinations.iter().flatten() {
            if let Some((cap, waiting)) = self.over(destination, &adds) {
                return Err(full(Some(destination), waiting, cap.waiting_max));
            }
            adds.add(destination);
        }
        self.admit_overall(destinations.len() as u64)
    }

    fn admit_overall(&self, adds: u64) -> Result<(), Error> {
        if adds > 0 && self.waiting + adds > self.limits.waiting_max {
            return Err(full(None, self.waiting, self.limits.waiting_max));
        }
        Ok(())
    }

    /// The destination's limit and how many wait, when one more after `adds` would be too many.
    fn over(&self, destination: &str, adds: &Adds<'_>) -> Option<(Cap, u64)> {
        let cap = *self.limits.destinations.get(destination)?;
        let waiting = self.destinations.get(destination).copied().unwrap_or(0);
        (waiting + adds.of(destination) >= cap.waiting_max).then_some((cap, waiting))
    }
}

/// What one request adds so far.
#[derive(Default)]
struct Adds<'a> {
    total: u64,
    /// A few at most: a request has few destinations.
    each: Vec<(&'a str, u64)>,
}

impl<'a> Adds<'a> {
    fn of(&self, destination: &str) -> u64 {
        self.each.iter().find(|(name, _)| *name == destination).map_or(0, |(_, count)| *count)
    }

    fn add(&mut self, destination: &'a str) {
        self.total += 1;
        match self.each.iter_mut().find(|(name, _)| *name == destination) {
            Some((_, count)) => *count += 1,
            None => self.each.push((destination, 1)),
        }
    }
}

fn full(destination: Option<&str>, waiting: u64, max: u64) -> Error {
    Error::Full { destination: destination.map(str::to_owned), waiting, max }
}
