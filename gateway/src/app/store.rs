//! Opens the store that the configuration names, to serve it or to look into it.

use std::path::Path;
use std::sync::Arc;

use tidegate_queue::{Level, Queue, RedisQueue, SqliteQueue, redis, sqlite};

use crate::config::{self, Backend, Config};

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To run a gateway.
    Serve,
    /// To read and to repair, beside a gateway or without one.
    Inspect,
}

/// Why a store could not be opened. [`OpenError::hint`] says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    #[error(transparent)]
    Redis(#[from] redis::OpenError),
    #[error("the store gives the durability `{}`, and `{}` is wanted", given.name(), wanted.name())]
    TooWeak { given: Level, wanted: Level },
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            OpenError::Sqlite(error) => error.hint().to_owned(),
            OpenError::Redis(redis::OpenError::Unfit { hint, .. }) => hint.clone(),
            OpenError::Redis(redis::OpenError::Unreachable { .. }) => {
                "is the server running, and are `url`, `username` and `password` of `[store]` right?".to_owned()
            }
            OpenError::Redis(redis::OpenError::Foreign { .. }) => {
                "choose another `prefix` in `[store]`, or the version of the gateway that wrote it".to_owned()
            }
            OpenError::TooWeak { .. } => {
                "set the server up for more, or say in `[store]` that `durability` may be less".to_owned()
            }
        }
    }
}

/// Opens the store.
///
/// # Errors
/// When it is away, is something else, or does not give the durability asked for.
pub async fn open(config: &Config, purpose: Purpose) -> Result<Arc<dyn Queue>, OpenError> {
    let queue: Arc<dyn Queue> = match &config.store.backend {
        Backend::Sqlite { path } => Arc::new(open_sqlite(path, config, purpose)?),
        Backend::Redis(redis) => open_redis(redis, config).await?,
    };
    let (given, wanted) = (queue.durability().level, config.store.durability);
    if purpose == Purpose::Serve && given < wanted {
        return Err(OpenError::TooWeak { given, wanted });
    }
    Ok(queue)
}

fn open_sqlite(path: &Path, config: &Config, purpose: Purpose) -> Result<SqliteQueue, sqlite::OpenError> {
    let mode = match purpose {
        Purpose::Serve => sqlite::Mode::Serve,
        Purpose::Inspect => sqlite::Mode::Inspect,
    };
    SqliteQueue::open(path, sqlite::Options { mode, limits: config.queue_limits() })
}

async fn open_redis(redis: &config::Redis, config: &Config) -> Result<Arc<dyn Queue>, redis::OpenError> {
    let options = redis::Options {
        address: redis.address.clone(),
        ca_file: redis.ca_file.clone(),
        prefix: redis.prefix.clone(),
        partitions: redis.partitions,
        limits: config.queue_limits(),
        durability: redis::Wanted { level: config.store.durability, assumed: redis.assumed },
        timeouts: redis.timeouts,
        time: redis::Time::Server,
        lapses_max: redis::LAPSES_MAX,
    };
    Ok(Arc::new(RedisQueue::open(options).await?))
}
