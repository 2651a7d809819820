//! What is wrong in a configuration file, said to the person who wrote it: what, where, and how to mend it.

use std::fmt;

use serde::Serialize;

/// Whether the gateway starts all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does not start.
    Error,
    /// It starts, but somebody should look.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    pub severity: Severity,
    /// Line in the file, from 1, where one is known.
    pub line: Option<usize>,
    /// What is wrong, so worded that ` in tidegate.toml, line 14` may follow.
    pub what: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Mistake {
    /// A mistake that keeps the gateway from starting.
    pub fn error(line: impl Into<Option<usize>>, what: impl Into<String>) -> Mistake {
        Mistake { severity: Severity::Error, line: line.into(), what: what.into(), hint: None }
    }

    /// A mistake that does not.
    pub fn warning(line: impl Into<Option<usize>>, what: impl Into<String>) -> Mistake {
        Mistake { severity: Severity::Warning, ..Mistake::error(line, what) }
    }

    /// With how to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Mistake {
        self.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    /// The mistake as a person reads it, two lines at most.
    pub fn in_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            let severity = match self.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            write!(f, "{severity}: {} in {file}", self.what)?;
            if let Some(line) = self.line {
                write!(f, ", line {line}")?;
            }
            match &self.hint {
                Some(hint) => write!(f, "\nhint: {hint}"),
                None => Ok(()),
            }
        })
    }
}

/// Everything that is wrong in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistakes {
    /// The file's name, for messages.
    pub file: String,
    #[serde(rename = "mistakes")]
    list: Vec<Mistake>,
}

impl Default for Mistakes {
    fn default() -> Mistakes {
        Mistakes { file: "tidegate.toml".to_owned(), list: Vec::new() }
    }
}

impl Mistakes {
    /// These mistakes, in the order of their lines.
    pub fn new(list: Vec<Mistake>) -> Mistakes {
        let mut mistakes = Mistakes::default();
        list.into_iter().for_each(|mistake| mistakes.push(mistake));
        mistakes
    }

    /// The same, of the file of this name.
    #[must_use]
    pub fn named(mut self, file: impl Into<String>) -> Mistakes {
        self.file = file.into();
        self
    }

    /// Adds one, after those of its line; those without a line come last.
    pub fn push(&mut self, mistake: Mistake) {
        let line = |mistake: &Mistake| mistake.line.unwrap_or(usize::MAX);
        let at = self.list.partition_point(|other| line(other) <= line(&mistake));
        self.list.insert(at, mistake);
    }

    /// Takes over all of `other`.
    pub fn append(&mut self, other: &mut Mistakes) {
        other.list.drain(..).for_each(|mistake| self.push(mistake));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In the order of their lines.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.list.iter()
    }

    /// How many of them are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|mistake| mistake.severity == severity).count()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.list.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n\n" };
            write!(f, "{separator}{}", mistake.in_file(&self.file))?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// The candidate that `wrong` was probably meant to be, if one is near enough.
pub(crate) fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&wrong, &candidate.to_lowercase());
    let (distance, candidate) =
        candidates.into_iter().map(|c| (distance(c), c)).min_by_key(|(distance, _)| *distance)?;
    let allowed = (candidate.len().max(wrong.len()) / 3).max(1);
    (distance <= allowed).then_some(candidate)
}

/// `did you mean …?` where something is near, else the whole choice.
pub(crate) fn suggestion<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(wrong, candidates.clone()) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<String> = candidates.into_iter().map(|candidate| format!("`{candidate}`")).collect();
    if all.is_empty() { String::new() } else { format!("there is {}", all.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_says_what_where_and_how_to_mend_it() {
        let mistake = Mistake::error(14, "unknown destination `metaa`").hint(suggestion("metaa", ["ga4", "meta"]));
        assert_eq!(
            mistake.in_file("tidegate.toml").to_string(),
            "error: unknown destination `metaa` in tidegate.toml, line 14\nhint: did you mean `meta`?"
        );
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        assert_eq!(nearest("orgins", ["hosts", "origins"]), Some("origins"));
        assert_eq!(nearest("banana", ["hosts", "origins"]), None);
        assert_eq!(suggestion("banana", ["hosts", "origins"]), "there is `hosts`, `origins`");
    }
}
