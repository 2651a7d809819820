//! Dead letters, newest first in pages, of all partitions. Changes none.

use super::commit::Shop;
use super::counts::{Counted, Counter, counters};
use super::keys::{Fixed, dead_prefix, entry_key, reference_in};
use super::link::Read;
use super::pack::Packed;
use super::read::command;
use super::value::{array, optional};
use super::whole::{Fields, Payloads};
use crate::{DeadFilter, DeadLetter, DeliveryKey, Error};

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
    for Counter { partition, of, .. } in counters(shop, "dead_letters").await? {
        let Counted::DeadOf(name) = of else { continue };
        if filter.destination.as_ref().is_none_or(|wanted| *wanted == name) {
            let prefix = dead_prefix(&name);
            places.push(Place { partition, prefix, before: filter.before, ahead: Vec::new(), is_done: false });
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
