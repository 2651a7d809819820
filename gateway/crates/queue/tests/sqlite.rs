//! The SQLite backend: the contract, and what is its own.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

#[macro_use]
mod contract;

use std::path::PathBuf;
use std::sync::Arc;

use contract::Backend;
use tempfile::TempDir;
use tidegate_queue::sqlite::{Mode, Options};
use tidegate_queue::{Limits, Queue, SqliteQueue};

/// A file in a directory of its own. A crash leaves it as it is and goes on with a copy: what a killed process would
/// have left.
struct Sqlite {
    directory: TempDir,
    crashes: usize,
}

impl Sqlite {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), crashes: 0 }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(format!("{}.db", self.crashes))
    }
}

impl Backend for Sqlite {
    fn open(&mut self, limits: Limits) -> Arc<dyn Queue> {
        let options = Options { mode: Mode::Serve, limits };
        Arc::new(SqliteQueue::open(self.path(), options).unwrap())
    }

    fn crash(&mut self) {
        let before = self.path();
        self.crashes += 1;
        for ending in ["", "-wal"] {
            let [from, to] = [&before, &self.path()].map(|path| format!("{}{ending}", path.display()));
            if std::fs::exists(&from).unwrap() {
                std::fs::copy(from, to).unwrap();
            }
        }
    }
}

contract!(Sqlite::new);
