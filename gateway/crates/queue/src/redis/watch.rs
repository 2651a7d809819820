//! Keeps the table up: hears what other processes tell, and looks at one partition a second, for what nobody told.
//! Looks into outboxes on the way, and finds out whether the store takes entries.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::Value;
use rmp::decode;
use tokio_util::sync::CancellationToken;

use super::commit::Shop;
use super::durability;
use super::keys::{FORMAT, Fixed};
use super::link::{Call, Confirm, Lane, News, Read, Shape, Trouble};
use super::outbox::{self, Left};
use super::pack::{number, read_number, read_text};
use super::scripts::{LOOK, MEND, OPEN};
use super::table::Told;
use super::value::{Answer, array, optional};
use crate::Error;

/// One partition is looked at in this time, each of 64 once a minute; in the longer one where nothing waits anywhere.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY_IDLE: Duration = Duration::from_secs(2);
/// The server itself is asked how it is at each so many looks, and at each while it is not well.
const EXAMINE_EVERY: u32 = 8;
/// A pending entry that nobody leases is put back after this time. Leases are renewed far more often.
const ORPHAN_MS: u64 = 600_000;
/// Changes of profiles that are taken out of an outbox at once.
const OUTBOX_PAGE: usize = 100;

/// What is wrong with the store, as the last look found it.
#[derive(Default)]
pub(super) struct Health {
    ailment: Mutex<Option<String>>,
}

impl Health {
    pub(super) fn ailment(&self) -> Option<String> {
        self.ailment.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, found: Option<String>) {
        let mut ailment = self.ailment.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*ailment, &found) {
            (None, Some(now)) => tracing::error!("the store is not well: {now}"),
            (Some(_), None) => tracing::info!("the store is well again"),
            _ => {}
        }
        *ailment = found;
    }
}

/// Hears of arrivals until the queue is closed.
pub(super) async fn hear(shop: Arc<Shop>, stop: CancellationToken) {
    let mut news = shop.link.listen(shop.keys.channel());
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return,
            next = news.recv() => next,
        };
        match next {
            Some(News::Message(message)) => note(&shop, &message),
            Some(News::Gap) => {
                shop.table.doubt_all();
                shop.settings_news.notify_one();
            }
            None => return,
        }
    }
}

/// A message is `[origin, partition, destination, due, destination, due, …]`; without any destination it says that a
/// setting was changed.
fn note(shop: &Shop, message: &[u8]) {
    let mut from = Cursor::new(message);
    let Ok(length) = decode::read_array_len(&mut from) else { return };
    let (Some(origin), Some(partition)) = (read_text(&mut from), read_number(&mut from)) else { return };
    let Ok(partition) = u16::try_from(partition) else { return };
    if origin == shop.identity.origin {
        return;
    }
    if length == 2 {
        shop.settings_news.notify_one();
    }
    for _ in 0..length.saturating_sub(2) / 2 {
        let (Some(destination), Some(due_ms)) = (read_text(&mut from), read_number(&mut from)) else { return };
        shop.table.news(&destination, partition, due_ms);
    }
}

/// Looks at one partition after the other until the queue is closed.
pub(super) async fn look_around(shop: Arc<Shop>, health: Arc<Health>, stop: CancellationToken) {
    let (mut partition, mut looks) = (0, 0u32);
    // What was in a partition's outbox at the last look, and is still there at the next, was left behind.
    let mut outboxes: HashMap<u16, u64> = HashMap::new();
    loop {
        let is_idle = shop.table.waiting() == 0 && health.ailment().is_none();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(if is_idle { LOOK_EVERY_IDLE } else { LOOK_EVERY }) => {}
        }
        match look(&shop, partition).await {
            Ok(left) => {
                if left > 0 && outboxes.insert(partition, left).is_some() {
                    empty_outbox(&shop, partition).await;
                } else if left == 0 {
                    outboxes.remove(&partition);
                }
            }
            Err(Look::Trouble(Trouble::Closed)) => return,
            Err(Look::Trouble(trouble)) if trouble.is_unavailable() => health.set(Some(trouble.to_string())),
            // What is wrong with one partition is not wrong with the others.
            Err(Look::Trouble(trouble)) => tracing::error!("could not look at partition {partition}: {trouble}"),
            Err(Look::Odd(error)) => tracing::error!("could not look at partition {partition}: {error}"),
        }
        if looks.is_multiple_of(EXAMINE_EVERY) || health.ailment().is_some() {
            health.set(examine(&shop).await);
        }
        looks = looks.wrapping_add(1);
        partition = (partition + 1) % shop.keys.partitions();
    }
}

/// What is wrong with the servers, or with the store as a whole.
async fn examine(shop: &Shop) -> Option<String> {
    match durability::ailment(&shop.link).await {
        Ok(None) => {}
        Ok(ailment) => return ailment,
        Err(trouble) => return Some(trouble.to_string()),
    }
    let key = shop.keys.its_description();
    let mut cmd = redis::cmd("HMGET");
    cmd.arg(&key).arg("format").arg("partitions");
    let answer = shop.link.read(vec![Read { key: key.clone(), cmd }]).await.into_iter().next()?;
    let known = match answer {
        Ok(value) => array("examine", value).ok()?,
        Err(trouble) => return Some(trouble.to_string()),
    };
    let ours = [u64::from(FORMAT), shop.keys.partitions().into()].map(number);
    let known: Vec<_> = known.into_iter().map(optional).collect();
    if known == ours.clone().map(Some) {
        return None;
    }
    if known.iter().any(Option::is_some) {
        return Some("the store's description was changed while it was in use: restart all gateways".into());
    }
    // Whatever was there is gone. Others that open it now must not divide it in another way.
    let call = Call { script: &OPEN, partition: 0, keys: vec![key], args: ours.to_vec() };
    shop.link.run(Lane::Work, vec![call], Confirm::Nothing).await;
    Some("the store was emptied while it was in use: what it held is lost. It was made again, and goes on".into())
}

enum Look {
    Trouble(Trouble),
    Odd(Error),
}

impl From<Error> for Look {
    fn from(error: Error) -> Look {
        Look::Odd(error)
    }
}

/// Looks at a partition; gives how many changes of profiles its outbox holds.
async fn look(shop: &Shop, partition: u16) -> Result<u64, Look> {
    let destinations = shop.table.destinations();
    let has_outbox = shop.link.shape() == Shape::Cluster;
    let mut args = vec![number(ORPHAN_MS), number(has_outbox.into())];
    args.push(number(destinations.len() as u64));
    args.extend(destinations.iter().map(|name| name.as_bytes().to_vec()));
    let keys = shop.keys.script(partition, destinations.iter().map(AsRef::as_ref));
    let answer = shop.link.run(Lane::Work, vec![Call { script: &LOOK, partition, keys, args }], Confirm::Nothing).await;
    let value = answer.into_iter().next().unwrap_or(Ok(Value::Nil)).map_err(Look::Trouble)?;
    let mut answer = Answer::of("look", value)?;
    shop.table.set_waiting(partition, answer.count()?.unwrap_or(0));
    shop.table.set_oldest(partition, answer.count()?);
    let left = answer.count()?.unwrap_or(0);
    let mut odd = Vec::new();
    for destination in destinations {
        let (due_ms, end_ms) = (answer.count()?, answer.count()?);
        let waiting = answer.count()?.unwrap_or(0);
        if answer.int()? != 0 {
            odd.push(Arc::clone(&destination));
        }
        let later_ms = due_ms.filter(|due_ms| *due_ms > 0);
        shop.table.told(&destination, partition, Told { more: false, due_ms: later_ms, end_ms, waiting });
        if due_ms == Some(0) {
            shop.table.news(&destination, partition, 0);
        }
    }
    if !odd.is_empty() {
        mend(shop, partition, odd).await?;
    }
    Ok(left)
}

/// Puts back what is in no queue of a partition although it waits.
async fn mend(shop: &Shop, partition: u16, destinations: Vec<Arc<str>>) -> Result<(), Look> {
    let mut args = vec![number(destinations.len() as u64)];
    args.extend(destinations.iter().map(|name| name.as_bytes().to_vec()));
    let keys = shop.keys.script(partition, destinations.iter().map(AsRef::as_ref));
    let answer = shop.link.run(Lane::Work, vec![Call { script: &MEND, partition, keys, args }], Confirm::Nothing).await;
    let value = answer.into_iter().next().unwrap_or(Ok(Value::Nil)).map_err(Look::Trouble)?;
    let mut answer = Answer::of("mend", value)?;
    let found = answer.int()?;
    if found > 0 {
        tracing::error!("{found} deliveries of partition {partition} were in no queue any more, and were put back");
    }
    shop.table.set_waiting(partition, answer.count()?.unwrap_or(0));
    for destination in destinations {
        shop.table.set_waiting_for(partition, &destination, answer.count()?.unwrap_or(0));
        shop.table.news(&destination, partition, 0);
    }
    Ok(())
}

/// Writes what a process that died left in a partition's outbox.
async fn empty_outbox(shop: &Shop, partition: u16) {
    let key = shop.keys.fixed(partition, Fixed::Outbox);
    let mut cmd = redis::cmd("HRANDFIELD");
    cmd.arg(&key).arg(OUTBOX_PAGE).arg("WITHVALUES");
    let Ok(answers) = shop.ask("outbox", vec![Read { key, cmd }]).await else { return };
    let Ok(values) = array("outbox", answers.into_iter().next().unwrap_or(Value::Nil)) else { return };
    // In RESP3 each field comes in a pair of its own.
    let flat = values.into_iter().flat_map(|value| match value {
        Value::Array(pair) => pair,
        other => vec![other],
    });
    let mut flat = flat.filter_map(optional);
    let mut left = Vec::new();
    while let (Some(reference), Some(packed)) = (flat.next(), flat.next()) {
        match outbox::read(&packed) {
            Some(patches) => left.push(Left { partition, reference, patches }),
            // It can never be written; kept, it would be looked at for ever.
            None => left.push(Left { partition, reference, patches: Vec::new() }),
        }
    }
    outbox::deliver(&shop.link, &shop.keys, left).await;
}
