//! A queue in memory: the reference that backends are compared with. As simple as it can be, and durable in nothing
//! but that it outlives the handles on it.

use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard};

use tidegate_queue::*;
use tokio::sync::Notify;

/// A handle on a store; another handle on the same store is the process started anew.
pub(crate) struct MemoryQueue {
    store: Arc<Mutex<Store>>,
    waiting_max: u64,
    closed: Mutex<bool>,
}

#[derive(Default)]
pub(crate) struct Store {
    entries: Vec<Journal>,
    /// What the interface does not show of a delivery.
    hidden: HashMap<DeliveryKey, Hidden>,
    profiles: BTreeMap<(String, String), (ProfileField, u64)>,
    arrivals: HashMap<String, Arc<Notify>>,
    last_token: u64,
}

#[derive(Default, Clone)]
struct Hidden {
    queued_ms: u64,
    died_ms: u64,
    attempts: u32,
    lease: Option<(LeaseToken, u64)>,
}

impl MemoryQueue {
    pub(crate) fn open(store: Arc<Mutex<Store>>, waiting_max: u64) -> Self {
        store.lock().unwrap().hidden.values_mut().for_each(|hidden| hidden.lease = None);
        Self { store, waiting_max, closed: Mutex::new(false) }
    }

    fn answer<T: Send + 'static>(&self, operation: impl FnOnce(&mut Store) -> Result<T, Error>) -> Operation<'_, T> {
        let result = if *self.closed.lock().unwrap() { Err(Error::Closed) } else { operation(&mut self.lock()) };
        Box::pin(ready(result))
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }
}

impl Queue for MemoryQueue {
    fn append(&self, entry: Entry) -> Operation<'_, Appended> {
        let max = self.waiting_max;
        self.answer(move |store| store.append(entry, max))
    }

    fn lease(&self, request: LeaseRequest) -> Operation<'_, Leased> {
        self.answer(|store| Ok(store.lease(&request)))
    }

    fn settle(&self, attempts: Vec<Attempt>) -> Operation<'_, Vec<Settled>> {
        self.answer(|store| Ok(attempts.into_iter().map(|attempt| store.settle(attempt)).collect()))
    }

    fn release(&self, leases: Vec<(DeliveryKey, LeaseToken)>) -> Operation<'_, ()> {
        self.answer(|store| {
            for (key, token) in leases {
                let hidden = store.hidden.get_mut(&key).filter(|hidden| hidden.lease.is_some_and(|l| l.0 == token));
                if let Some(hidden) = hidden {
                    hidden.lease = None;
                }
            }
            store.arrivals.values().for_each(|arrivals| arrivals.notify_one());
            Ok(())
        })
    }

    fn arrivals(&self, destination: &str) -> Arc<Notify> {
        self.lock().arrivals.entry(destination.into()).or_default().clone()
    }

    fn find(&self, id: &str) -> Operation<'_, Vec<Journal>> {
        self.answer(|store| {
            let mut found: Vec<_> = store.entries.iter().filter(|entry| entry.key.id == id).cloned().collect();
            found.sort_by(|a, b| a.key.scope.cmp(&b.key.scope));
            Ok(found)
        })
    }

    fn recent(&self, limit: usize) -> Operation<'_, Vec<Journal>> {
        self.answer(|store| {
            let mut found: Vec<_> = store.entries.iter().rev().take(limit).cloned().collect();
            found.iter_mut().flat_map(|entry| &mut entry.deliveries).for_each(|one| one.payload.clear());
            Ok(found)
        })
    }

    fn dead_letters(&self, filter: DeadFilter) -> Operation<'_, Vec<DeadLetter>> {
        self.answer(|store| Ok(store.dead_letters(&filter)))
    }

    fn replay(&self, letters: Vec<Replay>, now_ms: u64) -> Operation<'_, usize> {
        let max = self.waiting_max;
        self.answer(move |store| {
            let adds = letters.iter().map(|letter| match &letter.with {
                ReplayWith::AsRecorded => 1,
                ReplayWith::Instead(all) => due(all),
            });
            let adds: u64 = adds.sum();
            let waiting = store.waiting();
            if adds > 0 && waiting + adds > max {
                return Err(Error::Full { waiting, max });
            }
            Ok(letters.into_iter().filter(|letter| store.replay(letter, now_ms)).count())
        })
    }

    fn purge(&self, letters: Vec<DeliveryKey>) -> Operation<'_, usize> {
        self.answer(|store| Ok(letters.iter().filter(|key| store.remove_dead(key).is_some()).count()))
    }

    fn counts(&self) -> Operation<'_, Vec<Count>> {
        self.answer(|store| Ok(store.counts()))
    }

    fn profile(&self, key: &str, now_ms: u64) -> Operation<'_, Vec<ProfileField>> {
        self.answer(|store| {
            let alive = store.profiles.iter().filter(|((of, _), (_, expires_ms))| of == key && *expires_ms > now_ms);
            Ok(alive.map(|(_, (field, _))| field.clone()).collect())
        })
    }

    fn sweep(&self, now_ms: u64, retention: Retention) -> Operation<'_, usize> {
        self.answer(move |store| Ok(store.sweep(now_ms, retention)))
    }

    fn durability(&self) -> String {
        "an acknowledged event is gone with the process".into()
    }

    fn health(&self) -> Operation<'_, ()> {
        self.answer(|_| Ok(()))
    }

    fn close(&self) -> Operation<'_, ()> {
        *self.closed.lock().unwrap() = true;
        Box::pin(ready(Ok(())))
    }
}

impl Store {
    fn append(&mut self, entry: Entry, max: u64) -> Result<Appended, Error> {
        if let Some(known) = self.entries.iter_mut().find(|known| known.key == entry.key) {
            known.duplicates += 1;
            return Ok(Appended::Duplicate);
        }
        let (waiting, adds) = (self.waiting(), due(&entry.deliveries));
        if adds > 0 && waiting + adds > max {
            return Err(Error::Full { waiting, max });
        }
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

    fn add(&mut self, entry: usize, deliveries: Vec<NewDelivery>, queued_ms: u64) {
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

    fn lease(&mut self, request: &LeaseRequest) -> Leased {
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

    fn settle(&mut self, attempt: Attempt) -> Settled {
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
        }
        self.arrivals.entry(delivery.destination.clone()).or_default().notify_one();
        Settled::Recorded
    }

    fn dead_letters(&self, filter: &DeadFilter) -> Vec<DeadLetter> {
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

    fn replay(&mut self, letter: &Replay, now_ms: u64) -> bool {
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

    fn remove_dead(&mut self, key: &DeliveryKey) -> Option<(usize, DeliveryJournal)> {
        self.entries.iter_mut().enumerate().find_map(|(index, entry)| {
            let at = entry.deliveries.iter().position(|one| one.key == *key && one.state == State::Dead)?;
            Some((index, entry.deliveries.remove(at)))
        })
    }

    fn counts(&self) -> Vec<Count> {
        let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
        for one in self.entries.iter().flat_map(|entry| &entry.deliveries) {
            let destination = one.destination.clone();
            let empty = Count { destination, waiting: 0, dead: 0, oldest_queued_ms: None };
            let queued_ms = self.hidden[&one.key].queued_ms;
            match one.state {
                State::Delivered => {}
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

    fn waiting(&self) -> u64 {
        self.counts().iter().map(|count| count.waiting).sum()
    }

    fn sweep(&mut self, now_ms: u64, retention: Retention) -> usize {
        let (hidden, mut swept) = (&self.hidden, 0);
        for entry in &mut self.entries {
            let before = entry.deliveries.len();
            entry.deliveries.retain(|one| {
                one.state != State::Dead || hidden[&one.key].died_ms >= now_ms.saturating_sub(retention.dead_ms)
            });
            swept += before - entry.deliveries.len();
        }
        let before = self.entries.len() + self.profiles.len();
        self.entries.retain(|entry| {
            entry.received_ms >= now_ms.saturating_sub(retention.journal_ms)
                || entry.deliveries.iter().any(|one| one.state != State::Delivered)
        });
        self.profiles.retain(|_, (_, expires_ms)| *expires_ms > now_ms);
        swept + before - self.entries.len() - self.profiles.len()
    }
}

fn due(deliveries: &[NewDelivery]) -> u64 {
    deliveries.iter().filter(|one| matches!(one.state, NewState::Due(_))).count() as u64
}
