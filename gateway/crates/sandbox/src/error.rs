//! What can go wrong, in words for an operator, each with a hint where there is something to do.
//!
//! Messages never contain what a plugin was given or what it answered, for they end in logs; but for a
//! [`CallError::Trap`], which says so.

use std::path::PathBuf;

use tidegate_plugin_sdk::manifest::{Mistake, Size, WORLDS};

use crate::inspect::{Import, WASM_BYTES_MAX};

/// Why the sandbox could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine refused its configuration, mostly for want of address space.
    #[error("set up the WebAssembly engine")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The thread that advances the engine's clock did not start.
    #[error("start the sandbox's clock")]
    Clock(#[source] std::io::Error),
    /// The directory of compiled plugins cannot be used.
    #[error("use `{}` for compiled plugins", path.display())]
    CacheIo {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others could change what the gateway would run.
    #[error("`{}` cannot hold compiled plugins: {reason}", path.display())]
    CacheUnsafe {
        /// The directory.
        path: PathBuf,
        /// Who else can write there.
        reason: &'static str,
    },
}

/// Why nothing can be said about a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// It is larger than any plugin.
    #[error("has {size} bytes; a plugin has at most {WASM_BYTES_MAX}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// It is something else than a component.
    #[error("is {what}, not a WebAssembly component")]
    NotComponent {
        /// What it is instead.
        what: &'static str,
    },
    /// It is a component, but a broken one.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// It has no manifest, or not exactly one.
    #[error("{0}")]
    NoManifest(String),
    /// Its manifest is wrong.
    #[error("has a wrong manifest: {}", list(.0))]
    Manifest(Vec<Mistake>),
    /// It carries fixtures that cannot be read.
    #[error("{0}")]
    Fixtures(String),
}

/// Why a plugin must not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is not even a component with a manifest.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// It wants something from outside.
    #[error("imports {}; a plugin imports nothing", imports(.0))]
    Imports(Vec<Import>),
    /// It was built for another contract.
    #[error("exports `{found}` and not `{declared}`, which its manifest names; this gateway runs {}", worlds())]
    World {
        /// The interface that it exports.
        found: String,
        /// The one that its manifest promises.
        declared: String,
    },
    /// It does not export the contract's interface, or not with its types.
    #[error("does not fit its contract: {0}")]
    Contract(String),
    /// It asks for more from the start than its manifest allows.
    #[error("needs {needed} bytes of memory to start; its manifest allows {}", allowed.0)]
    Memory {
        /// In bytes.
        needed: u64,
        /// The manifest's `memory_max`.
        allowed: Size,
    },
    /// It has parts that the sandbox does not run.
    #[error("cannot be compiled: {0}")]
    Compile(String),
    /// The system does not give what the pool of heavy guests reserves.
    #[error("finds no room among the heavy guests: {0}")]
    Room(String),
    /// An instance of it does not even start.
    #[error("does not start: {0}")]
    Start(CallError),
}

impl LoadError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            LoadError::Inspect(error) => return error.hint(),
            LoadError::Imports(list) if list.iter().any(|import| import.name.starts_with("wasi:")) => {
                "build for `wasm32-unknown-unknown`: `wasm32-wasip1` and `wasm32-wasip2` import WASI"
            }
            LoadError::Imports(_) => "what a plugin needs comes in as an argument",
            LoadError::World { .. } => "rebuild it with the plugin SDK of this gateway's version",
            LoadError::Contract(_) => "export it with the SDK's `export!`, built from this version's `wit/`",
            LoadError::Memory { .. } => "raise `memory_max` in `[limits]`, or link with a smaller `--initial-memory`",
            LoadError::Compile(_) => "threads, 64-bit memories and relaxed SIMD are off",
            LoadError::Room(_) | LoadError::Start(_) => return None,
        })
    }
}

impl InspectError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            InspectError::TooLarge { .. } | InspectError::Damaged(_) => return None,
            InspectError::NotComponent { .. } => "`tidegate plugin build` makes a component of a plugin's package",
            InspectError::NoManifest(_) => "`tidegate plugin build` puts `plugin.toml` into the component, once",
            InspectError::Fixtures(_) => "`tidegate plugin build` puts the fixtures into the component, once",
            // Mistakes carry their own.
            InspectError::Manifest(_) => return None,
        })
    }
}

/// Why one call gave no answer. It costs that call only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It ran for longer than its manifest allows, and was stopped.
    #[error("ran for more than {limit_ms} ms and was stopped")]
    Timeout {
        /// The manifest's `time_max_ms`.
        limit_ms: u32,
    },
    /// It wanted more memory than its manifest allows, and was stopped.
    #[error("wanted more than {limit} of memory and was stopped")]
    Memory {
        /// The manifest's `memory_max`.
        limit: Size,
    },
    /// It stopped by itself, or did what no program may.
    ///
    /// The words may be its own, those of its panic, and name what it was given: for the dead letter and its trace,
    /// which hold that anyway, and never for a log.
    #[error("crashed: {0}")]
    Trap(String),
    /// It returned more than its manifest, or the gateway, allows.
    #[error("returned more than {limit} {what}")]
    OutputTooLarge {
        /// Of what there was too much: `bytes`, `requests`, `headers`.
        what: &'static str,
        /// How many are allowed.
        limit: u64,
    },
    /// What it returned is no value of the contract's types.
    #[error("returned nonsense: {0}")]
    Malformed(String),
    /// As many plugins are running as the pool has room for; nothing was run, and the call can be made again.
    #[error("no instance is free")]
    Busy,
}

fn worlds() -> String {
    WORLDS.map(|world| format!("`{world}`")).join(" and ")
}

fn list(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn imports(list: &[Import]) -> String {
    list.iter().map(|import| format!("`{}` ({})", import.name, import.allows)).collect::<Vec<_>>().join(", ")
}
