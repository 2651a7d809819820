//! `tidegate.lock`: what somebody approved of each destination's plugin, who and when.
//!
//! Owns the file's form, which carries a version. It lies beside the configuration, is as trusted as that, and belongs into
//! the same version control: there a change of it is reviewed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Change, Effect, Permissions, compare};

/// The version of its form.
pub const VERSION: u32 = 1;

const HEAD: &str = "# What each destination's plugin was approved to do. `tidegate plugin approve` writes it; keep it with the\n\
                    # configuration, under version control.\n";

/// Why the lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read the lock `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("write the lock `{}`", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the lock `{}` is damaged{}: {what}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Damaged { path: PathBuf, line: Option<usize>, what: String },
    #[error("the lock `{}` has version {found}; this gateway knows {VERSION}", path.display())]
    Version { path: PathBuf, found: i64 },
    #[error("there is no lock `{}`, and `plugins.lock` is `enforce`", path.display())]
    Missing { path: PathBuf },
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// By the destinations' names.
    #[serde(default, rename = "destination")]
    pub destinations: BTreeMap<String, Approved>,
}

/// What was approved for one destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approved {
    /// Who did.
    pub approved_by: String,
    /// When: RFC 3339, in UTC.
    pub approved_at: String,
    /// Why, or where it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub permissions: Permissions,
}

impl Default for Lock {
    fn default() -> Lock {
        Lock { version: VERSION, destinations: BTreeMap::new() }
    }
}

impl Lock {
    /// Reads the file; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is not what this version writes.
    pub fn read(path: &Path) -> Result<Option<Lock>, Error> {
        match fs::read_to_string(path) {
            Ok(text) => Lock::parse(&text, path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path: path.to_owned(), source }),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Lock, Error> {
        let damaged = |error: toml::de::Error| Error::Damaged {
            path: path.to_owned(),
            line: error.span().map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1),
            what: error.message().trim().to_owned(),
        };
        // The version is read first: of another one, nothing else need be as it is here.
        let table: toml::Table = toml::from_str(text).map_err(damaged)?;
        match table.get("version").and_then(toml::Value::as_integer) {
            Some(found) if found != i64::from(VERSION) => Err(Error::Version { path: path.to_owned(), found }),
            _ => toml::from_str(text).map_err(damaged),
        }
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        let text = toml::to_string_pretty(self).map_err(io::Error::other).map_err(failed)?;
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        fs::write(&temporary, format!("{HEAD}\n{text}")).map_err(failed)?;
        fs::rename(&temporary, path).map_err(failed)
    }

    /// What of these permissions is not approved for a destination; `None` where nothing ever was.
    pub fn uncovered(&self, destination: &str, permissions: &Permissions) -> Option<Vec<Change>> {
        let approved = self.destinations.get(destination)?;
        let mut lines = compare(&approved.permissions, permissions);
        // Other code is not what was approved, though it may do no more: nobody has looked at it.
        lines.retain(|change| change.effect == Effect::Widens || change.part == "digest");
        Some(lines)
    }
}

#[cfg(test)]
mod tests;
