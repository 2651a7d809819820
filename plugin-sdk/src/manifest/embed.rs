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
    let found = sections(component, SECTION)?;
    let [data] = found[..] else {
        let what = if found.is_empty() { "no" } else { "more than one" };
        return Err(format!("has {what} `{SECTION}` section"));
    };
    std::str::from_utf8(data).map_err(|_| format!("has a `{SECTION}` section that is not UTF-8"))
}

/// What the custom sections of this name hold, at the component's top level.
pub(super) fn sections<'a>(component: &'a [u8], name: &str) -> Result<Vec<&'a [u8]>, String> {
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
            Payload::CustomSection(section) if depth == 0 && section.name() == name => found.push(section.data()),
            _ => {}
        }
    }
    Ok(found)
}

/// The component without the custom sections of this name at its top level; as it was, where it cannot be read.
pub(super) fn without(component: &[u8], name: &str) -> Vec<u8> {
    // A component begins with eight bytes, and then has its sections, each from where the one before ends.
    let (mut at, mut depth) = (8, 0usize);
    let mut kept = component.get(..at).unwrap_or_default().to_vec();
    for payload in Parser::new(0).parse_all(component) {
        let Ok(payload) = payload else { return component.to_vec() };
        if let Some((_, range)) = payload.as_section().filter(|_| depth == 0) {
            if !matches!(&payload, Payload::CustomSection(section) if section.name() == name) {
                kept.extend_from_slice(component.get(at..range.end).unwrap_or_default());
            }
            at = range.end;
        }
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{Component, NestedComponentSection};

    use super::*;

    #[test]
    fn what_was_embedded_is_extracted() {
        let component = embed(&Component::new().finish(), "name = \"ä\"");
        assert_eq!(extract(&component), Ok("name = \"ä\""));
    }

    #[test]
    fn a_nested_component_does_not_speak_for_the_outer_one() {
        let mut inner = Component::new();
        inner.section(&CustomSection { name: SECTION.into(), data: Cow::Borrowed(b"gentle") });
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&inner));
        let outer = outer.finish();
        assert_eq!(extract(&outer), Err(format!("has no `{SECTION}` section")));
        assert_eq!(extract(&embed(&outer, "true")), Ok("true"));
    }

    #[test]
    fn a_second_manifest_is_refused() {
        let component = embed(&embed(&Component::new().finish(), "one"), "two");
        assert_eq!(extract(&component), Err(format!("has more than one `{SECTION}` section")));
    }

    #[test]
    fn a_section_is_taken_out_and_all_else_stays_to_the_byte() {
        let mut inner = Component::new();
        inner.section(&CustomSection { name: "x".into(), data: Cow::Borrowed(b"inner") });
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&inner));
        let outer = outer.finish();
        let with = |component: &[u8], data: &[u8]| {
            let mut bytes = component.to_vec();
            CustomSection { name: "x".into(), data: Cow::Borrowed(data) }.append_to_component(&mut bytes);
            bytes
        };
        let between = embed(&with(&outer, &[7; 300]), "name");
        assert_eq!(without(&with(&between, b""), "x"), embed(&outer, "name"));
        assert_eq!(without(&outer, "x"), outer, "a nested component keeps its own");
        assert_eq!(without(&with(&Component::new().finish(), b"a"), "x"), Component::new().finish());
        assert_eq!(without(&between[..between.len() - 1], "x"), &between[..between.len() - 1]);
        assert_eq!(without(b"\0asm", "x"), b"\0asm");
    }

    #[test]
    fn damaged_bytes_are_refused_without_a_panic() {
        let component = embed(&Component::new().finish(), "name");
        assert_eq!(extract(b"\0asm\x01\0\0\0"), Err("is no WebAssembly component".into()));
        for end in 0..component.len() {
            assert!(extract(&component[..end]).is_err(), "{end}");
        }
        let mut odd = component;
        let last = odd.len() - 1;
        odd[last] = 0xff;
        assert_eq!(extract(&odd), Err(format!("has a `{SECTION}` section that is not UTF-8")));
    }
}
