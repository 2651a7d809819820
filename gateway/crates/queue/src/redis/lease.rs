//! Leases: taken, renewed, given back, and settled. Partitions where something may be due are asked in turn, more of
//! them at a time the less they give.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::commit::Shop;
use super::keys::entry_key;
use super::link::{Call, Confirm, Lane};
use super::pack::{number, outcome, time};
use super::scripts::{LEASE, RELEASE, SETTLE};
use super::table::{Held, Table, Told};
use super::value::Answer;
use crate::{Attempt, DeliveryKey, Error, Held as Holding, Lease, LeaseRequest, LeaseToken, Leased, Renewal, Settled};

/// The most partitions that are asked at once.
const WIDTH_MAX: usize = 32;

pub(super) async fn lease(shop: &Shop, request: LeaseRequest) -> Result<Leased, Error> {
    let mut leased = Leased::default();
    // Who wants none only wants to know when the next is due.
    let (mut width, mut bytes) = (if request.count_max == 0 { usize::MAX } else { 1 }, 0);
    loop {
        let left = request.count_max - leased.deliveries.len();
        let asked = if left == 0 { width } else { width.min(left) };
        let partitions = shop.table.take_due(&request.destination, request.now_ms, asked);
        if partitions.is_empty() {
            break;
        }
        let mut wanted = Share {
            count: left / partitions.len(),
            bytes: request.bytes_max.saturating_sub(bytes) / partitions.len(),
            // One is leased, however large, but only one.
            owed: leased.deliveries.is_empty() && partitions.len() == 1,
            refused: false,
        };
        let calls = partitions.iter().map(|partition| call(shop, &request, *partition, &wanted)).collect();
        let answers = {
            // Whoever stops waiting here must not leave partitions that nobody looks at any more.
            let mut taken = Taken { table: &shop.table, destination: &request.destination, partitions: &partitions };
            let answers = shop.link.run(Lane::Work, calls, Confirm::Nothing).await;
            taken.partitions = &[];
            answers
        };
        let (mut failure, before) = (None, leased.deliveries.len());
        for (partition, answer) in partitions.into_iter().zip(answers) {
            let read = answer
                .map_err(|trouble| trouble.into_error("lease"))
                .and_then(|value| read(shop, &request, partition, Answer::of("lease", value)?));
            match read {
                Ok((leases, more)) => {
                    wanted.refused |= more && leases.is_empty();
                    bytes += leases.iter().map(|lease| lease.payload.len()).sum::<usize>();
                    leased.deliveries.extend(leases);
                }
                Err(error) => {
                    shop.table.failed(&request.destination, partition);
                    failure = Some(error);
                }
            }
        }
        match failure {
            // What was leased is worth having; the rest is asked for again.
            Some(_) if !leased.deliveries.is_empty() => break,
            Some(error) => return Err(error),
            None => {}
        }
        let is_full = !leased.deliveries.is_empty() && bytes >= request.bytes_max;
        if leased.deliveries.len() >= request.count_max || is_full {
            break;
        }
        width = match leased.deliveries.len() == before {
            // What is next may be too large for a share of the bytes, or for all that are left.
            true if wanted.refused && width == 1 => break,
            true if wanted.refused => 1,
            _ => (width * 2).min(WIDTH_MAX),
        };
    }
    leased.next_due_ms = shop.table.next_due(&request.destination, request.now_ms);
    Ok(leased)
}

/// Partitions that were taken from the table, and about which nothing has been told yet.
struct Taken<'a> {
    table: &'a Table,
    destination: &'a str,
    partitions: &'a [u16],
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.partitions.iter().for_each(|partition| self.table.failed(self.destination, *partition));
    }
}

/// What one of several partitions is asked for.
struct Share {
    count: usize,
    bytes: usize,
    owed: bool,
    /// Somebody had something, and gave nothing.
    refused: bool,
}

fn call(shop: &Shop, request: &LeaseRequest, partition: u16, share: &Share) -> Call {
    let mut args = shop.clock.arguments(request.now_ms);
    args.push(number(time(request.until_ms)));
    args.push(number(share.count as u64));
    args.push(number(share.bytes as u64));
    args.push(number(share.owed.into()));
    args.push(shop.identity.consumer.clone().into_bytes());
    args.push(request.destination.clone().into_bytes());
    args.push(number(shop.lapses_max));
    Call { script: &LEASE, partition, keys: shop.keys.script(partition, [request.destination.as_str()]), args }
}

fn read(shop: &Shop, request: &LeaseRequest, partition: u16, mut answer: Answer) -> Result<(Vec<Lease>, bool), Error> {
    let counts_ms = answer.count()?.unwrap_or(0);
    shop.table.set_clock(counts_ms, request.now_ms);
    // 1: something is due that was not given; 2: what was there was none, and behind it there may be more.
    let more = answer.int()?;
    let (due_ms, end_ms) = (answer.count()?, answer.count()?);
    let (remade, unreadable, poison) = (answer.int()?, answer.int()?, answer.int()?);
    let waiting = answer.count()?.unwrap_or(0);
    shop.table.set_waiting(partition, answer.count()?.unwrap_or(0));
    let mut items = answer.part()?;
    let mut leases = Vec::new();
    while !items.is_empty() {
        let mut item = items.part()?;
        let key = item.key()?;
        let token = LeaseToken(item.count()?.unwrap_or(0));
        let reference = item.bytes()?;
        let payload = item.bytes()?;
        let attempts = u32::try_from(item.int()?).unwrap_or(u32::MAX);
        let queued_ms = item.count()?.unwrap_or(0);
        shop.table.hold(key, token, partition, &request.destination, request.until_ms);
        // Whatever the reference says, the delivery is leased and has to get an outcome.
        let entry = entry_key(&reference).unwrap_or_else(|| crate::EntryKey {
            scope: String::new(),
            id: String::from_utf8_lossy(&reference).into_owned(),
        });
        leases.push(Lease { key, token, entry, payload, attempts, queued_ms });
    }
    shop.table.told(&request.destination, partition, Told { more: more != 0, due_ms, end_ms, waiting });
    alarm(&request.destination, partition, remade, unreadable, poison);
    Ok((leases, more == 1))
}

fn alarm(destination: &str, partition: u16, remade: i64, unreadable: i64, poison: i64) {
    if remade > 0 {
        tracing::error!(
            destination.name = %destination,
            "partition {partition} of `{destination}` had lost its consumer group, which was made again; nothing is lost"
        );
    }
    if unreadable > 0 {
        tracing::error!(
            destination.name = %destination,
            "{unreadable} queued entries of `{destination}` could not be read and are dead letters now"
        );
    }
    if poison > 0 {
        tracing::error!(
            destination.name = %destination,
            "{poison} deliveries of `{destination}` were leased again and again without an outcome and are dead letters now"
        );
    }
}

/// Leases of one partition, by their positions in what was asked, with the destinations that they are of.
#[derive(Default)]
struct Part {
    destinations: Vec<Arc<str>>,
    positions: Vec<usize>,
}

impl Part {
    /// The number by which a script knows the destination.
    fn number(&mut self, destination: &Arc<str>) -> u64 {
        let at = self.destinations.iter().position(|known| known == destination);
        let at = at.unwrap_or_else(|| {
            self.destinations.push(Arc::clone(destination));
            self.destinations.len() - 1
        });
        at as u64 + 1
    }
}

pub(super) async fn settle(shop: &Shop, attempts: Vec<Attempt>) -> Result<Vec<Settled>, Error> {
    let mut settled = vec![Settled::LeaseLost; attempts.len()];
    let mut recorded = Vec::new();
    let mut parts: BTreeMap<u16, (Part, Vec<Vec<u8>>)> = BTreeMap::new();
    for (position, attempt) in attempts.iter().enumerate() {
        let held = shop.table.held(&attempt.key, attempt.token);
        let Some(Held { partition, destination, is_recorded, .. }) = held else { continue };
        if is_recorded {
            settled[position] = Settled::Recorded;
            recorded.push((attempt.key, attempt.token));
            continue;
        }
        let (part, args) = parts.entry(partition).or_default();
        let (name, due_ms, reason) = outcome(attempt);
        args.push(attempt.key.0.to_vec());
        args.push(number(attempt.token.0));
        args.push(number(part.number(&destination)));
        args.push(destination.as_bytes().to_vec());
        args.push(number(time(attempt.at_ms)));
        args.push(name.into());
        args.push(number(due_ms));
        args.push(reason.into());
        args.push(attempt.record.clone());
        part.positions.push(position);
    }
    let now_ms = attempts.iter().map(|attempt| attempt.now_ms).max().unwrap_or(0);
    let mut calls = Vec::with_capacity(parts.len());
    let mut asked = Vec::with_capacity(parts.len());
    for (partition, (part, attempts)) in parts {
        let mut args = shop.clock.arguments(now_ms);
        args.extend(shop.identity.arguments(&shop.keys, partition));
        args.push(number(part.destinations.len() as u64));
        args.extend(part.destinations.iter().map(|name| name.as_bytes().to_vec()));
        args.push(number(part.positions.len() as u64));
        args.extend(attempts);
        let keys = shop.keys.script(partition, part.destinations.iter().map(AsRef::as_ref));
        calls.push(Call { script: &SETTLE, partition, keys, args });
        asked.push((partition, part));
    }
    let answers = shop.link.run(Lane::Work, calls, Confirm::Nothing).await;
    let mut failure = None;
    for ((partition, part), answer) in asked.into_iter().zip(answers) {
        let answer = answer.map_err(|trouble| trouble.into_error("settle"));
        let mut answer = match answer.and_then(|value| Answer::of("settle", value)) {
            Ok(answer) => answer,
            Err(error) => {
                failure = Some(error);
                continue;
            }
        };
        for position in part.positions {
            let attempt = &attempts[position];
            let held = shop.table.held(&attempt.key, attempt.token);
            if answer.int()? == 0 {
                shop.table.let_go(&attempt.key, attempt.token);
                continue;
            }
            settled[position] = Settled::Recorded;
            recorded.push((attempt.key, attempt.token));
            if let (crate::Outcome::Retry(due_ms), Some(held)) = (&attempt.outcome, held) {
                // Told in the caller's time; the table corrects it at the next look.
                shop.table.news(&held.destination, partition, shop.table.counted(time(*due_ms)).max(1));
            }
        }
        shop.table.set_waiting(partition, answer.count()?.unwrap_or(0));
        for name in part.destinations {
            shop.table.set_waiting_for(partition, &name, answer.count()?.unwrap_or(0));
        }
    }
    match failure {
        // The caller comes again with all of them; those of the other partitions were recorded all the same.
        Some(error) => {
            recorded.iter().for_each(|(key, token)| shop.table.note_recorded(key, *token));
            Err(error)
        }
        None => {
            recorded.iter().for_each(|(key, token)| shop.table.let_go(key, *token));
            Ok(settled)
        }
    }
}

pub(super) async fn renew(shop: &Shop, renewal: Renewal) -> Result<Vec<Holding>, Error> {
    let held = end_or_renew(shop, &renewal.leases, Some((renewal.now_ms, renewal.until_ms))).await?;
    Ok(held.into_iter().map(|held| if held { Holding::Ours } else { Holding::Lost }).collect())
}

pub(super) async fn release(shop: &Shop, leases: Vec<(DeliveryKey, LeaseToken)>) -> Result<(), Error> {
    end_or_renew(shop, &leases, None).await.map(|_| ())
}

/// Gives leases back, or lets them go on; gives which are held.
async fn end_or_renew(
    shop: &Shop,
    leases: &[(DeliveryKey, LeaseToken)],
    renewal: Option<(u64, u64)>,
) -> Result<Vec<bool>, Error> {
    let mut held_at = vec![false; leases.len()];
    let mut parts: BTreeMap<u16, (Part, Vec<Vec<u8>>)> = BTreeMap::new();
    for (position, (key, token)) in leases.iter().enumerate() {
        let Some(Held { partition, destination, .. }) = shop.table.held(key, *token) else { continue };
        let (part, args) = parts.entry(partition).or_default();
        args.push(key.0.to_vec());
        args.push(number(token.0));
        args.push(number(part.number(&destination)));
        args.push(destination.as_bytes().to_vec());
        part.positions.push(position);
    }
    let (now_ms, until_ms) = renewal.unwrap_or_default();
    let mut calls = Vec::with_capacity(parts.len());
    let mut asked = Vec::with_capacity(parts.len());
    for (partition, (part, some)) in parts {
        let mut args = shop.clock.arguments(now_ms);
        args.extend(shop.identity.arguments(&shop.keys, partition));
        args.push(if renewal.is_some() { "renew" } else { "release" }.into());
        args.push(number(time(until_ms)));
        args.push(shop.identity.consumer.clone().into_bytes());
        args.push(number(part.positions.len() as u64));
        args.extend(some);
        let keys = shop.keys.script(partition, part.destinations.iter().map(AsRef::as_ref));
        calls.push(Call { script: &RELEASE, partition, keys, args });
        asked.push((partition, part.positions));
    }
    let operation = if renewal.is_some() { "renew" } else { "release" };
    let answers = shop.link.run(Lane::Work, calls, Confirm::Nothing).await;
    let mut failure = None;
    for ((partition, positions), answer) in asked.into_iter().zip(answers) {
        let answer = answer.map_err(|trouble| trouble.into_error(operation));
        let mut answer = match answer.and_then(|value| Answer::of(operation, value)) {
            Ok(answer) => answer,
            Err(error) => {
                failure = Some(error);
                continue;
            }
        };
        for position in positions {
            let (key, token) = leases[position];
            held_at[position] = answer.int()? != 0;
            let held = shop.table.held(&key, token);
            match held {
                Some(held) if renewal.is_none() => {
                    shop.table.let_go(&key, token);
                    shop.table.news(&held.destination, partition, 0);
                }
                Some(_) if !held_at[position] => shop.table.let_go(&key, token),
                Some(held) => shop.table.hold(key, token, partition, &held.destination, until_ms),
                None => {}
            }
        }
    }
    failure.map_or(Ok(held_at), Err)
}
