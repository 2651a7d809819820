//! The interface that every backend keeps, and what passes through it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::chain::{Ends, Head, Link};
use crate::stored::{Cursor, Export, Item, Setting};

/// A future of a backend's operation.
pub type Operation<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A durable queue of deliveries with its journal and profiles. All times are Unix milliseconds.
pub trait Queue: Send + Sync + 'static {
    /// Commits an entry with all its deliveries and profile patches, or nothing of it; resolves after the commit is
    /// durable. An entry whose key is known already changes nothing but the journal's count of duplicates.
    fn append(&self, entry: Entry) -> Operation<'_, Appended>;

    /// Leases deliveries of one destination that are due, oldest due first.
    fn lease(&self, request: LeaseRequest) -> Operation<'_, Leased>;

    /// Records attempts with their outcome and ends their leases, all in one commit. An attempt whose lease has been
    /// lost is not recorded: [`Settled::LeaseLost`], at its position.
    fn settle(&self, attempts: Vec<Attempt>) -> Operation<'_, Vec<Settled>>;

    /// Lets leases go on until `until_ms`, at each position whether it is still held.
    fn renew(&self, renewal: Renewal) -> Operation<'_, Vec<Held>>;

    /// Gives leases back without an attempt: due again at once.
    fn release(&self, leases: Vec<(DeliveryKey, LeaseToken)>) -> Operation<'_, ()>;

    /// Is notified when a delivery of the destination may have become due earlier than the last lease said.
    fn arrivals(&self, destination: &str) -> Arc<Notify>;

    /// A journal entry by the id in its key, in every scope.
    fn find(&self, id: &str) -> Operation<'_, Vec<Journal>>;

    /// The newest journal entries, newest first, without their deliveries' payloads.
    fn recent(&self, limit: usize) -> Operation<'_, Vec<Journal>>;

    /// Dead letters, newest first.
    fn dead_letters(&self, filter: DeadFilter) -> Operation<'_, Vec<DeadLetter>>;

    /// Puts dead letters back into the queue, due now; gives how many were there.
    fn replay(&self, letters: Vec<Replay>, now_ms: u64) -> Operation<'_, usize>;

    /// Deletes dead letters for good; gives how many were there.
    fn purge(&self, letters: Vec<DeliveryKey>) -> Operation<'_, usize>;

    /// What is in the queue, per destination.
    fn counts(&self) -> Operation<'_, Vec<Count>>;

    /// All fields of a profile that have not expired.
    fn profile(&self, key: &str, now_ms: u64) -> Operation<'_, Vec<ProfileField>>;

    /// One field of many profiles, each at its key's position; absent where there is none, or it has expired.
    fn profile_field(&self, name: &str, keys: Vec<String>, now_ms: u64) -> Operation<'_, Vec<Option<ProfileField>>>;

    /// All settings, by their names: the little that every process over this store has to know.
    fn settings(&self) -> Operation<'_, Vec<Setting>>;

    /// Changes a setting, or deletes it (`None`); resolves after that is durable.
    fn set(&self, name: &str, value: Option<String>) -> Operation<'_, ()>;

    /// Is notified when anybody may have changed a setting: soon, where the backend tells, so that whoever must not be
    /// late looks now and then all the same.
    fn settings_news(&self) -> Arc<Notify>;

    /// Lets so much wait from now on, instead of what was said at the opening.
    fn limit(&self, limits: Limits);

    /// Deletes what has outlived `retention`: a bounded number of rows; gives how many. Never what waits. Nothing was
    /// left to delete when it deleted nothing.
    fn sweep(&self, now_ms: u64, retention: Retention) -> Operation<'_, Swept>;

    /// A page of all that is stored, to be moved to another store; begins at the start without a cursor. Has at most
    /// `limit` entries, and where there are none about as many profiles; the last one has all settings. What changes
    /// meanwhile may be missed, so whoever moves stops the gateways first.
    fn export(&self, after: Option<Cursor>, limit: usize) -> Operation<'_, Export>;

    /// Stores what another store exported; what is here already stays as it is. Gives how many items were new.
    fn import(&self, items: Vec<Item>) -> Operation<'_, usize>;

    /// Appends an entry to the chained log; gives its place when it is durable. After [`Error::Unavailable`] it may be
    /// there all the same, and whoever appends it again has it twice.
    fn chain_append(&self, at_ms: u64, bytes: Vec<u8>) -> Operation<'_, Head>;

    /// Entries of the chained log after a number, oldest first: at most `limit`, fewer where they are large, none at the
    /// end.
    fn chain_page(&self, after: u64, limit: usize) -> Operation<'_, Vec<Link>>;

    /// Where the chained log begins and ends.
    fn chain_ends(&self) -> Operation<'_, Ends>;

    /// Adds entries of another store's chained log, in their order, to an empty one or to one that they go on from; gives
    /// how many were new. Adds none where they do not fit: [`Error::Forked`].
    fn chain_import(&self, links: Vec<Link>) -> Operation<'_, usize>;

    /// What an acknowledgement means with this backend as it is set up.
    fn durability(&self) -> Durability;

    /// Whether the queue takes entries; the error says why not.
    fn health(&self) -> Operation<'_, ()>;

    /// Finishes what was begun, and stops. Later operations fail with [`Error::Closed`].
    fn close(&self) -> Operation<'_, ()>;
}

/// Identifies an entry: the same scope and id are the same entry, and count once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryKey {
    /// Whose ids these are: the site.
    pub scope: String,
    /// The event's id.
    pub id: String,
}

/// Identifies a delivery: a UUID, version 7, so that newer ones sort later.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryKey(pub [u8; 16]);

/// All that one event commits.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: EntryKey,
    /// Entries of one affinity meet each other's marks, in a backend of several partitions: a visitor or a user.
    pub affinity: String,
    pub received_ms: u64,
    /// What time it is by the clock that due times go by. Another one than that of `received_ms`, perhaps.
    pub now_ms: u64,
    /// What the journal keeps.
    pub record: Vec<u8>,
    pub deliveries: Vec<NewDelivery>,
    pub profile: Vec<ProfilePatch>,
}

/// One delivery to begin.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    pub key: DeliveryKey,
    pub destination: String,
    pub payload: Vec<u8>,
    pub state: NewState,
}

/// How a delivery begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewState {
    /// Due at this time.
    Due(u64),
    /// Dead from the start, with the reason: its transform failed.
    Dead(String),
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable.
    Stored,
    /// Its key was known; nothing was stored.
    Duplicate,
}

/// A wish for leases.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    pub destination: String,
    pub count_max: usize,
    /// Stop before payloads add up to more; at least one is leased if one is due.
    pub bytes_max: usize,
    pub now_ms: u64,
    /// The leases end at this time, unless settled or released.
    pub until_ms: u64,
}

/// What a wish for leases gave.
#[derive(Debug, Clone, Default)]
pub struct Leased {
    pub deliveries: Vec<Lease>,
    /// When the next delivery that is neither due nor leased becomes due; `None` when there is none.
    pub next_due_ms: Option<u64>,
}

/// A delivery that is ours until the lease ends.
#[derive(Debug, Clone)]
pub struct Lease {
    pub key: DeliveryKey,
    pub token: LeaseToken,
    pub entry: EntryKey,
    pub payload: Vec<u8>,
    /// Attempts so far.
    pub attempts: u32,
    /// When the delivery was first queued, or last replayed.
    pub queued_ms: u64,
}

/// Tells one lease of a delivery from a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken(pub u64);

/// A wish to keep leases.
#[derive(Debug, Clone)]
pub struct Renewal {
    pub leases: Vec<(DeliveryKey, LeaseToken)>,
    pub now_ms: u64,
    /// The leases end at this time instead.
    pub until_ms: u64,
}

/// Whether a lease is still held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    Ours,
    /// It had ended, and somebody else may have the delivery.
    Lost,
}

/// One attempt and what it led to.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub key: DeliveryKey,
    pub token: LeaseToken,
    /// What the journal keeps of it.
    pub record: Vec<u8>,
    pub at_ms: u64,
    /// What time it is by the clock that due times go by. Another one than that of `at_ms`, perhaps.
    pub now_ms: u64,
    pub outcome: Outcome,
}

/// What an attempt led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// Due again at this time.
    Retry(u64),
    /// Given up, with the reason.
    Dead(String),
    /// Not to be made any more, with the reason: its payload is deleted, and nothing brings it back.
    Cancelled(String),
}

/// Whether an attempt was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Recorded,
    /// Its lease had ended, and somebody else may have it.
    LeaseLost,
}

/// The journal of one entry.
#[derive(Debug, Clone)]
pub struct Journal {
    pub key: EntryKey,
    pub received_ms: u64,
    pub record: Vec<u8>,
    /// How often the same key came again.
    pub duplicates: u32,
    /// In the order of their keys.
    pub deliveries: Vec<DeliveryJournal>,
}

/// The journal of one delivery.
#[derive(Debug, Clone)]
pub struct DeliveryJournal {
    pub key: DeliveryKey,
    pub destination: String,
    pub state: State,
    /// Why it is dead or cancelled.
    pub reason: Option<String>,
    /// Empty from [`Queue::recent`], and of a cancelled one.
    pub payload: Vec<u8>,
    /// The records of its attempts, oldest first.
    pub attempts: Vec<Vec<u8>>,
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Due at this time, or leased.
    Waiting(u64),
    Delivered,
    Dead,
    Cancelled,
}

/// Which dead letters to list.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    pub destination: Option<String>,
    /// Only this entry's.
    pub entry_id: Option<String>,
    /// Only those whose reason contains this text, whatever its case.
    pub reason: Option<String>,
    /// Only those older than this one: where the last page ended.
    pub before: Option<DeliveryKey>,
    /// At most so many.
    pub limit: usize,
}

/// A delivery that was given up.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    pub key: DeliveryKey,
    pub entry: EntryKey,
    pub destination: String,
    pub reason: String,
    pub died_ms: u64,
    pub payload: Vec<u8>,
    pub attempts: Vec<Vec<u8>>,
}

/// A dead letter to put back.
#[derive(Debug, Clone)]
pub struct Replay {
    pub key: DeliveryKey,
    pub with: ReplayWith,
}

/// What to put back.
#[derive(Debug, Clone)]
pub enum ReplayWith {
    /// The dead letter as it was; its attempts count from nought again.
    AsRecorded,
    /// These instead of it, of the same entry: what a mended transform made. The dead letter is gone, atomically.
    Instead(Vec<NewDelivery>),
}

/// What a destination has in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    pub destination: String,
    /// Neither delivered, dead nor cancelled, leased ones included.
    pub waiting: u64,
    pub dead: u64,
    /// When the oldest that waits was queued.
    pub oldest_queued_ms: Option<u64>,
}

/// New fields of a profile. Field by field the newest wins.
#[derive(Debug, Clone)]
pub struct ProfilePatch {
    /// Whose profile: `shop/anonymous/…` or `shop/user/…`.
    pub key: String,
    pub fields: Vec<ProfileField>,
    /// The fields are forgotten at this time.
    pub expires_ms: u64,
}

/// One field of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileField {
    pub name: String,
    pub value: String,
    /// When the value was seen: of two, the newer wins, and of equally new ones the later written.
    pub seen_ms: u64,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Journal entries, delivered and cancelled deliveries, and de-duplication marks.
    pub journal_ms: u64,
    /// Dead letters.
    pub dead_ms: u64,
    /// Entries of the chained log, but for the newest.
    pub chain_ms: u64,
}

/// What a sweep deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Journal entries and dead letters.
    pub records: usize,
    /// Fields of profiles; a backend that lets them expire by themselves sweeps none.
    pub fields: usize,
    /// Entries of the chained log.
    pub links: usize,
}

/// How much may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How many deliveries may wait, over all destinations; then [`Error::Full`].
    pub waiting_max: u64,
    /// Destinations with a limit of their own.
    pub destinations: BTreeMap<String, Cap>,
}

/// How much may wait for one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    pub waiting_max: u64,
    pub when_full: WhenFull,
}

/// What happens to a delivery that its destination has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The whole entry is refused: [`Error::Full`].
    Refuse,
    /// The delivery is born dead, with that reason, and the rest of the entry is stored as ever.
    Die,
}

/// What an acknowledgement means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    pub level: Level,
    /// A sentence for people: `an acknowledged event is …`.
    pub meaning: String,
}

/// What an acknowledged entry has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The memory of one server at least: a crash may lose what was acknowledged last.
    Any,
    /// The memory of two servers.
    Replicated,
    /// The disk.
    Fsync,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue, or one destination's, holds as much as it may; nothing was stored.
    #[error("{} is full: {waiting} deliveries wait, {max} are allowed", whose(.destination.as_deref()))]
    Full { destination: Option<String>, waiting: u64, max: u64 },
    /// The backend is busy or away; whether the operation took effect is unknown. Doing it again is safe.
    #[error("{operation}: the store is unavailable")]
    Unavailable {
        operation: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was written may not be on the disk: nothing more is taken. The process has to end.
    #[error("{operation}: the store has failed and takes nothing more")]
    Fatal {
        operation: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was read is not what was written.
    #[error("{what} cannot be read: {why}")]
    Corrupt { what: String, why: String },
    /// Entries of another chained log do not continue the one that is here.
    #[error("entry {seq} of the chained log does not continue the log that is here")]
    Forked { seq: u64 },
    /// The queue has been closed.
    #[error("the queue is closed")]
    Closed,
}

fn whose(destination: Option<&str>) -> String {
    destination.map_or_else(|| "the queue".to_owned(), |name| format!("the queue of `{name}`"))
}

impl Limits {
    /// One limit over all, none for a destination.
    pub fn overall(waiting_max: u64) -> Limits {
        Limits { waiting_max, destinations: BTreeMap::new() }
    }
}

impl Level {
    /// Its name in configurations and answers.
    pub fn name(self) -> &'static str {
        match self {
            Level::Any => "any",
            Level::Replicated => "replicated",
            Level::Fsync => "fsync",
        }
    }
}

impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryKey({self})")
    }
}
