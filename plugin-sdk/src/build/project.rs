//! The folder of one plugin: which language it is written in, what its manifest says, and where the component goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::io;
use super::{BuildError, component, finish, javascript, python, rust};
use crate::manifest::{Fixtures, Manifest};

/// What the languages' tools pin their choices in, and make where it is not there.
const LOCKS: [&str; 2] = ["Cargo.lock", "package-lock.json"];

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Compiled by cargo: the folder has a `Cargo.toml`.
    Rust,
    /// Put into an engine by componentize-js: a `package.json`.
    JavaScript,
    /// Put into an interpreter by componentize-py: a `requirements.txt`.
    Python,
}

impl Language {
    /// Every language, with the file that tells of it.
    pub const ALL: [(Language, &'static str); 3] = [
        (Language::Rust, "Cargo.toml"),
        (Language::JavaScript, "package.json"),
        (Language::Python, "requirements.txt"),
    ];
}

/// A plugin's folder: `plugin.toml`, sources, fixtures.
#[derive(Debug)]
pub struct Project {
    pub(super) folder: PathBuf,
    language: Language,
    manifest_toml: String,
    manifest: Manifest,
}

impl Project {
    /// Reads what the folder says of itself.
    ///
    /// # Errors
    /// When it is no plugin's folder, or the manifest has mistakes.
    pub fn open(folder: &Path) -> Result<Project, BuildError> {
        let path = folder.join("plugin.toml");
        if !path.is_file() {
            return Err(BuildError::NoProject(folder.to_owned()));
        }
        let folder = folder.canonicalize().map_err(io("find", folder))?;
        let manifest_toml = fs::read_to_string(&path).map_err(io("read", &path))?;
        let manifest = Manifest::parse(&manifest_toml).map_err(BuildError::Manifest)?;
        let language = language(&folder)?;
        Ok(Project { folder, language, manifest_toml, manifest })
    }

    /// What the plugin is written in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// What it declares about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where the component goes: `target/plugin/<name>.wasm`.
    pub fn output(&self) -> PathBuf {
        self.work().join(format!("{}.wasm", self.manifest.name))
    }

    /// Builds the component, checks it, and answers its bytes, with manifest and fixtures. `say` is told in a line what is about to take a while.
    ///
    /// # Errors
    /// When a tool is missing or fails, or what it made is no plugin.
    pub fn build(&self, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
        self.install(say)?;
        let fixtures = Fixtures::read(&self.folder.join("fixtures"))?;
        let component = match self.language {
            Language::Rust => component(&rust::module(self, say)?, &self.manifest_toml)?,
            Language::JavaScript => finish(&javascript::component(self, say)?, &self.manifest_toml, &self.manifest)?,
            Language::Python => finish(&python::component(self, say)?, &self.manifest_toml, &self.manifest)?,
        };
        Ok(fixtures.embed(&component))
    }

    /// Installs what the language's builder needs, where it is not there already. [`Project::build`] does so too.
    ///
    /// # Errors
    /// When a tool is missing or fails.
    pub fn install(&self, say: &mut dyn FnMut(&str)) -> Result<(), BuildError> {
        let work = self.work();
        fs::create_dir_all(&work).map_err(io("make", &work))?;
        match self.language {
            Language::Rust => Ok(()),
            Language::JavaScript => javascript::install(self, say),
            Language::Python => python::install(self, say),
        }
    }

    /// Builds the component as [`Project::build`] does, and writes it to [`Project::output`], with the time at which
    /// the build began: a source that was saved meanwhile is newer, because nobody knows which text of it was built.
    ///
    /// # Errors
    /// As [`Project::build`], and when the file cannot be written.
    pub fn write(&self, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
        let began = self.began()?;
        let is_missing = |lock: &PathBuf| !lock.exists();
        let missing: Vec<PathBuf> = LOCKS.map(|lock| self.folder.join(lock)).into_iter().filter(is_missing).collect();
        let component = self.build(say)?;
        // What the build itself has pinned is no change of a source.
        for lock in missing.iter().filter(|lock| lock.exists()) {
            dated(lock, began)?;
        }
        write_whole(&self.output(), &component, began)?;
        Ok(component)
    }

    /// The time as the file system has it: sources get theirs from there.
    fn began(&self) -> Result<SystemTime, BuildError> {
        let work = self.work();
        fs::create_dir_all(&work).map_err(io("make", &work))?;
        let mark = work.join("began");
        fs::write(&mark, []).map_err(io("write", &mark))?;
        fs::metadata(&mark).and_then(|about| about.modified()).map_err(io("read", &mark))
    }

    /// Where everything that is built goes.
    pub(super) fn work(&self) -> PathBuf {
        self.folder.join("target").join("plugin")
    }

    /// Whether a file of the project is as it was when [`Project::installed`] was told of it last.
    pub(super) fn is_installed(&self, file: &str) -> bool {
        let before = fs::read(self.work().join(format!("{file}.installed")));
        before.is_ok_and(|before| fs::read(self.folder.join(file)).is_ok_and(|now| now == before))
    }

    /// Remembers that what this file asks for has been installed.
    pub(super) fn installed(&self, file: &str) -> Result<(), BuildError> {
        let (from, to) = (self.folder.join(file), self.work().join(format!("{file}.installed")));
        fs::copy(&from, &to).map(|_| ()).map_err(io("copy", &from))
    }
}

/// Writes a component with this time of its last change, whole or not at all: a gateway may be about to read it.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(path: &Path, component: &[u8], time: SystemTime) -> Result<(), BuildError> {
    let temporary = path.with_extension("wasm.new");
    fs::write(&temporary, component).map_err(io("write", &temporary))?;
    dated(&temporary, time)?;
    fs::rename(&temporary, path).map_err(io("write", path))
}

fn dated(path: &Path, time: SystemTime) -> Result<(), BuildError> {
    let file = fs::File::options().write(true).open(path);
    file.and_then(|file| file.set_modified(time)).map_err(io("date", path))
}

fn language(folder: &Path) -> Result<Language, BuildError> {
    let there: Vec<_> = Language::ALL.into_iter().filter(|(_, file)| folder.join(file).is_file()).collect();
    match there[..] {
        [(language, _)] => Ok(language),
        [] => Err(BuildError::Language { folder: folder.to_owned(), found: "none".to_owned() }),
        _ => {
            let found: Vec<&str> = there.iter().map(|(_, file)| *file).collect();
            Err(BuildError::Language { folder: folder.to_owned(), found: found.join(" and ") })
        }
    }
}
