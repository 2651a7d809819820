//! What the fault tests tell of themselves: each writes a row, of which `make faults` makes `docs/faults.md`.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::build_dir;

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For each run of all tests.
    Short,
    /// For `make faults`, which sets `TIDEGATE_FAULTS=long`.
    Long,
}

impl Form {
    /// What the environment asks for.
    pub fn asked() -> Form {
        match std::env::var("TIDEGATE_FAULTS") {
            Ok(form) if form == "long" => Form::Long,
            _ => Form::Short,
        }
    }

    /// One or the other.
    pub fn of<T>(self, short: T, long: T) -> T {
        match self {
            Form::Short => short,
            Form::Long => long,
        }
    }
}

/// One test's result.
#[derive(Debug, Clone)]
pub struct Row {
    /// Orders the rows, and names the file.
    pub name: &'static str,
    pub fault: &'static str,
    /// What was done, and how often.
    pub done: String,
    pub acknowledged: usize,
    pub lost: usize,
    /// How many events the platform took more than once.
    pub again: usize,
    /// The longest time in which nothing was acknowledged.
    pub silent: Duration,
    /// How long after the end of the fault events were taken again, at most.
    pub recovery: Option<Duration>,
}

impl Row {
    /// Where rows are written.
    pub fn folder() -> PathBuf {
        let build = build_dir();
        build.parent().expect("target/<profile>").join("faults")
    }

    /// Writes it.
    pub fn write(&self) {
        let folder = Row::folder();
        std::fs::create_dir_all(&folder).expect("a writable directory");
        let text = format!("{:#}\n", self.json());
        std::fs::write(folder.join(format!("{}.json", self.name)), text).expect("a writable directory");
    }

    fn json(&self) -> Value {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        json!({
            "fault": self.fault,
            "done": self.done,
            "acknowledged": self.acknowledged,
            "lost": self.lost,
            "again": self.again,
            "silent_ms": ms(self.silent),
            "recovery_ms": self.recovery.map(ms),
        })
    }
}
