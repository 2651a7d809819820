//! Hostile plugins: each costs one event at its own destination, or is not even started.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::{Value, json};
use tidegate_plugin_sdk::manifest::embed;
use tidegate_tests::plugin::{self, MANIFEST, Parts};
use tidegate_tests::{HOOK, Settings, Stack};

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": "cust_12345", "message_id": id })
}

fn settings(wasm: Vec<u8>) -> Settings {
    let more = format!("{}{HOOK}", plugin::destination("evil", "evil.wasm"));
    Settings { more, files: vec![("evil.wasm", wasm)], ..Settings::hook() }
}

/// Sends an event to the hostile destination and to a good one; gives what is said of the hostile one.
async fn costs_its_own_event(wasm: Vec<u8>) -> String {
    let stack = Stack::with(settings(wasm)).await;
    for id in ["e1", "e2"] {
        stack.take(&event(id)).await;
        stack.outcome(id, "hook", "delivered").await;
    }
    let part = stack.outcome("e2", "evil", "dead").await;
    assert_eq!((&part["attempts"], &part["plugin"]), (&json!([]), &json!("by-hand 0.1.0")));
    assert_eq!(part["deliveries"][0]["saw"]["user_id"], "cust_12345", "what it saw is kept: {part:#}");
    assert_eq!(part["deliveries"][0]["request"], Value::Null);
    assert_eq!(stack.platforms.webhook.requests_count(), 2, "the good one's, and nothing else");
    let letters = stack.dead_letters("evil").await;
    assert_eq!((letters.len(), &letters[0]["reason"]), (2, &part["reason"]));
    part["reason"].as_str().unwrap().to_owned()
}

async fn transforming(transform: &str) -> String {
    costs_its_own_event(Parts { transform, ..Parts::default() }.build()).await
}

/// A `transform` that returns one request; the closure fills the 40 bytes at `$body`: endpoint, path, query, headers and
/// body, each a pointer and a length.
fn request(fields: &[(u32, &str)]) -> String {
    let stores = fields.iter().map(|(offset, value)| format!("(i32.store offset={offset} (local.get $body) {value})"));
    format!(
        "(local.set $out (call $alloc (i32.const 64)))
        (local.set $body (i32.add (local.get $out) (i32.const 16)))
        (i32.store offset=4 (local.get $out) (local.get $body))
        (i32.store offset=8 (local.get $out) (i32.const 1))
        (i32.store offset=0 (local.get $body) (i32.const 8))
        (i32.store offset=4 (local.get $body) (i32.const 6))
        {}
        (local.get $out)",
        stores.collect::<String>()
    )
}

/// A plugin whose one request has the header whose name and value stand at 512, of these lengths.
fn with_header(name: &str, value: &str) -> Vec<u8> {
    let escape = |text: &str| text.bytes().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let (name_len, value_at, value_len) = (name.len(), 512 + name.len(), value.len());
    let list = format!(
        "(i32.store (i32.const 3072) (i32.const 512))
        (i32.store (i32.const 3076) (i32.const {name_len}))
        (i32.store (i32.const 3080) (i32.const {value_at}))
        (i32.store (i32.const 3084) (i32.const {value_len}))"
    );
    let transform = format!("{list}{}", request(&[(24, "(i32.const 3072)"), (28, "(i32.const 1)")]));
    let data = format!("{}{}", escape(name), escape(value));
    Parts { transform: &transform, data: &data, ..Parts::default() }.build()
}

#[tokio::test]
async fn a_good_plugin_by_hand_is_delivered() {
    let stack = Stack::with(settings(Parts::default().build())).await;
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "evil", "delivered").await;
    assert_eq!(part["deliveries"][0]["request"]["body"], json!({ "text": "e" }));
    let stack = Stack::with(settings(with_header("x-custom", "value"))).await;
    stack.take(&event("e")).await;
    stack.outcome("e", "evil", "delivered").await;
    let requests = stack.platforms.webhook.requests();
    assert!(requests.iter().any(|request| request.path == "/events" && request.header("x-custom") == Some("value")));
}

#[tokio::test]
async fn an_endless_loop_costs_one_event() {
    let reason = transforming("(loop $again (br $again)) unreachable").await;
    assert_eq!(reason, "transform failed: ran for more than 20 ms and was stopped");
}

#[tokio::test]
async fn a_memory_hog_costs_one_event() {
    let reason = transforming("(loop $again (drop (memory.grow (i32.const 1))) (br $again)) unreachable").await;
    assert_eq!(reason, "transform failed: wanted more than 1MiB of memory and was stopped");
}

#[tokio::test]
async fn a_crash_costs_one_event() {
    let reason = transforming("unreachable").await;
    assert_eq!(reason, "transform failed: crashed: it stopped itself (a panic, or out of memory)");
}

#[tokio::test]
async fn an_output_of_100_megabytes_costs_one_event() {
    // 3000 requests that share one body of 60 kB: 180 MB, were they copied.
    let many = "(local.set $body (i32.const 8192))
        (loop $again
            (i32.store offset=32 (local.get $body) (i32.const 0))
            (i32.store offset=36 (local.get $body) (i32.const 60000))
            (local.set $body (i32.add (local.get $body) (i32.const 40)))
            (br_if $again (i32.lt_u (local.get $body) (i32.const 128192))))
        (local.set $out (i32.const 4096))
        (i32.store8 (local.get $out) (i32.const 0))
        (i32.store offset=4 (local.get $out) (i32.const 8192))
        (i32.store offset=8 (local.get $out) (i32.const 3000))
        (local.get $out)";
    assert_eq!(transforming(many).await, "transform failed: returned more than 65536 bytes");
    let long = request(&[(32, "(i32.const 0)"), (36, "(i32.const 100000000)")]);
    let reason = transforming(&long).await;
    assert_eq!(reason, "transform failed: returned nonsense: list pointer/length out of bounds of memory");
}

#[tokio::test]
async fn text_that_is_not_utf8_costs_one_event() {
    let transform = request(&[(0, "(i32.const 512)"), (4, "(i32.const 2)")]);
    let wasm = Parts { transform: &transform, data: r"\ff\fe", ..Parts::default() }.build();
    assert_eq!(costs_its_own_event(wasm).await, "transform failed: returned nonsense: text that is not UTF-8");
}

#[tokio::test]
async fn an_endpoint_that_is_not_the_manifests_costs_one_event() {
    let evil = "https://evil.example/";
    let transform = request(&[(0, "(i32.const 512)"), (4, &format!("(i32.const {})", evil.len()))]);
    let wasm = Parts { transform: &transform, data: evil, ..Parts::default() }.build();
    let reason = costs_its_own_event(wasm).await;
    assert_eq!(reason, "transform failed: `https://evil.example/` is no endpoint of the manifest");
}

#[tokio::test]
async fn a_header_that_is_not_a_plugins_to_set_costs_one_event() {
    let reason = costs_its_own_event(with_header("Authorization", "Bearer stolen")).await;
    assert_eq!(reason, "transform failed: the header `authorization` is not a plugin's to set");
    let reason = costs_its_own_event(with_header("webhook-signature", "v1,AAAA")).await;
    assert_eq!(reason, "transform failed: the header `webhook-signature` is not a plugin's to set");
}

#[tokio::test]
async fn a_header_that_smuggles_another_costs_one_event() {
    let reason = costs_its_own_event(with_header("x-a", "b\r\nhost: evil.example")).await;
    assert_eq!(reason, "transform failed: the value of header `x-a` cannot be sent");
    let reason = costs_its_own_event(with_header("x-a: b\r\nhost", "evil.example")).await;
    assert!(reason.starts_with("transform failed: ") && reason.contains("is no name of a header"), "{reason}");
}

#[tokio::test]
async fn a_plugin_that_misreads_every_answer_costs_its_own_events() {
    let classify = "(loop $again (br $again)) unreachable";
    let stack = Stack::with(settings(Parts { classify, ..Parts::default() }.build())).await;
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "evil", "dead").await;
    assert_eq!(
        part["reason"],
        "rejected: HTTP 200, and classifying it failed: ran for more than 20 ms and was stopped"
    );
    stack.outcome("e", "hook", "delivered").await;
}

/// What is said of a gateway that does not start.
async fn refusal(wasm: Vec<u8>) -> String {
    let said = Stack::try_start(settings(wasm)).await.unwrap_err();
    assert!(said.contains("error: plugin refused: "), "{said}");
    assert!(said.contains(": destination `evil` in tidegate.toml, line 3"), "{said}");
    said
}

#[tokio::test]
async fn a_plugin_that_wants_wasi_is_refused_with_what_it_would_allow() {
    let wasm = plugin::component(
        r#"(component
            (import "wasi:filesystem/types@0.2.6" (instance))
            (import "wasi:sockets/tcp@0.2.6" (instance)))"#,
    );
    let said = refusal(wasm).await;
    assert!(said.contains("imports `wasi:filesystem/types@0.2.6` (would read and write files)"), "{said}");
    assert!(said.contains("wasm32-unknown-unknown"), "with a hint: {said}");
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let said = refusal(Parts::default().module()).await;
    assert!(said.contains("is a core module, not a WebAssembly component"), "{said}");
    let said = refusal(b"\x7fELF\x02\x01\x01".to_vec()).await;
    assert!(said.contains("is machine code"), "{said}");
}

#[tokio::test]
async fn a_plugin_without_a_manifest_or_with_two_is_refused() {
    let said = refusal(Parts::default().bare()).await;
    assert!(said.contains("has no `tidegate:manifest` section"), "{said}");
    let said = refusal(embed(&Parts::default().build(), MANIFEST)).await;
    assert!(said.contains("has more than one `tidegate:manifest` section"), "{said}");
}

#[tokio::test]
async fn a_plugin_whose_start_does_not_end_is_refused() {
    let extra = "(func $start (loop $again (br $again))) (start $start)";
    let said = refusal(Parts { extra, ..Parts::default() }.build()).await;
    assert!(said.contains("does not start: ran for more than 20 ms and was stopped"), "{said}");
}
