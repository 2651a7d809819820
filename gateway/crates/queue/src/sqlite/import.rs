//! Writes what another store exported, inside a transaction that the writer owns. What is here already stays as it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{Connection, Result, params};

use super::board::{Place, Slot};
use super::read::ms;
use super::schema::{CANCELLED, DEAD, DELIVERED, WAITING};
use super::write::Effect;
use crate::{Item, Setting, StoredDelivery, StoredEntry, StoredProfile, StoredState};

/// Writes one item; `false` when nothing of it was new.
pub(super) fn item(conn: &Connection, item: &Item, effects: &mut Vec<Effect>) -> Result<bool> {
    match item {
        Item::Entry(item) => entry(conn, item, effects),
        Item::Profile(item) => profile(conn, item),
        Item::Setting(Setting { name, value }) => {
            let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            Ok(conn.prepare_cached(sql)?.execute([name, value])? > 0)
        }
    }
}

fn entry(conn: &Connection, entry: &StoredEntry, effects: &mut Vec<Effect>) -> Result<bool> {
    let keys: BTreeSet<_> = entry.deliveries.iter().map(|one| one.key).collect();
    if keys.len() < entry.deliveries.len() {
        tracing::warn!(entry.id = %entry.key.id, "the entry `{}` has a delivery twice: not imported", entry.key.id);
        return Ok(false);
    }
    let sql = "INSERT INTO entry (id, scope, received_ms, duplicates, record, affinity) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    let inserted = conn.prepare_cached(sql)?.execute(params![
        entry.key.id,
        entry.key.scope,
        ms(entry.received_ms),
        entry.duplicates,
        entry.record,
        entry.affinity
    ])?;
    if inserted == 0 {
        return Ok(false);
    }
    let seq = conn.last_insert_rowid();
    let key = Arc::new(entry.key.clone());
    for one in &entry.deliveries {
        let payload_seq = delivery(conn, seq, one)?;
        let destination = one.destination.clone();
        match one.state {
            StoredState::Delivered | StoredState::Cancelled(_) => {}
            StoredState::Dead { .. } => effects.push(Effect::BornDead { destination }),
            StoredState::Waiting(due_ms) => effects.push(Effect::Queued {
                destination,
                place: Place { due_ms, queued_ms: one.queued_ms, entry: seq, key: one.key },
                slot: Slot {
                    entry: key.clone(),
                    attempts: one.attempts,
                    recorded: recorded(one),
                    payload_seq,
                    payload_len: one.payload.len(),
                    payload: None,
                },
            }),
        }
    }
    Ok(true)
}

fn delivery(conn: &Connection, entry: i64, delivery: &StoredDelivery) -> Result<i64> {
    conn.prepare_cached("INSERT INTO payload (body) VALUES (?1)")?.execute([&delivery.payload])?;
    let payload_seq = conn.last_insert_rowid();
    let (state, due_ms, died_ms, reason) = match &delivery.state {
        StoredState::Waiting(due_ms) => (WAITING, ms(*due_ms), None, None),
        StoredState::Delivered => (DELIVERED, ms(delivery.queued_ms), None, None),
        StoredState::Dead { reason, died_ms } => (DEAD, 0, Some(ms(*died_ms)), Some(reason)),
        StoredState::Cancelled(reason) => (CANCELLED, 0, None, Some(reason)),
    };
    let sql = "INSERT INTO delivery (entry, key, destination, state, due_ms, queued_ms, attempts, recorded, payload, \
               died_ms, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    conn.prepare_cached(sql)?.execute(params![
        entry,
        delivery.key.0,
        delivery.destination,
        state,
        due_ms,
        ms(delivery.queued_ms),
        delivery.attempts,
        recorded(delivery),
        payload_seq,
        died_ms,
        reason
    ])?;
    let sql = "INSERT INTO attempt (payload, n, record) VALUES (?1, ?2, ?3)";
    for (n, record) in (0_i64..).zip(&delivery.records) {
        conn.prepare_cached(sql)?.execute(params![payload_seq, n, record])?;
    }
    Ok(payload_seq)
}

fn recorded(delivery: &StoredDelivery) -> i64 {
    i64::try_from(delivery.records.len()).unwrap_or(i64::MAX)
}

/// Of two values of a field the newer wins, and of equally new ones the one that is here.
fn profile(conn: &Connection, profile: &StoredProfile) -> Result<bool> {
    let sql = "INSERT INTO profile (key, name, value, seen_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (key, name) DO UPDATE SET value = excluded.value, seen_ms = excluded.seen_ms, \
               expires_ms = excluded.expires_ms WHERE excluded.seen_ms > seen_ms";
    let mut statement = conn.prepare_cached(sql)?;
    let mut changed = 0;
    for (field, expires_ms) in &profile.fields {
        changed +=
            statement.execute(params![profile.key, field.name, field.value, ms(field.seen_ms), ms(*expires_ms)])?;
    }
    Ok(changed > 0)
}
