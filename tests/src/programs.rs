//! Programs that tests start: the one that the workspace built, and those of authors of plugins.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::build_dir;

/// The program that the workspace built.
///
/// # Panics
/// When it has not been built.
pub fn binary() -> PathBuf {
    let path = build_dir().join("tidegate");
    assert!(
        path.exists(),
        "`{}` is not there: run `cargo build -p tidegate` first, as `make test` does",
        path.display()
    );
    path
}

/// The Python that `make clients` has installed the pinned clients for.
///
/// # Panics
/// When it has not.
pub fn python() -> PathBuf {
    let path = build_dir().with_file_name("test-clients").join("venv/bin/python");
    assert!(path.exists(), "`{}` is not there: run `make clients` first, as `make test` does", path.display());
    path
}

/// A plugin's project passes the tests that its author runs without WebAssembly, and has some.
///
/// # Panics
/// When it does not.
pub fn passes_natively(project: &Path, command: &[&str]) {
    let mut program = Command::new(command[0]);
    program.args(&command[1..]).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(project);
    let output = program.output().expect("the language is installed");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && !said.contains("Ran 0 tests"), "{program:?}: {said}");
}
