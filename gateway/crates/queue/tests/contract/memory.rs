//! A queue in memory: the reference that backends are compared with. As simple as it can be, and durable in nothing
//! but that it outlives the handles on it.

mod chain;
mod moving;
mod store;

use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard};

use tidegate_queue::chain::{Ends, Head, Link};
use tidegate_queue::*;
use tokio::sync::Notify;

pub(crate) use self::store::Store;
use self::store::due;

/// A handle on a store; another handle on the same store is the process started anew.
pub(crate) struct MemoryQueue {
    store: Arc<Mutex<Store>>,
    limits: Mutex<Limits>,
    closed: Mutex<bool>,
}

impl MemoryQueue {
    pub(crate) fn open(store: Arc<Mutex<Store>>, limits: Limits) -> Self {
        store.lock().unwrap().hidden.values_mut().for_each(|hidden| hidden.lease = None);
        Self { store, limits: Mutex::new(limits), closed: Mutex::new(false) }
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
        self.answer(|store| store.append(entry, &self.limits.lock().unwrap()))
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
                if let Some((_, full)) = store.over(destination, same, &self.limits.lock().unwrap()) {
                    return Err(full);
                }
            }
            store.check_overall(adds.len() as u64, &self.limits.lock().unwrap())?;
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

    fn profile_field(&self, name: &str, keys: Vec<String>, now_ms: u64) -> Operation<'_, Vec<Option<ProfileField>>> {
        self.answer(|store| {
            let field = |key: String| {
                let stored = store.profiles.get(&(key, name.to_owned()));
                stored.filter(|(_, expires_ms)| *expires_ms > now_ms).map(|(field, _)| field.clone())
            };
            Ok(keys.into_iter().map(field).collect())
        })
    }

    fn settings(&self) -> Operation<'_, Vec<Setting>> {
        let setting = |(name, value): (&String, &String)| Setting { name: name.clone(), value: value.clone() };
        self.answer(|store| Ok(store.settings.iter().map(setting).collect()))
    }

    fn set(&self, name: &str, value: Option<String>) -> Operation<'_, ()> {
        self.answer(|store| {
            match value {
                Some(value) => store.settings.insert(name.to_owned(), value),
                None => store.settings.remove(name),
            };
            store.settings_news.notify_one();
            Ok(())
        })
    }

    fn settings_news(&self) -> Arc<Notify> {
        self.lock().settings_news.clone()
    }

    fn limit(&self, limits: Limits) {
        *self.limits.lock().unwrap() = limits;
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

    fn chain_append(&self, at_ms: u64, bytes: Vec<u8>) -> Operation<'_, Head> {
        self.answer(|store| Ok(store.chain.append(at_ms, bytes)))
    }

    fn chain_page(&self, after: u64, limit: usize) -> Operation<'_, Vec<Link>> {
        self.answer(|store| Ok(store.chain.after(after).take(limit).cloned().collect()))
    }

    fn chain_ends(&self) -> Operation<'_, Ends> {
        self.answer(|store| Ok(store.chain.ends()))
    }

    fn chain_import(&self, links: Vec<Link>) -> Operation<'_, usize> {
        self.answer(|store| store.chain.import(links))
    }

    fn durability(&self) -> Durability {
        Durability { level: Level::Any, meaning: "an acknowledged event is gone with the process".into() }
    }

    fn health(&self) -> Operation<'_, ()> {
        let limits = self.limits.lock().unwrap().clone();
        self.answer(move |store| {
            let (waiting, max) = (store.waiting(), limits.waiting_max);
            if waiting >= max { Err(Error::Full { destination: None, waiting, max }) } else { Ok(()) }
        })
    }

    fn close(&self) -> Operation<'_, ()> {
        *self.closed.lock().unwrap() = true;
        Box::pin(ready(Ok(())))
    }
}
