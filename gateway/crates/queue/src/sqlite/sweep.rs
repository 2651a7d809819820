//! Deletes what has outlived its retention, a bounded number of rows at a time. Never what waits.

use rusqlite::{Connection, Result, params};

use super::chain;
use super::read::{key, ms, time};
use super::schema::{CANCELLED, DEAD, DELIVERED};
use super::write::{Effect, delete_delivery};
use crate::{DeliveryKey, Retention, Swept};

/// How many dead letters, how many entries and how many profile fields one call deletes at most.
const DELETED_MAX: usize = 500;
/// How many entries and how many profile fields one call looks at.
const LOOKED_AT_MAX: usize = 2048;

/// Remembers where the last call stopped, so that what has to stay is not looked at each time.
#[derive(Debug, Default)]
pub(super) struct Sweeper {
    entry: (i64, i64),
    profile: (String, String),
}

impl Sweeper {
    /// One call's worth, inside the writer's transaction; gives what went.
    pub(super) fn sweep(
        &mut self,
        conn: &Connection,
        now_ms: u64,
        retention: Retention,
        effects: &mut Vec<Effect>,
    ) -> Result<Swept> {
        let dead = sweep_dead(conn, now_ms.saturating_sub(retention.dead_ms), effects)?;
        let entries = self.sweep_entries(conn, now_ms.saturating_sub(retention.journal_ms))?;
        let fields = self.sweep_profiles(conn, now_ms)?;
        let links = chain::sweep(conn, now_ms.saturating_sub(retention.chain_ms))?;
        Ok(Swept { records: dead + entries, fields, links })
    }

    fn sweep_entries(&mut self, conn: &Connection, before_ms: u64) -> Result<usize> {
        let sql = format!(
            "SELECT received_ms, seq, \
             EXISTS (SELECT 1 FROM delivery WHERE entry = seq AND state NOT IN ({DELIVERED}, {CANCELLED})) \
             FROM entry WHERE (received_ms, seq) > (?1, ?2) AND received_ms < ?3 ORDER BY received_ms, seq LIMIT ?4"
        );
        let mut deleted = 0;
        let mut left = LOOKED_AT_MAX;
        let mut from_start = self.entry == (0, 0);
        while left > 0 && deleted < DELETED_MAX {
            let limit = left.min(DELETED_MAX - deleted);
            // What is asked for before the first row must come too: a time may be nought.
            let after = if self.entry == (0, 0) { (-1, -1) } else { self.entry };
            let found: Vec<(i64, i64, bool)> = conn
                .prepare_cached(&sql)?
                .query_map(params![after.0, after.1, ms(before_ms), limit as i64], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?
                .collect::<Result<_>>()?;
            for (_, seq, _) in found.iter().filter(|(_, _, is_needed)| !is_needed) {
                delete_entry(conn, *seq)?;
                deleted += 1;
            }
            left -= found.len();
            match found.last() {
                Some((received_ms, seq, _)) if found.len() == limit => self.entry = (*received_ms, *seq),
                _ => {
                    self.entry = (0, 0);
                    if from_start {
                        break;
                    }
                    from_start = true;
                }
            }
        }
        Ok(deleted)
    }

    fn sweep_profiles(&mut self, conn: &Connection, now_ms: u64) -> Result<usize> {
        let sql = "SELECT key, name, expires_ms FROM profile WHERE (key, name) > (?1, ?2) ORDER BY key, name LIMIT ?3";
        let mut deleted = 0;
        let mut left = LOOKED_AT_MAX;
        let mut from_start = self.profile.0.is_empty();
        while left > 0 && deleted < DELETED_MAX {
            let limit = left.min(DELETED_MAX - deleted);
            let found: Vec<(String, String, u64)> = conn
                .prepare_cached(sql)?
                .query_map(params![self.profile.0, self.profile.1, limit as i64], |row| {
                    Ok((row.get(0)?, row.get(1)?, time(row, 2)?))
                })?
                .collect::<Result<_>>()?;
            for (key, name, _) in found.iter().filter(|(_, _, expires_ms)| *expires_ms <= now_ms) {
                let sql = "DELETE FROM profile WHERE key = ?1 AND name = ?2";
                deleted += conn.prepare_cached(sql)?.execute(params![key, name])?;
            }
            left -= found.len();
            let is_full = found.len() == limit;
            match found.into_iter().next_back() {
                Some((key, name, _)) if is_full => self.profile = (key, name),
                _ => {
                    self.profile = Default::default();
                    if from_start {
                        break;
                    }
                    from_start = true;
                }
            }
        }
        Ok(deleted)
    }
}

fn sweep_dead(conn: &Connection, before_ms: u64, effects: &mut Vec<Effect>) -> Result<usize> {
    let sql = format!(
        "SELECT entry, key, payload, destination FROM delivery INDEXED BY delivery_dead_by_age \
         WHERE state = {DEAD} AND died_ms < ?1 ORDER BY died_ms LIMIT {DELETED_MAX}"
    );
    let found: Vec<(i64, DeliveryKey, i64, String)> = conn
        .prepare_cached(&sql)?
        .query_map([ms(before_ms)], |row| Ok((row.get(0)?, key(row, 1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_>>()?;
    let count = found.len();
    for (entry, key, payload_seq, destination) in found {
        delete_delivery(conn, entry, &key, payload_seq)?;
        effects.push(Effect::Buried { destination });
    }
    Ok(count)
}

fn delete_entry(conn: &Connection, seq: i64) -> Result<()> {
    let deliveries: Vec<(DeliveryKey, i64)> = conn
        .prepare_cached("SELECT key, payload FROM delivery WHERE entry = ?1")?
        .query_map([seq], |row| Ok((key(row, 0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    for (key, payload_seq) in deliveries {
        delete_delivery(conn, seq, &key, payload_seq)?;
    }
    conn.prepare_cached("DELETE FROM entry WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}
