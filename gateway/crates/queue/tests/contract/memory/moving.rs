//! Everything out of the reference, and into it.

use std::collections::BTreeMap;

use tidegate_queue::*;

use super::store::{Hidden, Store};

impl Store {
    pub(super) fn items(&self) -> Vec<Item> {
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
                        State::Cancelled => StoredState::Cancelled(one.reason.clone().unwrap_or_default()),
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
        let settings = self.settings.iter().map(|(name, value)| Setting { name: name.clone(), value: value.clone() });
        entries.chain(profiles.into_values().map(Item::Profile)).chain(settings.map(Item::Setting)).collect()
    }

    pub(super) fn import(&mut self, item: &Item) -> bool {
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
            Item::Setting(Setting { name, value }) => {
                let is_news = !self.settings.contains_key(name);
                self.settings.entry(name.clone()).or_insert_with(|| value.clone());
                is_news
            }
        }
    }

    pub(super) fn import_entry(&mut self, entry: &StoredEntry) -> bool {
        if self.entries.iter().any(|known| known.key == entry.key) {
            return false;
        }
        let mut deliveries = Vec::new();
        for one in &entry.deliveries {
            let (state, reason, died_ms) = match &one.state {
                StoredState::Waiting(due_ms) => (State::Waiting(*due_ms), None, 0),
                StoredState::Delivered => (State::Delivered, None, 0),
                StoredState::Cancelled(reason) => (State::Cancelled, Some(reason.clone()), 0),
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
}
