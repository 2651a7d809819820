//! The destinations that come with the gateway, in the sandbox that runs them: an event goes in as the gateway has it.

mod support;

use serde_json::{Value, json};
use tidegate_plugins::BUILT_IN;
use tidegate_sandbox::contract::Context;
use tidegate_sandbox::{Transformed, inspect};

#[test]
fn every_built_in_loads() {
    let sandbox = support::sandbox();
    for built_in in BUILT_IN {
        let plugin = sandbox.load(built_in.wasm).unwrap_or_else(|e| panic!("{}: {e}", built_in.name));
        assert_eq!(plugin.manifest().name, built_in.name);
        assert_eq!(inspect(built_in.wasm).unwrap().imports, []);
    }
}

/// One purchase with Meta's published examples, from the gateway's own event to the bytes for Meta.
#[test]
fn a_purchase_reaches_meta_with_the_published_digests() {
    let plugin = support::sandbox().load(tidegate_plugins::find("meta-capi").unwrap().wasm).unwrap();
    let event: tidegate_event::Event = serde_json::from_value(json!({
        "id": "order-1", "name": "purchase", "kind": "track",
        "at_ms": 1_768_487_520_000u64, "received_ms": 1_768_487_520_250u64,
        "identifiers": { "email": "John_Smith@gmail.com", "phone": "US (650)555-1212", "first_name": "Mary" },
        "page": { "url": "https://shop.example/thanks" },
        "client": { "ip": "192.0.2.44", "user_agent": "Agent" },
        "consent": { "level": "marketing", "granted": ["analytics", "ad-storage", "ad-user-data", "ad-personalization"],
            "denied": [], "gpc": false, "limited_data_use": false, "signal": "event" },
        "value": 149.99, "currency": "EUR", "order_id": "O-1"
    }))
    .unwrap();
    let ctx = Context { now_ms: 1_768_487_521_000, config: r#"{"pixel_id":"123"}"#.into(), ..support::context() };
    let seen = plugin.projection().apply(&event);
    let Ok(Transformed::Requests(requests)) = plugin.transform(&seen, &ctx) else { panic!("requests") };
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    let user = body["data"][0]["user_data"].to_string();
    for digest in [
        "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
        "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
        "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec",
    ] {
        assert!(user.contains(digest), "{user}");
    }
    assert!(!body.to_string().contains("John"), "nothing personal is plain");
    assert_eq!(plugin.transform(&seen, &ctx), Ok(Transformed::Requests(requests)), "the same event, the same bytes");
}
