//! Reads a component without executing it: what it is, what it wants, what it would be given.
//!
//! Owns the report that operators and auditors see before they approve a plugin. Compiles nothing and refuses nothing but
//! what cannot be read; whether a component may run is decided in `engine`, from this report.

use serde::Serialize;
use tidegate_plugin_sdk::manifest::{self, Fixtures, Manifest};
use wasmparser::{
    ComponentExternalKind, ComponentTypeRef, MemoryType, Parser, Payload, TableType, Validator, WasmFeatures,
};

use crate::Digest;
use crate::error::InspectError;

/// The largest component that is read, in bytes.
pub const WASM_BYTES_MAX: usize = 64 << 20;

const PAGE_BYTES: u64 = 65_536;

/// What can be known of a component without running it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// SHA-256 of the component's bytes.
    pub digest: Digest,
    /// In bytes.
    pub size: usize,
    /// What it declares about itself, its limits among it.
    pub manifest: Manifest,
    /// The interfaces and functions that it exports.
    pub exports: Vec<String>,
    /// What it wants from outside. One that may run has none.
    pub imports: Vec<Import>,
    /// How many core modules it consists of.
    pub modules: usize,
    /// The memories of its modules.
    pub memories: Vec<Memory>,
    /// The tables of its modules.
    pub tables: Vec<Table>,
    /// What its author tested it with; as JSON only how many there are.
    pub fixtures: Fixtures,
}

/// Something that a component wants from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Such as `wasi:filesystem/types@0.2.6`.
    pub name: String,
    /// `instance`, `func`, and so on.
    pub kind: &'static str,
    /// What it would allow, in plain words.
    pub allows: &'static str,
}

/// One linear memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Bytes from the start.
    pub initial: u64,
    /// The most bytes that it declares; the manifest's limit holds beside it.
    pub maximum: Option<u64>,
}

/// One table of references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Elements from the start.
    pub initial: u64,
    /// The most elements that it declares.
    pub maximum: Option<u64>,
}

/// Reads a component.
///
/// # Errors
/// When it is none, is damaged, is too large, has not exactly one well-formed manifest, or has fixtures that are not.
pub fn inspect(wasm: &[u8]) -> Result<Inspection, InspectError> {
    if wasm.len() > WASM_BYTES_MAX {
        return Err(InspectError::TooLarge { size: wasm.len() });
    }
    if !Parser::is_component(wasm) {
        return Err(InspectError::NotComponent { what: what_else(wasm) });
    }
    let parts = Parts::read(wasm)?;
    let text = manifest::extract(wasm).map_err(InspectError::NoManifest)?;
    let manifest = Manifest::parse(text).map_err(InspectError::Manifest)?;
    let fixtures = Fixtures::extract(wasm).map_err(|error| InspectError::Fixtures(error.to_string()))?;
    Ok(Inspection {
        digest: Digest::of(wasm),
        size: wasm.len(),
        manifest,
        exports: parts.exports,
        imports: parts.imports,
        modules: parts.modules,
        memories: parts.memories,
        tables: parts.tables,
        fixtures,
    })
}

/// What somebody hands over instead of a component.
fn what_else(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "empty",
        [0, b'a', b's', b'm', ..] if Parser::is_core_wasm(bytes) => "a core module",
        [0, b'a', b's', b'm', ..] => "WebAssembly of an unknown version",
        // Also what wasmtime precompiles to. It is machine code, and loading it from elsewhere would be running it.
        [0x7f, b'E', b'L', b'F', ..] => "machine code (an executable, or a precompiled `.cwasm`)",
        [b'(', ..] => "text",
        _ => "something else",
    }
}

#[derive(Default)]
struct Parts {
    exports: Vec<String>,
    imports: Vec<Import>,
    modules: usize,
    memories: Vec<Memory>,
    tables: Vec<Table>,
}

impl Parts {
    fn read(wasm: &[u8]) -> Result<Parts, InspectError> {
        let damaged = |e: wasmparser::BinaryReaderError| InspectError::Damaged(e.to_string());
        Validator::new_with_features(WasmFeatures::all()).validate_all(wasm).map_err(damaged)?;
        let mut parts = Parts::default();
        let mut depth = 0usize;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(damaged)? {
                Payload::ModuleSection { .. } => {
                    parts.modules += 1;
                    depth += 1;
                }
                Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                // A nested component's imports are met by the one around it; only the outermost reaches the host.
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let import = import.map_err(damaged)?;
                        parts.imports.push(describe(import.name.name, &import.ty));
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        let export = export.map_err(damaged)?;
                        if export.kind != ComponentExternalKind::Type {
                            parts.exports.push(export.name.name.to_owned());
                        }
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        parts.memories.push(Memory::from(memory.map_err(damaged)?));
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        parts.tables.push(Table::from(table.map_err(damaged)?.ty));
                    }
                }
                _ => {}
            }
        }
        Ok(parts)
    }
}

impl From<MemoryType> for Memory {
    fn from(ty: MemoryType) -> Memory {
        let page = ty.page_size_log2.map_or(PAGE_BYTES, |log2| 1u64.checked_shl(log2).unwrap_or(PAGE_BYTES));
        Memory { initial: ty.initial.saturating_mul(page), maximum: ty.maximum.map(|pages| pages.saturating_mul(page)) }
    }
}

impl From<TableType> for Table {
    fn from(ty: TableType) -> Table {
        Table { initial: ty.initial, maximum: ty.maximum }
    }
}

fn describe(name: &str, ty: &ComponentTypeRef) -> Import {
    let kind = match ty {
        ComponentTypeRef::Module(_) => "module",
        ComponentTypeRef::Func(_) => "func",
        ComponentTypeRef::Value(_) => "value",
        ComponentTypeRef::Type(_) => "type",
        ComponentTypeRef::Instance(_) => "instance",
        ComponentTypeRef::Component(_) => "component",
    };
    let known = ALLOWS.iter().find(|(prefix, _)| name.starts_with(prefix));
    let allows = known.map_or("would call code outside of the sandbox", |(_, allows)| *allows);
    Import { name: name.to_owned(), kind, allows }
}

/// What an import would allow, by the start of its name; the longer ones first.
const ALLOWS: &[(&str, &str)] = &[
    ("wasi:cli/environment", "would read the gateway's environment variables and arguments"),
    ("wasi:cli/exit", "would end the gateway"),
    ("wasi:cli/std", "would use the gateway's standard input and output"),
    ("wasi:cli/", "would act as a program of its own"),
    ("wasi:clocks/", "would read the clock, or wait"),
    ("wasi:config/", "would read the host's configuration"),
    ("wasi:filesystem/", "would read and write files"),
    ("wasi:http/", "would send and receive HTTP"),
    ("wasi:io/", "would use the host's streams, or wait"),
    ("wasi:keyvalue/", "would read and write the host's storage"),
    ("wasi:logging/", "would write to the host's log"),
    ("wasi:random/", "would give different answers to the same event"),
    ("wasi:sockets/", "would open network connections"),
    ("wasi:", "would reach the host's system"),
];
