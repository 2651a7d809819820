//! Plugins that do what they must not while they run: each costs its own call, and nothing else. What the sandbox says of
//! them, type by type; the catalogue of all of them, through the whole gateway, is `tests/tests/hostile`.

mod support;

use std::thread;

use support::{Parts, body, context, event, good, response, sandbox, transform};
use tidegate_sandbox::contract::{Outcome, Verdict};
use tidegate_sandbox::manifest::Size;
use tidegate_sandbox::{CallError, LoadError, Options, Sandbox, Transformed};

const MEMORY: CallError = CallError::Memory { limit: Size(1 << 20) };
const TIMEOUT: CallError = CallError::Timeout { limit_ms: 20 };
const TOO_MANY_BYTES: CallError = CallError::OutputTooLarge { what: "bytes", limit: 64 << 10 };

/// Loads it beside a good plugin, runs it, and sees that the good one works as before.
fn failure(wasm: &[u8]) -> CallError {
    let sandbox = sandbox();
    let well_behaved = sandbox.load(&good()).expect("the good plugin loads");
    let hostile = sandbox.load(wasm).expect("it looks harmless");
    let error = hostile.transform(&event(), &context()).expect_err("it fails");
    assert_eq!(hostile.transform(&event(), &context()), Err(error.clone()), "it fails the same way again");
    assert_eq!(body(&well_behaved), "event-11");
    error
}

/// The message of a `Malformed`.
fn malformed(wasm: &[u8]) -> String {
    match failure(wasm) {
        CallError::Malformed(message) => message,
        other => panic!("malformed, not {other:?}"),
    }
}

fn trap(wasm: &[u8]) -> String {
    match failure(wasm) {
        CallError::Trap(message) => message,
        other => panic!("a trap, not {other:?}"),
    }
}

/// A `transform` that returns `list` (pointer and length) of requests.
fn returning(pointer: &str, length: &str) -> String {
    format!(
        "(local.set $out (call $alloc (i32.const 16)))
        (i32.store8 (local.get $out) (i32.const 0))
        (i32.store offset=4 (local.get $out) {pointer})
        (i32.store offset=8 (local.get $out) {length})
        (local.get $out)"
    )
}

/// A `transform` that returns one request whose endpoint and body are these ranges of memory.
fn request(endpoint: (u32, u32), body: (u32, u32)) -> Vec<u8> {
    let (endpoint_at, endpoint_len) = endpoint;
    let (body_at, body_len) = body;
    transform(&format!(
        "(i32.store (i32.const 512) (i32.const {endpoint_at}))
        (i32.store (i32.const 516) (i32.const {endpoint_len}))
        (i32.store (i32.const 544) (i32.const {body_at}))
        (i32.store (i32.const 548) (i32.const {body_len}))
        {}",
        returning("(i32.const 512)", "(i32.const 1)")
    ))
}

#[test]
fn an_endless_loop_is_stopped() {
    assert_eq!(failure(&transform("(loop $again (br $again)) unreachable")), TIMEOUT);
}

#[test]
fn an_endless_loop_while_it_is_given_the_event_is_stopped() {
    let wasm = Parts { alloc: "(loop $again (br $again)) unreachable", ..Parts::default() }.build();
    assert_eq!(failure(&wasm), TIMEOUT);
}

#[test]
fn an_endless_loop_in_classify_is_stopped() {
    let wasm = Parts { classify: "(loop $again (br $again)) unreachable", ..Parts::default() }.build();
    let plugin = sandbox().load(&wasm).unwrap();
    assert_eq!(plugin.classify(&response(), 1, &context()), Err(TIMEOUT));
    assert_eq!(body(&plugin), "event-11", "its other function still works");
}

#[test]
fn a_memory_hog_is_stopped() {
    let hog = "(loop $again (drop (memory.grow (i32.const 1))) (br $again)) unreachable";
    assert_eq!(failure(&transform(hog)), MEMORY);
}

#[test]
fn failing_to_grow_earns_no_memory() {
    // Every second growth asks for more than a memory can have, which fails without the limit being asked.
    let hog = "(loop $again
        (drop (memory.grow (i32.const 1)))
        (drop (memory.grow (i32.const -1)))
        (br $again)) unreachable";
    assert_eq!(failure(&transform(hog)), MEMORY);
}

#[test]
fn growing_past_its_own_maximum_only_fails() {
    let wasm = Parts { memory: "2 3", transform: GROW_THEN_ANSWER, ..Parts::default() }.build();
    assert_eq!(body(&sandbox().load(&wasm).unwrap()), "event-11");
}

const GROW_THEN_ANSWER: &str = r#"
    (if (i32.ne (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))
    (local.set $out (call $alloc (i32.const 256)))
    (local.set $body (call $alloc (i32.const 8)))
    (i64.store (local.get $body) (i64.const 0x31312d746e657665))
    (i32.store offset=4 (local.get $out) (i32.add (local.get $out) (i32.const 16)))
    (i32.store offset=8 (local.get $out) (i32.const 1))
    (i32.store offset=48 (local.get $out) (local.get $body))
    (i32.store offset=52 (local.get $out) (i32.const 8))
    (local.get $out)"#;

#[test]
fn a_growing_table_counts_as_memory() {
    let hog = "(loop $again (drop (table.grow $table (ref.null func) (i32.const 1000))) (br $again)) unreachable";
    let wasm =
        Parts { transform: hog, manifest: &support::MANIFEST.replace("1MiB", "192KiB"), ..Parts::default() }.build();
    assert_eq!(failure(&wasm), CallError::Memory { limit: Size(192 << 10) });
}

#[test]
fn a_crash_costs_one_call() {
    assert_eq!(trap(&transform("unreachable")), "it stopped itself (a panic, or out of memory)");
    assert_eq!(trap(&transform("(i32.div_u (i32.const 1) (i32.const 0))")), "integer divide by zero");
    assert_eq!(trap(&transform("(i32.load (i32.const 10000000))")), "out of bounds memory access");
}

#[test]
fn endless_recursion_is_stopped() {
    let wasm = Parts {
        transform: "(call $deeper (i32.const 0))",
        extra: "(func $deeper (param i32) (result i32)
            (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))",
        ..Parts::default()
    };
    assert_eq!(trap(&wasm.build()), "it recursed too deeply");
}

#[test]
fn a_body_of_100_megabytes_that_is_not_there_is_nonsense() {
    assert_eq!(malformed(&request((8, 6), (0, 100_000_000))), "list pointer/length out of bounds of memory");
}

#[test]
fn more_bytes_than_allowed_are_refused_before_they_are_copied() {
    assert_eq!(failure(&request((8, 6), (0, 100_000))), TOO_MANY_BYTES);
}

#[test]
fn many_requests_that_share_one_body_count_each() {
    // 3000 requests fit into the memory; each claims the same 60 kB, which would be 180 MB on the host.
    let fill = "(local.set $body (i32.const 2048))
        (loop $again
            (i32.store offset=32 (local.get $body) (i32.const 0))
            (i32.store offset=36 (local.get $body) (i32.const 60000))
            (local.set $body (i32.add (local.get $body) (i32.const 40)))
            (br_if $again (i32.lt_u (local.get $body) (i32.const 122048))))";
    let wasm = transform(&format!("{fill} {}", returning("(i32.const 2048)", "(i32.const 3000)")));
    assert_eq!(failure(&wasm), TOO_MANY_BYTES);
}

#[test]
fn more_requests_than_allowed_are_refused() {
    let wasm = transform(&returning("(i32.const 65536)", "(i32.const 101)"));
    assert_eq!(failure(&wasm), CallError::OutputTooLarge { what: "requests", limit: 100 });
}

#[test]
fn text_that_is_not_utf8_is_nonsense() {
    assert_eq!(malformed(&request((16, 2), (0, 0))), "text that is not UTF-8");
}

#[test]
fn pointers_that_lead_nowhere_are_nonsense() {
    assert!(malformed(&request((0xffff_fff0, 64), (0, 0))).contains("out of bounds"));
    assert!(malformed(&transform("(i32.const 0x7fffffff)")).contains("not aligned"));
    assert!(malformed(&transform("(i32.const 0x7ffffff0)")).contains("out of bounds"));
    assert!(malformed(&transform(&returning("(i32.const 3)", "(i32.const 1)"))).contains("not aligned"));
}

#[test]
fn an_answer_of_no_kind_is_nonsense() {
    let wasm = transform(
        "(local.set $out (call $alloc (i32.const 16)))
        (i32.store8 (local.get $out) (i32.const 7)) (local.get $out)",
    );
    assert!(malformed(&wasm).contains("discriminant"), "{}", malformed(&wasm));
}

#[test]
fn an_allocator_that_hands_out_what_it_has_not_is_nonsense() {
    let wasm = Parts { alloc: "(i32.const 0x7ffffff0)", ..Parts::default() }.build();
    assert!(malformed(&wasm).contains("realloc return"), "{}", malformed(&wasm));
}

#[test]
fn outcomes_for_other_events_than_there_were_are_nonsense() {
    let classify = "(i32.store8 (i32.const 512) (i32.const 5))
        (i32.store offset=8 (i32.const 512) (i32.const 65536))
        (i32.store offset=12 (i32.const 512) (i32.const 2))
        (i32.const 512)";
    let plugin = sandbox().load(&Parts { classify, ..Parts::default() }.build()).unwrap();
    let delivered = Ok(Verdict::Each(vec![Outcome::Delivered, Outcome::Delivered]));
    assert_eq!(plugin.classify(&response(), 2, &context()), delivered);
    let error = plugin.classify(&response(), 3, &context());
    assert_eq!(error, Err(CallError::Malformed("2 outcomes for 3 events".into())));
}

#[test]
fn a_long_reason_is_cut() {
    let transform = "(i32.store8 (i32.const 512) (i32.const 1))
        (i32.store8 offset=4 (i32.const 512) (i32.const 1))
        (i32.store offset=8 (i32.const 512) (i32.const 65536))
        (i32.store offset=12 (i32.const 512) (i32.const 5000))
        (i32.const 512)";
    let plugin = sandbox().load(&support::transform(transform)).unwrap();
    assert_eq!(plugin.transform(&event(), &context()), Ok(Transformed::Invalid("\0".repeat(1024))));
}

#[test]
fn an_endless_start_is_stopped_when_it_is_loaded() {
    let extra = "(func $start (loop $again (br $again))) (start $start)";
    let refused = sandbox().load(&Parts { extra, ..Parts::default() }.build()).err();
    assert_eq!(refused, Some(LoadError::Start(TIMEOUT)));
}

#[test]
fn a_start_that_crashes_is_refused() {
    let extra = "(func $start unreachable) (start $start)";
    let refused = sandbox().load(&Parts { extra, ..Parts::default() }.build()).err();
    assert!(matches!(refused, Some(LoadError::Start(CallError::Trap(_)))), "{refused:?}");
}

#[test]
fn one_more_than_the_pool_holds_is_busy_and_no_more_than_that() {
    let sandbox = Sandbox::new(Options { instances_max: 1, ..Options::default() }).unwrap();
    let manifest = support::MANIFEST.replace("time_max_ms = 20", "time_max_ms = 1000");
    let endless = Parts { classify: "(loop $again (br $again)) unreachable", manifest: &manifest, ..Parts::default() };
    let (endless, well_behaved) = (sandbox.load(&endless.build()).unwrap(), sandbox.load(&good()).unwrap());
    // The other's call may be under way when this one begins.
    let hold = move || loop {
        match endless.classify(&response(), 1, &context()) {
            Err(CallError::Busy) => {}
            other => return other,
        }
    };
    let holder = thread::spawn(hold);
    let mut refused = None;
    while refused.is_none() && !holder.is_finished() {
        refused = well_behaved.transform(&event(), &context()).err();
    }
    assert_eq!(refused, Some(CallError::Busy));
    assert_eq!(holder.join().unwrap(), Err(CallError::Timeout { limit_ms: 1000 }));
    assert_eq!(body(&well_behaved), "event-11");
}
