//! A plugin's folder as the kit sees it: its files with their times, and the component that was built of them.
//!
//! Does not build; `tidegate_plugin_sdk::build` does. Owns that the component carries the fixtures of its folder, which
//! it is not built of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tidegate_plugin_sdk::build::{BuildError, write_whole};
use tidegate_plugin_sdk::manifest::Fixtures;

/// The most files that are looked at: a folder with more is something else than a plugin's.
const FILES_MAX: usize = 10_000;
/// How deep folders may lie in one another.
const DEPTH_MAX: usize = 12;
/// The files beside the code that a component is built by.
const BUILT_BY: [&str; 6] =
    ["plugin.toml", "Cargo.toml", "Cargo.lock", "package.json", "package-lock.json", "requirements.txt"];
/// What code is called.
const CODE: [&str; 6] = ["rs", "js", "mjs", "cjs", "ts", "py"];
/// Those of them that the languages' tools write, while they build.
const LOCKS: [&str; 2] = ["Cargo.lock", "package-lock.json"];
/// Folders with what a component is not built of.
const BESIDE: [&str; 3] = ["fixtures", "test", "tests"];
/// Folders that tools fill.
const OUTPUTS: [&str; 5] = ["target", "node_modules", "__pycache__", "venv", "dist"];

/// Files, each with the time of its last change and its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, (Option<SystemTime>, u64)>);

impl Files {
    /// What the component of a plugin's folder is built of. What tools made, what begins with a dot, and what cannot be
    /// read is not there.
    pub fn sources(folder: &Path) -> Files {
        let mut files = Files::all(folder);
        files.0.retain(|path, _| is_source(path));
        files
    }

    /// What a person changes to see it run again: the sources and the fixtures. A gateway's store may lie in the folder
    /// as well, and changes with every event.
    pub fn watched(folder: &Path) -> Files {
        let mut files = Files::all(folder);
        files.0.retain(|path, _| {
            let is_lock = LOCKS.iter().any(|lock| path == Path::new(lock));
            path.starts_with("fixtures") || (is_source(path) && !is_lock)
        });
        files
    }

    fn all(folder: &Path) -> Files {
        let mut files = Files::default();
        files.add(folder, folder, DEPTH_MAX);
        files
    }

    /// Adds a file that lies elsewhere, if it is there.
    pub fn add_file(&mut self, file: &Path) {
        if let Some(about) = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file) {
            self.0.insert(file.to_owned(), (about.modified().ok(), about.len()));
        }
    }

    /// The files that are new, changed or gone since `before`, in order.
    pub fn changed_since<'a>(&'a self, before: &'a Files) -> Vec<&'a Path> {
        let changed = self.0.iter().filter(|(path, state)| before.0.get(*path) != Some(state)).map(|(path, _)| path);
        let gone = before.0.keys().filter(|path| !self.0.contains_key(*path));
        let mut all: Vec<&Path> = changed.chain(gone).map(PathBuf::as_path).collect();
        all.sort();
        all
    }

    /// Whether any was changed after the build of a component began.
    pub fn is_newer_than(&self, component: SystemTime) -> bool {
        self.0.values().any(|(time, _)| time.is_some_and(|time| time > component))
    }

    fn add(&mut self, root: &Path, folder: &Path, depth: usize) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || OUTPUTS.contains(&name.as_str()) || self.0.len() >= FILES_MAX {
                continue;
            }
            let (path, Ok(about)) = (entry.path(), entry.metadata()) else { continue };
            if about.is_dir() && depth > 0 {
                self.add(root, &path, depth - 1);
            } else if about.is_file() {
                let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
                self.0.insert(relative, (about.modified().ok(), about.len()));
            }
        }
    }
}

/// Whether a component is built of this file of its folder: fixtures, tests and a configuration are none.
fn is_source(path: &Path) -> bool {
    let is_code = path.extension().is_some_and(|extension| CODE.iter().any(|code| extension == *code));
    let is_beside = BESIDE.iter().any(|folder| path.starts_with(folder));
    path.starts_with("src") || BUILT_BY.iter().any(|file| path == Path::new(file)) || (is_code && !is_beside)
}

/// Has the component of a plugin's folder carry the fixtures that the folder has, and answers it where it did not: what
/// a gateway runs before it takes the component is what its author sees pass. Its time stays, for it is built of the
/// same.
///
/// # Errors
/// When it cannot be written.
pub fn carry_fixtures(folder: &Path, component: &Path, wasm: &[u8]) -> Result<Option<Vec<u8>>, BuildError> {
    // What is wrong with a fixture is told by who runs it, and with a component by who loads it.
    let both = (Fixtures::read(&folder.join("fixtures")), Fixtures::extract(wasm));
    let (Ok(own), Ok(carried), Some(time)) = (both.0, both.1, changed_at(component)) else { return Ok(None) };
    if own == carried {
        return Ok(None);
    }
    let wasm = own.embed(wasm);
    write_whole(component, &wasm, time)?;
    Ok(Some(wasm))
}

/// When a file was changed last; nothing where there is none.
pub fn changed_at(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|about| about.modified()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_changes_is_told_and_what_tools_make_is_not_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("plugin.toml", "a");
        write("src/lib.rs", "a");
        write("target/plugin/a.wasm", "a");
        write(".git/index", "a");
        let before = Files::watched(folder.path());
        assert_eq!(before.0.keys().collect::<Vec<_>>(), [Path::new("plugin.toml"), Path::new("src/lib.rs")]);
        assert_eq!(Files::sources(folder.path()), before);
        assert!(before.changed_since(&before).is_empty());
        write("src/lib.rs", "longer");
        write("fixtures/a.json", "a");
        std::fs::remove_file(folder.path().join("plugin.toml")).unwrap();
        // A gateway that runs there, a test, and what cargo pins while it builds: nothing of these is shown anew.
        for other in ["data/tidegate.db-wal", "tidegate.toml", "tests/fixtures.rs", "Cargo.lock", "README.md"] {
            write(other, "a");
        }
        let after = Files::watched(folder.path());
        assert_eq!(after.changed_since(&before), ["fixtures/a.json", "plugin.toml", "src/lib.rs"].map(Path::new));
    }

    #[test]
    fn a_component_is_old_when_a_source_is_newer_not_when_a_fixture_is() {
        let built = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let is_newer = |name: &str, second: u64| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = std::fs::File::create(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
            Files::sources(folder.path()).is_newer_than(built)
        };
        for source in ["src/lib.rs", "src/words.txt", "plugin.toml", "build.rs", "Cargo.lock"] {
            assert!(is_newer(source, 1_001), "{source}");
        }
        assert!(!is_newer("src/lib.rs", 999));
        for other in ["fixtures/a.json", "tests/fixtures.rs", "README.md", "tidegate.toml", "event.json"] {
            assert!(!is_newer(other, 1_001), "{other}");
        }
    }
}
