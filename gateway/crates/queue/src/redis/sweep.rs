//! Deletes what has outlived its retention, one partition after the other, a bounded number at a time. Asks only where
//! something old enough may be.

use super::Time;
use super::chain;
use super::commit::Shop;
use super::keys::Fixed;
use super::link::{Call, Confirm, Lane, Read};
use super::pack::number;
use super::scripts::SWEEP;
use super::value::Answer;
use crate::{Error, Retention, Swept};

/// How many entries, and how many dead letters, one script deletes or looks at.
const LOOKED_AT_MAX: usize = 250;
/// A call ends when it has deleted so many.
const DELETED_MAX: usize = 500;

pub(super) async fn sweep(shop: &Shop, now_ms: u64, retention: Retention) -> Result<Swept, Error> {
    let before_ms = now_ms.saturating_sub(retention.journal_ms);
    let dead_before_ms = now_ms.saturating_sub(retention.dead_ms);
    let mut swept = Swept::default();
    if shop.clock.time == Time::Server {
        // What is old is told by a clock that the last call may have known otherwise.
        let key = shop.keys.fixed(0, Fixed::Entry);
        let answer = shop.ask("sweep", vec![Read { key, cmd: redis::cmd("TIME") }]).await?.into_iter().next();
        let mut time = Answer::of("sweep", answer.unwrap_or(redis::Value::Nil))?;
        let (seconds, micros) = (time.count()?.unwrap_or(0), time.count()?.unwrap_or(0));
        shop.table.set_clock(seconds * 1_000 + micros / 1_000, now_ms);
    }
    // Entries and dead letters are in the order of the clock that counts.
    let oldest_ms = shop.table.counted(before_ms.max(dead_before_ms));
    for (partition, mut staying) in shop.table.older_than(oldest_ms) {
        loop {
            let mut args = shop.clock.arguments(now_ms);
            args.extend([dead_before_ms, before_ms, staying as u64, LOOKED_AT_MAX as u64].map(number));
            let call = Call { script: &SWEEP, partition, keys: shop.keys.script(partition, []), args };
            let answer = shop.link.run(Lane::Work, vec![call], Confirm::Nothing).await.into_iter().next();
            let answer = answer.ok_or_else(|| super::value::odd("sweep", "missing"))?;
            let mut answer = Answer::of("sweep", answer.map_err(|trouble| trouble.into_error("sweep"))?)?;
            shop.table.set_clock(answer.count()?.unwrap_or(0), now_ms);
            let mut next = || Ok::<_, Error>(answer.count()?.and_then(|n| usize::try_from(n).ok()));
            let (deleted, looked, stay) = (next()?.unwrap_or(0), next()?.unwrap_or(0), next()?.unwrap_or(0));
            let oldest_ms = answer.count()?;
            swept.records += deleted;
            // Those that have to stay are passed over next time, until the end is reached and all are looked at again.
            let is_at_end = looked < LOOKED_AT_MAX && deleted < LOOKED_AT_MAX;
            staying = if is_at_end { 0 } else { staying + stay };
            shop.table.set_staying(partition, staying);
            shop.table.set_oldest(partition, oldest_ms);
            if is_at_end || swept.records >= DELETED_MAX {
                break;
            }
        }
        if swept.records >= DELETED_MAX {
            break;
        }
    }
    swept.links = chain::sweep(shop, now_ms.saturating_sub(retention.chain_ms)).await?;
    Ok(swept)
}
