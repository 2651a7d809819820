//! Every built-in plugin as the component that is shipped, in the sandbox that runs it: it gives what its fixtures say,
//! and its small stack and memory hold even an event that somebody made to break them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use serde_json::{Value, json};
use tidegate_plugin_sdk::testing::{Calls, run_with};
use tidegate_plugin_sdk::{Event, Identifier, Item, Response};
use tidegate_plugins::BUILT_IN;
use tidegate_sandbox::fixtures::{classify, embedded_failures, transform};
use tidegate_sandbox::{CallError, Options, Plugin, Sandbox};

fn for_every_built_in(check: impl Fn(&str, &Plugin)) {
    let sandbox = Sandbox::new(Options::default()).unwrap();
    for built_in in BUILT_IN {
        let plugin = sandbox.load(built_in.wasm).unwrap();
        check(&format!("{}/../{}", env!("CARGO_MANIFEST_DIR"), built_in.name), &plugin);
    }
}

fn told<T>(answer: Result<T, CallError>) -> Result<T, String> {
    answer.map_err(|error| error.to_string())
}

#[test]
fn every_component_gives_what_its_fixtures_say() {
    for_every_built_in(|dir, plugin| {
        let failures: Vec<String> = embedded_failures(plugin).iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{dir}:\n{}", failures.join("\n"));
    });
}

#[test]
fn an_event_made_to_break_a_plugin_fits_in_its_stack_and_its_memory() {
    for_every_built_in(|dir, plugin| {
        let calls = Calls {
            transform: &|event, ctx| {
                let _ = told(transform(plugin, &enlarged(event.clone()), &ctx))?;
                told(transform(plugin, &event, &ctx))
            },
            classify: &|response, count, ctx| {
                for body in [deep(10_000).into_bytes(), "é".repeat(30_000).into_bytes(), vec![0xff; 64 << 10]] {
                    let odd = Response { body, ..response.clone() };
                    told(classify(plugin, &odd, count, &ctx))?;
                }
                told(classify(plugin, &response, count, &ctx))
            },
        };
        run_with(dir, &calls);
    });
}

/// A JSON array in an array, so many deep.
fn deep(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

/// The event with everything that takes stack, because it is nested as deep as JSON parsers allow, or memory.
fn enlarged(mut event: Event) -> Event {
    let nested = |text: &str| {
        let mut properties: Value = serde_json::from_str(text).unwrap();
        properties["deep"] = serde_json::from_str(&deep(120)).unwrap();
        properties["long"] = json!("\u{1}\"é".repeat(2_000));
        properties.to_string()
    };
    event.properties = nested(&event.properties);
    let item = event.items.first().cloned().unwrap_or(Item {
        id: Some("sku".into()),
        name: Some("n".repeat(500)),
        quantity: Some(1e308),
        price: Some(-1e-308),
        brand: None,
        category: Some("a/b/c/d/e/f".into()),
        variant: None,
        properties: "{}".into(),
    });
    event.items = vec![Item { properties: nested("{}"), ..item }; 20];
    event.identifiers.extend((0..200).map(|n| Identifier { key: format!("trait_{n}"), value: "v".repeat(200) }));
    event.at_ms = u64::MAX;
    event
}
