//! The manifest inside a component: a custom section, written by the build and read without executing anything.

use std::borrow::Cow;

use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

/// The name of the custom section that holds the text of `plugin.toml`.
pub const SECTION: &str = "tidegate:manifest";

/// Appends the manifest's text to a component.
pub fn embed(component: &[u8], manifest: &str) -> Vec<u8> {
    let mut bytes = component.to_vec();
    let section = CustomSection { name: Cow::Borrowed(SECTION), data: Cow::Borrowed(manifest.as_bytes()) };
    section.append_to_component(&mut bytes);
    bytes
}

/// The text of the manifest that a component carries.
///
/// # Errors
/// Says what is wrong: not a component, no such section at its top level, two of them, or not UTF-8.
pub fn extract(component: &[u8]) -> Result<&str, String> {
    if !Parser::is_component(component) {
        return Err("is no WebAssembly component".into());
    }
    let mut found = Vec::new();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|e| format!("is damaged: {e}"))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            // Only the outermost component speaks for itself: a nested one could carry a gentler manifest.
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => found.push(section.data()),
            _ => {}
        }
    }
    let [data] = found[..] else {
        let what = if found.is_empty() { "no" } else { "more than one" };
        return Err(format!("has {what} `{SECTION}` section"));
    };
    std::str::from_utf8(data).map_err(|_| format!("has a `{SECTION}` section that is not UTF-8"))
}
