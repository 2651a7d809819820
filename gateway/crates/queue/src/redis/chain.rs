//! The chained log: in two keys of a slot of their own, appended by whoever knows its end. Several processes append at
//! once; a script takes an entry only if the log still ends where its hash begins.

use std::collections::HashMap;

use redis::Value;
use tokio::sync::Mutex;

use super::commit::Shop;
use super::link::{Call, Confirm, Lane};
use super::pack::{number, time};
use super::script::Script;
use super::scripts::{CHAIN_APPEND, CHAIN_PAGE, CHAIN_SWEEP};
use super::value::{Answer, int, odd};
use crate::Error;
use crate::chain::{Ends, Hash, Head, Joined, Link, join};

/// How often an append is tried where others append at the same time.
const TRIES: usize = 64;
/// How many entries one sweep deletes at most.
const DELETED_MAX: u64 = 500;
/// A page ends when its entries hold more bytes.
const PAGE_BYTES: u64 = 4 << 20;

/// Where this process last saw the log end. Whoever appends keeps it locked: its own entries queue up here.
pub(super) type Known = Mutex<Head>;

/// Entries to add.
struct Addition<'a> {
    /// What the log has to end with.
    after: Head,
    links: &'a [Link],
    onto: Onto,
}

/// What entries may be added to.
#[derive(Clone, Copy)]
enum Onto {
    /// A log that ends where they begin.
    End,
    /// An empty one as well: it begins with them.
    Nothing,
}

/// What became of entries that were to be added.
enum Pushed {
    Added,
    /// The log ends there.
    Elsewhere(Head),
}

pub(super) async fn append(shop: &Shop, at_ms: u64, bytes: Vec<u8>) -> Result<Head, Error> {
    let mut known = shop.chain.lock().await;
    for _ in 0..TRIES {
        let link = known.link(time(at_ms), bytes.clone());
        let head = link.head();
        match push(shop, Addition { after: *known, links: &[link], onto: Onto::End }).await? {
            Pushed::Added => {
                *known = head;
                return Ok(head);
            }
            Pushed::Elsewhere(head) => *known = head,
        }
    }
    let source = format!("others appended to the log each of {TRIES} times").into();
    Err(Error::Unavailable { operation: "chain_append", source })
}

pub(super) async fn ends(shop: &Shop) -> Result<Ends, Error> {
    Ok(read(shop, 0, 0).await?.0)
}

pub(super) async fn page(shop: &Shop, after: u64, limit: usize) -> Result<Vec<Link>, Error> {
    Ok(read(shop, after, limit as u64).await?.1)
}

/// Adds what another store exported; gives how many entries were new.
pub(super) async fn import(shop: &Shop, links: Vec<Link>) -> Result<usize, Error> {
    let (Some(first), Some(last)) = (links.first(), links.last()) else { return Ok(0) };
    let (mut after, last_seq) = (first.seq.saturating_sub(1), last.seq);
    let (ends, mut here) = read(shop, after, links.len() as u64).await?;
    let mut stored = HashMap::new();
    while let Some(last) = here.last() {
        after = last.seq;
        stored.extend(here.iter().map(|link| (link.seq, link.hash)));
        if after >= last_seq {
            break;
        }
        here = read(shop, after, links.len() as u64).await?.1;
    }
    let Joined { after, links } = join(ends, &stored, links)?;
    let Some(first) = links.first() else { return Ok(0) };
    let onto = if ends.head.seq == 0 { Onto::Nothing } else { Onto::End };
    match push(shop, Addition { after, links: &links, onto }).await? {
        Pushed::Added => Ok(links.len()),
        // Somebody else has appended since it was looked at.
        Pushed::Elsewhere(_) => Err(Error::Forked { seq: first.seq }),
    }
}

pub(super) async fn sweep(shop: &Shop, before_ms: u64) -> Result<usize, Error> {
    let args = vec![number(time(before_ms)), number(DELETED_MAX)];
    let swept = run(shop, &CHAIN_SWEEP, args, Confirm::Nothing).await?;
    Ok(usize::try_from(int(CHAIN_SWEEP.name, &swept)?).unwrap_or(0))
}

async fn push(shop: &Shop, addition: Addition<'_>) -> Result<Pushed, Error> {
    let Addition { after, links, onto } = addition;
    let place = |head: Head| [number(head.seq), head.hash.to_string().into_bytes()];
    let mut args = vec![match onto {
        Onto::End => b"append".to_vec(),
        Onto::Nothing => b"begin".to_vec(),
    }];
    args.extend(place(after));
    args.push(number(links.len() as u64));
    for link in links {
        args.extend(place(link.head()));
        args.push(write(link));
    }
    let mut answer = Answer::of(CHAIN_APPEND.name, run(shop, &CHAIN_APPEND, args, shop.confirm).await?)?;
    let is_added = answer.int()? == 1;
    let head = head(&mut answer)?;
    Ok(if is_added { Pushed::Added } else { Pushed::Elsewhere(head) })
}

async fn read(shop: &Shop, after: u64, limit: u64) -> Result<(Ends, Vec<Link>), Error> {
    let args = vec![number(time(after)), number(time(limit)), number(PAGE_BYTES)];
    let mut answer = Answer::of(CHAIN_PAGE.name, run(shop, &CHAIN_PAGE, args, Confirm::Nothing).await?)?;
    let ends = Ends { base: head(&mut answer)?, head: head(&mut answer)? };
    let mut prev = parse(&answer.bytes()?).unwrap_or(Hash::START);
    let mut links = Vec::new();
    while !answer.is_empty() {
        let seq = answer.count()?.unwrap_or(0);
        let link = link(seq, prev, answer.bytes()?);
        prev = link.hash;
        links.push(link);
    }
    Ok((ends, links))
}

async fn run(shop: &Shop, script: &'static Script, args: Vec<Vec<u8>>, confirm: Confirm) -> Result<Value, Error> {
    let call = Call { script, partition: 0, keys: shop.keys.chain(), args };
    let answer = shop.link.run(Lane::Work, vec![call], confirm).await.into_iter().next();
    answer.ok_or_else(|| odd(script.name, "missing"))?.map_err(|trouble| trouble.into_error(script.name))
}

fn head(answer: &mut Answer) -> Result<Head, Error> {
    let seq = answer.count()?.unwrap_or(0);
    let hash = parse(&answer.bytes()?).ok_or_else(|| odd("the chained log", "no hash"))?;
    Ok(Head { seq, hash })
}

/// An entry as it is stored: `time:hash:bytes`.
fn write(link: &Link) -> Vec<u8> {
    let mut value = format!("{}:{}:", link.at_ms, link.hash).into_bytes();
    value.extend_from_slice(&link.bytes);
    value
}

/// What cannot be read as an entry becomes one whose hash cannot be right: it is for the check of the log to find.
fn link(seq: u64, prev: Hash, value: Vec<u8>) -> Link {
    let mut parts = value.splitn(3, |byte| *byte == b':');
    let at_ms = parts.next().and_then(|at| std::str::from_utf8(at).ok()?.parse().ok());
    let hash = parts.next().and_then(parse);
    match (at_ms, hash, parts.next()) {
        (Some(at_ms), Some(hash), Some(bytes)) => Link { seq, at_ms, prev, hash, bytes: bytes.to_vec() },
        _ => Link { seq, at_ms: 0, prev, hash: Hash::START, bytes: value },
    }
}

fn parse(text: &[u8]) -> Option<Hash> {
    std::str::from_utf8(text).ok().and_then(Hash::parse)
}
