//! A well-behaved plugin: what goes in and comes out, and that nothing stays behind.

mod support;

use std::thread;

use support::{Parts, body, context, event, good, response, sandbox};
use tidegate_sandbox::contract::{Request, Verdict};
use tidegate_sandbox::{Plugin, Transformed, inspect};

#[test]
fn an_event_becomes_the_requests_that_the_plugin_returns() {
    let plugin = sandbox().load(&good()).unwrap();
    let request = Request {
        endpoint: "events".into(),
        path: Vec::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: b"event-11".to_vec(),
    };
    assert_eq!(plugin.transform(&event(), &context()), Ok(Transformed::Requests(vec![request])));
    assert_eq!(plugin.classify(&response(), 1, &context()), Ok(Verdict::Delivered));
}

#[test]
fn nothing_is_carried_from_one_event_to_the_next() {
    let plugin = sandbox().load(&good()).unwrap();
    // The last byte of the body counts the calls that the instance has seen.
    let bodies: Vec<String> = (0..100).map(|_| body(&plugin)).collect();
    assert!(bodies.iter().all(|body| body == "event-11"), "{bodies:?}");
}

#[test]
fn memory_is_clean_for_the_next_event() {
    // Answers with what the last event left at 120000, which lies in the part of the memory that is cleared by hand, and
    // at 900000, which is given back to the system. Then leaves something at both.
    let transform = "(local.set $out (i32.const 512))
        (drop (memory.grow (i32.const 12)))
        (i32.store offset=4 (local.get $out) (i32.const 544))
        (i32.store offset=8 (local.get $out) (i32.const 1))
        (i32.store offset=576 (i32.const 0) (i32.const 600))
        (i32.store offset=580 (i32.const 0) (i32.const 2))
        (i32.store8 (i32.const 600) (i32.add (i32.const 48) (i32.load8_u (i32.const 120000))))
        (i32.store8 (i32.const 601) (i32.add (i32.const 48) (i32.load8_u (i32.const 900000))))
        (i32.store8 (i32.const 120000) (i32.const 1))
        (i32.store8 (i32.const 900000) (i32.const 1))
        (local.get $out)";
    let plugin = sandbox().load(&support::transform(transform)).unwrap();
    for _ in 0..50 {
        assert_eq!(body(&plugin), "00");
    }
}

#[test]
fn the_same_event_gives_the_same_bytes_on_every_thread() {
    let plugin = sandbox().load(&good()).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let plugin = plugin.clone();
            thread::spawn(move || (0..50).map(|_| body(&plugin)).collect::<Vec<_>>())
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap().iter().all(|body| body == "event-11"));
    }
}

#[test]
fn a_plugin_outlives_its_sandbox() {
    let plugin = {
        let sandbox = sandbox();
        sandbox.load(&Parts { classify: "(loop $again (br $again)) unreachable", ..Parts::default() }.build()).unwrap()
    };
    assert_eq!(body(&plugin), "event-11");
    // And is still stopped when it does not stop by itself.
    assert!(plugin.classify(&response(), 1, &context()).is_err());
}

#[test]
fn a_plugin_that_takes_milliseconds_is_slow() {
    let sandbox = sandbox();
    let quick = sandbox.load(&good()).unwrap();
    let slow = Parts { classify: "(loop $again (br $again)) unreachable", ..Parts::default() };
    let slow = sandbox.load(&slow.build()).unwrap();
    let _ = slow.classify(&response(), 1, &context());
    assert!(slow.is_slow());
    // Quick again, it is forgiven after a while; a busy machine makes a call slow now and then.
    let becomes_quick = |plugin: &Plugin| {
        (0..10_000).any(|_| {
            body(plugin);
            !plugin.is_slow()
        })
    };
    assert!(becomes_quick(&quick));
    assert!(becomes_quick(&slow));
}

#[test]
fn an_inspection_tells_what_a_component_is_without_running_it() {
    let wasm = good();
    let seen = inspect(&wasm).unwrap();
    assert_eq!(seen.exports, ["tidegate:destination/plugin@0.2.0"]);
    assert_eq!((seen.modules, seen.memories.len(), seen.tables.len()), (1, 1, 1));
    assert_eq!(seen.memories[0].initial, 131_072);
    assert_eq!(seen.manifest.name, "by-hand");
    assert_eq!(seen.size, wasm.len());
    let plugin = sandbox().load(&wasm).unwrap();
    assert_eq!(plugin.digest(), &seen.digest);
    assert_eq!(plugin.inspection(), &seen);
    let json = serde_json::to_value(&seen).unwrap();
    assert_eq!(json["manifest"]["limits"]["memory_max"], "1MiB");
    assert_eq!(json["imports"], serde_json::json!([]));
}
