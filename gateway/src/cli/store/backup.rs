//! `tidegate store backup`: an SQLite store copied to a new file, while a gateway serves it.

use std::path::PathBuf;

use tidegate_queue::sqlite::{self, BackupError};

use super::super::failure::{Exit, Failure};
use super::super::output::Output;
use super::super::{ConfigFile, Variables};
use crate::config::Backend;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// The new file
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments, out: &Output) -> Result<(), Failure> {
    let config = arguments.config.load(Variables::Optional)?;
    let Backend::Sqlite { path } = &config.store.backend else {
        let failure = Failure::new(Exit::Usage, format!("`{}` is no SQLite store", config.store.backend));
        return Err(failure.hint("a Redis is copied by its own means, or by `tidegate store export`"));
    };
    sqlite::backup(path, &arguments.file).map_err(|error| {
        let exit = match &error {
            BackupError::Open(error) => super::exit(error),
            BackupError::Exists { .. } => Exit::Usage,
            _ => Exit::Unavailable,
        };
        Failure::of(exit, "", &error).hint(error.hint())
    })?;
    out.note(&format!("copied {} to {}", path.display(), arguments.file.display()));
    Ok(())
}
