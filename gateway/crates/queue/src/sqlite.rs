//! The embedded backend: one SQLite file, for one gateway. Owns the file, its lock and its threads; refuses a second
//! gateway on the same file, and files that it cannot read.
//!
//! - [`open`] takes the lock, checks or makes the file; [`log`] checks its log. [`schema`] has its tables.
//! - [`writer`] is the one thread that writes: group commit, then the [`board`], then the answers.
//! - [`lease`] leases in the caller's thread from the [`board`], which is in memory.
//! - [`read`] has the other reads, on connections of their own; they neither wait for the writer nor hold it up.
//! - [`chain`] has the chained log.
//! - [`export`] and [`import`] move everything to another store; [`backup`](mod@backup) copies the file while it is used.
//! - [`fault`] decides which failures are fatal.
//!
//! The command line opens the same file beside a running gateway, to inspect: it reads, replays, purges and
//! moves. The gateway's writer notices such changes within half a second.

mod backup;
mod board;
mod chain;
mod conclude;
mod export;
mod fault;
mod import;
mod lease;
mod log;
mod open;
mod read;
mod readers;
mod request;
mod room;
mod schema;
mod sweep;
mod write;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{Notify, Semaphore, oneshot};

pub use self::backup::{BackupError, backup};
use self::board::Board;
use self::fault::{Cause, Condition};
use self::lease::Desk;
pub use self::open::OpenError;
use self::open::Purpose;
use self::readers::Readers;
use self::request::{Answer, Envelope, Request};
use self::writer::{Writer, locked};
use crate::chain::{Ends, Head, Link};
use crate::limiting::Limiting;
use crate::{
    Appended, Attempt, Count, Cursor, DeadFilter, DeadLetter, DeliveryKey, Durability, Entry, Error, Export, Held,
    Item, Journal, LeaseRequest, LeaseToken, Leased, Level, Limits, Operation, ProfileField, Queue, Renewal, Replay,
    Retention, Setting, Settled, Swept,
};

/// How many KiB of requests wait for the writer at most, each counting one at least; further callers wait.
const ROOM_KIB: u32 = 16 << 10;
/// Connections for profiles, which every event reads, and those for the reads that people ask for.
const QUICK_READERS: usize = 2;
const SLOW_READERS: usize = 2;

/// What the file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For the gateway: alone, with everything.
    Serve,
    /// Beside the gateway: find, recent, dead letters, replay, purge, counts, profiles, settings, the chained log, export, import
    /// and backup.
    Inspect,
}

/// How a queue is set up.
#[derive(Debug, Clone)]
pub struct Options {
    pub mode: Mode,
    pub limits: Limits,
}

/// The queue in an SQLite file.
pub struct SqliteQueue {
    path: PathBuf,
    condition: Arc<Condition>,
    requests: Sender<Envelope>,
    room: Arc<Semaphore>,
    /// Only where it serves.
    desk: Option<Desk>,
    quick: Readers,
    slow: Arc<Readers>,
    thread: Mutex<Option<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
    limits: Arc<Limiting>,
    settings_news: Arc<Notify>,
}

impl SqliteQueue {
    /// Opens the file at `path`; makes it where it is to serve and there is none. Blocks for as long as that takes.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let limits = Arc::new(Limiting::new(options.limits));
        let lock = match options.mode {
            Mode::Serve => {
                let lock = open::lock(path)?;
                open::create_if_missing(path)?;
                log::check(path)?;
                Some(lock)
            }
            Mode::Inspect => None,
        };
        let found = open::check(path)?;
        let known = schema::version_known();
        if found < known && options.mode == Mode::Inspect {
            return Err(OpenError::Older { path: path.into(), found, known });
        }
        let refused = |error| open::refuse(path, error);
        let conn = open::connect(path, Purpose::Write)?;
        schema::migrate(&conn).map_err(refused)?;
        open::look_at_tables(path, &conn)?;
        open::sync_directory(path)?;

        let data_version = writer::data_version(&conn).map_err(refused)?;
        let board = match options.mode {
            Mode::Serve => Some(Arc::new(Mutex::new(Board::new(read::tallies(&conn).map_err(refused)?)))),
            Mode::Inspect => None,
        };
        let desk = match &board {
            Some(board) => Some(Desk {
                path: path.into(),
                board: board.clone(),
                conn: Mutex::new(Some(open::connect(path, Purpose::Read)?)),
            }),
            None => None,
        };
        let condition = Arc::<Condition>::default();
        let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
        let settings_news = Arc::<Notify>::default();
        let (requests, receiver) = mpsc::channel();
        let writer = Writer {
            path: path.into(),
            conn,
            board,
            condition: condition.clone(),
            requests: receiver,
            room: room.clone(),
            limits: limits.clone(),
            settings_news: settings_news.clone(),
            data_version,
            sweeper: sweep::Sweeper::default(),
            log_pages: 0,
        };
        let quick = Readers::open(path, QUICK_READERS)?;
        let slow = Arc::new(Readers::open(path, SLOW_READERS)?);
        let thread = std::thread::Builder::new().name("queue-writer".into()).spawn(move || writer.run());
        let thread = thread.map_err(|source| OpenError::Thread { source })?;
        Ok(Self {
            path: path.into(),
            condition,
            requests,
            room,
            desk,
            quick,
            slow,
            thread: Mutex::new(Some(thread)),
            lock: Mutex::new(lock),
            limits,
            settings_news,
        })
    }

    /// Copies all that is committed to a new file, synced, while the queue goes on. Overwrites nothing.
    pub async fn backup(&self, to: &Path) -> Result<(), BackupError> {
        let (from, target) = (self.path.clone(), to.to_owned());
        let made = tokio::task::spawn_blocking(move || backup(&from, &target)).await;
        made.unwrap_or_else(|_| Err(BackupError::Thread { path: to.into() }))
    }

    /// Asks the writer and waits for its answer.
    async fn ask<T>(&self, operation: &'static str, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, Error> {
        self.condition.check(operation)?;
        let (answer, answered) = oneshot::channel();
        let request = request(answer);
        let kib = u32::try_from(request.bytes() / 1024).unwrap_or(ROOM_KIB);
        let room = kib.clamp(1, ROOM_KIB);
        let permit = self.room.acquire_many(room).await.map_err(|_| self.gone(operation))?;
        // The writer gives the room back, when it takes the request out.
        permit.forget();
        self.requests.send(Envelope { request, room }).map_err(|_| self.gone(operation))?;
        answered.await.map_err(|_| self.gone(operation))?
    }

    /// Why the writer does not answer.
    fn gone(&self, operation: &'static str) -> Error {
        let error = self.condition.check(operation).err();
        error.unwrap_or_else(|| Cause::new("the writer thread has ended").fatal(operation))
    }

    /// A read that may take its time, on a thread where that is allowed.
    async fn look<T: Send + 'static>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.check_open()?;
        let readers = self.slow.clone();
        let path = self.path.clone();
        let looked = tokio::task::spawn_blocking(move || readers.read(operation, &path, read)).await;
        looked.map_err(|error| Cause::new(error.to_string()).unavailable(operation))?
    }

    /// Reading goes on after the file has failed for writing: people will want to see what is there.
    fn check_open(&self) -> Result<(), Error> {
        match self.condition.check("read") {
            Err(Error::Closed) => Err(Error::Closed),
            _ => Ok(()),
        }
    }

    fn desk(&self, operation: &'static str) -> Result<&Desk, Error> {
        self.condition.check(operation)?;
        let inspecting = || Cause::new("the queue was opened to inspect").unavailable(operation);
        self.desk.as_ref().ok_or_else(inspecting)
    }

    /// Stops taking anything and tells the writer to end; gives what to wait for, if it was open.
    fn begin_closing(&self) -> Option<oneshot::Receiver<Result<(), Error>>> {
        if !self.condition.close() {
            return None;
        }
        self.room.close();
        self.quick.close();
        self.slow.close();
        if let Some(desk) = &self.desk {
            desk.close();
        }
        let (answer, answered) = oneshot::channel();
        // A writer that has ended already has nothing to finish.
        let _ = self.requests.send(Envelope { request: Request::Close(answer), room: 0 });
        Some(answered)
    }

    /// Waits for the thread, then gives the file free for another gateway.
    fn end(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the queue's writer thread ended in a panic");
        }
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for SqliteQueue {
    fn drop(&mut self) {
        self.begin_closing();
        self.end();
    }
}

impl Queue for SqliteQueue {
    fn append(&self, entry: Entry) -> Operation<'_, Appended> {
        Box::pin(async move {
            self.desk("append")?;
            self.ask("append", |answer| Request::Append(entry, answer)).await
        })
    }

    fn lease(&self, request: LeaseRequest) -> Operation<'_, Leased> {
        Box::pin(async move { self.desk("lease")?.lease(&request) })
    }

    fn settle(&self, attempts: Vec<Attempt>) -> Operation<'_, Vec<Settled>> {
        Box::pin(async move {
            self.desk("settle")?;
            self.ask("settle", |answer| Request::Settle(attempts, answer)).await
        })
    }

    fn renew(&self, renewal: Renewal) -> Operation<'_, Vec<Held>> {
        Box::pin(async move { Ok(locked(&self.desk("renew")?.board).renew(&renewal)) })
    }

    fn release(&self, leases: Vec<(DeliveryKey, LeaseToken)>) -> Operation<'_, ()> {
        Box::pin(async move {
            let mut board = locked(&self.desk("release")?.board);
            leases.iter().for_each(|(key, token)| board.release(key, *token));
            Ok(())
        })
    }

    fn arrivals(&self, destination: &str) -> Arc<Notify> {
        // Nothing arrives where nothing can be leased.
        self.desk.as_ref().map(|desk| locked(&desk.board).arrivals(destination)).unwrap_or_default()
    }

    fn find(&self, id: &str) -> Operation<'_, Vec<Journal>> {
        let id = id.to_owned();
        Box::pin(self.look("find", move |conn| read::find(conn, &id)))
    }

    fn recent(&self, limit: usize) -> Operation<'_, Vec<Journal>> {
        Box::pin(self.look("recent", move |conn| read::recent(conn, limit)))
    }

    fn dead_letters(&self, filter: DeadFilter) -> Operation<'_, Vec<DeadLetter>> {
        Box::pin(self.look("dead_letters", move |conn| read::dead_letters(conn, &filter)))
    }

    fn replay(&self, letters: Vec<Replay>, now_ms: u64) -> Operation<'_, usize> {
        Box::pin(self.ask("replay", move |answer| Request::Replay { letters, now_ms, answer }))
    }

    fn purge(&self, letters: Vec<DeliveryKey>) -> Operation<'_, usize> {
        Box::pin(self.ask("purge", |answer| Request::Purge(letters, answer)))
    }

    fn counts(&self) -> Operation<'_, Vec<Count>> {
        Box::pin(async move {
            self.check_open()?;
            match &self.desk {
                Some(desk) => Ok(locked(&desk.board).counts()),
                None => self.look("counts", read::counts).await,
            }
        })
    }

    fn profile(&self, key: &str, now_ms: u64) -> Operation<'_, Vec<ProfileField>> {
        // Read at once, in the caller's thread: a few microseconds, less than a hop to another thread.
        let fields = self
            .check_open()
            .and_then(|()| self.quick.read("profile", &self.path, |conn| read::profile(conn, key, now_ms)));
        Box::pin(std::future::ready(fields))
    }

    fn profile_field(&self, name: &str, keys: Vec<String>, now_ms: u64) -> Operation<'_, Vec<Option<ProfileField>>> {
        let read = |conn: &rusqlite::Connection| read::profile_field(conn, name, &keys, now_ms);
        let fields = self.check_open().and_then(|()| self.quick.read("profile field", &self.path, read));
        Box::pin(std::future::ready(fields))
    }

    fn settings(&self) -> Operation<'_, Vec<Setting>> {
        // As a profile: gateways ask all the time.
        let all = self.check_open().and_then(|()| self.quick.read("settings", &self.path, read::settings));
        Box::pin(std::future::ready(all))
    }

    fn set(&self, name: &str, value: Option<String>) -> Operation<'_, ()> {
        let name = name.to_owned();
        Box::pin(async move {
            self.ask("set", |answer| Request::Set { name, value, answer }).await?;
            self.settings_news.notify_one();
            Ok(())
        })
    }

    fn settings_news(&self) -> Arc<Notify> {
        Arc::clone(&self.settings_news)
    }

    fn limit(&self, limits: Limits) {
        self.limits.change(limits);
    }

    fn sweep(&self, now_ms: u64, retention: Retention) -> Operation<'_, Swept> {
        Box::pin(async move {
            self.desk("sweep")?;
            self.ask("sweep", |answer| Request::Sweep { now_ms, retention, answer }).await
        })
    }

    fn export(&self, after: Option<Cursor>, limit: usize) -> Operation<'_, Export> {
        Box::pin(async move {
            let after = export::After::parse(after.as_ref())?;
            self.look("export", move |conn| export::page(conn, after, limit)).await
        })
    }

    /// Takes no heed of the limits: a move that stopped half way would help nobody.
    fn import(&self, items: Vec<Item>) -> Operation<'_, usize> {
        Box::pin(self.ask("import", |answer| Request::Import(items, answer)))
    }

    fn chain_append(&self, at_ms: u64, bytes: Vec<u8>) -> Operation<'_, Head> {
        Box::pin(self.ask("chain_append", move |answer| Request::Chain { at_ms, bytes, answer }))
    }

    fn chain_page(&self, after: u64, limit: usize) -> Operation<'_, Vec<Link>> {
        Box::pin(self.look("chain_page", move |conn| chain::page(conn, after, limit)))
    }

    fn chain_ends(&self) -> Operation<'_, Ends> {
        Box::pin(self.look("chain_ends", chain::ends))
    }

    fn chain_import(&self, links: Vec<Link>) -> Operation<'_, usize> {
        Box::pin(self.ask("chain_import", |answer| Request::Join(links, answer)))
    }

    fn durability(&self) -> Durability {
        let path = self.path.display();
        Durability {
            level: Level::Fsync,
            meaning: format!(
                "an acknowledged event is synced to the disk of this machine (SQLite, WAL, synchronous=FULL, `{path}`)"
            ),
        }
    }

    fn health(&self) -> Operation<'_, ()> {
        Box::pin(async move {
            let desk = self.desk("health")?;
            if let Some(cause) = self.condition.trouble() {
                return Err(cause.unavailable("health"));
            }
            let waiting = locked(&desk.board).waiting();
            let max = self.limits.now().waiting_max;
            if waiting >= max {
                return Err(Error::Full { destination: None, waiting, max });
            }
            Ok(())
        })
    }

    fn close(&self) -> Operation<'_, ()> {
        Box::pin(async move {
            let Some(finished) = self.begin_closing() else { return Ok(()) };
            // An error means that the thread had ended before; either way nothing is left to finish.
            let _ = finished.await;
            // It answers as its last act, so this waits for no more than its return.
            self.end();
            Ok(())
        })
    }
}
