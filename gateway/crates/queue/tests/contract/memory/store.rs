//! What the reference holds, and what its operations do to it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tidegate_queue::*;
use tokio::sync::Notify;

use super::chain::Chain;

#[derive(Default)]
pub(crate) struct Store {
    pub(super) entries: Vec<Journal>,
    /// What the interface does not show of a delivery.
    pub(super) hidden: HashMap<DeliveryKey, Hidden>,
    pub(super) profiles: BTreeMap<(String, String), (ProfileField, u64)>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) settings_news: Arc<Notify>,
    pub(super) arrivals: HashMap<String, Arc<Notify>>,
    pub(super) affinities: HashMap<EntryKey, String>,
    pub(super) chain: Chain,
    last_token: u64,
}

#[derive(Default, Clone)]
pub(super) struct Hidden {
    pub(super) queued_ms: u64,
    pub(super) died_ms: u64,
    pub(super) attempts: u32,
    pub(super) lease: Option<(LeaseToken, u64)>,
}

impl Store {
    pub(super) fn append(&mut self, mut entry: Entry, limits: &Limits) -> Result<Appended, Error> {
        if let Some(known) = self.entries.iter_mut().find(|known| known.key == entry.key) {
            known.duplicates += 1;
            return Ok(Appended::Duplicate);
        }
        for index in 0..entry.deliveries.len() {
            let destination = entry.deliveries[index].destination.clone();
            let same = due(&entry.deliveries).filter(|(at, one)| *at < index && one.destination == destination).count();
            let (NewState::Due(_), Some((cap, full))) =
                (&entry.deliveries[index].state, self.over(&destination, same as u64, limits))
            else {
                continue;
            };
            match (cap.when_full, full) {
                (WhenFull::Die, Error::Full { waiting, .. }) => {
                    let (waiting, max) = (waiting + same as u64, cap.waiting_max);
                    let why =
                        format!("the queue of `{destination}` is full: {waiting} deliveries wait, {max} are allowed");
                    entry.deliveries[index].state = NewState::Dead(why);
                }
                (_, full) => return Err(full),
            }
        }
        self.check_overall(due(&entry.deliveries).count() as u64, limits)?;
        self.affinities.insert(entry.key.clone(), entry.affinity);
        self.entries.push(Journal {
            key: entry.key,
            received_ms: entry.received_ms,
            record: entry.record,
            duplicates: 0,
            deliveries: Vec::new(),
        });
        let index = self.entries.len() - 1;
        self.add(index, entry.deliveries, entry.received_ms);
        for patch in entry.profile {
            for field in patch.fields {
                let at = (patch.key.clone(), field.name.clone());
                let newer = self
                    .profiles
                    .get(&at)
                    .filter(|(known, expires_ms)| known.seen_ms > field.seen_ms && *expires_ms > entry.received_ms);
                if newer.is_none() {
                    self.profiles.insert(at, (field, patch.expires_ms));
                }
            }
        }
        Ok(Appended::Stored)
    }

    /// The destination's own limit, and its error, when one more after `same` others of its request is too many.
    pub(super) fn over(&self, destination: &str, same: u64, limits: &Limits) -> Option<(Cap, Error)> {
        let cap = *limits.destinations.get(destination)?;
        let waiting =
            self.counts().iter().find(|count| count.destination == destination).map_or(0, |count| count.waiting);
        let full = Error::Full { destination: Some(destination.into()), waiting, max: cap.waiting_max };
        (waiting + same + 1 > cap.waiting_max).then_some((cap, full))
    }

    pub(super) fn check_overall(&self, adds: u64, limits: &Limits) -> Result<(), Error> {
        let (waiting, max) = (self.waiting(), limits.waiting_max);
        match adds > 0 && waiting + adds > max {
            true => Err(Error::Full { destination: None, waiting, max }),
            false => Ok(()),
        }
    }

    pub(super) fn dead_of(&self, key: &DeliveryKey) -> String {
        let all = self.entries.iter().flat_map(|entry| &entry.deliveries);
        all.into_iter()
            .find(|one| one.key == *key && one.state == State::Dead)
            .map_or("", |one| &one.destination)
            .into()
    }

    pub(super) fn add(&mut self, entry: usize, deliveries: Vec<NewDelivery>, queued_ms: u64) {
        for delivery in deliveries {
            let (state, reason) = match delivery.state {
                NewState::Due(due_ms) => (State::Waiting(due_ms), None),
                NewState::Dead(reason) => (State::Dead, Some(reason)),
            };
            self.arrivals.entry(delivery.destination.clone()).or_default().notify_one();
            self.hidden.insert(delivery.key, Hidden { queued_ms, died_ms: queued_ms, ..Hidden::default() });
            let deliveries = &mut self.entries[entry].deliveries;
            deliveries.push(DeliveryJournal {
                key: delivery.key,
                destination: delivery.destination,
                state,
                reason,
                payload: delivery.payload,
                attempts: Vec::new(),
            });
            deliveries.sort_by_key(|one| one.key);
        }
    }

    pub(super) fn lease(&mut self, request: &LeaseRequest) -> Leased {
        for hidden in self.hidden.values_mut() {
            hidden.lease = hidden.lease.filter(|(_, until_ms)| *until_ms > request.now_ms);
        }
        let mut free: Vec<_> = self
            .entries
            .iter()
            .flat_map(|entry| entry.deliveries.iter().map(move |one| (&entry.key, one)))
            .filter(|(_, one)| one.destination == request.destination && self.hidden[&one.key].lease.is_none())
            .filter_map(|(entry, one)| match one.state {
                State::Waiting(due_ms) => Some((due_ms, one.key, entry.clone(), one.payload.clone())),
                _ => None,
            })
            .collect();
        free.sort_by_key(|(due_ms, key, ..)| (*due_ms, self.hidden[key].queued_ms));
        let next_due_ms = free.iter().map(|(due_ms, ..)| *due_ms).find(|due_ms| *due_ms > request.now_ms);
        let mut leased = Leased { deliveries: Vec::new(), next_due_ms };
        let mut bytes = 0;
        for (_, key, entry, payload) in free.into_iter().take_while(|(due_ms, ..)| *due_ms <= request.now_ms) {
            let is_first = leased.deliveries.is_empty();
            if leased.deliveries.len() == request.count_max || !is_first && bytes + payload.len() > request.bytes_max {
                break;
            }
            bytes += payload.len();
            self.last_token += 1;
            let token = LeaseToken(self.last_token);
            let hidden = self.hidden.get_mut(&key).unwrap();
            hidden.lease = Some((token, request.until_ms));
            let (attempts, queued_ms) = (hidden.attempts, hidden.queued_ms);
            leased.deliveries.push(Lease { key, token, entry, payload, attempts, queued_ms });
        }
        leased
    }

    pub(super) fn settle(&mut self, attempt: Attempt) -> Settled {
        let hidden = self.hidden.get_mut(&attempt.key);
        let Some(hidden) = hidden.filter(|hidden| hidden.lease.is_some_and(|lease| lease.0 == attempt.token)) else {
            return Settled::LeaseLost;
        };
        hidden.lease = None;
        hidden.attempts += 1;
        hidden.died_ms = attempt.at_ms;
        let all = self.entries.iter_mut().flat_map(|entry| &mut entry.deliveries);
        let delivery = all.into_iter().find(|one| one.key == attempt.key).unwrap();
        delivery.attempts.push(attempt.record);
        match attempt.outcome {
            Outcome::Delivered => delivery.state = State::Delivered,
            Outcome::Retry(due_ms) => delivery.state = State::Waiting(due_ms),
            Outcome::Dead(reason) => {
                delivery.state = State::Dead;
                delivery.reason = Some(reason);
            }
            Outcome::Cancelled(reason) => {
                delivery.state = State::Cancelled;
                delivery.reason = Some(reason);
                delivery.payload.clear();
            }
        }
        self.arrivals.entry(delivery.destination.clone()).or_default().notify_one();
        Settled::Recorded
    }

    pub(super) fn dead_letters(&self, filter: &DeadFilter) -> Vec<DeadLetter> {
        let wanted = |wish: &Option<String>, text: &str| wish.as_ref().is_none_or(|wish| wish == text);
        let mut letters: Vec<_> = self
            .entries
            .iter()
            .flat_map(|entry| entry.deliveries.iter().map(move |one| (entry, one)))
            .filter(|(entry, one)| {
                let why = one.reason.clone().unwrap_or_default().to_lowercase();
                one.state == State::Dead
                    && wanted(&filter.entry_id, &entry.key.id)
                    && wanted(&filter.destination, &one.destination)
                    && filter.reason.as_ref().is_none_or(|text| why.contains(&text.to_lowercase()))
                    && filter.before.is_none_or(|before| one.key < before)
            })
            .map(|(entry, one)| DeadLetter {
                key: one.key,
                entry: entry.key.clone(),
                destination: one.destination.clone(),
                reason: one.reason.clone().unwrap_or_default(),
                died_ms: self.hidden[&one.key].died_ms,
                payload: one.payload.clone(),
                attempts: one.attempts.clone(),
            })
            .collect();
        letters.sort_by_key(|letter| std::cmp::Reverse(letter.key));
        letters.truncate(filter.limit);
        letters
    }

    pub(super) fn replay(&mut self, letter: &Replay, now_ms: u64) -> bool {
        let Some((index, mut delivery)) = self.remove_dead(&letter.key) else { return false };
        match &letter.with {
            ReplayWith::Instead(deliveries) => self.add(index, deliveries.clone(), now_ms),
            ReplayWith::AsRecorded => {
                delivery.state = State::Waiting(now_ms);
                delivery.reason = None;
                self.hidden.insert(delivery.key, Hidden { queued_ms: now_ms, ..Hidden::default() });
                self.arrivals.entry(delivery.destination.clone()).or_default().notify_one();
                self.entries[index].deliveries.push(delivery);
                self.entries[index].deliveries.sort_by_key(|one| one.key);
            }
        }
        true
    }

    pub(super) fn remove_dead(&mut self, key: &DeliveryKey) -> Option<(usize, DeliveryJournal)> {
        self.entries.iter_mut().enumerate().find_map(|(index, entry)| {
            let at = entry.deliveries.iter().position(|one| one.key == *key && one.state == State::Dead)?;
            Some((index, entry.deliveries.remove(at)))
        })
    }

    pub(super) fn counts(&self) -> Vec<Count> {
        let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
        for one in self.entries.iter().flat_map(|entry| &entry.deliveries) {
            let destination = one.destination.clone();
            let empty = Count { destination, waiting: 0, dead: 0, oldest_queued_ms: None };
            let queued_ms = self.hidden[&one.key].queued_ms;
            match one.state {
                State::Delivered | State::Cancelled => {}
                State::Dead => counts.entry(&one.destination).or_insert(empty).dead += 1,
                State::Waiting(_) => {
                    let count = counts.entry(&one.destination).or_insert(empty);
                    count.waiting += 1;
                    count.oldest_queued_ms = Some(count.oldest_queued_ms.map_or(queued_ms, |at| at.min(queued_ms)));
                }
            }
        }
        counts.into_values().collect()
    }

    pub(super) fn waiting(&self) -> u64 {
        self.counts().iter().map(|count| count.waiting).sum()
    }

    pub(super) fn sweep(&mut self, now_ms: u64, retention: Retention) -> Swept {
        let (hidden, mut swept) = (&self.hidden, Swept::default());
        for entry in &mut self.entries {
            let before = entry.deliveries.len();
            entry.deliveries.retain(|one| {
                one.state != State::Dead || hidden[&one.key].died_ms >= now_ms.saturating_sub(retention.dead_ms)
            });
            swept.records += before - entry.deliveries.len();
        }
        let before = (self.entries.len(), self.profiles.len());
        self.entries.retain(|entry| {
            entry.received_ms >= now_ms.saturating_sub(retention.journal_ms)
                || entry.deliveries.iter().any(|one| !matches!(one.state, State::Delivered | State::Cancelled))
        });
        self.profiles.retain(|_, (_, expires_ms)| *expires_ms > now_ms);
        swept.records += before.0 - self.entries.len();
        swept.fields = before.1 - self.profiles.len();
        swept.links = self.chain.sweep(now_ms.saturating_sub(retention.chain_ms));
        swept
    }
}

/// Those that are to wait, each with its index.
pub(super) fn due(deliveries: &[NewDelivery]) -> impl Iterator<Item = (usize, &NewDelivery)> {
    deliveries.iter().enumerate().filter(|(_, one)| matches!(one.state, NewState::Due(_)))
}
