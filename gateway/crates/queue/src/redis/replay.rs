//! Changes dead letters: puts them back, replaces them, deletes them. Finds the partition of each first.

use std::collections::{BTreeMap, HashMap};

use super::commit::Shop;
use super::keys::Fixed;
use super::link::{Call, Lane};
use super::pack::{Packed, Parcel, number};
use super::script::Script;
use super::scripts::{PURGE, REPLAY};
use super::value::Answer;
use super::whole::Fields;
use crate::{DeliveryKey, Error, NewState, Replay, ReplayWith};

/// What a change is to people, and the script that makes it: deleting needs no room.
#[derive(Clone, Copy)]
struct Manner {
    operation: &'static str,
    script: fn() -> &'static Script,
}

impl Manner {
    const REPLAY: Manner = Manner { operation: "replay", script: || &REPLAY };
    const PURGE: Manner = Manner { operation: "purge", script: || &PURGE };
}

/// What is to become of a letter.
enum Fate {
    Again,
    Instead(Vec<crate::NewDelivery>),
}

pub(super) async fn replay(shop: &Shop, letters: Vec<Replay>, now_ms: u64) -> Result<usize, Error> {
    has_room(shop, &letters).await?;
    let fates = letters.into_iter().map(|letter| match letter.with {
        ReplayWith::AsRecorded => (letter.key, Fate::Again),
        ReplayWith::Instead(deliveries) => (letter.key, Fate::Instead(deliveries)),
    });
    change(shop, Manner::REPLAY, fates.collect(), now_ms).await
}

pub(super) async fn purge(shop: &Shop, letters: Vec<DeliveryKey>) -> Result<usize, Error> {
    let fates = letters.into_iter().map(|key| (key, Fate::Instead(Vec::new())));
    change(shop, Manner::PURGE, fates.collect(), 0).await
}

/// Refuses what would not fit. Other processes may fill the room meanwhile; replay is rare and the limit is not sharp.
async fn has_room(shop: &Shop, letters: &[Replay]) -> Result<(), Error> {
    let mut adds = 0;
    let mut of: BTreeMap<&str, u64> = BTreeMap::new();
    let mut recorded = Vec::new();
    for letter in letters {
        match &letter.with {
            ReplayWith::AsRecorded => {
                adds += 1;
                recorded.push(letter.key);
            }
            ReplayWith::Instead(deliveries) => {
                for one in deliveries.iter().filter(|one| matches!(one.state, NewState::Due(_))) {
                    adds += 1;
                    *of.entry(one.destination.as_str()).or_default() += 1;
                }
            }
        }
    }
    if adds == 0 {
        return Ok(());
    }
    let limits = shop.limits.now();
    let states = match limits.destinations.is_empty() {
        true => HashMap::new(),
        false => locate(shop, "replay", &recorded).await?,
    };
    for (_, state) in states.values() {
        *of.entry(state.destination.as_str()).or_default() += 1;
    }
    for (name, cap) in &limits.destinations {
        let waiting = shop.table.waiting_for(name);
        let adds = of.get(name.as_str()).copied().unwrap_or(0);
        if adds > 0 && waiting + adds > cap.waiting_max {
            return Err(Error::Full { destination: Some(name.clone()), waiting, max: cap.waiting_max });
        }
    }
    let waiting = shop.table.waiting();
    if waiting + adds > limits.waiting_max {
        return Err(Error::Full { destination: None, waiting, max: limits.waiting_max });
    }
    Ok(())
}

/// Where dead letters are, with their states.
async fn locate(
    shop: &Shop,
    operation: &'static str,
    keys: &[DeliveryKey],
) -> Result<HashMap<DeliveryKey, (u16, Packed)>, Error> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let names: Vec<_> = keys.iter().map(|key| key.0.to_vec()).collect();
    let wishes: Vec<_> = (0..shop.keys.partitions())
        .map(|partition| Fields { partition, of: Fixed::Delivery, names: names.clone() })
        .collect();
    let mut found = HashMap::new();
    for (partition, states) in (0u16..).zip(shop.fields(operation, &wishes).await?) {
        for (key, state) in keys.iter().zip(states) {
            let state = state.and_then(|packed| Packed::read(&packed)).filter(|state| state.state == 2);
            if let Some(state) = state {
                found.insert(*key, (partition, state));
            }
        }
    }
    Ok(found)
}

/// What is asked of one partition.
#[derive(Default)]
struct Part {
    destinations: Vec<String>,
    letters: Vec<Vec<u8>>,
    count: usize,
}

impl Part {
    fn add(&mut self, key: DeliveryKey, fate: Fate, state: &Packed, now_ms: u64) {
        self.count += 1;
        self.letters.push(key.0.to_vec());
        let n = self.number(&state.destination);
        self.letters.push(number(n as u64));
        match fate {
            Fate::Again => self.letters.push("recorded".into()),
            Fate::Instead(deliveries) => {
                self.letters.push("instead".into());
                self.letters.push(number(deliveries.len() as u64));
                for delivery in deliveries {
                    let n = self.number(&delivery.destination);
                    Parcel::replacing(delivery, &state.reference, now_ms).arguments(n as u64, &mut self.letters);
                }
            }
        }
    }

    /// The number by which the script knows the destination.
    fn number(&mut self, name: &str) -> usize {
        let known = self.destinations.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.destinations.push(name.to_owned());
            self.destinations.len() - 1
        }) + 1
    }

    fn call(&self, shop: &Shop, partition: u16, manner: Manner, now_ms: u64) -> Call {
        let mut args = shop.clock.arguments(now_ms);
        args.extend(shop.identity.arguments(&shop.keys, partition));
        args.push(number(self.destinations.len() as u64));
        args.extend(self.destinations.iter().map(|name| name.clone().into_bytes()));
        args.push(number(self.count as u64));
        args.extend(self.letters.iter().cloned());
        let keys = shop.keys.script(partition, self.destinations.iter().map(String::as_str));
        Call { script: (manner.script)(), partition, keys, args }
    }

    /// Reads what the script answered, and notes what it told; gives how many letters were dead.
    fn read(&self, shop: &Shop, partition: u16, mut answer: Answer) -> Result<usize, Error> {
        let mut changed = 0;
        for _ in 0..self.count {
            changed += usize::from(answer.int()? != 0);
        }
        shop.table.set_waiting(partition, answer.count()?.unwrap_or(0));
        for name in &self.destinations {
            shop.table.set_waiting_for(partition, name, answer.count()?.unwrap_or(0));
            shop.table.news(name, partition, 0);
        }
        Ok(changed)
    }
}

async fn change(shop: &Shop, manner: Manner, letters: Vec<(DeliveryKey, Fate)>, now_ms: u64) -> Result<usize, Error> {
    let keys: Vec<_> = letters.iter().map(|(key, _)| *key).collect();
    let places = locate(shop, manner.operation, &keys).await?;
    let mut parts: BTreeMap<u16, Part> = BTreeMap::new();
    for (key, fate) in letters {
        if let Some((partition, state)) = places.get(&key) {
            parts.entry(*partition).or_default().add(key, fate, state, now_ms);
        }
    }
    let calls = parts.iter().map(|(partition, part)| part.call(shop, *partition, manner, now_ms)).collect();
    let answers = shop.link.run(Lane::Work, calls, shop.confirm).await;
    let (mut changed, mut failure) = (0, None);
    for ((partition, part), answer) in parts.iter().zip(answers) {
        let answer = answer.map_err(|trouble| trouble.into_error(manner.operation));
        match answer.and_then(|value| part.read(shop, *partition, Answer::of(manner.operation, value)?)) {
            Ok(count) => changed += count,
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(changed), Err)
}
