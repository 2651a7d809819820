//! A plugin's fixtures together: loaded from its folder or its component, run, compared, and blessed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use serde_json::{Map, Value};

use super::fixture::{Case, Fixture, parse};
use super::{Calls, Diff, fields, outcome};
use crate::manifest::{Fixtures, FixturesError, Manifest, Mistake, json_files};
use crate::{Context, Event};

/// The fixtures of one plugin, with the manifest that they are held against.
#[derive(Debug, Clone)]
pub struct Suite {
    manifest: Manifest,
    /// Each file's content by its name, or what is wrong with it.
    files: BTreeMap<String, Result<Map<String, Value>, String>>,
    /// Where the files are; nowhere where they came with a component.
    folder: Option<PathBuf>,
}

/// What became of one fixture.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// The file's name: `purchase.json`.
    pub file: String,
    /// What is wrong, each in a sentence; what it gives beside what it expects is in `diff`.
    pub problems: Vec<String>,
    /// Where what it gives is not what it expects.
    pub diff: Option<Diff>,
    /// What really came, where anything did.
    actual: Option<Map<String, Value>>,
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A file or folder cannot be read or written.
    #[error("{what} `{}`", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The folder's manifest has mistakes.
    #[error("`plugin.toml` has mistakes:\n{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Manifest(Vec<Mistake>),
    /// The folder of fixtures cannot be read.
    #[error(transparent)]
    Fixtures(#[from] FixturesError),
    /// There is no fixture.
    #[error("has no fixture: write a `fixtures/*.json` for each kind of event")]
    None,
    /// The fixtures came with a component, in which nothing is written.
    #[error("the fixtures are a component's: bless those in the plugin's folder")]
    ReadOnly,
}

impl SuiteError {
    /// The message with its cause, in one line.
    pub(super) fn with_cause(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}

impl Suite {
    /// The fixtures of a plugin's folder: its `plugin.toml`, and `fixtures/*.json`. A file that is no fixture is one
    /// that fails.
    ///
    /// # Errors
    /// When the manifest or the folder cannot be read, or there is no fixture.
    pub fn load(dir: &Path) -> Result<Suite, SuiteError> {
        let path = dir.join("plugin.toml");
        let text = fs::read_to_string(&path).map_err(io("read", &path))?;
        let manifest = Manifest::parse(&text).map_err(SuiteError::Manifest)?;
        let folder = dir.join("fixtures");
        let mut files = BTreeMap::new();
        for path in json_files(&folder)? {
            let text = fs::read_to_string(&path).map_err(|e| format!("cannot be read: {e}"));
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            files.insert(name, text.and_then(|text| parse(&text)));
        }
        match files.is_empty() {
            true => Err(SuiteError::None),
            false => Ok(Suite { manifest, files, folder: Some(folder) }),
        }
    }

    /// The fixtures that a component carries.
    pub fn embedded(manifest: &Manifest, fixtures: &Fixtures) -> Suite {
        let files = fixtures.files().map(|(name, text)| (name.to_owned(), parse(text)));
        Suite { manifest: manifest.clone(), files: files.collect(), folder: None }
    }

    /// The manifest that they are held against.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The files' names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// What a fixture says to call.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn case(&self, name: &str) -> Result<Case, String> {
        Fixture::of(name, &self.files)?.case(&self.manifest)
    }

    /// The events that are transformed, with their contexts, of all fixtures that are sound.
    pub fn events(&self) -> Vec<(&str, Event, Context)> {
        let events = self.names().filter_map(|name| match self.case(name) {
            Ok(Case::Transform(event, ctx)) => Some((name, *event, ctx)),
            Ok(Case::Classify(..)) | Err(_) => None,
        });
        events.collect()
    }

    /// Runs all fixtures, and then all of them again the other way round: each must give the same after others as
    /// before them.
    pub fn run(&self, calls: &Calls<'_>) -> Vec<Ran> {
        self.run_only(calls, |_| true)
    }

    /// As [`Suite::run`], but only the files whose names are `wanted`.
    pub fn run_only(&self, calls: &Calls<'_>, wanted: impl Fn(&str) -> bool) -> Vec<Ran> {
        let mut all: Vec<Ran> = self.names().filter(|name| wanted(name)).map(|name| self.once(name, calls)).collect();
        for ran in all.iter_mut().rev().filter(|ran| ran.actual.is_some()) {
            let again = self.once(&ran.file, calls);
            if again.actual.is_none() {
                ran.problems.extend(again.problems.iter().map(|problem| format!("fails the second time: {problem}")));
            } else if again.actual != ran.actual {
                let what =
                    "gives something else the second time: is a HashMap iterated, or something kept from before?";
                ran.problems.push(what.into());
            }
        }
        all
    }

    /// Writes what really came into the fixture's file, where that is not what it expects; from then on it is. Answers
    /// whether it wrote.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn bless(&self, ran: &mut Ran) -> Result<bool, SuiteError> {
        let (Some(actual), Some(Ok(file))) = (&ran.actual, self.files.get(&ran.file)) else { return Ok(false) };
        if ran.diff.is_none() {
            return Ok(false);
        }
        let path = self.folder.as_ref().ok_or(SuiteError::ReadOnly)?.join(&ran.file);
        let text = Fixture::blessed(file, actual);
        fs::write(&path, text).map_err(io("write", &path))?;
        ran.diff = None;
        Ok(true)
    }

    /// Runs one fixture.
    fn once(&self, name: &str, calls: &Calls<'_>) -> Ran {
        let mut ran = Ran { file: name.to_owned(), problems: Vec::new(), diff: None, actual: None };
        let fixture = Fixture::of(name, &self.files);
        let (fixture, case) = match fixture.and_then(|it| Ok((it.case(&self.manifest)?, it))) {
            Ok((case, fixture)) => (fixture, case),
            Err(problem) => return Ran { problems: vec![problem], ..ran },
        };
        match self.call(case, calls, &mut ran.problems) {
            Ok(actual) => {
                ran.diff = Diff::of(&fixture.expected(), &Value::Object(actual.clone()));
                ran.actual = Some(actual);
            }
            Err(failure) => ran.problems.push(failure),
        }
        ran
    }

    fn call(&self, case: Case, calls: &Calls<'_>, problems: &mut Vec<String>) -> Result<Map<String, Value>, String> {
        match case {
            Case::Transform(event, ctx) => {
                problems.extend(fields::not_granted(&self.manifest, &event));
                let answer = (calls.transform)(*event, ctx.clone())?;
                if let Ok(requests) = &answer {
                    problems.extend(outcome::not_allowed(&self.manifest, requests, &ctx));
                }
                Ok(outcome::of_transform(&answer))
            }
            Case::Classify(response, count, ctx) => Ok(outcome::of_verdict(&(calls.classify)(response, count, ctx)?)),
        }
    }
}

impl Ran {
    /// Whether the plugin gives what the fixture expects, and nothing else is wrong.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty() && self.diff.is_none()
    }
}

/// The file and all that is wrong with it, a line each.
impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fixtures/{}", self.file)?;
        let diff = self.diff.as_ref().map(ToString::to_string);
        for problem in self.problems.iter().chain(&diff) {
            write!(f, "\n    {}", problem.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SuiteError {
    let path = path.to_owned();
    move |source| SuiteError::Io { what, path, source }
}
