//! Asks the server what an acknowledgement means, and compares it with what is wanted. Changes no server's settings.

mod judge;
mod vitals;

use futures_util::future::FutureExt;

use self::judge::{Unfit, Verdict, judge};
use self::vitals::{Vitals, questions};
use super::link::{Confirm, Link, Trouble};
use super::{Address, OpenError, Wanted};
use crate::Durability;

/// From which share of its memory on a server counts as nearly full, in percent.
const MEMORY_FULL_PERCENT: u64 = 95;

/// What a store gives.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) durability: Durability,
    /// What each commit has to wait for.
    pub(super) confirm: Confirm,
    /// `Redis 7.0.15`, `Valkey 8.0.1`.
    pub(super) server: String,
    /// What the operator should know; whole sentences.
    pub(super) warnings: Vec<String>,
}

/// Asks every primary. The weakest counts.
pub(super) async fn establish(link: &Link, address: &Address, wanted: Wanted) -> Result<Established, OpenError> {
    let unfit = |unfit: Unfit| OpenError::Unfit { address: address.to_string(), why: unfit.why, hint: unfit.hint };
    let all = ask(link)
        .await
        .map_err(|trouble| OpenError::Unreachable { address: address.to_string(), source: Box::new(trouble) })?;
    let mut servers: Vec<String> = all.iter().map(Vitals::server).collect();
    servers.sort();
    servers.dedup();
    let verdicts = all.iter().map(|vitals| judge(vitals, wanted)).collect::<Result<Vec<Verdict>, Unfit>>();
    let mut verdicts = verdicts.map_err(unfit)?;
    let mut warnings: Vec<String> =
        verdicts.iter_mut().flat_map(|verdict| std::mem::take(&mut verdict.warnings)).collect();
    warnings.sort();
    warnings.dedup();
    let confirm = if verdicts.iter().any(|verdict| verdict.confirm == Confirm::Disk) {
        Confirm::Disk
    } else {
        verdicts.first().map_or(Confirm::Nothing, |verdict| verdict.confirm)
    };
    let weakest = verdicts.into_iter().min_by_key(|verdict| (verdict.level, verdict.rank));
    let Some(weakest) = weakest else {
        return Err(unfit(Unfit { why: "has no primary".to_owned(), hint: "give slots to a node".to_owned() }));
    };
    Ok(Established {
        durability: Durability { level: weakest.level, meaning: weakest.meaning },
        confirm,
        server: servers.join(" and "),
        warnings,
    })
}

/// Why the store takes no entries at present, or soon; `None` when all is well. Two commands a primary.
pub(super) async fn ailment(link: &Link) -> Result<Option<String>, Trouble> {
    Ok(ask(link).await?.iter().find_map(ailment_of))
}

async fn ask(link: &Link) -> Result<Vec<Vitals>, Trouble> {
    let answers = link.ask_primaries(&questions()).boxed().await?;
    answers.into_iter().map(|(node, answers)| Vitals::read(node, answers)).collect()
}

fn ailment_of(vitals: &Vitals) -> Option<String> {
    let node = &vitals.node;
    let (used, max) = vitals.memory();
    if vitals.is_loading() {
        Some(format!("`{node}` is still loading its data"))
    } else if !vitals.is_primary() {
        Some(format!("`{node}` is a replica, and takes no writes"))
    } else if vitals.append_fails() {
        Some(format!("`{node}` cannot write its append-only file: its disk may be full"))
    } else if vitals.stopped_by_snapshot() {
        Some(format!("`{node}` takes no writes because its last snapshot failed: its disk may be full"))
    } else if max > 0 && used.saturating_mul(100) >= max.saturating_mul(MEMORY_FULL_PERCENT) {
        Some(format!("`{node}` uses {used} of {max} bytes of memory"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
