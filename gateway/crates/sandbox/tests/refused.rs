//! Components that must not run: each is refused at load, and the reason says why.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::{MANIFEST, Parts, WIT, good, sandbox};
use tidegate_sandbox::manifest::embed;
use tidegate_sandbox::{InspectError, LoadError, WASM_BYTES_MAX, inspect};
use wasm_encoder::{Component, NestedComponentSection};

fn refusal(wasm: &[u8]) -> LoadError {
    sandbox().load(wasm).err().expect("it is refused")
}

/// The refusal's message, and its hint.
fn said(wasm: &[u8]) -> (String, &'static str) {
    let error = refusal(wasm);
    (error.to_string(), error.hint().unwrap_or_default())
}

fn component(text: &str) -> Vec<u8> {
    embed(&wat::parse_str(text).unwrap(), MANIFEST)
}

#[test]
fn what_is_no_component_is_named() {
    let not = |wasm: &[u8]| said(wasm).0;
    assert_eq!(not(&Parts::default().module()), "is a core module, not a WebAssembly component");
    assert_eq!(
        not(b"\x7fELF\x02\x01\x01"),
        "is machine code (an executable, or a precompiled `.cwasm`), not a WebAssembly component"
    );
    assert_eq!(not(b"(component)"), "is text, not a WebAssembly component");
    assert_eq!(not(b""), "is empty, not a WebAssembly component");
    assert_eq!(not(b"PK\x03\x04"), "is something else, not a WebAssembly component");
}

#[test]
fn what_is_cut_off_is_damaged() {
    let wasm = good();
    assert!(matches!(refusal(&wasm[..wasm.len() / 2]), LoadError::Inspect(InspectError::Damaged(_))));
}

#[test]
fn what_is_too_large_is_not_even_read() {
    let error = refusal(&vec![0; WASM_BYTES_MAX + 1]);
    assert_eq!(error, InspectError::TooLarge { size: WASM_BYTES_MAX + 1 }.into());
}

#[test]
fn imports_are_named_with_what_they_would_allow() {
    let wasm = component(
        r#"(component
            (import "wasi:filesystem/types@0.2.6" (instance))
            (import "wasi:clocks/wall-clock@0.2.6" (instance))
            (import "call-home" (func)))"#,
    );
    let (message, hint) = said(&wasm);
    assert_eq!(
        message,
        "imports `wasi:filesystem/types@0.2.6` (would read and write files), \
         `wasi:clocks/wall-clock@0.2.6` (would read the clock, or wait), \
         `call-home` (would call code outside of the sandbox); a plugin imports nothing"
    );
    assert!(hint.contains("wasm32-unknown-unknown"), "{hint}");
    assert_eq!(inspect(&wasm).unwrap().imports.len(), 3, "an auditor can see them all the same");
}

#[test]
fn a_manifest_is_there_exactly_once() {
    let (message, hint) = said(&Parts::default().bare());
    assert_eq!(message, "has no `tidegate:manifest` section");
    assert!(hint.contains("tidegate plugin build"), "{hint}");
    assert_eq!(said(&embed(&good(), MANIFEST)).0, "has more than one `tidegate:manifest` section");
}

#[test]
fn a_manifest_of_a_nested_component_does_not_count() {
    let mut nested = Component::new();
    nested.section(&wasm_encoder::CustomSection { name: "tidegate:manifest".into(), data: MANIFEST.as_bytes().into() });
    let mut outer = Component::new();
    outer.section(&NestedComponentSection(&nested));
    let outer = outer.finish();
    assert_eq!(said(&outer).0, "has no `tidegate:manifest` section");
}

#[test]
fn every_mistake_of_a_manifest_is_said() {
    let manifest = MANIFEST.replace("https://", "http://").replace("20", "20000");
    let (message, _) = said(&Parts { manifest: &manifest, ..Parts::default() }.build());
    assert!(message.contains("endpoint `events` is not https"), "{message}");
    assert!(message.contains("`time_max_ms` is 20000"), "{message}");
}

#[test]
fn another_world_is_refused() {
    let manifest = MANIFEST.replace("destination@0.2.0", "destination@0.3.0");
    let (message, _) = said(&Parts { manifest: &manifest, ..Parts::default() }.build());
    assert!(message.contains("`tidegate:destination@0.3.0` is a contract that is not known here"), "{message}");
}

#[test]
fn another_version_of_the_interface_is_refused() {
    let wasm = Parts { wit: &WIT.replace("@0.2.0", "@0.3.0"), ..Parts::default() }.build();
    let (message, hint) = said(&wasm);
    assert!(message.starts_with("exports `tidegate:destination/plugin@0.3.0` and not"), "{message}");
    assert!(hint.contains("rebuild it"), "{hint}");
}

#[test]
fn a_component_without_the_interface_is_refused() {
    let (message, hint) = said(&component("(component)"));
    assert!(message.contains("it does not export `tidegate:destination/plugin@0.2.0`"), "{message}");
    assert!(hint.contains("export!"), "{hint}");
}

#[test]
fn other_types_under_the_same_name_are_refused() {
    // The same flat signature, so that nothing but a comparison of the types can tell.
    for (from, to) in [("currency: option", "money: option"), ("at-ms: u64", "at-ms: s64"), ("skip(", "ignore(")] {
        let wit = WIT.replace(from, to);
        assert_ne!(wit, WIT);
        let error = refusal(&Parts { wit: &wit, ..Parts::default() }.build());
        assert!(matches!(error, LoadError::Contract(_)), "{error}");
    }
}

#[test]
fn more_memory_from_the_start_than_allowed_is_refused() {
    let (message, hint) = said(&Parts { memory: "17", ..Parts::default() }.build());
    assert_eq!(message, "needs 1114120 bytes of memory to start; its manifest allows 1048576");
    assert!(hint.contains("memory_max"), "{hint}");
}

#[test]
fn what_a_plugin_needs_not_is_off() {
    let second = Parts { extra: "(memory $second 1)", ..Parts::default() }.build();
    assert!(matches!(refusal(&second), LoadError::Compile(_)), "{}", refusal(&second));
    let threads = Parts { extra: "(memory $shared 1 1 shared)", ..Parts::default() }.build();
    assert!(matches!(refusal(&threads), LoadError::Compile(_)), "{}", refusal(&threads));
    let relaxed = Parts {
        extra: "(func (param v128 v128) (result v128)
            (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))",
        ..Parts::default()
    };
    let (message, hint) = said(&relaxed.build());
    assert!(message.contains("relaxed SIMD"), "{message}");
    assert!(hint.contains("off"), "{hint}");
}
