//! Reads everything out of the file, in pages, to be moved to another store. Changes nothing.
//!
//! Entries come first, in the order in which they were stored, then profiles by their keys; the last page has the
//! settings. A page ends at a number of items or of bytes, whichever comes first, and holds one item at least.

use rusqlite::{Connection, Result, Row, params};

use super::read::{attempts, key, payload, settings, time};
use super::schema::{CANCELLED, DEAD, DELIVERED};
use crate::{
    Cursor, EntryKey, Error, Export, Item, ProfileField, StoredDelivery, StoredEntry, StoredProfile, StoredState,
};

/// A page ends when its items hold more bytes.
const PAGE_BYTES: usize = 4 << 20;

/// Where a page begins.
pub(super) enum After {
    Entry(i64),
    Profile(String),
}

impl After {
    pub(super) fn parse(cursor: Option<&Cursor>) -> std::result::Result<Self, Error> {
        let Some(Cursor(text)) = cursor else { return Ok(Self::Entry(i64::MIN)) };
        let parsed = match text.split_once(':') {
            Some(("entry", seq)) => seq.parse().ok().map(Self::Entry),
            Some(("profile", key)) => Some(Self::Profile(key.to_owned())),
            _ => None,
        };
        parsed.ok_or_else(|| Error::Corrupt {
            what: format!("the cursor `{text}` of an export"),
            why: "it is not of an SQLite store".into(),
        })
    }

    fn cursor(&self) -> Cursor {
        Cursor(match self {
            Self::Entry(seq) => format!("entry:{seq}"),
            Self::Profile(key) => format!("profile:{key}"),
        })
    }
}

/// Items until the page is full.
struct Page {
    items: Vec<Item>,
    bytes: usize,
    count_max: usize,
}

impl Page {
    fn push(&mut self, item: Item) {
        self.bytes += bytes(&item);
        self.items.push(item);
    }

    fn is_full(&self) -> bool {
        !self.items.is_empty() && (self.items.len() >= self.count_max || self.bytes >= PAGE_BYTES)
    }
}

pub(super) fn page(conn: &Connection, after: After, limit: usize) -> Result<Export> {
    let snapshot = conn.unchecked_transaction()?;
    let mut page = Page { items: Vec::new(), bytes: 0, count_max: limit.max(1) };
    let mut end = None;
    let profiles_after = match after {
        After::Entry(seq) => {
            end = entries(&snapshot, seq, &mut page)?;
            None
        }
        After::Profile(key) => Some(key),
    };
    if end.is_none() {
        end = profiles(&snapshot, profiles_after, &mut page)?;
    }
    if end.is_none() {
        // They are few.
        page.items.extend(settings(&snapshot)?.into_iter().map(Item::Setting));
    }
    Ok(Export { items: page.items, next: end.map(|after| after.cursor()) })
}

/// How many bytes an item holds, roughly.
pub(super) fn bytes(item: &Item) -> usize {
    match item {
        Item::Entry(entry) => {
            let deliveries = entry.deliveries.iter().map(|one| {
                let records = one.records.iter().map(|record| record.len() + 50).sum::<usize>();
                one.payload.len() + records + 150
            });
            entry.record.len() + deliveries.sum::<usize>() + 150
        }
        Item::Profile(profile) => {
            let fields = profile.fields.iter().map(|(field, _)| field.name.len() + field.value.len() + 50);
            fields.sum::<usize>() + 50
        }
        Item::Setting(setting) => setting.name.len() + setting.value.len() + 50,
    }
}

/// Adds entries until the page is full; then tells where it ended.
fn entries(conn: &Connection, after: i64, page: &mut Page) -> Result<Option<After>> {
    let sql = "SELECT seq, scope, id, received_ms, duplicates, record, affinity FROM entry WHERE seq > ?1 ORDER BY seq";
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query([after])?;
    while let Some(row) = found.next()? {
        let seq = row.get(0)?;
        page.push(Item::Entry(StoredEntry {
            key: EntryKey { scope: row.get(1)?, id: row.get(2)? },
            affinity: row.get(6)?,
            received_ms: time(row, 3)?,
            record: row.get(5)?,
            duplicates: row.get(4)?,
            deliveries: deliveries(conn, seq)?,
        }));
        if page.is_full() {
            return Ok(Some(After::Entry(seq)));
        }
    }
    Ok(None)
}

fn deliveries(conn: &Connection, entry: i64) -> Result<Vec<StoredDelivery>> {
    let sql = "SELECT key, destination, state, due_ms, reason, died_ms, queued_ms, attempts, payload FROM delivery \
               WHERE entry = ?1 ORDER BY key";
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_map([entry], |row| {
        let payload_seq: i64 = row.get(8)?;
        Ok(StoredDelivery {
            key: key(row, 0)?,
            destination: row.get(1)?,
            payload: payload(conn, payload_seq)?.unwrap_or_default(),
            state: state(row)?,
            queued_ms: time(row, 6)?,
            attempts: row.get(7)?,
            records: attempts(conn, payload_seq)?,
        })
    })?;
    found.collect()
}

fn state(row: &Row<'_>) -> Result<StoredState> {
    Ok(match row.get::<_, i64>(2)? {
        DELIVERED => StoredState::Delivered,
        DEAD => StoredState::Dead {
            reason: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            died_ms: row.get::<_, Option<i64>>(5)?.and_then(|at| u64::try_from(at).ok()).unwrap_or(0),
        },
        CANCELLED => StoredState::Cancelled(row.get::<_, Option<String>>(4)?.unwrap_or_default()),
        _ => StoredState::Waiting(time(row, 3)?),
    })
}

/// Adds profiles until the page is full; then tells where it ended.
fn profiles(conn: &Connection, after: Option<String>, page: &mut Page) -> Result<Option<After>> {
    let sql = "SELECT key, name, value, seen_ms, expires_ms FROM profile WHERE ?1 IS NULL OR key > ?1 \
               ORDER BY key, name";
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(params![after])?;
    let mut current: Option<StoredProfile> = None;
    while let Some(row) = found.next()? {
        let key = row.get_ref(0)?.as_str()?;
        if current.as_ref().is_none_or(|profile| profile.key != key) {
            let next = StoredProfile { key: key.to_owned(), fields: Vec::new() };
            if let Some(whole) = current.replace(next) {
                let end = whole.key.clone();
                page.push(Item::Profile(whole));
                if page.is_full() {
                    return Ok(Some(After::Profile(end)));
                }
            }
        }
        let field = ProfileField { name: row.get(1)?, value: row.get(2)?, seen_ms: time(row, 3)? };
        let expires_ms = time(row, 4)?;
        if let Some(profile) = &mut current {
            profile.fields.push((field, expires_ms));
        }
    }
    page.items.extend(current.map(Item::Profile));
    Ok(None)
}
