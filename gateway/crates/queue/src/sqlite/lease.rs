//! Leases deliveries in the caller's own thread: from the board, and from the file where the board does not reach.
//! Does not wait for the writer, so a lease never waits for a sync.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::board::{Board, Place, Slot};
use super::writer::locked;
use super::{fault, read};
use crate::{Error, Lease, LeaseRequest, Leased};

/// The serving gateway's way to its leases.
pub(super) struct Desk {
    pub(super) path: PathBuf,
    pub(super) board: Arc<Mutex<Board>>,
    /// Only used while the board is locked, so that what it reads fits what the board knows.
    pub(super) conn: Mutex<Option<Connection>>,
}

impl Desk {
    pub(super) fn lease(&self, request: &LeaseRequest) -> Result<Leased, Error> {
        let mut board = locked(&self.board);
        let conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let conn = conn.as_ref().ok_or(Error::Closed)?;
        let failed = |error: rusqlite::Error| fault::reading("lease", &self.path, &error);
        let destination = &*request.destination;
        board.expire(request.now_ms);
        let mut leased = Leased::default();
        let mut bytes = 0;
        while leased.deliveries.len() < request.count_max {
            refill(&mut board, conn, destination).map_err(failed)?;
            let Some(slot) = board.first_due(destination, request.now_ms) else { break };
            if !leased.deliveries.is_empty() && bytes + slot.payload_len > request.bytes_max {
                break;
            }
            let Some((place, mut slot)) = board.take_first(destination) else { break };
            if board.is_held(&place.key) {
                // Two deliveries with one key: leases could not tell them apart. This one waits for the next start.
                tracing::error!(delivery.id = %place.key, "the key `{}` has two deliveries", place.key);
                continue;
            }
            let payload = match slot.payload.take().map_or_else(|| payload(conn, place, &slot), Ok) {
                Ok(payload) => payload,
                Err(error) => {
                    board.put_back(destination, place, slot);
                    // What was leased before it is good, and the error will come again with the next lease.
                    if leased.deliveries.is_empty() {
                        return Err(failed(error));
                    }
                    break;
                }
            };
            bytes += payload.len();
            leased.deliveries.push(Lease {
                key: place.key,
                entry: (*slot.entry).clone(),
                attempts: slot.attempts,
                queued_ms: place.queued_ms,
                token: board.hold(destination, place, slot, request.until_ms),
                payload,
            });
        }
        leased.next_due_ms = match board.next_due(destination, request.now_ms) {
            Some(known) => known,
            None => read::next_due(conn, destination, request.now_ms).map_err(failed)?,
        };
        board.told(destination, leased.next_due_ms);
        Ok(leased)
    }

    pub(super) fn close(&self) {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Fills an empty window until it holds something or reaches everything: all that a reading gives may be leased.
fn refill(board: &mut Board, conn: &Connection, destination: &str) -> rusqlite::Result<()> {
    while let Some(reach) = board.ran_out(destination) {
        let (rows, reach) = read::waiting_after(conn, destination, reach, board.room_bytes())?;
        board.refill(destination, rows, reach);
    }
    Ok(())
}

fn payload(conn: &Connection, place: Place, slot: &Slot) -> rusqlite::Result<Vec<u8>> {
    let found = read::payload(conn, slot.payload_seq)?;
    if found.is_none() {
        // Handed out empty, so that who takes it finds it unreadable and gives up this one alone.
        tracing::error!(delivery.id = %place.key, "the payload of delivery `{}` is missing in the file", place.key);
    }
    Ok(found.unwrap_or_default())
}
