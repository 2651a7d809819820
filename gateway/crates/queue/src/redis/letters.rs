//! Dead letters: listed in pages, put back, replaced, deleted.

use std::collections::{BTreeMap, HashMap};

use super::commit::Shop;
use super::keys::{Fixed, entry_key, reference_in};
use super::link::{Call, Lane, Read};
use super::pack::{Packed, Parcel, number};
use super::read::{Fields, Payloads, command, dead_counts};
use super::scripts::REPLAY;
use super::value::{Answer, array, optional};
use crate::{DeadFilter, DeadLetter, DeliveryKey, Error, NewState, Replay, ReplayWith};

/// How many letters of one destination in one partition are looked at in one round.
const PAGE: usize = 100;

/// Where the search stands, for one destination in one partition.
struct Place {
    partition: u16,
    prefix: Vec<u8>,
    before: Option<DeliveryKey>,
    /// Keys that were found and not taken yet, newest first.
    ahead: Vec<DeliveryKey>,
    is_done: bool,
}

pub(super) async fn dead_letters(shop: &Shop, filter: DeadFilter) -> Result<Vec<DeadLetter>, Error> {
    let needle = filter.reason.as_ref().map(|text| text.to_lowercase());
    let is_of_entry = |state: &Packed| {
        filter.entry_id.as_ref().is_none_or(|id| entry_key(&state.reference).is_some_and(|key| key.id == *id))
    };
    let is_wanted = |state: &Packed| {
        state.state == 2
            && is_of_entry(state)
            && needle.as_ref().is_none_or(|needle| state.reason.to_lowercase().contains(needle))
    };
    let mut places = Vec::new();
    for (partition, destinations) in dead_counts(shop).await? {
        for (name, prefix) in destinations {
            if filter.destination.as_ref().is_none_or(|wanted| *wanted == name) {
                places.push(Place { partition, prefix, before: filter.before, ahead: Vec::new(), is_done: false });
            }
        }
    }
    let only = of_entry(shop, &filter).await?;
    let mut letters = Vec::new();
    while letters.len() < filter.limit {
        fill(shop, &mut places, only.as_ref()).await?;
        // As many of the newest as could be asked for; none beyond a place that may hold newer ones.
        let mut newest: Vec<(DeliveryKey, u16)> = Vec::new();
        for _ in 0..PAGE {
            let Some(place) =
                places.iter_mut().filter(|place| !place.ahead.is_empty()).max_by_key(|place| place.ahead[0])
            else {
                break;
            };
            newest.push((place.ahead.remove(0), place.partition));
            if place.ahead.is_empty() && !place.is_done {
                break;
            }
        }
        if newest.is_empty() {
            break;
        }
        let wanted: Vec<_> = newest.iter().map(|(key, partition)| (*partition, vec![*key])).collect();
        // Without payloads first: a search through many letters reads only the states.
        let states = shop.fields("dead_letters", &states_of(&newest)).await?;
        let mut chosen = Vec::new();
        for (place, state) in wanted.into_iter().zip(states) {
            let state = state.into_iter().next().flatten().and_then(|packed| Packed::read(&packed));
            if state.is_some_and(|state| is_wanted(&state)) && letters.len() + chosen.len() < filter.limit {
                chosen.push(place);
            }
        }
        for found in shop.deliveries("dead_letters", &chosen, Payloads::With).await? {
            letters.extend(found.into_iter().filter_map(|one| {
                Some(DeadLetter {
                    key: one.key,
                    entry: entry_key(&one.state.reference)?,
                    destination: one.state.destination,
                    reason: one.state.reason,
                    died_ms: one.state.died_ms,
                    payload: one.payload,
                    attempts: one.records,
                })
            }));
        }
    }
    Ok(letters)
}

fn states_of(keys: &[(DeliveryKey, u16)]) -> Vec<Fields> {
    let fields = |(key, partition): &(DeliveryKey, u16)| Fields {
        partition: *partition,
        of: Fixed::Delivery,
        names: vec![key.0.to_vec()],
    };
    keys.iter().map(fields).collect()
}

/// The deliveries of the entry that is asked for, if one is: then nothing else has to be looked at.
async fn of_entry(shop: &Shop, filter: &DeadFilter) -> Result<Option<Vec<DeliveryKey>>, Error> {
    let Some(id) = &filter.entry_id else { return Ok(None) };
    let scopes = shop.ask_all("dead_letters", Fixed::Scope, |key| command("SMEMBERS", key)).await?;
    let mut wanted = Vec::new();
    for (partition, scopes) in (0..).zip(scopes) {
        for scope in array("dead_letters", scopes)?.into_iter().filter_map(optional) {
            wanted.push((partition, reference_in(&String::from_utf8_lossy(&scope), id)));
        }
    }
    let found = shop.whole("dead_letters", &wanted, Payloads::Without).await?;
    Ok(Some(found.into_iter().flat_map(|(_, whole)| whole.entry.deliveries).collect()))
}

/// Reads the next page of every place that has nothing ahead.
async fn fill(shop: &Shop, places: &mut [Place], only: Option<&Vec<DeliveryKey>>) -> Result<(), Error> {
    let empty: Vec<_> = places.iter_mut().filter(|place| place.ahead.is_empty() && !place.is_done).collect();
    let reads = empty.iter().map(|place| {
        let key = shop.keys.fixed(place.partition, Fixed::Dead);
        let mut cmd = command("ZREVRANGEBYLEX", &key);
        let mut from = vec![b'('];
        from.extend_from_slice(&place.prefix);
        // Without a limit from above: one byte more than any key.
        from.extend_from_slice(&place.before.map_or([0xff; 17].to_vec(), |key| key.0.to_vec()));
        let mut to = vec![b'['];
        to.extend_from_slice(&place.prefix);
        cmd.arg(from).arg(to).arg("LIMIT").arg(0).arg(PAGE);
        Read { key, cmd }
    });
    let answers = shop.ask("dead_letters", reads.collect()).await?;
    for (place, answer) in empty.into_iter().zip(answers) {
        let members = array("dead_letters", answer)?;
        place.is_done = members.len() < PAGE;
        let keys = members
            .into_iter()
            .filter_map(optional)
            .filter_map(|member| member.get(place.prefix.len()..)?.try_into().ok().map(DeliveryKey));
        place.ahead = keys.collect();
        place.before = place.ahead.last().copied().or(place.before);
        if let Some(only) = only {
            place.ahead.retain(|key| only.contains(key));
        }
    }
    Ok(())
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
    change(shop, "replay", fates.collect(), now_ms).await
}

pub(super) async fn purge(shop: &Shop, letters: Vec<DeliveryKey>) -> Result<usize, Error> {
    let fates = letters.into_iter().map(|key| (key, Fate::Instead(Vec::new())));
    change(shop, "purge", fates.collect(), 0).await
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
    let states = match shop.limits.destinations.is_empty() {
        true => HashMap::new(),
        false => locate(shop, "replay", &recorded).await?,
    };
    for (_, state) in states.values() {
        *of.entry(state.destination.as_str()).or_default() += 1;
    }
    for (name, cap) in &shop.limits.destinations {
        let waiting = shop.table.waiting_for(name);
        let adds = of.get(name.as_str()).copied().unwrap_or(0);
        if adds > 0 && waiting + adds > cap.waiting_max {
            return Err(Error::Full { destination: Some(name.clone()), waiting, max: cap.waiting_max });
        }
    }
    let waiting = shop.table.waiting();
    if waiting + adds > shop.limits.waiting_max {
        return Err(Error::Full { destination: None, waiting, max: shop.limits.waiting_max });
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

async fn change(
    shop: &Shop,
    operation: &'static str,
    letters: Vec<(DeliveryKey, Fate)>,
    now_ms: u64,
) -> Result<usize, Error> {
    let keys: Vec<_> = letters.iter().map(|(key, _)| *key).collect();
    let places = locate(shop, operation, &keys).await?;
    let mut parts: BTreeMap<u16, (Vec<String>, Vec<Vec<u8>>, usize)> = BTreeMap::new();
    for (key, fate) in letters {
        let Some((partition, state)) = places.get(&key) else { continue };
        let (destinations, args, count) = parts.entry(*partition).or_default();
        let mut number_of = |name: &str| {
            let at = destinations.iter().position(|known| known == name).unwrap_or_else(|| {
                destinations.push(name.to_owned());
                destinations.len() - 1
            });
            at + 1
        };
        *count += 1;
        args.push(key.0.to_vec());
        args.push(number(number_of(&state.destination) as u64));
        match fate {
            Fate::Again => args.push("recorded".into()),
            Fate::Instead(deliveries) => {
                args.push("instead".into());
                args.push(number(deliveries.len() as u64));
                for delivery in deliveries {
                    let n = number_of(&delivery.destination);
                    Parcel::replacing(delivery, &state.reference, now_ms).arguments(n, args);
                }
            }
        }
    }
    let mut calls = Vec::with_capacity(parts.len());
    let mut asked = Vec::with_capacity(parts.len());
    for (partition, (destinations, letters, count)) in parts {
        let mut args = shop.clock.arguments(now_ms);
        args.extend(shop.identity.arguments(&shop.keys, partition));
        args.push(number(destinations.len() as u64));
        args.extend(destinations.iter().map(|name| name.clone().into_bytes()));
        args.push(number(count as u64));
        args.extend(letters);
        let keys = shop.keys.script(partition, destinations.iter().map(String::as_str));
        calls.push(Call { script: &REPLAY, partition, keys, args });
        asked.push((partition, destinations, count));
    }
    let mut changed = 0;
    let mut failure = None;
    for ((partition, destinations, count), answer) in
        asked.into_iter().zip(shop.link.run(Lane::Work, calls, shop.confirm).await)
    {
        let answer =
            answer.map_err(|trouble| trouble.into_error(operation)).and_then(|value| Answer::of(operation, value));
        match answer {
            Ok(mut answer) => {
                for _ in 0..count {
                    changed += usize::from(answer.int()? != 0);
                }
                shop.table.set_waiting(partition, answer.count()?.unwrap_or(0));
                for name in destinations {
                    shop.table.set_waiting_for(partition, &name, answer.count()?.unwrap_or(0));
                    shop.table.news(&name, partition, 0);
                }
            }
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(changed), Err)
}
