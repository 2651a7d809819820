//! Plugins written by hand, as WebAssembly text, so that they can do what the SDK would never let them.

use tidegate_plugin_sdk::manifest::embed;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

const WIT: &str = include_str!("../../wit/destination.wit");

/// The manifest of a plugin by hand: it posts to `events`, signed as a webhook.
pub const MANIFEST: &str = r#"
name = "by-hand"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "Written by hand"
purposes = ["analytics"]
[endpoints.events]
url = "https://platform.example/events"
[auth]
scheme = "standard-webhooks"
secret = "signing_secret"
[reads]
"user.id" = { as = "plain", why = "so that a test can see what was seen" }
[limits]
memory_max = "1MiB"
output_max = "64KiB"
time_max_ms = 20
"#;

/// A `transform` that makes one request to `events` whose body is the event's id.
pub const GOOD: &str = r#"
    (local.set $out (call $alloc (i32.const 256)))
    (i32.store offset=4 (local.get $out) (i32.add (local.get $out) (i32.const 16)))
    (i32.store offset=8 (local.get $out) (i32.const 1))
    (i32.store offset=16 (local.get $out) (i32.const 8))
    (i32.store offset=20 (local.get $out) (i32.const 6))
    (i32.store offset=48 (local.get $out) (i32.load (local.get $in)))
    (i32.store offset=52 (local.get $out) (i32.load offset=4 (local.get $in)))
    (local.get $out)"#;

/// A `transform` that refuses every event as invalid: the reason is its `data`, 600 bytes of it.
pub const INVALID: &str = r#"
    (local.set $out (call $alloc (i32.const 256)))
    (i32.store8 (local.get $out) (i32.const 1))
    (i32.store8 offset=4 (local.get $out) (i32.const 1))
    (i32.store offset=8 (local.get $out) (i32.const 512))
    (i32.store offset=12 (local.get $out) (i32.const 600))
    (local.get $out)"#;

/// What a manifest says whose requests are joined at a place that [`GOOD`]'s have not.
pub const JOINED: &str = "[batch]\njoin = \"json-array:/conversions\"\nevents_max = 100\n";

/// A `transform` that puts the user's id, which it may see, into the query: as `id`, which is its `data`. Without a
/// user's id, the query is empty.
pub const IN_THE_QUERY: &str = r#"
    (local.set $out (call $alloc (i32.const 256)))
    (i32.store offset=4 (local.get $out) (i32.add (local.get $out) (i32.const 16)))
    (i32.store offset=8 (local.get $out) (i32.const 1))
    (i32.store offset=16 (local.get $out) (i32.const 8))
    (i32.store offset=20 (local.get $out) (i32.const 6))
    (if (i32.load8_u offset=52 (local.get $in)) (then
        (local.set $body (call $alloc (i32.const 16)))
        (i32.store (local.get $body) (i32.const 512))
        (i32.store offset=4 (local.get $body) (i32.const 2))
        (i32.store offset=8 (local.get $body) (i32.load offset=56 (local.get $in)))
        (i32.store offset=12 (local.get $body) (i32.load offset=60 (local.get $in)))
        (i32.store offset=32 (local.get $out) (local.get $body))
        (i32.store offset=36 (local.get $out) (i32.const 1))))
    (local.get $out)"#;
/// An `$alloc` that gives what comes next, and takes nothing back.
const ALLOC: &str = r#"
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7)) (i32.const -8)))
    (local.get $at)"#;

/// The parts of a plugin that tests replace.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The body of `transform`: `$in` points at the event, `$out` and `$body` are free, `$alloc` allocates zeros.
    pub transform: &'a str,
    /// The body of `classify`.
    pub classify: &'a str,
    /// The body of `$alloc`, which gives `$size` bytes of zeros.
    pub alloc: &'a str,
    /// Its memory: how many pages it begins with, and how many there may be.
    pub memory: &'a str,
    /// Bytes at address 512, as in WebAssembly text.
    pub data: &'a str,
    /// Put at the end of the module: a start function.
    pub extra: &'a str,
    pub manifest: &'a str,
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Parts {
            transform: GOOD,
            classify: "(call $alloc (i32.const 24))",
            alloc: ALLOC,
            memory: "2",
            data: "",
            extra: "",
            manifest: MANIFEST,
        }
    }
}

impl Parts<'_> {
    /// The core module.
    ///
    /// # Panics
    /// When a part is no WebAssembly text.
    pub fn module(&self) -> Vec<u8> {
        let Parts { transform, classify, alloc, memory, data, extra, .. } = self;
        let text = format!(
            r#"(module
            (memory (export "memory") {memory})
            (global $free (mut i32) (i32.const 4096))
            (data (i32.const 8) "events")
            (data (i32.const 512) "{data}")
            (func $alloc (param $size i32) (result i32) {alloc})
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $alloc (local.get 3)))
            (func (export "tidegate:destination/plugin@0.2.0#transform") (param $in i32) (result i32)
                (local $out i32) (local $body i32) {transform})
            (func (export "tidegate:destination/plugin@0.2.0#classify")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32) (result i32) {classify})
            {extra})"#
        );
        wat::parse_str(text).expect("the test's module is well-formed")
    }

    /// The component, without a manifest.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn bare(&self) -> Vec<u8> {
        let mut module = self.module();
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve.push_str("destination.wit", WIT).expect("the contract is well-formed");
        let world = resolve.select_world(&[package], None).expect("the contract has one world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
        // Not validated here: that is the sandbox's business.
        ComponentEncoder::default().module(&module).expect("module").encode().expect("component")
    }

    /// The component with its manifest.
    pub fn build(&self) -> Vec<u8> {
        embed(&self.bare(), self.manifest)
    }
}

/// A component that is written as text, with the manifest.
///
/// # Panics
/// When it is no component.
pub fn component(text: &str) -> Vec<u8> {
    embed(&wat::parse_str(text).expect("the test's component is well-formed"), MANIFEST)
}

/// A destination of a plugin in a file of the configuration's directory: it posts to the fake webhook.
pub fn destination(name: &str, file: &str) -> String {
    format!(
        r#"
[[destination]]
name = "{name}"
site = "shop"
plugin = "./{file}"
secrets = {{ signing_secret = "env:WEBHOOK_SECRET" }}
base_url = "$WEBHOOK"
allow_insecure = true
"#
    )
}
