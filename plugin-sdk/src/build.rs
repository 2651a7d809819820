//! Compiles plugins and turns each into a checked component that carries its manifest: for build scripts and tools.
//!
//! Owns how a guest is compiled and linked, and what a finished component must look like. Runs nothing but cargo.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasmparser::{ComponentExternalKind, Parser, Payload};
use wit_component::ComponentEncoder;

use crate::manifest::{Manifest, Mistake, WORLD, embed};

/// What plugins are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What the linker is told: a small stack and a small initial memory make a fresh instance cheap, because both are
/// cleared and touched anew for every event. 16 KiB are enough for serde_json's whole depth, 128 levels, in every
/// built-in plugin (`plugins/built-in/tests/sandboxed.rs` holds on to that); the stack lies below the data, so that one which
/// overflows traps and overwrites nothing.
pub const LINK_ARGS: [&str; 2] = ["-zstack-size=16384", "--initial-memory=131072"];

/// Why a plugin could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The manifest has mistakes.
    #[error("the manifest has mistakes:\n{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Manifest(Vec<Mistake>),
    /// The plugin imports something: a plugin is given everything as arguments.
    #[error(
        "the plugin imports {}: a plugin may import nothing at all\n\
         hint: find the dependency that uses a clock, randomness, files, JavaScript or WASI, and take its features away",
        listed(.0)
    )]
    Imports(Vec<String>),
    /// The plugin does not export the manifest's world.
    #[error(
        "the plugin does not export `{expected}` alone, but {}\n\
         hint: say `tidegate_plugin_sdk::export!(MyPlugin);` in the root of the crate",
        listed(found)
    )]
    World {
        /// The interface that the manifest's world exports.
        expected: String,
        /// What the plugin exports.
        found: Vec<String>,
    },
    /// The module cannot be made a component.
    #[error("make a component of the module: {0}")]
    Encode(String),
    /// The module or component is no valid WebAssembly.
    #[error("read the module")]
    Parse(#[from] wasmparser::BinaryReaderError),
    /// The compiler cannot compile for WebAssembly.
    #[error("the compiler has no `{TARGET}`\nhint: rustup target add {TARGET}")]
    NoTarget,
    /// Cargo could not be run, or what it made cannot be read.
    #[error("{what} `{path}`")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// Cargo failed; the text is what it said.
    #[error("cargo could not compile the plugin:\n{0}")]
    Cargo(String),
}

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
}

impl Compilation<'_> {
    /// Compiles the packages, and answers each one's core module, in their order.
    ///
    /// # Errors
    /// When the compiler lacks the target, or cargo fails.
    pub fn run(&self) -> Result<Vec<Vec<u8>>, BuildError> {
        require_target()?;
        let mut cargo = Command::new(tool("CARGO", "cargo"));
        cargo.current_dir(self.workspace).args(["build", "--lib", "--target", TARGET, "--profile", self.profile]);
        cargo.arg("--target-dir").arg(self.target_dir);
        if self.workspace.join("Cargo.lock").exists() {
            cargo.arg("--locked");
        }
        for package in self.packages {
            cargo.args(["--package", package]);
        }
        // What the outer cargo was told about its own compiling is not meant for the guest: flags for another
        // processor, coverage, another target, clippy in the compiler's place.
        for name in ["RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "RUSTC_WORKSPACE_WRAPPER"] {
            cargo.env_remove(name);
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.rustflags());
        let output = cargo.output().map_err(io("run", Path::new("cargo")))?;
        if !output.status.success() {
            return Err(BuildError::Cargo(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
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

/// Makes a component of a plugin's core module, checks it, and embeds the manifest.
///
/// # Errors
/// When the manifest has mistakes, or the plugin imports anything, or does not export the manifest's world.
pub fn component(core_module: &[u8], manifest_toml: &str) -> Result<Vec<u8>, BuildError> {
    let manifest = Manifest::parse(manifest_toml).map_err(BuildError::Manifest)?;
    let imports = module_imports(core_module)?;
    if !imports.is_empty() {
        return Err(BuildError::Imports(imports));
    }
    let encode = |module| ComponentEncoder::default().validate(true).module(module)?.encode();
    let component = encode(core_module).map_err(|e| BuildError::Encode(format!("{e:#}")))?;
    let surface = surface(&component)?;
    if !surface.imports.is_empty() {
        return Err(BuildError::Imports(surface.imports));
    }
    let expected = interface(&manifest.world);
    if surface.exports != [expected.clone()] {
        return Err(BuildError::World { expected, found: surface.exports });
    }
    Ok(embed(&component, manifest_toml))
}

/// What a component takes from outside, and what it offers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Surface {
    /// The names of its imports. A plugin has none.
    pub imports: Vec<String>,
    /// The names of its exports.
    pub exports: Vec<String>,
}

/// Reads a component's imports and exports without executing anything.
///
/// # Errors
/// When it is no valid WebAssembly.
pub fn surface(component: &[u8]) -> Result<Surface, BuildError> {
    let mut surface = Surface::default();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    surface.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export?;
                    if export.kind != ComponentExternalKind::Type {
                        surface.exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}

/// The interface that a world exports: `tidegate:destination/plugin@0.2.0` for `tidegate:destination@0.2.0`.
fn interface(world: &str) -> String {
    let (package, version) = world.split_once('@').unwrap_or((WORLD, ""));
    format!("{package}/plugin@{version}")
}

fn module_imports(module: &[u8]) -> Result<Vec<String>, BuildError> {
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                let import = import?;
                imports.push(format!("{}::{}", import.module, import.name));
            }
        }
    }
    Ok(imports)
}

/// Finds out whether the compiler has the target's standard library, before cargo says it in fifty lines.
fn require_target() -> Result<(), BuildError> {
    let rustc = tool("RUSTC", "rustc");
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(io("run", Path::new(&rustc)))?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(folder.trim()).is_dir() { Ok(()) } else { Err(BuildError::NoTarget) }
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { "nothing".to_owned() } else { quoted.join(", ") }
}

fn tool(variable: &str, default: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| default.into())
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
name = "acme"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "Acme"
purposes = ["analytics"]
endpoints.events.url = "https://acme.example/events"
"#;

    fn built(wat: &str, manifest: &str) -> String {
        component(&wat::parse_str(wat).unwrap(), manifest).unwrap_err().to_string()
    }

    #[test]
    fn an_import_is_refused_by_its_name() {
        let clock = r#"(module (import "wasi_snapshot_preview1" "clock_time_get" (func)) (import "env" "f" (func)))"#;
        let message = built(clock, MANIFEST);
        assert!(
            message.starts_with("the plugin imports `wasi_snapshot_preview1::clock_time_get`, `env::f`:"),
            "{message}"
        );
        assert!(message.contains("\nhint: "), "{message}");
    }

    #[test]
    fn a_module_that_exports_no_plugin_is_told_what_to_say() {
        let message = built("(module)", MANIFEST);
        assert!(
            message.starts_with("the plugin does not export `tidegate:destination/plugin@0.2.0` alone, but nothing"),
            "{message}"
        );
        assert!(message.contains("export!(MyPlugin)"), "{message}");
    }

    #[test]
    fn a_manifest_with_mistakes_is_refused_first() {
        assert!(built("(module)", "name = 1").contains("line 1"));
    }

    #[test]
    fn what_is_no_module_is_refused() {
        assert!(matches!(component(b"\0asm garbage", MANIFEST), Err(BuildError::Parse(_))));
    }

    #[test]
    fn a_components_surface_is_what_it_imports_and_exports() {
        let component =
            r#"(component (import "a:b/c" (func)) (component (import "inner" (func))) (export "d" (func 0)))"#;
        let surface = surface(&wat::parse_str(component).unwrap()).unwrap();
        assert_eq!(surface, Surface { imports: vec!["a:b/c".into()], exports: vec!["d".into()] });
    }
}
