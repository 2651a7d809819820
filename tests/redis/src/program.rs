//! Finds the servers' programs.

use std::path::PathBuf;

/// Which server is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Redis,
    Valkey,
}

impl Program {
    /// Where it is: what `TIDEGATE_TEST_REDIS` or `TIDEGATE_TEST_VALKEY` names, else what is on the path, else what
    /// `make valkey` unpacked.
    ///
    /// # Panics
    /// When it is nowhere.
    pub fn path(self) -> PathBuf {
        let (name, variable, target) = match self {
            Program::Redis => ("redis-server", "TIDEGATE_TEST_REDIS", "redis"),
            Program::Valkey => ("valkey-server", "TIDEGATE_TEST_VALKEY", "valkey"),
        };
        if let Some(path) = std::env::var_os(variable) {
            return PathBuf::from(path);
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut dirs = std::env::split_paths(&path).chain(unpacked());
        dirs.find_map(|dir| Some(dir.join(name)).filter(|program| program.is_file()))
            .unwrap_or_else(|| panic!("`{name}` is not there: run `make {target}` first, as `make test` does"))
    }
}

/// What `make valkey` unpacked where cargo builds: somewhere above the test that runs.
fn unpacked() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a program knows where it is");
    test.ancestors().map(|dir| dir.join("test-redis/valkey/usr/bin")).find(|dir| dir.is_dir())
}
