//! Why a plugin could not be built, in words for its author.

use std::path::{Path, PathBuf};

use crate::manifest::{FixturesError, Mistake};

use super::rust::TARGET;

/// Why a plugin could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The manifest has mistakes.
    #[error("the manifest has mistakes:\n{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Manifest(Vec<Mistake>),
    /// The fixtures are not what a component can carry.
    #[error(transparent)]
    Fixtures(#[from] FixturesError),
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
         hint: Rust says `tidegate_plugin_sdk::export!(MyPlugin);` in the root of the crate, JavaScript\n      \
         `export const plugin = {{ transform, classify }};`, and Python `class Plugin(exports.Plugin)`",
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
    /// A file cannot be read or written, or a tool cannot be run.
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
    /// There is no plugin in the folder.
    #[error("`{0}` has no plugin.toml\nhint: `tidegate plugin new NAME --lang rust|js|python` makes a plugin's folder")]
    NoProject(PathBuf),
    /// The folder does not say in which language the plugin is written.
    #[error(
        "`{folder}` has {found}: one of Cargo.toml (Rust), package.json (JavaScript) and requirements.txt (Python) says in \
         which language the plugin is written"
    )]
    Language {
        /// The plugin's folder.
        folder: PathBuf,
        /// What it has of them.
        found: String,
    },
    /// A tool of the language is not there.
    #[error("`{tool}` is missing\nhint: {hint}")]
    NoTool {
        /// Its name.
        tool: String,
        /// Where it comes from.
        hint: &'static str,
    },
    /// A tool of the language failed.
    #[error("{what}:\n{output}{}", .hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default())]
    Tool {
        /// What it could not do.
        what: String,
        /// What it said.
        output: String,
        /// How to mend it, where that is known.
        hint: Option<&'static str>,
    },
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { "nothing".to_owned() } else { quoted.join(", ") }
}

pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Io { what, path, source }
}
