//! The chained log in the file: its statements, inside transactions that the writer owns, and its reads. The tables'
//! triggers refuse what is not the log's own way to change: at its end one more, at its beginning a sweep.

use std::collections::HashMap;

use rusqlite::{Connection, Result, Row, params};

use super::read::{ms, time};
use crate::Error;
use crate::chain::{Ends, Hash, Head, Joined, Link, join};

/// How many entries one sweep deletes at most.
const DELETED_MAX: usize = 500;
/// A page ends when its entries hold more bytes.
const PAGE_BYTES: usize = 4 << 20;

/// Appends an entry; gives its place.
pub(super) fn append(conn: &Connection, at_ms: u64, bytes: &[u8]) -> Result<Head> {
    let ends = ends(conn)?;
    let link = ends.head.link(at_ms, bytes.to_vec());
    insert(conn, &link)?;
    Ok(link.head())
}

pub(super) fn ends(conn: &Connection) -> Result<Ends> {
    let sql = "SELECT base_seq, base_hash, head_seq, head_hash FROM chain_end";
    conn.prepare_cached(sql)?.query_row([], |row| {
        let head = |column| Ok::<_, rusqlite::Error>(Head { seq: time(row, column)?, hash: hash(row, column + 1)? });
        Ok(Ends { base: head(0)?, head: head(2)? })
    })
}

/// Entries after a number, oldest first.
pub(super) fn page(conn: &Connection, after: u64, limit: usize) -> Result<Vec<Link>> {
    let snapshot = conn.unchecked_transaction()?;
    let base = ends(&snapshot)?.base;
    let sql = "SELECT hash FROM chain WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1";
    let before = snapshot.prepare_cached(sql)?.query_map([ms(after)], |row| hash(row, 0))?.next().transpose()?;
    let mut prev = before.unwrap_or(base.hash);
    let sql = "SELECT seq, at_ms, hash, bytes FROM chain WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut statement = snapshot.prepare_cached(sql)?;
    let mut found = statement.query(params![ms(after), i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let (mut links, mut bytes) = (Vec::new(), 0);
    while bytes < PAGE_BYTES {
        let Some(row) = found.next()? else { break };
        let link = Link { seq: time(row, 0)?, at_ms: time(row, 1)?, prev, hash: hash(row, 2)?, bytes: row.get(3)? };
        prev = link.hash;
        bytes += link.bytes.len();
        links.push(link);
    }
    Ok(links)
}

/// Adds what another store exported; gives how many entries were new. The inner error has changed nothing.
pub(super) fn import(conn: &Connection, links: &[Link]) -> Result<std::result::Result<usize, Error>> {
    let ends = ends(conn)?;
    let mut stored = HashMap::new();
    let mut known = conn.prepare_cached("SELECT hash FROM chain WHERE seq = ?1")?;
    for link in links {
        if let Some(found) = known.query_map([ms(link.seq)], |row| hash(row, 0))?.next() {
            stored.insert(link.seq, found?);
        }
    }
    let Joined { after, links } = match join(ends, &stored, links.to_vec()) {
        Ok(joined) => joined,
        Err(refused) => return Ok(Err(refused)),
    };
    if after != ends.head {
        let sql = "UPDATE chain_end SET base_seq = ?1, base_hash = ?2, head_seq = ?1, head_hash = ?2";
        conn.prepare_cached(sql)?.execute(params![ms(after.seq), after.hash.0])?;
    }
    links.iter().try_for_each(|link| insert(conn, link))?;
    Ok(Ok(links.len()))
}

/// Deletes the oldest entries up to the first that is not older than `before_ms`, but never the newest of all, so that
/// what follows has something to link to; gives how many.
pub(super) fn sweep(conn: &Connection, before_ms: u64) -> Result<usize> {
    let head = ends(conn)?.head;
    let sql = "SELECT seq, hash, at_ms FROM chain ORDER BY seq LIMIT ?1";
    let mut statement = conn.prepare_cached(sql)?;
    let mut oldest = statement.query([DELETED_MAX as i64])?;
    let (mut count, mut last) = (0, None);
    while let Some(row) = oldest.next()? {
        let (place, at_ms) = (Head { seq: time(row, 0)?, hash: hash(row, 1)? }, time(row, 2)?);
        if at_ms >= before_ms || place.seq >= head.seq {
            break;
        }
        (count, last) = (count + 1, Some(place));
    }
    drop(oldest);
    if let Some(last) = last {
        // The trigger lets go what the base has passed.
        let sql = "UPDATE chain_end SET base_seq = ?1, base_hash = ?2";
        conn.prepare_cached(sql)?.execute(params![ms(last.seq), last.hash.0])?;
        conn.prepare_cached("DELETE FROM chain WHERE seq <= ?1")?.execute([ms(last.seq)])?;
    }
    Ok(count)
}

fn insert(conn: &Connection, link: &Link) -> Result<()> {
    let sql = "INSERT INTO chain (seq, at_ms, hash, bytes) VALUES (?1, ?2, ?3, ?4)";
    conn.prepare_cached(sql)?.execute(params![ms(link.seq), ms(link.at_ms), link.hash.0, link.bytes])?;
    let sql = "UPDATE chain_end SET head_seq = ?1, head_hash = ?2";
    conn.prepare_cached(sql)?.execute(params![ms(link.seq), link.hash.0])?;
    Ok(())
}

fn hash(row: &Row<'_>, column: usize) -> Result<Hash> {
    Ok(Hash(row.get(column)?))
}
