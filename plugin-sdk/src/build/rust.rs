//! Rust: cargo compiles the crate, and `wit-component` makes a component of the module.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::io;
use super::{BuildError, Project, tool};

/// What plugins are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What the linker is told: a small stack and a small initial memory make a fresh instance cheap, because both are
/// cleared and touched anew for every event. 16 KiB are enough for serde_json's whole depth, 128 levels, in every
/// built-in plugin (`plugins/built-in/tests/sandboxed.rs` holds on to that); the stack lies below the data, so that one which
/// overflows traps and overwrites nothing.
pub const LINK_ARGS: [&str; 2] = ["-zstack-size=16384", "--initial-memory=131072"];

/// How a plugin is compiled that stands alone, whatever its own Cargo.toml says.
const PROFILE: &str = "tidegate-plugin";
const PROFILE_SETTINGS: [(&str, &str); 6] = [
    ("inherits", "\"release\""),
    ("opt-level", "3"),
    ("lto", "\"fat\""),
    ("codegen-units", "1"),
    ("panic", "\"abort\""),
    ("strip", "true"),
];
const RUST_IS_AT: &str = "install Rust from https://rustup.rs, then `rustup target add wasm32-unknown-unknown`";

/// A compilation of one or several plugins of one workspace, by one nested cargo.
#[derive(Debug)]
pub struct Compilation<'a> {
    /// The workspace's folder, or the crate's where it stands alone.
    pub workspace: &'a Path,
    /// The names of the packages.
    pub packages: &'a [String],
    /// The cargo profile; one with `panic = "abort"`, `lto = "fat"` and `strip = true` gives small and fast plugins.
    pub profile: &'a str,
    /// Where the nested cargo works. Never the target directory of a cargo that waits for this one: they would wait
    /// for each other.
    pub target_dir: &'a Path,
    /// Further arguments for cargo, such as `--locked`.
    pub arguments: &'a [String],
}

impl Compilation<'_> {
    /// Compiles the packages, and answers each one's core module, in their order.
    ///
    /// # Errors
    /// When the compiler lacks the target, or cargo fails.
    pub fn run(&self) -> Result<Vec<Vec<u8>>, BuildError> {
        require_target()?;
        let mut cargo = Command::new(named("CARGO", "cargo"));
        cargo.current_dir(self.workspace).args(["build", "--lib", "--target", TARGET, "--profile", self.profile]);
        cargo.arg("--target-dir").arg(self.target_dir);
        for package in self.packages {
            cargo.args(["--package", package]);
        }
        cargo.args(self.arguments);
        // What the outer cargo was told about its own compiling is not meant for the guest: flags for another
        // processor, coverage, another target, clippy in the compiler's place.
        for name in ["RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "RUSTC_WORKSPACE_WRAPPER"] {
            cargo.env_remove(name);
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.rustflags());
        tool::run(&mut cargo, "cargo could not compile the plugin", RUST_IS_AT)?;
        self.packages.iter().map(|package| self.module(package)).collect()
    }

    fn module(&self, package: &str) -> Result<Vec<u8>, BuildError> {
        let profile = if self.profile == "dev" { "debug" } else { self.profile };
        let file = format!("{}.wasm", package.replace('-', "_"));
        let path = self.target_dir.join(TARGET).join(profile).join(file);
        std::fs::read(&path).map_err(io("read", &path))
    }

    /// The link arguments, and paths that are the same on every machine: they stay in a plugin's panic messages, and
    /// its digest is what an operator approves.
    fn rustflags(&self) -> OsString {
        let mut flags: Vec<OsString> = LINK_ARGS.iter().map(|arg| format!("-Clink-arg={arg}").into()).collect();
        let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
        let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
        let workspace = self.workspace.canonicalize().ok();
        for (from, to) in [(cargo_home, "/cargo"), (workspace, "/workspace")] {
            if let Some(from) = from {
                let mut flag = OsString::from("--remap-path-prefix=");
                flag.push(from);
                flag.push("=");
                flag.push(to);
                flags.push(flag);
            }
        }
        flags.join(std::ffi::OsStr::new("\x1f"))
    }
}

/// Builds the crate in a project's folder to a core module.
pub(super) fn module(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let packages = [package(&project.folder)?];
    let settings = PROFILE_SETTINGS.map(|(key, value)| format!("--config=profile.{PROFILE}.{key}={value}"));
    let target_dir = project.work().join("cargo");
    say("cargo compiles the plugin; the first time also what it depends on");
    let workspace = &project.folder;
    let compilation =
        Compilation { workspace, packages: &packages, profile: PROFILE, target_dir: &target_dir, arguments: &settings };
    let modules = compilation.run()?;
    Ok(modules.into_iter().next().unwrap_or_default())
}

/// The name of the crate's package.
fn package(folder: &Path) -> Result<String, BuildError> {
    let path = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&path).map_err(io("read", &path))?;
    let wrong = |output: String| BuildError::Tool { what: format!("read `{}`", path.display()), output, hint: None };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let name = table.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    name.map(str::to_owned).ok_or_else(|| wrong("it has no `name` in `[package]`".to_owned()))
}

/// Finds out whether the compiler has the target's standard library, before cargo says it in fifty lines.
fn require_target() -> Result<(), BuildError> {
    let mut asked = Command::new(named("RUSTC", "rustc"));
    let output = tool::output(asked.args(["--print", "target-libdir", "--target", TARGET]), RUST_IS_AT)?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(folder.trim()).is_dir() { Ok(()) } else { Err(BuildError::NoTarget) }
}

fn named(variable: &str, default: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| default.into())
}
