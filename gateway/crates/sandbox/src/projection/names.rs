//! The names that one family of reads grants: `click.gclid`, `cookie._ga_*`, `properties.*`.

use std::collections::BTreeSet;

/// A set of names, of beginnings of names, or of all names.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    exact: BTreeSet<String>,
    /// Of `_ga_*`, `_ga_`. An empty one is the beginning of every name.
    prefixes: Vec<String>,
}

impl Names {
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Names {
        let mut names = Names::default();
        for pattern in patterns {
            match pattern.strip_suffix('*') {
                Some(prefix) => names.prefixes.push(prefix.to_owned()),
                None => {
                    names.exact.insert(pattern.to_owned());
                }
            }
        }
        names
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.exact.contains(name) || self.prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }

    pub(super) fn has_all(&self) -> bool {
        self.prefixes.iter().any(String::is_empty)
    }
}
