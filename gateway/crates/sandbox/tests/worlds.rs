//! Every version of the contract that this gateway runs, side by side; and components that were built for each when it was
//! the newest, which are kept for ever.

mod support;

use support::{MANIFEST, Parts, WIT_BEFORE, body, context, event, good, response, sandbox};
use tidegate_sandbox::contract::{Context, Verdict};
use tidegate_sandbox::manifest::WORLDS;
use tidegate_sandbox::{LoadError, Transformed};

/// By the plugin SDK of its time: the built-in webhook, as `plugin build` made it.
const BUILT: [(&str, &[u8]); 1] =
    [("tidegate:destination@0.1.0", include_bytes!("../../../../tests/fixtures/worlds/0.1.0.wasm"))];

fn before() -> Vec<u8> {
    let manifest = MANIFEST.replace("destination@0.2.0", "destination@0.1.0");
    Parts { wit: WIT_BEFORE, manifest: &manifest, ..Parts::default() }.build()
}

#[test]
fn plugins_of_both_worlds_run_side_by_side() {
    let sandbox = sandbox();
    let (now, before) = (sandbox.load(&good()).unwrap(), sandbox.load(&before()).unwrap());
    for plugin in [&now, &before, &now] {
        assert_eq!(body(plugin), "event-11");
        assert_eq!(plugin.classify(&response(), 1, &context()), Ok(Verdict::Delivered));
    }
    assert_eq!([now, before].map(|plugin| plugin.manifest().world.clone()), WORLDS);
}

/// What 0.2.0 has and 0.1.0 had not.
#[test]
fn a_response_names_its_endpoint() {
    let classify = "
        (i32.store8 (i32.const 512) (i32.const 2))
        (i32.store offset=8 (i32.const 512) (local.get 0))
        (i32.store offset=12 (i32.const 512) (local.get 1))
        (i32.const 512)";
    let plugin = sandbox().load(&Parts { classify, ..Parts::default() }.build()).unwrap();
    assert_eq!(plugin.classify(&response(), 1, &context()), Ok(Verdict::Reject("events".into())));
}

#[test]
fn a_manifest_of_another_world_than_the_component_is_refused() {
    let manifest = MANIFEST.replace("destination@0.2.0", "destination@0.1.0");
    let Err(error) = sandbox().load(&Parts { manifest: &manifest, ..Parts::default() }.build()) else {
        panic!("it is loaded");
    };
    assert!(matches!(&error, LoadError::World { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "exports `tidegate:destination/plugin@0.2.0` and not `tidegate:destination/plugin@0.1.0`, which its manifest \
         names; this gateway runs `tidegate:destination@0.2.0` and `tidegate:destination@0.1.0`"
    );
}

#[test]
fn components_that_were_built_for_each_earlier_world_still_work() {
    for (world, wasm) in BUILT {
        let plugin = sandbox().load(wasm).unwrap_or_else(|error| panic!("{world}: {error}"));
        assert_eq!(plugin.manifest().world, world);
        let ctx = Context { config: r#"{"url":"https://shop.example/hook"}"#.into(), ..context() };
        let Ok(Transformed::Requests(requests)) = plugin.transform(&event(), &ctx) else { panic!("{world}") };
        let text = String::from_utf8(requests[0].body.clone()).unwrap();
        assert!(text.contains("\"purchase\"") && text.contains("a@example.com"), "{text}");
        assert_eq!(plugin.classify(&response(), 1, &ctx), Ok(Verdict::Delivered));
    }
    let kept: Vec<&str> = BUILT.iter().map(|(world, _)| *world).collect();
    assert_eq!(kept, WORLDS[1..], "one for every world but the newest");
}
