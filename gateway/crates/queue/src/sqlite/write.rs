//! The statements that change the file, inside a transaction that the writer owns. Changes nothing in memory: what a
//! commit will mean for the board is handed back, because only the writer knows whether it came about.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::board::{Place, Slot, Ticket};
use super::read::{ms, time};
use super::schema::{DEAD, WAITING};
use crate::{Attempt, DeliveryKey, Entry, EntryKey, NewDelivery, NewState, Outcome, ProfilePatch, Replay, ReplayWith};

/// Where an entry's rows went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) seq: i64,
    /// The payloads of its deliveries lie here, one after the other.
    pub(super) first_payload: i64,
}

/// What a change of dead letters means for the board once it is committed.
#[derive(Debug)]
pub(super) enum Effect {
    Queued { destination: String, place: Place, slot: Slot },
    BornDead { destination: String },
    Buried { destination: String },
}

/// A dead letter as the file holds it.
struct Dead {
    entry: i64,
    key: DeliveryKey,
    destination: String,
    recorded: i64,
    payload_seq: i64,
}

/// Whether an entry's key is in the journal.
pub(super) fn is_known(conn: &Connection, key: &EntryKey) -> Result<bool> {
    conn.prepare_cached("SELECT 1 FROM entry WHERE id = ?1 AND scope = ?2")?.exists(params![key.id, key.scope])
}

/// Writes an entry with all that belongs to it; `None` when its key was known, which is counted.
pub(super) fn append(conn: &Connection, entry: &Entry) -> Result<Option<Stored>> {
    let sql = "INSERT INTO entry (id, scope, received_ms, duplicates, record, affinity) \
               VALUES (?1, ?2, ?3, 0, ?4, ?5) ON CONFLICT DO NOTHING";
    let inserted = conn.prepare_cached(sql)?.execute(params![
        entry.key.id,
        entry.key.scope,
        ms(entry.received_ms),
        entry.record,
        entry.affinity
    ])?;
    if inserted == 0 {
        // The interface counts in 32 bits; a client in a loop must not make the row unreadable.
        let sql = "UPDATE entry SET duplicates = min(duplicates + 1, 4294967295) WHERE id = ?1 AND scope = ?2";
        conn.prepare_cached(sql)?.execute(params![entry.key.id, entry.key.scope])?;
        return Ok(None);
    }
    let seq = conn.last_insert_rowid();
    let mut first_payload = None;
    for delivery in &entry.deliveries {
        let payload_seq = insert_delivery(conn, seq, delivery, entry.received_ms)?;
        first_payload.get_or_insert(payload_seq);
    }
    for patch in &entry.profile {
        patch_profile(conn, patch, entry.received_ms)?;
    }
    Ok(Some(Stored { seq, first_payload: first_payload.unwrap_or(0) }))
}

/// Writes an attempt and moves its delivery on; `false` when the delivery no longer waits.
pub(super) fn settle(conn: &Connection, attempt: &Attempt, ticket: &Ticket) -> Result<bool> {
    let moved = match &attempt.outcome {
        Outcome::Delivered => {
            let sql = "UPDATE delivery SET state = 1, attempts = attempts + 1, recorded = recorded + 1 \
                       WHERE entry = ?1 AND key = ?2 AND state = 0";
            conn.prepare_cached(sql)?.execute(params![ticket.entry, attempt.key.0])?
        }
        Outcome::Retry(due_ms) => {
            let sql = "UPDATE delivery SET attempts = attempts + 1, recorded = recorded + 1, due_ms = ?3 \
                       WHERE entry = ?1 AND key = ?2 AND state = 0";
            conn.prepare_cached(sql)?.execute(params![ticket.entry, attempt.key.0, ms(*due_ms)])?
        }
        Outcome::Dead(reason) => {
            let sql = "UPDATE delivery SET state = 2, attempts = attempts + 1, recorded = recorded + 1, \
                       died_ms = ?3, reason = ?4 WHERE entry = ?1 AND key = ?2 AND state = 0";
            conn.prepare_cached(sql)?.execute(params![ticket.entry, attempt.key.0, ms(attempt.at_ms), reason])?
        }
        Outcome::Cancelled(reason) => {
            let sql = "UPDATE delivery SET state = 3, attempts = attempts + 1, recorded = recorded + 1, reason = ?3 \
                       WHERE entry = ?1 AND key = ?2 AND state = 0";
            conn.prepare_cached(sql)?.execute(params![ticket.entry, attempt.key.0, reason])?
        }
    };
    if moved == 0 {
        return Ok(false);
    }
    let sql = "INSERT INTO attempt (payload, n, record) VALUES (?1, ?2, ?3)";
    conn.prepare_cached(sql)?.execute(params![ticket.payload_seq, ticket.recorded, attempt.record])?;
    if matches!(attempt.outcome, Outcome::Cancelled(_)) {
        conn.prepare_cached("UPDATE payload SET body = x'' WHERE seq = ?1")?.execute([ticket.payload_seq])?;
    }
    Ok(true)
}

/// Writes a setting, or deletes it; gives how many rows changed.
pub(super) fn set(conn: &Connection, name: &str, value: Option<&str>) -> Result<usize> {
    let Some(value) = value else {
        return conn.prepare_cached("DELETE FROM setting WHERE name = ?1")?.execute([name]);
    };
    let sql =
        "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    conn.prepare_cached(sql)?.execute([name, value])
}

/// The destinations of the deliveries that a replay makes wait, one for each; `None` for a letter that is not there.
pub(super) fn replay_adds(conn: &Connection, letters: &[Replay]) -> Result<Vec<Option<String>>> {
    let mut adds = Vec::new();
    for letter in letters {
        match &letter.with {
            ReplayWith::AsRecorded => adds.push(find_dead(conn, &letter.key)?.map(|dead| dead.destination)),
            ReplayWith::Instead(deliveries) => {
                let due = deliveries.iter().filter(|one| matches!(one.state, NewState::Due(_)));
                adds.extend(due.map(|one| Some(one.destination.clone())));
            }
        }
    }
    Ok(adds)
}

/// Puts one dead letter back, or other deliveries in its place; `false` when it is not there.
pub(super) fn replay(conn: &Connection, letter: &Replay, now_ms: u64, effects: &mut Vec<Effect>) -> Result<bool> {
    let Some(dead) = find_dead(conn, &letter.key)? else { return Ok(false) };
    let entry = entry_key(conn, dead.entry)?;
    match &letter.with {
        ReplayWith::AsRecorded => {
            let sql = "UPDATE delivery SET state = 0, due_ms = ?3, queued_ms = ?3, attempts = 0, \
                       died_ms = NULL, reason = NULL WHERE entry = ?1 AND key = ?2";
            conn.prepare_cached(sql)?.execute(params![dead.entry, dead.key.0, ms(now_ms)])?;
            let length = "SELECT length(body) FROM payload WHERE seq = ?1";
            let length: Option<i64> =
                conn.prepare_cached(length)?.query_row([dead.payload_seq], |row| row.get(0)).optional()?;
            effects.push(Effect::Buried { destination: dead.destination.clone() });
            effects.push(Effect::Queued {
                destination: dead.destination,
                place: Place { due_ms: now_ms, queued_ms: now_ms, entry: dead.entry, key: dead.key },
                slot: Slot {
                    entry,
                    attempts: 0,
                    recorded: dead.recorded,
                    payload_seq: dead.payload_seq,
                    payload_len: length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0),
                    payload: None,
                },
            });
        }
        ReplayWith::Instead(deliveries) => {
            delete_delivery(conn, dead.entry, &dead.key, dead.payload_seq)?;
            effects.push(Effect::Buried { destination: dead.destination });
            for delivery in deliveries {
                let payload_seq = insert_delivery(conn, dead.entry, delivery, now_ms)?;
                effects.push(effect_of(delivery, &entry, dead.entry, payload_seq, now_ms));
            }
        }
    }
    Ok(true)
}

/// Deletes one dead letter; `false` when it is not there.
pub(super) fn purge(conn: &Connection, key: &DeliveryKey, effects: &mut Vec<Effect>) -> Result<bool> {
    let Some(dead) = find_dead(conn, key)? else { return Ok(false) };
    delete_delivery(conn, dead.entry, &dead.key, dead.payload_seq)?;
    effects.push(Effect::Buried { destination: dead.destination });
    Ok(true)
}

/// Deletes a delivery with its payload and attempts.
pub(super) fn delete_delivery(conn: &Connection, entry: i64, key: &DeliveryKey, payload_seq: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM delivery WHERE entry = ?1 AND key = ?2")?.execute(params![entry, key.0])?;
    conn.prepare_cached("DELETE FROM payload WHERE seq = ?1")?.execute([payload_seq])?;
    conn.prepare_cached("DELETE FROM attempt WHERE payload = ?1")?.execute([payload_seq])?;
    Ok(())
}

/// How many deliveries wait, for a process that has no board.
pub(super) fn waiting(conn: &Connection) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM delivery INDEXED BY delivery_waiting WHERE state = {WAITING}");
    conn.prepare_cached(&sql)?.query_row([], |row| time(row, 0))
}

/// How many deliveries wait for one destination, for a process that has no board.
pub(super) fn waiting_of(conn: &Connection, destination: &str) -> Result<u64> {
    let sql = format!(
        "SELECT count(*) FROM delivery INDEXED BY delivery_waiting WHERE state = {WAITING} AND destination = ?1"
    );
    conn.prepare_cached(&sql)?.query_row([destination], |row| time(row, 0))
}

fn insert_delivery(conn: &Connection, entry: i64, delivery: &NewDelivery, queued_ms: u64) -> Result<i64> {
    conn.prepare_cached("INSERT INTO payload (body) VALUES (?1)")?.execute([&delivery.payload])?;
    let payload_seq = conn.last_insert_rowid();
    let (state, due_ms, died_ms, reason) = match &delivery.state {
        NewState::Due(due_ms) => (WAITING, ms(*due_ms), None, None),
        NewState::Dead(reason) => (DEAD, 0, Some(ms(queued_ms)), Some(reason)),
    };
    let sql = "INSERT INTO delivery (entry, key, destination, state, due_ms, queued_ms, attempts, recorded, payload, \
               died_ms, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7, ?8, ?9)";
    conn.prepare_cached(sql)?.execute(params![
        entry,
        delivery.key.0,
        delivery.destination,
        state,
        due_ms,
        ms(queued_ms),
        payload_seq,
        died_ms,
        reason
    ])?;
    Ok(payload_seq)
}

/// What a new delivery means for the board.
fn effect_of(delivery: &NewDelivery, entry: &Arc<EntryKey>, seq: i64, payload_seq: i64, queued_ms: u64) -> Effect {
    let destination = delivery.destination.clone();
    match delivery.state {
        NewState::Dead(_) => Effect::BornDead { destination },
        NewState::Due(due_ms) => Effect::Queued {
            destination,
            place: Place { due_ms, queued_ms, entry: seq, key: delivery.key },
            slot: Slot {
                entry: entry.clone(),
                attempts: 0,
                recorded: 0,
                payload_seq,
                payload_len: delivery.payload.len(),
                payload: None,
            },
        },
    }
}

fn patch_profile(conn: &Connection, patch: &ProfilePatch, now_ms: u64) -> Result<()> {
    // A field that has expired is forgotten, whether or not the sweep has come by yet.
    let sql = "INSERT INTO profile (key, name, value, seen_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (key, name) DO UPDATE SET value = excluded.value, seen_ms = excluded.seen_ms, \
               expires_ms = excluded.expires_ms WHERE excluded.seen_ms >= seen_ms OR expires_ms <= ?6";
    let mut statement = conn.prepare_cached(sql)?;
    for field in &patch.fields {
        statement.execute(params![
            patch.key,
            field.name,
            field.value,
            ms(field.seen_ms),
            ms(patch.expires_ms),
            ms(now_ms)
        ])?;
    }
    Ok(())
}

fn find_dead(conn: &Connection, key: &DeliveryKey) -> Result<Option<Dead>> {
    let sql = "SELECT entry, destination, recorded, payload FROM delivery INDEXED BY delivery_dead \
               WHERE state = 2 AND key = ?1";
    let found = conn.prepare_cached(sql)?.query_row([&key.0], |row| {
        Ok(Dead {
            entry: row.get(0)?,
            key: *key,
            destination: row.get(1)?,
            recorded: row.get(2)?,
            payload_seq: row.get(3)?,
        })
    });
    found.optional()
}

fn entry_key(conn: &Connection, seq: i64) -> Result<Arc<EntryKey>> {
    let found = conn
        .prepare_cached("SELECT scope, id FROM entry WHERE seq = ?1")?
        .query_row([seq], |row| Ok(EntryKey { scope: row.get(0)?, id: row.get(1)? }));
    found.map(Arc::new)
}
