//! Plugins written by hand, as text, so that they can do what the SDK would never let them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use tidegate_sandbox::contract::{self, Context, Response};
use tidegate_sandbox::manifest::embed;
use tidegate_sandbox::{Options, Plugin, Sandbox, Transformed};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

pub const WIT: &str = include_str!("../../../../../wit/destination.wit");
/// The contract before it.
pub const WIT_BEFORE: &str = include_str!("../../../../../wit/0.1.0/destination.wit");

pub const MANIFEST: &str = r#"
name = "by-hand"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "Written by hand"
purposes = ["analytics"]
[endpoints.events]
url = "https://example.com/events"
[limits]
memory_max = "1MiB"
output_max = "64KiB"
time_max_ms = 20
"#;

/// What `transform` does in the well-behaved plugin: one request to `events`, with the event's id and a byte that counts
/// the calls of this instance as its body.
pub const ANSWER: &str = r#"
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (local.set $out (call $alloc (i32.const 256)))
    (local.set $body (call $alloc (i32.add (i32.load offset=4 (local.get $in)) (i32.const 1))))
    (memory.copy (local.get $body) (i32.load (local.get $in)) (i32.load offset=4 (local.get $in)))
    (i32.store8 (i32.add (local.get $body) (i32.load offset=4 (local.get $in)))
        (i32.add (i32.const 48) (global.get $calls)))
    (i32.store8 (local.get $out) (i32.const 0))
    (i32.store offset=4 (local.get $out) (i32.add (local.get $out) (i32.const 16)))
    (i32.store offset=8 (local.get $out) (i32.const 1))
    (i32.store offset=16 (local.get $out) (i32.const 8))
    (i32.store offset=20 (local.get $out) (i32.const 6))
    (i32.store offset=48 (local.get $out) (local.get $body))
    (i32.store offset=52 (local.get $out) (i32.add (i32.load offset=4 (local.get $in)) (i32.const 1)))
    (local.get $out)"#;

/// `classify` answers "delivered".
pub const VERDICT: &str = "(call $alloc (i32.const 24))";

/// The parts of a plugin that tests replace.
pub struct Parts<'a> {
    pub transform: &'a str,
    pub classify: &'a str,
    pub alloc: &'a str,
    /// Put at the end of the module: a start function, another table.
    pub extra: &'a str,
    pub memory: &'a str,
    pub wit: &'a str,
    pub manifest: &'a str,
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Parts {
            transform: ANSWER,
            classify: VERDICT,
            alloc: r#"
                (local $at i32)
                (local.set $at (global.get $free))
                (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7))
                    (i32.const -8)))
                (local.get $at)"#,
            extra: "",
            memory: "2",
            wit: WIT,
            manifest: MANIFEST,
        }
    }
}

impl Parts<'_> {
    /// The core module.
    pub fn module(&self) -> Vec<u8> {
        let Parts { transform, classify, alloc, extra, memory, .. } = self;
        let version = self.wit.split_once("package tidegate:destination@").map_or("", |(_, rest)| &rest[..5]);
        let endpoint = if version == "0.1.0" { "" } else { "i32 i32" };
        let text = format!(
            r#"(module
            (memory (export "memory") {memory})
            (table $table 1 funcref)
            (global $free (mut i32) (i32.const 1024))
            (global $calls (mut i32) (i32.const 0))
            (data (i32.const 8) "events")
            (data (i32.const 16) "\ff\fe not text")
            (func $alloc (param $size i32) (result i32) {alloc})
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $alloc (local.get 3)))
            (func (export "tidegate:destination/plugin@{version}#transform") (param $in i32) (result i32)
                (local $out i32) (local $body i32) {transform})
            (func (export "tidegate:destination/plugin@{version}#classify")
                (param {endpoint} i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32) (result i32) {classify})
            {extra})"#
        );
        wat::parse_str(text).expect("the test's module is well-formed")
    }

    /// The component, without a manifest.
    pub fn bare(&self) -> Vec<u8> {
        let mut module = self.module();
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve.push_str("destination.wit", self.wit).expect("the test's WIT is well-formed");
        let world = resolve.select_world(&[package], None).expect("the test's WIT has one world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
        // Not validated here: that is the sandbox's business.
        ComponentEncoder::default().module(&module).expect("module").encode().expect("component")
    }

    pub fn build(&self) -> Vec<u8> {
        embed(&self.bare(), self.manifest)
    }
}

pub fn transform(transform: &str) -> Vec<u8> {
    Parts { transform, ..Parts::default() }.build()
}

pub fn good() -> Vec<u8> {
    Parts::default().build()
}

pub fn sandbox() -> Sandbox {
    Sandbox::new(Options { instances_max: 4, ..Options::default() }).expect("a sandbox")
}

pub fn event() -> contract::Event {
    contract::Event {
        id: "event-1".into(),
        name: "purchase".into(),
        kind: contract::EventKind::Track,
        at_ms: 1,
        received_ms: 2,
        anonymous_id: Some("anonymous".into()),
        user_id: None,
        identifiers: vec![contract::Identifier { key: "email".into(), value: "a@example.com".into() }],
        clicks: vec![contract::ClickId { kind: "gclid".into(), value: "G-1".into(), seen_ms: 3 }],
        cookies: vec![("_fbp".into(), "fb.1.2.3".into())],
        page: Some(contract::Page { url: Some("https://shop.example/".into()), title: None, referrer: None }),
        client: Some(contract::Client {
            ip: Some("192.0.2.1".into()),
            user_agent: None,
            locale: Some("de-AT".into()),
            region: None,
        }),
        session: Some(contract::Session { id: "s".into(), number: Some(1), engagement_ms: None }),
        consent: contract::Consent {
            granted: contract::Purposes::ANALYTICS | contract::Purposes::AD_USER_DATA,
            denied: contract::Purposes::AD_PERSONALIZATION,
            gpc: true,
            limited_data_use: false,
        },
        value: Some(10.5),
        currency: Some("EUR".into()),
        order_id: None,
        items: vec![contract::Item {
            id: Some("sku".into()),
            name: None,
            quantity: Some(2.0),
            price: None,
            brand: None,
            category: None,
            variant: Some("red".into()),
            properties: "{}".into(),
        }],
        properties: r#"{"coupon":"X"}"#.into(),
    }
}

pub fn context() -> Context {
    Context { now_ms: 1, seed: 2, attempt: 1, test_mode: false, config: "{}".into() }
}

pub fn response() -> Response {
    Response {
        endpoint: "events".into(),
        status: 200,
        headers: vec![("content-type".into(), "text/plain".into())],
        body: b"ok".to_vec(),
    }
}

/// The body of the one request that a plugin makes of the event.
pub fn body(plugin: &Plugin) -> String {
    match plugin.transform(&event(), &context()) {
        Ok(Transformed::Requests(requests)) if requests.len() == 1 => {
            String::from_utf8(requests[0].body.clone()).expect("text")
        }
        other => panic!("one request, not {other:?}"),
    }
}
