//! `tidegate store`: moves, copies and describes the store. Opens it for the other commands, too, beside a gateway: to
//! read, to replay, to purge. Delivers nothing.

mod backup;
mod export;
mod import;
mod status;

use std::sync::Arc;

use clap::Subcommand;
use tidegate_queue::{Error, Queue, redis, sqlite};

use super::failure::{Exit, Failure};
use super::output::Output;
use crate::app::store::{self, OpenError, Purpose};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write everything that is stored as lines of JSON, to be imported into another store
    Export(export::Arguments),
    /// Store what another store exported; doing it again changes nothing
    Import(import::Arguments),
    /// Copy an SQLite store to a new file, while a gateway serves it
    Backup(backup::Arguments),
    /// Show where the store is, what an acknowledgement means, and what waits
    Status(status::Arguments),
}

pub(super) async fn run(command: &Command, out: &Output) -> Result<(), Failure> {
    match command {
        Command::Export(arguments) => export::run(arguments, out).await,
        Command::Import(arguments) => import::run(arguments, out).await,
        Command::Backup(arguments) => backup::run(arguments, out),
        Command::Status(arguments) => status::run(arguments, out).await,
    }
}

/// The store that the configuration names.
pub(super) async fn open(config: &Config) -> Result<Arc<dyn Queue>, Failure> {
    open_for(config, Purpose::Inspect).await
}

async fn open_for(config: &Config, purpose: Purpose) -> Result<Arc<dyn Queue>, Failure> {
    store::open(config, purpose).await.map_err(Failure::from)
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        let exit = match &error {
            OpenError::Sqlite(error) => exit(error),
            OpenError::Redis(redis::OpenError::Foreign { .. }) => Exit::Data,
            OpenError::Redis(_) | OpenError::TooWeak { .. } => Exit::Unavailable,
        };
        Failure::of(exit, "", &error).hint(error.hint())
    }
}

fn exit(error: &sqlite::OpenError) -> Exit {
    match error {
        sqlite::OpenError::Missing { .. } => Exit::NotFound,
        sqlite::OpenError::Foreign { .. } | sqlite::OpenError::Damaged { .. } | sqlite::OpenError::Newer { .. } => {
            Exit::Data
        }
        _ => Exit::Unavailable,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let exit = match &error {
            Error::Full { .. } | Error::Unavailable { .. } | Error::Closed => Exit::Unavailable,
            Error::Corrupt { .. } | Error::Forked { .. } => Exit::Data,
            Error::Fatal { .. } => Exit::Internal,
        };
        Failure::of(exit, "", &error)
    }
}
