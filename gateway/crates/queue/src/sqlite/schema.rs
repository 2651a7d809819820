//! Owns the tables of the file and the steps from one version of them to the next. Refuses files it does not know.
//!
//! An entry's row is also its de-duplication mark. A delivery's row is small, because its state changes; what is large
//! and never changes (the payload) lies apart, in a table with an integer key, where SQLite appends fastest. Rows of
//! `delivery` lie together by entry, so that a trace is one short scan and needs no index of its own.

use rusqlite::Connection;

/// Marks the file as ours: `TDGQ`.
pub(super) const APPLICATION_ID: i32 = 0x5444_4751;

/// What `delivery.state` says.
pub(super) const WAITING: i64 = 0;
pub(super) const DELIVERED: i64 = 1;
pub(super) const DEAD: i64 = 2;
pub(super) const CANCELLED: i64 = 3;

/// Each step leads from the version of its index to the next one. Steps that were released never change.
const STEPS: &[&str] = &[
    "
    CREATE TABLE entry (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        scope TEXT NOT NULL,
        received_ms INTEGER NOT NULL,
        duplicates INTEGER NOT NULL,
        record BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX entry_by_key ON entry (id, scope);
    CREATE INDEX entry_by_age ON entry (received_ms);

    -- state: 0 waiting, 1 delivered, 2 dead. attempts: since it was queued or replayed. recorded: ever.
    CREATE TABLE delivery (
        entry INTEGER NOT NULL,
        key BLOB NOT NULL,
        destination TEXT NOT NULL,
        state INTEGER NOT NULL,
        due_ms INTEGER NOT NULL,
        queued_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        recorded INTEGER NOT NULL,
        payload INTEGER NOT NULL,
        died_ms INTEGER,
        reason TEXT,
        PRIMARY KEY (entry, key)
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX delivery_waiting ON delivery (destination, due_ms, queued_ms) WHERE state = 0;
    CREATE INDEX delivery_dead ON delivery (key) WHERE state = 2;
    CREATE INDEX delivery_dead_of ON delivery (destination, key) WHERE state = 2;
    CREATE INDEX delivery_dead_by_age ON delivery (died_ms) WHERE state = 2;

    CREATE TABLE payload (
        seq INTEGER PRIMARY KEY,
        body BLOB NOT NULL
    ) STRICT;

    CREATE TABLE attempt (
        payload INTEGER NOT NULL,
        n INTEGER NOT NULL,
        record BLOB NOT NULL,
        PRIMARY KEY (payload, n)
    ) WITHOUT ROWID, STRICT;

    CREATE TABLE profile (
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        seen_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        PRIMARY KEY (key, name)
    ) WITHOUT ROWID, STRICT;
",
    "
    -- Kept for a move to a store of several partitions.
    ALTER TABLE entry ADD COLUMN affinity TEXT NOT NULL DEFAULT '';
",
    "
    CREATE TABLE setting (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;
",
    "
    -- The chained log, and where it begins and ends: base is what the first entry links to. It grows at its end and
    -- is swept at its beginning, where the base has gone ahead; nothing else changes it.
    CREATE TABLE chain (
        seq INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        hash BLOB NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
    CREATE TABLE chain_end (
        base_seq INTEGER NOT NULL,
        base_hash BLOB NOT NULL,
        head_seq INTEGER NOT NULL,
        head_hash BLOB NOT NULL
    ) STRICT;
    INSERT INTO chain_end VALUES (0, zeroblob(32), 0, zeroblob(32));
    CREATE TRIGGER chain_grows BEFORE INSERT ON chain WHEN NEW.seq <> (SELECT head_seq + 1 FROM chain_end)
        BEGIN SELECT RAISE(ABORT, 'the chained log grows at its end'); END;
    CREATE TRIGGER chain_stays BEFORE UPDATE ON chain
        BEGIN SELECT RAISE(ABORT, 'the chained log is append-only'); END;
    CREATE TRIGGER chain_is_kept BEFORE DELETE ON chain WHEN OLD.seq > (SELECT base_seq FROM chain_end)
        BEGIN SELECT RAISE(ABORT, 'the chained log is append-only'); END;
    CREATE TRIGGER chain_end_is_one BEFORE INSERT ON chain_end
        BEGIN SELECT RAISE(ABORT, 'the chained log has one end'); END;
    CREATE TRIGGER chain_end_is_kept BEFORE DELETE ON chain_end
        BEGIN SELECT RAISE(ABORT, 'the chained log has one end'); END;
",
    "
    -- delivery.state may be 3 from here on: cancelled, with a reason and an empty payload. Programs that do not know it
    -- would take it for one that waits.
",
];

/// The version that this program writes.
pub(super) fn version_known() -> i64 {
    STEPS.len() as i64
}

/// The version of an open file; nought is a file without tables.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Who made an open file.
pub(super) fn application_id(conn: &Connection) -> rusqlite::Result<i32> {
    conn.pragma_query_value(None, "application_id", |row| row.get(0))
}

/// Leads an open file to the version known, one transaction a step.
pub(super) fn migrate(conn: &Connection) -> rusqlite::Result<()> {
    let from = usize::try_from(version(conn)?).unwrap_or(0);
    for (index, step) in STEPS.iter().enumerate().skip(from) {
        let next = index + 1;
        conn.execute_batch(&format!(
            "BEGIN EXCLUSIVE; {step} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {next}; COMMIT;"
        ))?;
    }
    Ok(())
}
