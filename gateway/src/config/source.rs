//! Where a configuration is read from, now and again: the file, and the variables that its secrets come from.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Config, Mistake, Mistakes, parse};

/// Gives a variable's value.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A configuration's file.
#[derive(Clone)]
pub struct Source {
    path: PathBuf,
    variables: Variables,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.path).finish()
    }
}

impl Source {
    /// A file whose `env:` secrets come from `variables`.
    pub fn new(path: impl Into<PathBuf>, variables: Variables) -> Source {
        Source { path: path.into(), variables }
    }

    /// The file's name, for messages.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads and checks it.
    ///
    /// # Errors
    /// Everything that is wrong with it, with lines and hints; that it cannot be read, too.
    pub fn read(&self) -> Result<Config, Mistakes> {
        let text = fs::read_to_string(&self.path).map_err(|error| {
            let unread = Mistake::error(None, format!("the configuration cannot be read ({error})"));
            Mistakes::new(vec![unread.hint("it has to be there, and readable for the gateway's user")])
                .named(self.name())
        })?;
        let base = self.path.parent().unwrap_or(Path::new(""));
        Config::parse(&text, base, &*self.variables).map_err(|mistakes| mistakes.named(self.name()))
    }

    /// The line of a key such as `listen.http`, or of its table.
    pub fn line(&self, key: &str) -> Option<usize> {
        parse::line(&fs::read_to_string(&self.path).ok()?, key)
    }
}
