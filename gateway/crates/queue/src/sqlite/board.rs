//! Owns what the serving gateway knows in memory: leases, the deliveries that come next, and the counts. Does no I/O.
//!
//! The file says what waits; nothing here has to survive. Leases live here only, because the file is locked for one
//! gateway: after a crash nothing is leased, and everything that waits is due again at once.
//!
//! Each destination has a *window* on its queue in the file: all waiting deliveries up to its `reach`, except those
//! that are leased. Fresh deliveries enter it with their payloads, so that a queue that keeps up never reads back.
//! A window that grows too long forgets its far end; one that runs out is refilled from the file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Bound;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::{Attempt, Count, DeliveryKey, EntryKey, LeaseToken, Outcome, Renewal};

/// How many deliveries a window holds.
const WINDOW_MAX: usize = 4096;
/// How many bytes of payloads all windows hold; deliveries past it keep their place and leave the payload in the file.
const BUFFERED_BYTES_MAX: usize = 8 << 20;

/// Where a delivery stands in its destination's queue: the order of the file's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) due_ms: u64,
    pub(super) queued_ms: u64,
    pub(super) entry: i64,
    pub(super) key: DeliveryKey,
}

impl Place {
    /// Before every delivery that is due later than `due_ms`, and after all others.
    fn after(due_ms: u64) -> Self {
        Self { due_ms, queued_ms: u64::MAX, entry: i64::MAX, key: DeliveryKey([u8::MAX; 16]) }
    }
}

/// What is known of a waiting delivery.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) entry: Arc<EntryKey>,
    pub(super) attempts: u32,
    /// How many attempts its journal holds, those before a replay included.
    pub(super) recorded: i64,
    pub(super) payload_seq: i64,
    pub(super) payload_len: usize,
    pub(super) payload: Option<Vec<u8>>,
}

/// How far a window reaches into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Nothing,
    UpTo(Place),
    Everything,
}

impl Reach {
    fn covers(self, place: &Place) -> bool {
        match self {
            Self::Nothing => false,
            Self::UpTo(end) => *place <= end,
            Self::Everything => true,
        }
    }
}

/// What the writer needs to record an attempt.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) destination: Arc<str>,
    pub(super) entry: i64,
    pub(super) payload_seq: i64,
    pub(super) recorded: i64,
}

/// What the file holds for one destination.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) waiting: u64,
    pub(super) dead: u64,
    /// How many of those that wait were queued at which time.
    pub(super) ages: BTreeMap<u64, u32>,
}

struct Lane {
    name: Arc<str>,
    window: BTreeMap<Place, Slot>,
    reach: Reach,
    arrivals: Arc<Notify>,
    /// The next due time that the last lease told; an arrival before it is news.
    told_ms: Option<u64>,
    tally: Tally,
}

struct Held {
    token: LeaseToken,
    until_ms: u64,
    lane: Arc<str>,
    place: Place,
    slot: Slot,
    /// Its attempt is being written: it neither expires nor settles again.
    settling: bool,
}

pub(super) struct Board {
    lanes: HashMap<Arc<str>, Lane>,
    held: HashMap<DeliveryKey, Held>,
    expiries: BTreeSet<(u64, DeliveryKey)>,
    last_token: u64,
    waiting: u64,
    buffered_bytes: usize,
}

impl Board {
    pub(super) fn new(tallies: HashMap<String, Tally>) -> Self {
        let mut board = Self {
            lanes: HashMap::new(),
            held: HashMap::new(),
            expiries: BTreeSet::new(),
            // A token from before a restart must not pass for one of now.
            last_token: RandomState::new().build_hasher().finish(),
            waiting: 0,
            buffered_bytes: 0,
        };
        board.reload(tallies);
        board
    }

    /// Forgets what the windows hold and takes these counts: another process changed the file.
    pub(super) fn reload(&mut self, mut tallies: HashMap<String, Tally>) {
        for name in tallies.keys() {
            self.lane(name);
        }
        self.waiting = 0;
        self.buffered_bytes = 0;
        for lane in self.lanes.values_mut() {
            lane.window.clear();
            lane.told_ms = None;
            lane.tally = tallies.remove(&*lane.name).unwrap_or_default();
            lane.reach = if lane.tally.waiting > 0 { Reach::Nothing } else { Reach::Everything };
            self.waiting += lane.tally.waiting;
            lane.arrivals.notify_one();
        }
    }

    /// How many deliveries wait, leased ones included.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// How many of them wait for one destination.
    pub(super) fn waiting_of(&self, destination: &str) -> u64 {
        self.lanes.get(destination).map_or(0, |lane| lane.tally.waiting)
    }

    pub(super) fn arrivals(&mut self, destination: &str) -> Arc<Notify> {
        self.lane(destination).arrivals.clone()
    }

    pub(super) fn counts(&self) -> Vec<Count> {
        let mut counts: Vec<_> = self.lanes.values().filter_map(|lane| lane.tally.count(&lane.name)).collect();
        counts.sort_by(|a, b| a.destination.cmp(&b.destination));
        counts
    }

    /// A delivery has been committed as waiting: a new one, or one that was replayed.
    pub(super) fn queued(&mut self, destination: &str, place: Place, slot: Slot) {
        self.waiting += 1;
        let tally = &mut self.lane(destination).tally;
        tally.waiting += 1;
        *tally.ages.entry(place.queued_ms).or_default() += 1;
        // A lease may have read it from the file already, between the commit and now.
        if !self.held.contains_key(&place.key) {
            self.put_back(destination, place, slot);
        }
    }

    /// A delivery has been committed as dead that was not waiting before.
    pub(super) fn born_dead(&mut self, destination: &str) {
        self.lane(destination).tally.dead += 1;
    }

    /// A dead delivery has been replayed, replaced or deleted.
    pub(super) fn buried(&mut self, destination: &str) {
        let dead = &mut self.lane(destination).tally.dead;
        *dead = dead.saturating_sub(1);
    }

    /// Lets nobody else have the delivery while its attempt is written; `None` when the lease is lost.
    pub(super) fn begin_settling(&mut self, attempt: &Attempt) -> Option<Ticket> {
        let held = self.held.get_mut(&attempt.key).filter(|held| held.token == attempt.token && !held.settling)?;
        held.settling = true;
        Some(Ticket {
            destination: held.lane.clone(),
            entry: held.place.entry,
            payload_seq: held.slot.payload_seq,
            recorded: held.slot.recorded,
        })
    }

    /// The attempt was not written after all: the lease goes on.
    pub(super) fn abandon_settling(&mut self, key: &DeliveryKey) {
        if let Some(held) = self.held.get_mut(key) {
            held.settling = false;
        }
    }

    /// The file says that it does not wait any more: the lease ends, and the delivery is not put back.
    pub(super) fn forget(&mut self, key: &DeliveryKey) {
        if let Some(held) = self.held.remove(key) {
            self.expiries.remove(&(held.until_ms, *key));
        }
    }

    /// The attempt has been committed.
    pub(super) fn settled(&mut self, key: &DeliveryKey, outcome: &Outcome) {
        let Some(Held { until_ms, lane: name, mut place, mut slot, .. }) = self.held.remove(key) else { return };
        self.expiries.remove(&(until_ms, *key));
        if let Outcome::Retry(due_ms) = outcome {
            place.due_ms = *due_ms;
            slot.attempts = slot.attempts.saturating_add(1);
            slot.recorded += 1;
            self.put_back(&name, place, slot);
            return;
        }
        self.waiting = self.waiting.saturating_sub(1);
        let tally = &mut self.lane(&name).tally;
        tally.waiting = tally.waiting.saturating_sub(1);
        if let Some(count) = tally.ages.get_mut(&place.queued_ms) {
            *count -= 1;
            if *count == 0 {
                tally.ages.remove(&place.queued_ms);
            }
        }
        if matches!(outcome, Outcome::Dead(_)) {
            tally.dead += 1;
        }
    }

    /// Gives a lease back; a stale token changes nothing.
    pub(super) fn release(&mut self, key: &DeliveryKey, token: LeaseToken) {
        if self.held.get(key).is_some_and(|held| held.token == token && !held.settling) {
            self.let_go(key);
        }
    }

    /// Lets leases go on; what has ended by now is lost.
    pub(super) fn renew(&mut self, renewal: &Renewal) -> Vec<crate::Held> {
        self.expire(renewal.now_ms);
        let renewed = renewal.leases.iter().map(|(key, token)| {
            let Some(held) = self.held.get_mut(key).filter(|held| held.token == *token) else {
                return crate::Held::Lost;
            };
            self.expiries.remove(&(held.until_ms, *key));
            held.until_ms = renewal.until_ms;
            self.expiries.insert((held.until_ms, *key));
            crate::Held::Ours
        });
        renewed.collect()
    }

    /// Ends the leases whose time has come.
    pub(super) fn expire(&mut self, now_ms: u64) {
        let ended: Vec<_> = self.expiries.range(..=(now_ms, DeliveryKey([u8::MAX; 16]))).map(|(_, key)| *key).collect();
        for key in ended {
            if self.held.get(&key).is_some_and(|held| !held.settling) {
                self.let_go(&key);
            }
        }
    }

    /// How far the destination's window reaches, when it holds nothing that is due.
    pub(super) fn ran_out(&mut self, destination: &str) -> Option<Reach> {
        let lane = self.lane(destination);
        (lane.window.is_empty() && lane.reach != Reach::Everything).then_some(lane.reach)
    }

    /// Adds what the file holds after the window's reach, and sets how far it reaches now.
    pub(super) fn refill(&mut self, destination: &str, rows: Vec<(Place, Slot)>, reach: Reach) {
        let rows: Vec<_> = rows.into_iter().filter(|(place, _)| !self.held.contains_key(&place.key)).collect();
        let buffered = |slot: &Slot| slot.payload.as_ref().map_or(0, Vec::len);
        self.buffered_bytes += rows.iter().map(|(_, slot)| buffered(slot)).sum::<usize>();
        let lane = self.lane(destination);
        let mut replaced_bytes = 0;
        for (place, slot) in rows {
            replaced_bytes += lane.window.insert(place, slot).as_ref().map_or(0, buffered);
        }
        lane.reach = reach;
        self.buffered_bytes = self.buffered_bytes.saturating_sub(replaced_bytes);
    }

    /// How many bytes of payloads the windows have room for.
    pub(super) fn room_bytes(&self) -> usize {
        BUFFERED_BYTES_MAX.saturating_sub(self.buffered_bytes)
    }

    /// The first delivery of the window, if it is due.
    pub(super) fn first_due(&mut self, destination: &str, now_ms: u64) -> Option<&Slot> {
        let (place, slot) = self.lane(destination).window.first_key_value()?;
        (place.due_ms <= now_ms).then_some(slot)
    }

    /// Takes the first delivery out of the window.
    pub(super) fn take_first(&mut self, destination: &str) -> Option<(Place, Slot)> {
        let first = self.lane(destination).window.pop_first();
        if let Some((_, Slot { payload: Some(payload), .. })) = &first {
            self.buffered_bytes = self.buffered_bytes.saturating_sub(payload.len());
        }
        first
    }

    /// Whether a delivery of this key is leased.
    pub(super) fn is_held(&self, key: &DeliveryKey) -> bool {
        self.held.contains_key(key)
    }

    /// Leases what was taken, without its payload.
    pub(super) fn hold(&mut self, destination: &str, place: Place, slot: Slot, until_ms: u64) -> LeaseToken {
        self.last_token = self.last_token.wrapping_add(1);
        let token = LeaseToken(self.last_token);
        let lane = self.lane(destination).name.clone();
        self.expiries.insert((until_ms, place.key));
        self.held.insert(place.key, Held { token, until_ms, lane, place, slot, settling: false });
        token
    }

    /// The first due time after `now_ms`, if there is one; `None` when only the file can tell.
    pub(super) fn next_due(&mut self, destination: &str, now_ms: u64) -> Option<Option<u64>> {
        let lane = self.lane(destination);
        let next = lane.window.range((Bound::Excluded(Place::after(now_ms)), Bound::Unbounded)).next();
        match next {
            Some((place, _)) => Some(Some(place.due_ms)),
            None if lane.reach == Reach::Everything => Some(None),
            None => None,
        }
    }

    /// Remembers what a lease told, so that only what is due before it counts as an arrival.
    pub(super) fn told(&mut self, destination: &str, next_due_ms: Option<u64>) {
        self.lane(destination).told_ms = next_due_ms;
    }

    /// Puts a waiting delivery where it belongs: into the window if that reaches so far.
    pub(super) fn put_back(&mut self, destination: &str, place: Place, mut slot: Slot) {
        let buffered_bytes = self.buffered_bytes;
        let lane = self.lane(destination);
        let is_news = lane.told_ms.is_none_or(|told_ms| place.due_ms < told_ms);
        let mut added = 0;
        let mut dropped = 0;
        if lane.reach.covers(&place) {
            if buffered_bytes + slot.payload_len > BUFFERED_BYTES_MAX {
                slot.payload = None;
            }
            added = slot.payload.as_ref().map_or(0, Vec::len);
            let replaced = lane.window.insert(place, slot);
            dropped += replaced.and_then(|slot| slot.payload).map_or(0, |payload| payload.len());
            if lane.window.len() > WINDOW_MAX {
                let far = lane.window.pop_last();
                dropped += far.and_then(|(_, slot)| slot.payload).map_or(0, |payload| payload.len());
                lane.reach = lane.window.last_key_value().map_or(Reach::Nothing, |(last, _)| Reach::UpTo(*last));
            }
        }
        if is_news {
            lane.arrivals.notify_one();
        }
        self.buffered_bytes = (buffered_bytes + added).saturating_sub(dropped);
    }

    fn let_go(&mut self, key: &DeliveryKey) {
        if let Some(held) = self.held.remove(key) {
            self.expiries.remove(&(held.until_ms, *key));
            self.put_back(&held.lane, held.place, held.slot);
        }
    }

    fn lane(&mut self, destination: &str) -> &mut Lane {
        // Looked up by text first: the name is made once, not for each event.
        let name = match self.lanes.get_key_value(destination) {
            Some((name, _)) => name.clone(),
            None => destination.into(),
        };
        self.lanes.entry(name.clone()).or_insert_with(|| Lane {
            name,
            window: BTreeMap::new(),
            // What the file held when it was last counted has its lane already.
            reach: Reach::Everything,
            arrivals: Arc::default(),
            told_ms: None,
            tally: Tally::default(),
        })
    }
}

impl Tally {
    pub(super) fn count(&self, destination: &str) -> Option<Count> {
        (self.waiting > 0 || self.dead > 0).then(|| Count {
            destination: destination.into(),
            waiting: self.waiting,
            dead: self.dead,
            oldest_queued_ms: self.ages.first_key_value().map(|(queued_ms, _)| *queued_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(key: u8) -> (Place, Slot) {
        let entry = Arc::new(EntryKey { scope: "shop".into(), id: key.to_string() });
        let slot = Slot { entry, attempts: 0, recorded: 0, payload_seq: 1, payload_len: 0, payload: None };
        (Place { due_ms: 1, queued_ms: 1, entry: 1, key: DeliveryKey([key; 16]) }, slot)
    }

    /// A board that knows of one delivery, which a lease read from the file and holds.
    fn leased() -> (Board, LeaseToken) {
        let mut board = Board::new(HashMap::new());
        let (place, slot) = waiting(1);
        let token = board.hold("meta", place, slot, 1_000);
        (board, token)
    }

    #[test]
    fn what_was_leased_between_its_commit_and_its_news_is_leased_once() {
        let (mut board, token) = leased();
        let (place, slot) = waiting(1);
        board.queued("meta", place, slot);
        assert!(board.take_first("meta").is_none(), "it is leased already");
        assert_eq!(board.waiting(), 1, "but counted");
        board.release(&place.key, token);
        assert_eq!(board.take_first("meta").map(|(place, _)| place.key), Some(place.key));
    }

    #[test]
    fn what_the_file_says_is_settled_is_never_leased_again() {
        let (mut board, token) = leased();
        let key = DeliveryKey([1; 16]);
        board.forget(&key);
        board.release(&key, token);
        board.expire(2_000);
        assert!(board.take_first("meta").is_none() && !board.is_held(&key));
    }
}
