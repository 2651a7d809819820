//! The egress ledger: which fields left, in which form, to which host, how often, under which consent, by which plugin. It
//! is kept in the store's chained log, and holds no value of a field.
//!
//! - [`origin`] is what a delivery's record says of where a request comes from; [`books`] finds the [`flow`] that it
//!   belongs to; a [`waybill`] goes with the request and counts what becomes of it.
//! - [`entry`] is the stored form; [`summary`] adds entries up, [`filter`] says which; [`mod@line`] is the form in which
//!   entries leave the store, with their hashes; [`check`] verifies them.
//!
//! A flow is in the store before the first request of it leaves, every day anew. Counts follow a second later where little
//! is sent, a minute later where much is: a process that is killed loses those, never the fact.

mod books;
pub mod check;
mod entry;
pub mod filter;
mod flow;
pub mod line;
mod origin;
pub mod summary;
mod waybill;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_queue::{Error, Queue};
use tokio_util::sync::CancellationToken;

pub use self::books::Target;
use self::books::{Books, Line};
use self::entry::Entry;
pub use self::origin::{Origin, given};
pub use self::waybill::{Leaving, Waybill};
use crate::causes::chain;
use crate::clock::Clock;

/// Counts are written so long after the first of them; and while they keep coming, after twice as long each time, up to the
/// other: a day of much traffic has 1,440 entries and not 86,400.
const COUNTS_MIN: Duration = Duration::from_secs(1);
const COUNTS_MAX: Duration = Duration::from_secs(60);
/// How often it is said that the ledger cannot be written.
const COMPLAINT_MS: u64 = 10_000;
const DAY_MS: u64 = 86_400_000;

/// Writes the ledger of one process.
pub struct Ledger {
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    books: Mutex<Books>,
    /// Whoever has it appends: one entry after the other.
    desk: tokio::sync::Mutex<Desk>,
}

/// What is needed to write entries.
struct Desk {
    /// This process, to readers.
    by: String,
    /// How many entries it has made.
    n: u64,
    counted_ms: u64,
    /// An entry that may be in the store or not: it is written again before any other.
    unsure: Option<(u64, Vec<u8>)>,
    complained_ms: Option<u64>,
}

/// Whether an entry is the process's last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Next,
    Last,
}

/// Whether there was something to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrote {
    Something,
    Nothing,
}

impl Ledger {
    /// A ledger in this store.
    pub fn new(queue: Arc<dyn Queue>, clock: Arc<dyn Clock>) -> Ledger {
        let (by, counted_ms) = (clock.new_id().to_string(), clock.now_ms());
        let desk = Desk { by, n: 0, counted_ms, unsure: None, complained_ms: None };
        Ledger { queue, clock, books: Mutex::default(), desk: tokio::sync::Mutex::new(desk) }
    }

    /// The waybill of a request with events of these origins: its flows are in the store when this returns.
    ///
    /// # Errors
    /// When they are not, because the store is away: then it must not be sent.
    pub async fn declare<'a, I>(&self, target: Target<'_>, origins: I) -> Result<Waybill, Error>
    where
        I: Iterator<Item = &'a Origin> + Clone,
    {
        let day = self.day();
        if let Some(waybill) = self.waybill(target, origins.clone(), day) {
            return Ok(waybill);
        }
        let mut desk = self.desk.lock().await;
        // Whoever had the desk may have written them meanwhile.
        if let Some(waybill) = self.waybill(target, origins.clone(), day) {
            return Ok(waybill);
        }
        let lines: Vec<Line> = {
            let mut books = self.books();
            books.make_room();
            // First all fields of all events, then their flows: each may widen the one before.
            origins.clone().for_each(|origin| books.prepare(target, origin));
            let found: Option<Vec<Line>> = origins.map(|origin| books.find(target, origin)).collect();
            // A request with an event that is not in it does not leave, and says so.
            let lost = || Error::Corrupt { what: "the ledger's books".into(), why: "a flow is not in them".into() };
            found.ok_or_else(lost).inspect_err(|error| self.complain(&mut desk, error))?
        };
        lines.iter().filter(|line| !line.flow.is_described(day)).for_each(|line| line.flow.want());
        self.write(&mut desk, Which::Next).await?;
        Ok(Waybill { lines })
    }

    /// Writes counts now and then, until the gateway stops.
    pub async fn keep(self: Arc<Self>, stop: CancellationToken) {
        let mut wait = COUNTS_MIN;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = match self.write(&mut *self.desk.lock().await, Which::Next).await {
                Ok(Wrote::Something) => (wait * 2).min(COUNTS_MAX),
                Ok(Wrote::Nothing) => COUNTS_MIN,
                Err(_) => wait,
            };
        }
    }

    /// Writes what has been counted since, when nothing is sent any more.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn close(&self) -> Result<(), Error> {
        let mut desk = self.desk.lock().await;
        self.write(&mut desk, Which::Last).await?;
        if desk.n > 0 {
            let head = self.queue.chain_ends().await?.head;
            tracing::info!("the ledger ends with entry {}, hash {}", head.seq, head.hash);
        }
        Ok(())
    }

    fn waybill<'a>(&self, target: Target<'_>, origins: impl Iterator<Item = &'a Origin>, day: u64) -> Option<Waybill> {
        let mut books = self.books();
        let find = |origin| books.find(target, origin).filter(|line| line.flow.is_described(day));
        let lines: Option<Vec<Line>> = origins.map(find).collect();
        lines.map(|lines| Waybill { lines })
    }

    /// Writes what there is to say.
    async fn write(&self, desk: &mut Desk, which: Which) -> Result<Wrote, Error> {
        self.append(desk).await?;
        let now_ms = self.clock.now_ms();
        let day = day(now_ms);
        let mut entry = Entry::new(&desk.by, desk.n + 1);
        (entry.from_ms, entry.to_ms) = (desk.counted_ms.min(now_ms), now_ms);
        let mut described = Vec::new();
        for flow in self.books().flows() {
            let (description, counted) = flow.report(day);
            described.extend(description.is_some().then(|| Arc::clone(flow)));
            entry.flows.extend(description);
            entry.counts.extend(counted);
        }
        let is_empty = entry.flows.is_empty() && entry.counts.is_empty();
        entry.end = which == Which::Last && (desk.n > 0 || !is_empty);
        desk.counted_ms = now_ms;
        if is_empty && !entry.end {
            return Ok(Wrote::Nothing);
        }
        desk.n = entry.n;
        // Before it is tried: whoever waits for it may go away in the middle of it.
        desk.unsure = Some((now_ms, entry.write()));
        self.append(desk).await?;
        described.iter().for_each(|flow| flow.set_described(day));
        drop(described);
        self.books().forget_past();
        Ok(Wrote::Something)
    }

    /// Writes the entry that may be in the store or not.
    async fn append(&self, desk: &mut Desk) -> Result<(), Error> {
        let Some((at_ms, bytes)) = &desk.unsure else { return Ok(()) };
        let appended = self.queue.chain_append(*at_ms, bytes.clone()).await;
        let Err(error) = appended else {
            desk.unsure = None;
            return Ok(());
        };
        self.complain(desk, &error);
        Err(error)
    }

    fn complain(&self, desk: &mut Desk, error: &Error) {
        let now_ms = self.clock.steady_ms();
        if desk.complained_ms.is_none_or(|last_ms| now_ms.saturating_sub(last_ms) >= COMPLAINT_MS) {
            desk.complained_ms = Some(now_ms);
            tracing::warn!("the ledger cannot be written, and nothing new is sent before it is: {}", chain(error));
        }
    }

    fn day(&self) -> u64 {
        day(self.clock.now_ms())
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing panics while it holds the lock, and the books are whole after any of their methods.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The day of a time, from 1 for the first of 1970.
fn day(ms: u64) -> u64 {
    ms / DAY_MS + 1
}

#[cfg(test)]
mod tests;
