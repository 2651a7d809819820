//! What a call used: fuel, memory and time; and what a plugin said when it panicked.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::{ANSWER, Parts, context, event, good, response, transform};
use tidegate_sandbox::{CallError, Metering, Options, Plugin, Sandbox, Usage};

fn metered(wasm: &[u8]) -> Plugin {
    let options = Options { instances_max: 4, metering: Metering::Fuel, ..Options::default() };
    Sandbox::new(options).unwrap().load(wasm).unwrap()
}

fn used(plugin: &Plugin) -> Usage {
    let (answer, usage) = plugin.transform_metered(&event(), &context());
    answer.unwrap();
    usage
}

#[test]
fn the_same_event_costs_the_same_fuel_wherever_it_runs() {
    let fuel = used(&metered(&good())).fuel.unwrap();
    assert!(fuel > 10, "{fuel}");
    let plugin = metered(&good());
    for _ in 0..3 {
        assert_eq!(used(&plugin).fuel, Some(fuel));
    }
}

#[test]
fn more_work_costs_more_fuel() {
    let loops = format!(
        "(loop $again (local.set $body (i32.add (local.get $body) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $body) (i32.const 100000)))) {ANSWER}"
    );
    let (little, much) = (used(&metered(&good())), used(&metered(&transform(&loops))));
    assert!(much.fuel.unwrap() > little.fuel.unwrap() + 300_000, "{little:?} {much:?}");
}

#[test]
fn memory_and_tables_are_told_in_bytes() {
    let usage = used(&metered(&good()));
    assert_eq!(usage.memory_bytes, 131_072 + 8, "two pages, and a table of one");
    let grown = format!("(drop (memory.grow (i32.const 3))) {ANSWER}");
    assert_eq!(used(&metered(&transform(&grown))).memory_bytes, 5 * 65_536 + 8);
}

#[test]
fn fuel_stops_nothing_that_the_time_allows() {
    let endless = metered(&transform("(loop $again (br $again)) unreachable"));
    assert_eq!(endless.transform(&event(), &context()), Err(CallError::Timeout { limit_ms: 20 }));
}

#[test]
fn the_gateway_counts_no_fuel() {
    let plugin = support::sandbox().load(&good()).unwrap();
    assert_eq!(used(&plugin).fuel, None);
    assert_eq!(plugin.classify_metered(&response(), 1, &context()).1.fuel, None);
}

#[test]
fn a_panic_is_told_in_the_plugins_own_words() {
    let said = "src/lib.rs:7:9:\\nno price";
    let note = format!(r#"(data (i32.const 600) "tidegate\f5panic\f5\01\18\00\00\00{said}")"#);
    let wasm = Parts { transform: "unreachable", extra: &note, ..Parts::default() }.build();
    let plugin = support::sandbox().load(&wasm).unwrap();
    let expected = CallError::Trap("src/lib.rs:7:9: no price".into());
    assert_eq!(plugin.transform(&event(), &context()), Err(expected.clone()));
    assert_eq!(expected.to_string(), "crashed: src/lib.rs:7:9: no price");
}

#[test]
fn a_trap_that_is_no_panic_is_told_as_what_it_is() {
    let note = r#"(data (i32.const 600) "tidegate\f5panic\f5\01\04\00\00\00lies")"#;
    let divides = "(i32.div_u (i32.const 1) (i32.const 0))";
    let plugin =
        support::sandbox().load(&Parts { transform: divides, extra: note, ..Parts::default() }.build()).unwrap();
    let error = plugin.transform(&event(), &context()).unwrap_err();
    assert_eq!(error, CallError::Trap("integer divide by zero".into()));
}
