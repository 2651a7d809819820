//! Reads the file: traces, dead letters, profiles, and what the board asks for. Changes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::board::{Place, Reach, Slot, Tally};
use super::schema::{CANCELLED, DEAD, DELIVERED, WAITING};
use crate::{
    Count, DeadFilter, DeadLetter, DeliveryJournal, DeliveryKey, EntryKey, Journal, ProfileField, Setting, State,
};

/// How many waiting deliveries one refill reads.
const REFILL: usize = 1024;

/// A time as the file holds it; what lies past its range is never.
pub(super) fn ms(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// A time out of the file.
pub(super) fn time(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

/// A delivery's key out of the file.
pub(super) fn key(row: &Row<'_>, column: usize) -> Result<DeliveryKey> {
    Ok(DeliveryKey(row.get(column)?))
}

pub(super) fn profile(conn: &Connection, key: &str, now_ms: u64) -> Result<Vec<ProfileField>> {
    let sql = "SELECT name, value, seen_ms FROM profile WHERE key = ?1 AND expires_ms > ?2 ORDER BY name";
    let mut fields = conn.prepare_cached(sql)?;
    let fields = fields.query_map(params![key, ms(now_ms)], |row| {
        Ok(ProfileField { name: row.get(0)?, value: row.get(1)?, seen_ms: time(row, 2)? })
    })?;
    fields.collect()
}

/// One field of many profiles, each at its key's position.
pub(super) fn profile_field(
    conn: &Connection,
    name: &str,
    keys: &[String],
    now_ms: u64,
) -> Result<Vec<Option<ProfileField>>> {
    let sql = "SELECT value, seen_ms FROM profile WHERE key = ?1 AND name = ?2 AND expires_ms > ?3";
    let mut one = conn.prepare_cached(sql)?;
    let field = |key: &String| {
        let found = one.query_row(params![key, name, ms(now_ms)], |row| {
            Ok(ProfileField { name: name.to_owned(), value: row.get(0)?, seen_ms: time(row, 1)? })
        });
        found.optional()
    };
    keys.iter().map(field).collect()
}

pub(super) fn settings(conn: &Connection) -> Result<Vec<Setting>> {
    let mut all = conn.prepare_cached("SELECT name, value FROM setting ORDER BY name")?;
    let all = all.query_map([], |row| Ok(Setting { name: row.get(0)?, value: row.get(1)? }))?;
    all.collect()
}

pub(super) fn find(conn: &Connection, id: &str) -> Result<Vec<Journal>> {
    // One snapshot over all statements: a trace does not mix two states.
    let snapshot = conn.unchecked_transaction()?;
    let sql = "SELECT seq, scope, id, received_ms, duplicates, record FROM entry WHERE id = ?1 ORDER BY scope";
    let found: Vec<_> = snapshot.prepare_cached(sql)?.query_map([id], journal)?.collect::<Result<_>>()?;
    found.into_iter().map(|(seq, entry)| with_deliveries(&snapshot, seq, entry, Payloads::Read)).collect()
}

pub(super) fn recent(conn: &Connection, limit: usize) -> Result<Vec<Journal>> {
    let snapshot = conn.unchecked_transaction()?;
    let sql = "SELECT seq, scope, id, received_ms, duplicates, record FROM entry ORDER BY seq DESC LIMIT ?1";
    let found: Vec<_> = snapshot.prepare_cached(sql)?.query_map([rows(limit)], journal)?.collect::<Result<_>>()?;
    found.into_iter().map(|(seq, entry)| with_deliveries(&snapshot, seq, entry, Payloads::LeaveOut)).collect()
}

pub(super) fn dead_letters(conn: &Connection, filter: &DeadFilter) -> Result<Vec<DeadLetter>> {
    let snapshot = conn.unchecked_transaction()?;
    let reason = filter.reason.as_ref().map(|text| text.to_lowercase());
    // Past every key, so that the first page needs no statement of its own.
    let before = filter.before.map_or_else(|| vec![u8::MAX; 17], |key| key.0.to_vec());
    let columns = "d.key, e.scope, e.id, d.destination, d.reason, d.died_ms, d.payload";
    // The order of the joins is given, because the planner has no statistics to find it by.
    let from = match (&filter.entry_id, &filter.destination) {
        (Some(_), _) => {
            "entry e CROSS JOIN delivery d ON d.entry = e.seq WHERE e.id = ?2 AND ifnull(d.destination = ?3, 1)"
        }
        (None, Some(_)) => {
            "delivery d INDEXED BY delivery_dead_of CROSS JOIN entry e ON e.seq = d.entry \
             WHERE ?2 IS NULL AND d.destination = ?3"
        }
        (None, None) => {
            "delivery d INDEXED BY delivery_dead CROSS JOIN entry e ON e.seq = d.entry \
             WHERE ?2 IS NULL AND ?3 IS NULL"
        }
    };
    let sql = format!("SELECT {columns} FROM {from} AND d.state = {DEAD} AND d.key < ?1 ORDER BY d.key DESC");
    let mut statement = snapshot.prepare_cached(&sql)?;
    let mut found = statement.query(params![before, filter.entry_id, filter.destination])?;
    let mut letters = Vec::new();
    while letters.len() < filter.limit {
        let Some(row) = found.next()? else { break };
        let why: Option<String> = row.get(4)?;
        let why = why.unwrap_or_default();
        if reason.as_ref().is_some_and(|text| !why.to_lowercase().contains(text)) {
            continue;
        }
        let payload_seq: i64 = row.get(6)?;
        letters.push(DeadLetter {
            key: key(row, 0)?,
            entry: EntryKey { scope: row.get(1)?, id: row.get(2)? },
            destination: row.get(3)?,
            reason: why,
            died_ms: row.get::<_, Option<i64>>(5)?.and_then(|at| u64::try_from(at).ok()).unwrap_or(0),
            payload: payload(&snapshot, payload_seq)?.unwrap_or_default(),
            attempts: attempts(&snapshot, payload_seq)?,
        });
    }
    Ok(letters)
}

/// What the file holds per destination.
pub(super) fn tallies(conn: &Connection) -> Result<HashMap<String, Tally>> {
    let mut tallies: HashMap<String, Tally> = HashMap::new();
    let sql = format!(
        "SELECT destination, queued_ms FROM delivery INDEXED BY delivery_waiting WHERE state = {WAITING} \
         ORDER BY destination"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = statement.query([])?;
    let mut current = (String::new(), Tally::default());
    while let Some(row) = found.next()? {
        let destination = row.get_ref(0)?.as_str()?;
        if destination != current.0 {
            let done = std::mem::replace(&mut current, (destination.into(), Tally::default()));
            tallies.insert(done.0, done.1);
        }
        current.1.waiting += 1;
        *current.1.ages.entry(time(row, 1)?).or_default() += 1;
    }
    tallies.insert(current.0, current.1);
    let sql = format!(
        "SELECT destination, count(*) FROM delivery INDEXED BY delivery_dead_of WHERE state = {DEAD} \
         GROUP BY destination"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        tallies.entry(row.get(0)?).or_default().dead = time(row, 1)?;
    }
    tallies.retain(|_, tally| tally.waiting > 0 || tally.dead > 0);
    Ok(tallies)
}

/// The counts as they are in the file, for a process that has no board.
pub(super) fn counts(conn: &Connection) -> Result<Vec<Count>> {
    let mut counts: Vec<_> =
        tallies(conn)?.iter().filter_map(|(destination, tally)| tally.count(destination)).collect();
    counts.sort_by(|a, b| a.destination.cmp(&b.destination));
    Ok(counts)
}

/// The waiting deliveries of a destination after a window's reach, and how far it reaches with them. Their payloads come
/// with them as far as all of them fit into `room_bytes`, whatever the others have: reading them one by one takes longer.
pub(super) fn waiting_after(
    conn: &Connection,
    destination: &str,
    reach: Reach,
    room_bytes: usize,
) -> Result<(Vec<(Place, Slot)>, Reach)> {
    let (due_ms, queued_ms, entry, after) = match reach {
        Reach::Nothing => (-1, -1, -1, [0; 16]),
        Reach::UpTo(place) => (ms(place.due_ms), ms(place.queued_ms), place.entry, place.key.0),
        Reach::Everything => return Ok((Vec::new(), Reach::Everything)),
    };
    let sql = format!(
        "SELECT d.due_ms, d.queued_ms, d.entry, d.key, d.attempts, d.recorded, d.payload, length(p.body), e.scope, e.id, \
         CASE WHEN length(p.body) <= ?6 THEN p.body END FROM delivery d INDEXED BY delivery_waiting LEFT JOIN entry e ON e.seq = d.entry \
         LEFT JOIN payload p ON p.seq = d.payload WHERE d.state = {WAITING} AND d.destination = ?1 \
         AND (d.due_ms, d.queued_ms, d.entry, d.key) > (?2, ?3, ?4, ?5) \
         ORDER BY d.due_ms, d.queued_ms, d.entry, d.key LIMIT {REFILL}"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let body_max = i64::try_from(room_bytes / REFILL).unwrap_or(i64::MAX);
    let found = statement.query_map(params![destination, due_ms, queued_ms, entry, after, body_max], |row| {
        let place = Place { due_ms: time(row, 0)?, queued_ms: time(row, 1)?, entry: row.get(2)?, key: key(row, 3)? };
        let scope: Option<String> = row.get(8)?;
        let id: Option<String> = row.get(9)?;
        let slot = Slot {
            entry: Arc::new(EntryKey { scope: scope.unwrap_or_default(), id: id.unwrap_or_default() }),
            attempts: row.get(4)?,
            recorded: row.get(5)?,
            payload_seq: row.get(6)?,
            payload_len: row.get::<_, Option<usize>>(7)?.unwrap_or(0),
            payload: row.get(10)?,
        };
        Ok((place, slot))
    })?;
    let found: Vec<_> = found.collect::<Result<_>>()?;
    let reach = match found.last() {
        Some((last, _)) if found.len() == REFILL => Reach::UpTo(*last),
        _ => Reach::Everything,
    };
    Ok((found, reach))
}

/// When the first delivery of a destination becomes due after `now_ms`.
pub(super) fn next_due(conn: &Connection, destination: &str, now_ms: u64) -> Result<Option<u64>> {
    let sql = format!(
        "SELECT due_ms FROM delivery INDEXED BY delivery_waiting WHERE state = {WAITING} AND destination = ?1 \
         AND due_ms > ?2 ORDER BY due_ms LIMIT 1"
    );
    conn.prepare_cached(&sql)?.query_row(params![destination, ms(now_ms)], |row| time(row, 0)).optional()
}

/// A payload; `None` only in a damaged file.
pub(super) fn payload(conn: &Connection, seq: i64) -> Result<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT body FROM payload WHERE seq = ?1")?.query_row([seq], |row| row.get(0)).optional()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Payloads {
    Read,
    LeaveOut,
}

fn journal(row: &Row<'_>) -> Result<(i64, Journal)> {
    let journal = Journal {
        key: EntryKey { scope: row.get(1)?, id: row.get(2)? },
        received_ms: time(row, 3)?,
        duplicates: row.get(4)?,
        record: row.get(5)?,
        deliveries: Vec::new(),
    };
    Ok((row.get(0)?, journal))
}

fn with_deliveries(conn: &Connection, seq: i64, mut entry: Journal, payloads: Payloads) -> Result<Journal> {
    let sql = "SELECT key, destination, state, due_ms, reason, payload FROM delivery WHERE entry = ?1 ORDER BY key";
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query([seq])?;
    while let Some(row) = found.next()? {
        let payload_seq: i64 = row.get(5)?;
        let state = match row.get::<_, i64>(2)? {
            DELIVERED => State::Delivered,
            DEAD => State::Dead,
            CANCELLED => State::Cancelled,
            _ => State::Waiting(time(row, 3)?),
        };
        entry.deliveries.push(DeliveryJournal {
            key: key(row, 0)?,
            destination: row.get(1)?,
            state,
            reason: row.get(4)?,
            payload: match payloads {
                Payloads::Read => payload(conn, payload_seq)?.unwrap_or_default(),
                Payloads::LeaveOut => Vec::new(),
            },
            attempts: attempts(conn, payload_seq)?,
        });
    }
    Ok(entry)
}

/// The records of a delivery's attempts, oldest first.
pub(super) fn attempts(conn: &Connection, payload_seq: i64) -> Result<Vec<Vec<u8>>> {
    let mut statement = conn.prepare_cached("SELECT record FROM attempt WHERE payload = ?1 ORDER BY n")?;
    statement.query_map([payload_seq], |row| row.get(0))?.collect()
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
