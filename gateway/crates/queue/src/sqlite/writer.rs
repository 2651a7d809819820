//! The one thread that writes: gathers what is asked for at the same time into one commit. Decides nothing about
//! leases; it tells the board what has been committed, and only then answers.
//!
//! A group is tried without savepoints first, because almost every group succeeds. When one request's own statements
//! fail, the group is rolled back and tried again with a savepoint around each request, so that only that one fails.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{Notify, Semaphore};

use super::board::Board;
use super::conclude::{Done, conclude, fail};
use super::fault::{self, Cause, Condition, Reach, Stage};
use super::request::{Answer, Envelope, Reply, Request};
use super::room::Room;
use super::sweep::Sweeper;
use super::write::{self, Effect};
use super::{chain, import, read, schema};
use crate::limiting::Limiting;
use crate::{Attempt, DeliveryKey, Entry, Error, NewState, Replay, Settled};

/// A group ends at so many requests, or so many bytes.
const GROUP_MAX: usize = 512;
const GROUP_BYTES_MAX: usize = 1 << 20;
/// How often the writer looks around when nothing is asked of it: for another process's changes, above all.
const IDLE: Duration = Duration::from_millis(500);
/// After so many pages the log is copied into the file. The pages are guessed from above, at three times what they
/// are; a longer log saves copying those that change again and again, and costs space and a slower start after a crash.
const CHECKPOINT_PAGES: usize = 16_000;
const PAGE_BYTES: usize = 4096;

/// All that the thread owns.
pub(super) struct Writer {
    pub(super) path: Arc<Path>,
    pub(super) conn: Connection,
    /// Only where it serves.
    pub(super) board: Option<Arc<Mutex<Board>>>,
    pub(super) condition: Arc<Condition>,
    pub(super) requests: Receiver<Envelope>,
    pub(super) room: Arc<Semaphore>,
    pub(super) limits: Arc<Limiting>,
    pub(super) settings_news: Arc<Notify>,
    pub(super) data_version: i64,
    pub(super) sweeper: Sweeper,
    pub(super) log_pages: usize,
}

/// Why a group came to nothing.
struct Failed {
    reach: Reach,
    cause: Cause,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Isolation {
    Shared,
    Each,
}

/// What a transaction has done so far.
struct Progress<'a> {
    room: Room,
    /// Whose attempts are being written.
    settling: &'a mut Vec<DeliveryKey>,
}

impl Writer {
    /// Runs until it is told to close, or nobody is left to ask.
    pub(super) fn run(mut self) {
        let mut closing = None;
        while closing.is_none() {
            let first = match self.requests.recv_timeout(IDLE) {
                Ok(envelope) => envelope,
                Err(RecvTimeoutError::Timeout) => {
                    self.look_around();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(Envelope { request, room }) = next {
                self.room.add_permits(room as usize);
                if let Request::Close(answer) = request {
                    closing = Some(answer);
                    break;
                }
                bytes += request.bytes();
                group.push(request);
                next = (group.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX)
                    .then(|| self.requests.try_recv().ok())
                    .flatten();
            }
            self.process(group);
            self.log_pages += bytes / PAGE_BYTES;
            if self.log_pages >= CHECKPOINT_PAGES {
                self.checkpoint();
            }
        }
        self.finish(closing);
    }

    fn finish(self, closing: Option<Answer<()>>) {
        if self.condition.fatal().is_none() {
            // The log is complete without it; this only saves the next start the reading.
            if let Err(error) = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
                tracing::warn!(%error, "the queue's log was not copied at the end: {error}");
            }
        }
        drop(self.conn);
        if let Some(answer) = closing {
            // Nobody waits for it when the queue was dropped.
            let _ = answer.send(Ok(()));
        }
    }

    /// Commits a group and answers it.
    fn process(&mut self, group: Vec<Request>) {
        if group.is_empty() {
            return;
        }
        if let Some(cause) = self.condition.fatal() {
            group.into_iter().for_each(|request| fail(request, |operation| cause.fatal(operation)));
            return;
        }
        let mut outcome = self.attempt(&group, Isolation::Shared);
        if matches!(&outcome, Err(Failed { reach: Reach::Request, .. })) {
            outcome = self.attempt(&group, Isolation::Each);
        }
        match outcome {
            Ok(done) => {
                self.condition.set_trouble(None);
                self.log_pages += 3 * group.len();
                self.apply(group, done);
            }
            Err(Failed { reach: Reach::Store, cause }) => {
                self.condition.fail(cause.clone());
                group.into_iter().for_each(|request| fail(request, |operation| cause.fatal(operation)));
            }
            Err(Failed { cause, .. }) => {
                if self.condition.trouble().is_none() {
                    // On a full disk this may make room: a log that has been copied begins anew, in its own place.
                    self.checkpoint();
                }
                self.condition.set_trouble(Some(cause.clone()));
                group.into_iter().for_each(|request| fail(request, |operation| cause.unavailable(operation)));
            }
        }
    }

    /// One transaction with the whole group. After a failure nothing of it is left, in the file or on the board.
    fn attempt(&mut self, group: &[Request], isolation: Isolation) -> Result<Vec<Result<Done, Error>>, Failed> {
        let mut settling = Vec::new();
        let outcome = self.transact(group, isolation, &mut settling);
        let Err(mut failed) = outcome else { return outcome };
        if let Some(board) = &self.board {
            let mut board = locked(board);
            settling.iter().for_each(|key| board.abandon_settling(key));
        }
        if !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch("ROLLBACK")
        {
            failed = Failed { reach: Reach::Store, cause: Cause::of(&self.path, &error) };
        }
        Err(failed)
    }

    fn transact(
        &mut self,
        group: &[Request],
        isolation: Isolation,
        settling: &mut Vec<DeliveryKey>,
    ) -> Result<Vec<Result<Done, Error>>, Failed> {
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| Failed::new(&path, &error, Stage::Statement);
        self.execute("BEGIN IMMEDIATE").map_err(failed)?;
        self.notice_changes().map_err(failed)?;
        let progress = &mut Progress { room: self.room_now(group).map_err(failed)?, settling };
        let mut done = Vec::with_capacity(group.len());
        for request in group {
            done.push(match isolation {
                Isolation::Shared => self.perform(request, progress).map_err(failed)?,
                Isolation::Each => self.perform_alone(request, progress)?,
            });
        }
        self.execute("COMMIT").map_err(|error| Failed::new(&path, &error, Stage::Commit))?;
        Ok(done)
    }

    /// Performs a request that may fail without the others.
    fn perform_alone(&mut self, request: &Request, progress: &mut Progress<'_>) -> Result<Result<Done, Error>, Failed> {
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| Failed::new(&path, &error, Stage::Statement);
        let room = progress.room.clone();
        let settling = progress.settling.len();
        self.execute("SAVEPOINT alone").map_err(failed)?;
        let outcome = self.perform(request, progress);
        let error = match outcome {
            Ok(done) => {
                self.execute("RELEASE alone").map_err(failed)?;
                return Ok(done);
            }
            Err(error) => failed(error),
        };
        if error.reach != Reach::Request {
            return Err(error);
        }
        self.execute("ROLLBACK TO alone").and_then(|()| self.execute("RELEASE alone")).map_err(failed)?;
        progress.room = room;
        if let Some(board) = &self.board {
            let mut board = locked(board);
            progress.settling.drain(settling..).for_each(|key| board.abandon_settling(&key));
        }
        Ok(Err(error.cause.unavailable(request.operation())))
    }

    /// The statements of one request. The inner error is the request's own answer, and has changed nothing.
    fn perform(&mut self, request: &Request, progress: &mut Progress<'_>) -> rusqlite::Result<Result<Done, Error>> {
        match request {
            Request::Append(entry, _) => self.append(entry, progress),
            Request::Settle(attempts, _) => {
                let settled = attempts.iter().map(|attempt| self.settle(attempt, progress));
                let settled: Vec<_> = settled.collect::<rusqlite::Result<_>>()?;
                Ok(Ok(Done::Settled(settled)))
            }
            Request::Replay { letters, now_ms, .. } => self.replay(letters, *now_ms, progress),
            Request::Purge(keys, _) => {
                let mut effects = Vec::new();
                let mut count = 0;
                for key in keys {
                    count += usize::from(write::purge(&self.conn, key, &mut effects)?);
                }
                Ok(Ok(Done::Changed(count, effects)))
            }
            Request::Sweep { now_ms, retention, .. } => {
                let mut effects = Vec::new();
                let swept = self.sweeper.sweep(&self.conn, *now_ms, *retention, &mut effects)?;
                Ok(Ok(Done::Swept(swept, effects)))
            }
            Request::Import(items, _) => {
                let mut effects = Vec::new();
                let mut count = 0;
                for item in items {
                    count += usize::from(import::item(&self.conn, item, &mut effects)?);
                }
                note_queued(&effects, progress);
                Ok(Ok(Done::Changed(count, effects)))
            }
            Request::Chain { at_ms, bytes, .. } => Ok(Ok(Done::Chained(chain::append(&self.conn, *at_ms, bytes)?))),
            Request::Join(links, _) => {
                Ok(chain::import(&self.conn, links)?.map(|count| Done::Changed(count, Vec::new())))
            }
            Request::Set { name, value, .. } => {
                Ok(Ok(Done::Changed(write::set(&self.conn, name, value.as_deref())?, Vec::new())))
            }
            Request::Close(_) => Ok(Err(Error::Closed)),
        }
    }

    fn append(&self, entry: &Entry, progress: &mut Progress<'_>) -> rusqlite::Result<Result<Done, Error>> {
        let changed = match progress.room.admit(entry) {
            Ok(changed) => changed,
            // What is known already is no more to store, however full the queue is.
            Err(_) if write::is_known(&self.conn, &entry.key)? => None,
            Err(full) => return Ok(Err(full)),
        };
        let entry = changed.as_ref().unwrap_or(entry);
        let Some(stored) = write::append(&self.conn, entry)? else { return Ok(Ok(Done::Duplicate)) };
        let due = entry.deliveries.iter().filter(|delivery| matches!(delivery.state, NewState::Due(_)));
        due.for_each(|delivery| progress.room.add(&delivery.destination));
        Ok(Ok(Done::Stored(stored, changed.map(Box::new))))
    }

    fn replay(
        &self,
        letters: &[Replay],
        now_ms: u64,
        progress: &mut Progress<'_>,
    ) -> rusqlite::Result<Result<Done, Error>> {
        if let Err(full) = progress.room.admit_replay(&write::replay_adds(&self.conn, letters)?) {
            return Ok(Err(full));
        }
        let mut effects = Vec::new();
        let mut count = 0;
        for letter in letters {
            count += usize::from(write::replay(&self.conn, letter, now_ms, &mut effects)?);
        }
        note_queued(&effects, progress);
        Ok(Ok(Done::Changed(count, effects)))
    }

    fn settle(&self, attempt: &Attempt, progress: &mut Progress<'_>) -> rusqlite::Result<Settled> {
        let ticket = self.board.as_ref().and_then(|board| locked(board).begin_settling(attempt));
        let Some(ticket) = ticket else { return Ok(Settled::LeaseLost) };
        progress.settling.push(attempt.key);
        if !write::settle(&self.conn, attempt, &ticket)? {
            if let Some(board) = &self.board {
                locked(board).forget(&attempt.key);
            }
            return Ok(Settled::LeaseLost);
        }
        if !matches!(attempt.outcome, crate::Outcome::Retry(_)) {
            progress.room.remove(&ticket.destination);
        }
        Ok(Settled::Recorded)
    }

    /// What waits as the transaction begins.
    fn room_now(&self, group: &[Request]) -> rusqlite::Result<Room> {
        let limits = self.limits.now();
        let capped = limits.destinations.keys();
        let (waiting, destinations) = match &self.board {
            Some(board) => {
                let board = locked(board);
                (board.waiting(), capped.map(|name| (name.clone(), board.waiting_of(name))).collect())
            }
            // Only a replay needs to know, and only another process's replay gets here.
            None if group.iter().any(|request| matches!(request, Request::Replay { .. })) => {
                let counted = capped.map(|name| Ok((name.clone(), write::waiting_of(&self.conn, name)?)));
                (write::waiting(&self.conn)?, counted.collect::<rusqlite::Result<_>>()?)
            }
            None => Default::default(),
        };
        Ok(Room::new(Arc::clone(&limits), waiting, destinations))
    }

    /// Tells the board what has been committed, then everybody who waits.
    fn apply(&self, group: Vec<Request>, done: Vec<Result<Done, Error>>) {
        let mut board = self.board.as_ref().map(locked);
        let replies: Vec<_> =
            group.into_iter().zip(done).map(|(request, done)| conclude(board.as_deref_mut(), request, done)).collect();
        drop(board);
        replies.into_iter().for_each(Reply::send);
    }

    /// Notices what another process has changed, and tries again what failed.
    fn look_around(&mut self) {
        if self.condition.fatal().is_some() {
            return;
        }
        let looked = self.notice_changes().and_then(|()| {
            // A commit that changes nothing tells whether there is space again; readiness waits for it.
            let known = schema::version_known();
            let probe = format!("BEGIN IMMEDIATE; PRAGMA user_version = {known}; COMMIT");
            match self.condition.trouble() {
                Some(_) => self.conn.execute_batch(&probe).map(|()| self.condition.set_trouble(None)),
                None => Ok(()),
            }
        });
        if let Err(error) = looked {
            let rolled_back = self.conn.is_autocommit() || self.conn.execute_batch("ROLLBACK").is_ok();
            if !rolled_back || fault::reach(&error, Stage::Commit) == Reach::Store {
                self.condition.fail(Cause::of(&self.path, &error));
            }
        }
        if self.log_pages > 0 {
            self.checkpoint();
        }
    }

    /// Reads the counts again when another process has committed since the last look.
    fn notice_changes(&mut self) -> rusqlite::Result<()> {
        let Some(board) = &self.board else { return Ok(()) };
        let data_version = data_version(&self.conn)?;
        if data_version != self.data_version {
            let tallies = read::tallies(&self.conn)?;
            locked(board).reload(tallies);
            self.data_version = data_version;
            self.settings_news.notify_one();
        }
        Ok(())
    }

    /// Copies the log into the file, so that the log begins anew. A failed sync here is as fatal as in a commit: the
    /// log's frames would be overwritten although the file may not have them.
    fn checkpoint(&mut self) {
        self.log_pages = 0;
        let copied = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = copied
            && fault::reach(&error, Stage::Commit) == Reach::Store
        {
            self.condition.fail(Cause::of(&self.path, &error));
        }
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute([]).map(drop)
    }
}

impl Failed {
    fn new(path: &Path, error: &rusqlite::Error, stage: Stage) -> Self {
        Self { reach: fault::reach(error, stage), cause: Cause::of(path, error) }
    }
}

pub(super) fn locked(board: &Arc<Mutex<Board>>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that changes when another connection commits, as this connection sees it.
pub(super) fn data_version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

fn note_queued(effects: &[Effect], progress: &mut Progress<'_>) {
    for effect in effects {
        if let Effect::Queued { destination, .. } = effect {
            progress.room.add(destination);
        }
    }
}
