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
    limits: Limits,
    closed: Mutex<bool>,
}

#[derive(Default)]
pub(crate) struct Store {
    entries: Vec<Journal>,
    /// What the interface does not show of a delivery.
    hidden: HashMap<DeliveryKey, Hidden>,
    profiles: BTreeMap<(String, String), (ProfileField, u64)>,
    arrivals: HashMap<String, Arc<Notify>>,
    affinities: HashMap<EntryKey, String>,
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
    pub(crate) fn open(store: Arc<Mutex<Store>>, limits: Limits) -> Self {
        store.lock().unwrap().hidden.values_mut().for_each(|hidden| hidden.lease = None);
        Self { store, limits, closed: Mutex::new(false) }
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
        self.answer(|store| store.append(entry, &self.limits))
    }

    fn lease(&self, request: LeaseRequest) -> Operation<'_, Leased> {
        self.answer(|store| Ok(store.lease(&request)))
    }

    fn settle(&self, attempts: Vec<Attempt>) -> Operation<'_, Vec<Settled>> {
        self.answer(|store| Ok(attempts.into_iter().map(|attempt| store.settle(attempt)).collect()))
    }

    fn renew(&self, renewal: Renewal) -> Operation<'_, Vec<Held>> {
        self.answer(|store| {
            let renewed = renewal.leases.iter().map(|(key, token)| {
                let lease = store.hidden.get_mut(key).and_then(|hidden| hidden.lease.as_mut());
                match lease.filter(|lease| lease.0 == *token && lease.1 > renewal.now_ms) {
                    Some(lease) => {
                        lease.1 = renewal.until_ms;
                        Held::Ours
                    }
                    None => Held::Lost,
                }
            });
            Ok(renewed.collect())
        })
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
        self.answer(|store| {
            let adds = letters.iter().flat_map(|letter| match &letter.with {
                ReplayWith::AsRecorded => vec![store.dead_of(&letter.key)],
                ReplayWith::Instead(all) => due(all).map(|(_, one)| one.destination.clone()).collect(),
            });
            let adds: Vec<_> = adds.collect();
            for (index, destination) in adds.iter().enumerate() {
                let same = adds[..index].iter().filter(|one| *one == destination).count() as u64;
                if let Some((_, full)) = store.over(destination, same, &self.limits) {
                    return Err(full);
                }
            }
            store.check_overall(adds.len() as u64, &self.limits)?;
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

    fn sweep(&self, now_ms: u64, retention: Retention) -> Operation<'_, Swept> {
        self.answer(move |store| Ok(store.sweep(now_ms, retention)))
    }

    fn export(&self, after: Option<Cursor>, limit: usize) -> Operation<'_, Export> {
        self.answer(|store| {
            let start = after.map_or(0, |Cursor(at)| at.parse().unwrap());
            let all = store.items();
            let end = all.len().min(start + limit.max(1));
            let next = (end < all.len()).then(|| Cursor(end.to_string()));
            Ok(Export { items: all[start..end].to_vec(), next })
        })
    }

    fn import(&self, items: Vec<Item>) -> Operation<'_, usize> {
        self.answer(|store| Ok(items.into_iter().filter(|item| store.import(item)).count()))
    }

    fn durability(&self) -> Durability {
        Durability { level: Level::Any, meaning: "an acknowledged event is gone with the process".into() }
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
    fn append(&mut self, mut entry: Entry, limits: &Limits) -> Result<Appended, Error> {
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
    fn over(&self, destination: &str, same: u64, limits: &Limits) -> Option<(Cap, Error)> {
        let cap = *limits.destinations.get(destination)?;
        let waiting =
            self.counts().iter().find(|count| count.destination == destination).map_or(0, |count| count.waiting);
        let full = Error::Full { destination: Some(destination.into()), waiting, max: cap.waiting_max };
        (waiting + same + 1 > cap.waiting_max).then_some((cap, full))
    }

    fn check_overall(&self, adds: u64, limits: &Limits) -> Result<(), Error> {
        let (waiting, max) = (self.waiting(), limits.waiting_max);
        match adds > 0 && waiting + adds > max {
            true => Err(Error::Full { destination: None, waiting, max }),
            false => Ok(()),
        }
    }

    fn dead_of(&self, key: &DeliveryKey) -> String {
        let all = self.entries.iter().flat_map(|entry| &entry.deliveries);
        all.into_iter()
            .find(|one| one.key == *key && one.state == State::Dead)
            .map_or("", |one| &one.destination)
            .into()
    }

    fn items(&self) -> Vec<Item> {
        let entries = self.entries.iter().map(|entry| {
            let deliveries = entry.deliveries.iter().map(|one| {
                let hidden = &self.hidden[&one.key];
                StoredDelivery {
                    key: one.key,
                    destination: one.destination.clone(),
                    payload: one.payload.clone(),
                    state: match one.state {
                        State::Waiting(due_ms) => StoredState::Waiting(due_ms),
                        State::Delivered => StoredState::Delivered,
                        State::Dead => StoredState::Dead {
                            reason: one.reason.clone().unwrap_or_default(),
                            died_ms: hidden.died_ms,
                        },
                    },
                    queued_ms: hidden.queued_ms,
                    attempts: hidden.attempts,
                    records: one.attempts.clone(),
                }
            });
            Item::Entry(StoredEntry {
                key: entry.key.clone(),
                affinity: self.affinities[&entry.key].clone(),
                received_ms: entry.received_ms,
                record: entry.record.clone(),
                duplicates: entry.duplicates,
                deliveries: deliveries.collect(),
            })
        });
        let mut profiles: BTreeMap<String, StoredProfile> = BTreeMap::new();
        for ((key, _), field) in &self.profiles {
            let empty = StoredProfile { key: key.clone(), fields: Vec::new() };
            profiles.entry(key.clone()).or_insert(empty).fields.push(field.clone());
        }
        entries.chain(profiles.into_values().map(Item::Profile)).collect()
    }

    fn import(&mut self, item: &Item) -> bool {
        match item {
            Item::Entry(entry) => self.import_entry(entry),
            Item::Profile(profile) => {
                let mut is_news = false;
                for (field, expires_ms) in &profile.fields {
                    let at = (profile.key.clone(), field.name.clone());
                    if self.profiles.get(&at).is_none_or(|(known, _)| known.seen_ms < field.seen_ms) {
                        self.profiles.insert(at, (field.clone(), *expires_ms));
                        is_news = true;
                    }
                }
                is_news
            }
        }
    }

    fn import_entry(&mut self, entry: &StoredEntry) -> bool {
        if self.entries.iter().any(|known| known.key == entry.key) {
            return false;
        }
        let mut deliveries = Vec::new();
        for one in &entry.deliveries {
            let (state, reason, died_ms) = match &one.state {
                StoredState::Waiting(due_ms) => (State::Waiting(*due_ms), None, 0),
                StoredState::Delivered => (State::Delivered, None, 0),
                StoredState::Dead { reason, died_ms } => (State::Dead, Some(reason.clone()), *died_ms),
            };
            let hidden = Hidden { queued_ms: one.queued_ms, died_ms, attempts: one.attempts, lease: None };
            self.hidden.insert(one.key, hidden);
            self.arrivals.entry(one.destination.clone()).or_default().notify_one();
            let (key, destination, payload) = (one.key, one.destination.clone(), one.payload.clone());
            let attempts = one.records.clone();
            deliveries.push(DeliveryJournal { key, destination, state, reason, payload, attempts });
        }
        self.affinities.insert(entry.key.clone(), entry.affinity.clone());
        self.entries.push(Journal {
            key: entry.key.clone(),
            received_ms: entry.received_ms,
            record: entry.record.clone(),
            duplicates: entry.duplicates,
            deliveries,
        });
        true
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

    fn sweep(&mut self, now_ms: u64, retention: Retention) -> Swept {
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
                || entry.deliveries.iter().any(|one| one.state != State::Delivered)
        });
        self.profiles.retain(|_, (_, expires_ms)| *expires_ms > now_ms);
        swept.records += before.0 - self.entries.len();
        swept.fields = before.1 - self.profiles.len();
        swept
    }
}

/// Those that are to wait, each with its index.
fn due(deliveries: &[NewDelivery]) -> impl Iterator<Item = (usize, &NewDelivery)> {
    deliveries.iter().enumerate().filter(|(_, one)| matches!(one.state, NewState::Due(_)))
}
