//! A reload looks at signatures as a start does: what nobody vouches for is not swapped in, and what ran runs on.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;
use tidegate_tests::plugin::{Parts, destination};
use tidegate_tests::{Settings, Stack};

use super::event;

fn minisign(directory: &Path, arguments: &[&str]) {
    let command = Command::new("minisign").args(arguments).current_dir(directory).stdin(Stdio::null()).output();
    let Output { status, stderr, .. } = command.expect("minisign is not installed: `make minisign`");
    assert!(status.success(), "minisign {arguments:?}: {}", String::from_utf8_lossy(&stderr));
}

#[tokio::test]
async fn what_nobody_vouches_for_is_not_swapped_in() {
    let desk = tempfile::tempdir().unwrap();
    minisign(desk.path(), &["-G", "-W", "-p", "acme.pub", "-s", "acme.key"]);
    let public = std::fs::read_to_string(desk.path().join("acme.pub")).unwrap();
    let publisher =
        format!("\n[[plugins.publisher]]\nname = \"acme\"\nkeys = [\"{}\"]\n", public.lines().nth(1).unwrap());
    let sign = |wasm: &[u8]| {
        std::fs::write(desk.path().join("a.wasm"), wasm).unwrap();
        minisign(desk.path(), &["-S", "-s", "acme.key", "-m", "a.wasm"]);
        std::fs::read(desk.path().join("a.wasm.minisig")).unwrap()
    };
    let pinned = destination("acme", "a.wasm").replace("secrets =", "publisher = \"acme\"\nsecrets =");
    let settings = |wasm: &[u8], signature: &[u8]| Settings {
        more: format!("{publisher}{pinned}"),
        files: vec![("a.wasm", wasm.to_vec()), ("a.wasm.minisig", signature.to_vec())],
        ..Settings::hook()
    };
    let (first, second) = (Parts::default().build(), Parts { data: "second", ..Parts::default() }.build());
    let signature = sign(&first);
    let stack = Stack::with(settings(&first, &signature)).await;
    let digest = stack.status("acme").await["digest"].clone();

    for bytes in [second.as_slice(), b"no component at all"] {
        let answer = stack.reload(&settings(bytes, &signature)).await;
        assert_eq!(answer.json["reload"]["state"], "failed", "{}", answer.text);
        assert!(answer.text.contains("is not of this file"), "{}", answer.text);
        assert_eq!(stack.status("acme").await["digest"], digest, "what ran runs on");
    }
    stack.take(&event("e1")).await;
    stack.outcome("e1", "acme", "delivered").await;

    let answer = stack.reload(&settings(&second, &sign(&second))).await;
    assert_eq!(answer.json["reload"]["changes"]["changed"], json!(["acme"]), "{}", answer.text);
    assert_ne!(stack.status("acme").await["digest"], digest);
}
