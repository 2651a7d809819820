//! Tells the board what has been committed, and makes the answers. Decides nothing.

use std::sync::Arc;

use super::board::{Board, Place, Slot};
use super::request::{Reply, Request};
use super::write::{Effect, Stored};
use crate::chain::Head;
use crate::{Appended, Entry, Error, NewState, Settled, Swept};

/// What a request came to, if the transaction comes about.
pub(super) enum Done {
    /// As it was asked for, or as the limits left it.
    Stored(Stored, Option<Box<Entry>>),
    Duplicate,
    Settled(Vec<Settled>),
    Changed(usize, Vec<Effect>),
    Swept(Swept, Vec<Effect>),
    Chained(Head),
}

/// Answers a request of which nothing came about.
pub(super) fn fail(request: Request, error: impl Fn(&'static str) -> Error) {
    let error = error(request.operation());
    conclude(None, request, Err(error)).send();
}

/// Tells the board what one request changed, and makes its answer.
pub(super) fn conclude(mut board: Option<&mut Board>, request: Request, done: Result<Done, Error>) -> Reply {
    match request {
        Request::Append(entry, answer) => Reply::Append(
            answer,
            done.map(|done| match done {
                Done::Stored(stored, changed) => {
                    if let Some(board) = board {
                        appended(board, changed.map_or(entry, |changed| *changed), stored);
                    }
                    Appended::Stored
                }
                _ => Appended::Duplicate,
            }),
        ),
        Request::Settle(attempts, answer) => Reply::Settle(
            answer,
            done.map(|done| {
                let Done::Settled(settled) = done else { return Vec::new() };
                for (attempt, settled) in attempts.iter().zip(&settled) {
                    if let (Settled::Recorded, Some(board)) = (settled, board.as_deref_mut()) {
                        board.settled(&attempt.key, &attempt.outcome);
                    }
                }
                settled
            }),
        ),
        Request::Sweep { answer, .. } => Reply::Sweep(
            answer,
            done.map(|done| {
                let Done::Swept(swept, effects) = done else { return Swept::default() };
                if let Some(board) = board {
                    effects.into_iter().for_each(|effect| changed(board, effect));
                }
                swept
            }),
        ),
        Request::Chain { answer, .. } => Reply::Chain(
            answer,
            done.map(|done| match done {
                Done::Chained(head) => head,
                _ => Head::START,
            }),
        ),
        Request::Replay { answer, .. }
        | Request::Purge(_, answer)
        | Request::Import(_, answer)
        | Request::Join(_, answer)
        | Request::Set { answer, .. } => Reply::Change(
            answer,
            done.map(|done| {
                let Done::Changed(count, effects) = done else { return 0 };
                if let Some(board) = board {
                    effects.into_iter().for_each(|effect| changed(board, effect));
                }
                count
            }),
        ),
        Request::Close(answer) => Reply::Close(answer, done.map(drop)),
    }
}

fn appended(board: &mut Board, entry: Entry, stored: Stored) {
    let key = Arc::new(entry.key);
    for (payload_seq, delivery) in (stored.first_payload..).zip(entry.deliveries) {
        let NewState::Due(due_ms) = delivery.state else {
            board.born_dead(&delivery.destination);
            continue;
        };
        let slot = Slot {
            entry: key.clone(),
            attempts: 0,
            recorded: 0,
            payload_seq,
            payload_len: delivery.payload.len(),
            payload: Some(delivery.payload),
        };
        let place = Place { due_ms, queued_ms: entry.received_ms, entry: stored.seq, key: delivery.key };
        board.queued(&delivery.destination, place, slot);
    }
}

fn changed(board: &mut Board, effect: Effect) {
    match effect {
        Effect::Queued { destination, place, slot } => board.queued(&destination, place, slot),
        Effect::BornDead { destination } => board.born_dead(&destination),
        Effect::Buried { destination } => board.buried(&destination),
    }
}
