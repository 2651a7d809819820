//! `instance = "per-batch"`: who shares an instance, and who never does; and guests that are heavy.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::{ANSWER, MANIFEST, Parts, context, event, sandbox};
use tidegate_sandbox::contract::{Context, Event};
use tidegate_sandbox::{CallError, EVENTS_PER_INSTANCE_MAX, Plugin, Transformed};

fn per_batch() -> String {
    format!("{MANIFEST}instance = \"per-batch\"\n")
}

fn sharing(transform: &str) -> Plugin {
    sandbox().load(&Parts { transform, manifest: &per_batch(), ..Parts::default() }.build()).unwrap()
}

fn events(ids: &[&str]) -> Vec<(Event, Context)> {
    ids.iter().map(|id| (Event { id: (*id).to_owned(), ..event() }, context())).collect()
}

/// The bodies of the requests, which end in the number of the call in its instance; what failed is `!`.
fn bodies(plugin: &Plugin, ids: &[&str]) -> Vec<String> {
    let body = |answer: Result<Transformed, CallError>| match answer {
        Ok(Transformed::Requests(requests)) => String::from_utf8(requests[0].body.clone()).unwrap(),
        Ok(other) => panic!("one request, not {other:?}"),
        Err(_) => "!".to_owned(),
    };
    plugin.transform_each(&events(ids)).into_iter().map(body).collect()
}

#[test]
fn events_of_one_request_share_an_instance_where_the_manifest_says_so() {
    let plugin = sharing(ANSWER);
    assert_eq!(bodies(&plugin, &["a", "b", "c"]), ["a1", "b2", "c3"]);
    assert_eq!(bodies(&plugin, &["d", "e"]), ["d1", "e2"], "nothing of one request is there for the next");
    assert_eq!(bodies(&plugin, &[]), [""; 0]);
}

#[test]
fn events_share_nothing_where_it_does_not() {
    let plugin = sandbox().load(&support::good()).unwrap();
    assert_eq!(bodies(&plugin, &["a", "b", "c"]), ["a1", "b1", "c1"]);
}

#[test]
fn one_event_alone_and_an_answer_never_meet_what_others_left() {
    let plugin = sharing(ANSWER);
    assert_eq!(bodies(&plugin, &["a", "b"]), ["a1", "b2"]);
    assert_eq!(support::body(&plugin), "event-11");
    // Its verdict is the number of calls before it, were there any: `retry` is 1.
    let classify = "(i32.store8 (local.tee 0 (call $alloc (i32.const 24))) (global.get $calls)) (local.get 0)";
    let plugin = Parts { classify, manifest: &per_batch(), ..Parts::default() }.build();
    let plugin = sandbox().load(&plugin).unwrap();
    assert_eq!(bodies(&plugin, &["a"]), ["a1"]);
    let verdict = plugin.classify(&support::response(), 1, &context());
    assert_eq!(verdict, Ok(tidegate_sandbox::contract::Verdict::Delivered));
}

#[test]
fn an_instance_is_given_so_many_events_and_no_more() {
    let plugin = sharing(ANSWER);
    let ids: Vec<String> = (0..2 * EVENTS_PER_INSTANCE_MAX + 1).map(|n| n.to_string()).collect();
    let answers = plugin.transform_each(&events(&ids.iter().map(String::as_str).collect::<Vec<_>>()));
    let call = |answer: &Result<Transformed, CallError>| match answer {
        Ok(Transformed::Requests(requests)) => usize::from(requests[0].body.last().unwrap().wrapping_sub(b'0')),
        other => panic!("one request, not {other:?}"),
    };
    let calls: Vec<usize> = answers.iter().map(call).collect();
    let expected: Vec<usize> = (0..ids.len()).map(|n| n % EVENTS_PER_INSTANCE_MAX + 1).collect();
    assert_eq!(calls, expected);
}

#[test]
fn a_trap_takes_the_instance_with_it_and_nobody_elses_event() {
    // Traps on an id that begins with `x`.
    let trap = "(if (i32.eq (i32.load8_u (i32.load (local.get $in))) (i32.const 120)) (then unreachable))";
    let plugin = sharing(&format!("{trap}{ANSWER}"));
    assert_eq!(bodies(&plugin, &["a", "b", "x", "c", "d"]), ["a1", "b2", "!", "c1", "d2"]);
    assert_eq!(bodies(&plugin, &["x", "x", "a"]), ["!", "!", "a1"]);
}

#[test]
fn an_event_does_not_pay_for_the_memory_that_others_took() {
    // Grows by 6 of the 16 pages that the manifest allows, for each event: the third finds too little.
    let grow = "(if (i32.eq (memory.grow (i32.const 6)) (i32.const -1)) (then unreachable))";
    let plugin = sharing(&format!("{grow}{ANSWER}"));
    assert_eq!(bodies(&plugin, &["a", "b", "c", "d", "e"]), ["a1", "b2", "c1", "d2", "e1"]);
}

#[test]
fn an_event_that_wants_too_much_alone_fails_in_its_own_words() {
    let grow = "(if (i32.eq (memory.grow (i32.const 15)) (i32.const -1)) (then unreachable))";
    let answers = sharing(&format!("{grow}{ANSWER}")).transform_each(&events(&["a", "b"]));
    assert!(answers.iter().all(|answer| matches!(answer, Err(CallError::Memory { .. }))), "{answers:?}");
}

#[test]
fn each_event_has_an_output_of_its_own() {
    // 30 kB a request; the manifest allows 64 KiB a call, and three events return more than that.
    let long = ANSWER.replace(
        "(i32.store offset=52 (local.get $out) (i32.add (i32.load offset=4 (local.get $in)) (i32.const 1)))",
        "(i32.store offset=52 (local.get $out) (i32.const 30000))",
    );
    let answers = sharing(&long).transform_each(&events(&["a", "b", "c", "d", "e"]));
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

/// A plugin that starts with as much memory as an interpreter has.
fn heavy(manifest: &str) -> Vec<u8> {
    let manifest = manifest.replace("memory_max = \"1MiB\"", "memory_max = \"16MiB\"");
    Parts { memory: "200", manifest: &manifest, ..Parts::default() }.build()
}

#[test]
fn a_heavy_guest_runs_beside_light_ones_and_where_it_holds_up_nobody() {
    let sandbox = sandbox();
    let light = sandbox.load(&support::good()).unwrap();
    let plugins = [sandbox.load(&heavy(MANIFEST)).unwrap(), sandbox.load(&heavy(MANIFEST)).unwrap()];
    for plugin in &plugins {
        assert!(plugin.is_slow(), "before it was ever run");
        assert_eq!(bodies(plugin, &["a", "b"]), ["a1", "b1"]);
    }
    assert_eq!(bodies(&light, &["a"]), ["a1"]);
    assert!(!light.is_slow());
}

#[test]
fn a_heavy_guest_may_share_an_instance_as_any_other() {
    let plugin = sandbox().load(&heavy(&per_batch())).unwrap();
    assert_eq!(bodies(&plugin, &["a", "b"]), ["a1", "b2"]);
    assert_eq!(bodies(&plugin, &["c"]), ["c1"]);
}

#[test]
fn a_heavy_guests_memory_is_clean_for_the_next_event() {
    let leaves =
        "(if (i32.load (i32.const 12000000)) (then unreachable)) (i32.store (i32.const 12000000) (i32.const 1))";
    let manifest = MANIFEST.replace("memory_max = \"1MiB\"", "memory_max = \"16MiB\"");
    let transform = format!("{leaves}{ANSWER}");
    let parts = Parts { memory: "200", manifest: &manifest, transform: &transform, ..Parts::default() };
    let plugin = sandbox().load(&parts.build()).unwrap();
    for _ in 0..50 {
        assert_eq!(bodies(&plugin, &["a"]), ["a1"]);
    }
}
