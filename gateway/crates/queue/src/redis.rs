//! The shared backend: Redis or Valkey, for any number of gateways and workers. Owns what is stored there and how;
//! refuses servers that do not give the durability asked for.
//!
//! - [`address`] reads the store's URL; [`link`] keeps connections to one server, Sentinel's primary or a cluster;
//!   [`durability`] asks the server what an acknowledgement means.
//! - [`keys`], [`pack`] and the scripts say what is stored. Each change is one script, in one partition.
//! - [`commit`] appends in groups, [`append`] one partition's part of them; [`outbox`] carries changes of profiles to other partitions.
//! - [`lease`] takes, renews, gives back and settles leases; [`letters`] lists the dead ones, [`replay`] puts
//!   them back; [`sweep`] deletes what is old.
//! - [`chain`](mod@chain) has the chained log.
//! - [`read`], [`counts`] and [`whole`] have the other reads, [`moving`] exports and imports; [`settings`] are one hash.
//! - [`table`] is what this process knows of the partitions, so that it asks only where something may be due; [`watch`]
//!   keeps it up.

pub mod address;
mod append;
mod chain;
mod commit;
mod counts;
mod durability;
mod keys;
mod lease;
mod letters;
mod link;
mod moving;
mod outbox;
mod pack;
mod read;
mod replay;
mod script;
mod scripts;
mod settings;
mod sweep;
mod table;
mod value;
mod watch;
mod whole;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::address::{Address, Kind};
use self::commit::{Committer, Shop};
use self::keys::{FORMAT, Keys};
use self::link::{Call, Confirm, Lane, Link};
use self::pack::{number, time};
use self::table::Table;
use self::watch::Health;
use crate::chain::{Ends, Head, Link as ChainLink};
use crate::limiting::Limiting;
use crate::{
    Appended, Attempt, Count, Cursor, DeadFilter, DeadLetter, DeliveryKey, Durability, Entry, Error, Export, Held,
    Item, Journal, LeaseRequest, LeaseToken, Leased, Level, Limits, Operation, ProfileField, Queue, Renewal, Replay,
    Retention, Setting, Settled, Swept,
};

/// How a queue is set up.
#[derive(Debug, Clone)]
pub struct Options {
    pub address: Address,
    /// A PEM file of the authorities that the server's certificate is checked against; `None`: those of the system.
    pub ca_file: Option<PathBuf>,
    /// All keys begin with it, so that several installations can share a server.
    pub prefix: String,
    /// How many partitions a new store gets. An existing one keeps its own.
    pub partitions: u16,
    pub limits: Limits,
    pub durability: Wanted,
    pub timeouts: Timeouts,
    pub time: Time,
    /// A delivery that was leased so often in a row without an outcome is poison, and becomes a dead letter.
    pub lapses_max: u32,
}

/// Whoever has leased a delivery so often without an outcome died of it, most likely.
pub const LAPSES_MAX: u32 = 8;

/// The durability that a server must give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub level: Level,
    /// What the operator asserts of a server that forbids CONFIG; not used where CONFIG is allowed.
    pub assumed: Option<Persistence>,
}

/// When a server writes its append-only file to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Before it answers: `appendonly yes`, `appendfsync always`.
    Always,
    /// Each second: `appendonly yes`, `appendfsync everysec`.
    EverySecond,
    /// When the operating system likes, or snapshots only, or never.
    Seldom,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    /// One answer, or the confirmation by a replica or the disk.
    pub response: Duration,
}

/// Whose clock ends leases and makes retries due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// The server's: gateways whose clocks differ or jump agree all the same.
    Server,
    /// The caller's, as the arguments tell it: for tests that decide what time it is.
    Caller,
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("could not reach the store at `{address}`")]
    Unreachable {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server's answer makes it unusable: its version, its persistence, its eviction policy.
    #[error("the store at `{address}` {why}")]
    Unfit { address: String, why: String, hint: String },
    /// What is stored under the prefix is not ours, or of a version that this program does not know.
    #[error("the store at `{address}` holds something else under the prefix `{prefix}`: {why}")]
    Foreign { address: String, prefix: String, why: String },
}

/// The queue in Redis.
pub struct RedisQueue {
    shop: Arc<Shop>,
    committer: Committer,
    health: Arc<Health>,
    durability: Durability,
    server: String,
    stop: CancellationToken,
    tracker: TaskTracker,
}

/// Whose time scripts go by.
#[derive(Debug, Clone, Copy)]
struct Clock {
    time: Time,
}

impl Clock {
    /// What every script takes first.
    fn arguments(self, now_ms: u64) -> Vec<Vec<u8>> {
        let whose = match self.time {
            Time::Server => "server",
            Time::Caller => "caller",
        };
        vec![number(time(now_ms)), whose.into()]
    }
}

/// Who this process is to others.
#[derive(Debug, Clone)]
struct Identity {
    /// Tells its messages from those of others.
    origin: String,
    /// Its name in consumer groups, for people.
    consumer: String,
}

impl Identity {
    fn new() -> Identity {
        // The standard library's hash keys are random, and that is all that is needed here.
        let origin = format!("{:016x}", RandomState::new().build_hasher().finish());
        let consumer = format!("{}-{origin}", std::process::id());
        Identity { origin, consumer }
    }

    /// What scripts take that tell others.
    fn arguments(&self, keys: &Keys, partition: u16) -> [Vec<u8>; 3] {
        [keys.channel().into_bytes(), self.origin.clone().into_bytes(), number(partition.into())]
    }
}

impl RedisQueue {
    /// Connects, and makes the store where there is none.
    ///
    /// # Errors
    /// When the server cannot be reached, does not give the durability that is wanted, or holds something else.
    pub async fn open(options: Options) -> Result<RedisQueue, OpenError> {
        let address = options.address.to_string();
        let link = Link::connect(&options.address, options.ca_file.as_deref(), options.timeouts).await?;
        let established = durability::establish(&link, &options.address, options.durability).await?;
        established.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let partitions = describe(&link, &options).await?;
        let shop = Arc::new(Shop {
            link,
            keys: Keys::new(&options.prefix, partitions),
            table: Arc::new(Table::new(partitions)),
            limits: Limiting::new(options.limits),
            settings_news: Arc::default(),
            clock: Clock { time: options.time },
            lapses_max: options.lapses_max.into(),
            identity: Identity::new(),
            confirm: established.confirm,
            chain: chain::Known::default(),
        });
        let unreachable = |source: Error| OpenError::Unreachable { address: address.clone(), source: Box::new(source) };
        counts::learn(&shop).await.map_err(unreachable)?;
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let committer = Committer::start(Arc::clone(&shop), &tracker);
        let health = Arc::new(Health::default());
        tracker.spawn(watch::hear(Arc::clone(&shop), stop.clone()));
        tracker.spawn(watch::look_around(Arc::clone(&shop), Arc::clone(&health), stop.clone()));
        let (durability, server) = (established.durability, established.server);
        Ok(RedisQueue { shop, committer, health, durability, server, stop, tracker })
    }

    /// What the server says it is: `Redis 7.0.15`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Runs an operation, unless the queue has been closed.
    fn open_only<'a, T: 'a>(
        &'a self,
        operation: impl Future<Output = Result<T, Error>> + Send + 'a,
    ) -> Operation<'a, T> {
        Box::pin(async move {
            if self.stop.is_cancelled() {
                return Err(Error::Closed);
            }
            operation.await
        })
    }
}

/// How many partitions there may be.
const PARTITIONS: std::ops::RangeInclusive<i64> = 1..=1024;

/// Reads the store's description, or makes it; gives how many partitions there are.
async fn describe(link: &Link, options: &Options) -> Result<u16, OpenError> {
    let foreign =
        |why: String| OpenError::Foreign { address: options.address.to_string(), prefix: options.prefix.clone(), why };
    if !PARTITIONS.contains(&options.partitions.into()) {
        return Err(OpenError::Unfit {
            address: options.address.to_string(),
            why: format!("cannot have {} partitions", options.partitions),
            hint: "have 1 to 1024 of them".into(),
        });
    }
    let call = Call {
        script: &scripts::OPEN,
        partition: 0,
        keys: vec![Keys::description(&options.prefix)],
        args: vec![number(FORMAT.into()), number(options.partitions.into())],
    };
    let answer = link.run(Lane::Work, vec![call], Confirm::Nothing).await.into_iter().next();
    let value = match answer {
        Some(Ok(value)) => value,
        Some(Err(trouble)) if !trouble.is_unavailable() => return Err(foreign(trouble.to_string())),
        Some(Err(trouble)) => {
            return Err(OpenError::Unreachable { address: options.address.to_string(), source: Box::new(trouble) });
        }
        None => redis::Value::Nil,
    };
    let mut answer = value::Answer::of("open", value).map_err(|error| foreign(error.to_string()))?;
    let mut field = || answer.int().map_err(|_| foreign("its description is not one of ours".into()));
    let (format, partitions) = (field()?, field()?);
    if format != i64::from(FORMAT) {
        return Err(foreign(format!("format {format}; this program knows format {FORMAT}")));
    }
    u16::try_from(partitions)
        .ok()
        .filter(|count| PARTITIONS.contains(&i64::from(*count)))
        .ok_or_else(|| foreign(format!("{partitions} partitions")))
}

impl Drop for RedisQueue {
    fn drop(&mut self) {
        self.stop.cancel();
        self.committer.close();
        self.shop.link.close();
    }
}

impl Queue for RedisQueue {
    fn append(&self, entry: Entry) -> Operation<'_, Appended> {
        self.open_only(self.committer.append(entry))
    }

    fn lease(&self, request: LeaseRequest) -> Operation<'_, Leased> {
        self.open_only(lease::lease(&self.shop, request))
    }

    fn settle(&self, attempts: Vec<Attempt>) -> Operation<'_, Vec<Settled>> {
        self.open_only(lease::settle(&self.shop, attempts))
    }

    fn renew(&self, renewal: Renewal) -> Operation<'_, Vec<Held>> {
        self.open_only(lease::renew(&self.shop, renewal))
    }

    fn release(&self, leases: Vec<(DeliveryKey, LeaseToken)>) -> Operation<'_, ()> {
        self.open_only(lease::release(&self.shop, leases))
    }

    fn arrivals(&self, destination: &str) -> Arc<Notify> {
        self.shop.table.arrivals(destination)
    }

    fn find(&self, id: &str) -> Operation<'_, Vec<Journal>> {
        let id = id.to_owned();
        self.open_only(async move { read::find(&self.shop, &id).await })
    }

    fn recent(&self, limit: usize) -> Operation<'_, Vec<Journal>> {
        self.open_only(read::recent(&self.shop, limit))
    }

    fn dead_letters(&self, filter: DeadFilter) -> Operation<'_, Vec<DeadLetter>> {
        self.open_only(letters::dead_letters(&self.shop, filter))
    }

    fn replay(&self, letters: Vec<Replay>, now_ms: u64) -> Operation<'_, usize> {
        self.open_only(replay::replay(&self.shop, letters, now_ms))
    }

    fn purge(&self, letters: Vec<DeliveryKey>) -> Operation<'_, usize> {
        self.open_only(replay::purge(&self.shop, letters))
    }

    fn counts(&self) -> Operation<'_, Vec<Count>> {
        self.open_only(counts::counts(&self.shop))
    }

    fn profile(&self, key: &str, now_ms: u64) -> Operation<'_, Vec<ProfileField>> {
        let key = key.to_owned();
        self.open_only(async move { read::profile(&self.shop, &key, now_ms).await })
    }

    fn profile_field(&self, name: &str, keys: Vec<String>, now_ms: u64) -> Operation<'_, Vec<Option<ProfileField>>> {
        let name = name.to_owned();
        self.open_only(async move { read::profile_field(&self.shop, &name, &keys, now_ms).await })
    }

    fn settings(&self) -> Operation<'_, Vec<Setting>> {
        self.open_only(settings::all(&self.shop, "settings"))
    }

    fn set(&self, name: &str, value: Option<String>) -> Operation<'_, ()> {
        let manner = if value.is_some() { settings::Manner::Set } else { settings::Manner::Delete };
        let setting = Setting { name: name.to_owned(), value: value.unwrap_or_default() };
        self.open_only(async move {
            settings::write(&self.shop, "set", manner, vec![setting]).await?;
            self.shop.settings_news.notify_one();
            Ok(())
        })
    }

    fn settings_news(&self) -> Arc<Notify> {
        Arc::clone(&self.shop.settings_news)
    }

    fn limit(&self, limits: Limits) {
        self.shop.limits.change(limits);
    }

    fn sweep(&self, now_ms: u64, retention: Retention) -> Operation<'_, Swept> {
        self.open_only(sweep::sweep(&self.shop, now_ms, retention))
    }

    fn export(&self, after: Option<Cursor>, limit: usize) -> Operation<'_, Export> {
        self.open_only(moving::export(&self.shop, after, limit))
    }

    fn import(&self, items: Vec<Item>) -> Operation<'_, usize> {
        let (mut entries, mut profiles, mut settings) = (Vec::new(), Vec::new(), Vec::new());
        for item in items {
            match item {
                Item::Entry(entry) => entries.push(entry),
                Item::Profile(profile) => profiles.push(profile),
                Item::Setting(setting) => settings.push(setting),
            }
        }
        self.open_only(async move {
            let new = self.committer.import(entries).await?;
            let new = new + moving::import_profiles(&self.shop, profiles).await?;
            Ok(new + settings::write(&self.shop, "import", settings::Manner::Add, settings).await?)
        })
    }

    fn chain_append(&self, at_ms: u64, bytes: Vec<u8>) -> Operation<'_, Head> {
        self.open_only(chain::append(&self.shop, at_ms, bytes))
    }

    fn chain_page(&self, after: u64, limit: usize) -> Operation<'_, Vec<ChainLink>> {
        self.open_only(chain::page(&self.shop, after, limit))
    }

    fn chain_ends(&self) -> Operation<'_, Ends> {
        self.open_only(chain::ends(&self.shop))
    }

    fn chain_import(&self, links: Vec<ChainLink>) -> Operation<'_, usize> {
        self.open_only(chain::import(&self.shop, links))
    }

    fn durability(&self) -> Durability {
        self.durability.clone()
    }

    fn health(&self) -> Operation<'_, ()> {
        self.open_only(async {
            if let Some(ailment) = self.health.ailment() {
                return Err(Error::Unavailable { operation: "health", source: ailment.into() });
            }
            let (waiting, max) = (self.shop.table.waiting(), self.shop.limits.now().waiting_max);
            if waiting >= max {
                return Err(Error::Full { destination: None, waiting, max });
            }
            Ok(())
        })
    }

    fn close(&self) -> Operation<'_, ()> {
        Box::pin(async {
            self.committer.close();
            self.stop.cancel();
            self.tracker.close();
            self.tracker.wait().await;
            self.shop.link.close();
            Ok(())
        })
    }
}
