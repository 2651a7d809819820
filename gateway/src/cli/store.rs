//! Opens the gateway's store beside it: to read, to replay, to purge. Delivers nothing.

use std::sync::Arc;

use tidegate_queue::sqlite::{Mode, OpenError, Options};
use tidegate_queue::{Error, Limits, Queue, SqliteQueue};

use super::failure::{Exit, Failure};
use crate::config::Config;

/// The store that the configuration names.
pub(super) fn open(config: &Config) -> Result<Arc<dyn Queue>, Failure> {
    let options = Options { mode: Mode::Inspect, limits: Limits::overall(config.store.waiting_max) };
    let queue = SqliteQueue::open(&config.store.path, options).map_err(|error| {
        let exit = match &error {
            OpenError::Missing { .. } => Exit::NotFound,
            OpenError::Foreign { .. } | OpenError::Damaged { .. } | OpenError::Newer { .. } => Exit::Data,
            _ => Exit::Unavailable,
        };
        Failure::of(exit, "", &error).hint(error.hint())
    })?;
    Ok(Arc::new(queue))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let exit = match &error {
            Error::Full { .. } | Error::Unavailable { .. } | Error::Closed => Exit::Unavailable,
            Error::Corrupt { .. } => Exit::Data,
            Error::Fatal { .. } => Exit::Internal,
        };
        Failure::of(exit, "", &error)
    }
}
