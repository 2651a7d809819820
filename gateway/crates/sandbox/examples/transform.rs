//! How long `meta-capi` takes to transform a full purchase: native, in a reused instance, and in a fresh one as the gateway
//! runs it; beside it, what the projection before it takes.
//!
//! `cargo run --release -p tidegate-sandbox --example transform`, with `--json` for
//! `[{"name", "value", "unit", "baseline", "ratio"}]`. Times are the best of many batches: on a busy machine the others
//! measure the machine.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark, run by hand and by `make bench`")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::json;
use tidegate_plugin_meta_capi::MetaCapi;
use tidegate_plugin_sdk::{self as sdk, Plugin as _};
use tidegate_sandbox::{Options, Sandbox, Transformed, contract};

/// Calls in one batch, and batches.
const BATCH: u32 = 100;
const BATCHES: usize = 300;
/// Calls in one reused instance: its arena frees nothing.
const REUSES: u32 = 100;

fn main() {
    let sandbox = Sandbox::new(Options::default()).unwrap();
    let built_in = tidegate_plugins::find("meta-capi").unwrap();
    let loading = now();
    let plugin = sandbox.load(built_in.wasm).unwrap();
    let loaded = loading.elapsed();

    let purchase = purchase();
    let event = plugin.projection().apply(&purchase);
    let ctx = context();
    assert!(matches!(plugin.transform(&event, &ctx), Ok(Transformed::Requests(requests)) if requests.len() == 1));
    let (guest_event, guest_ctx): (sdk::Event, sdk::Context) = (convert(&event), convert(&ctx));

    let native = best(|| {
        let mut arguments: Vec<_> = (0..BATCH).map(|_| (guest_event.clone(), guest_ctx.clone())).collect();
        let began = now();
        for (event, ctx) in arguments.drain(..) {
            black_box(MetaCapi::transform(event, ctx).is_ok());
        }
        began.elapsed() / BATCH
    });
    let reused = best(|| plugin.transform_reused(&event, &ctx, REUSES).unwrap() / REUSES);
    let empty = best(|| {
        batch(|| {
            black_box(plugin.transform_reused(&event, &ctx, 0).unwrap());
        })
    });
    let fresh = best(|| batch(|| drop(black_box(plugin.transform(&event, &ctx).unwrap()))));
    let projected = best(|| batch(|| drop(black_box(plugin.projection().apply(&purchase)))));

    let rows = [
        ("transform/native", native),
        ("transform/reused", reused),
        ("transform/instantiate", empty),
        ("transform/fresh", fresh),
        ("transform/project", projected),
    ];
    if std::env::args().any(|argument| argument == "--json") {
        let row = |(name, took): (&str, Duration)| {
            json!({
                "name": name, "value": micros(took), "unit": "µs",
                "baseline": micros(native), "ratio": took.as_secs_f64() / native.as_secs_f64(),
            })
        };
        println!("{}", serde_json::Value::from_iter(rows.map(row)));
        return;
    }
    println!("meta-capi, {} KiB, loaded in {loaded:.0?}; a full purchase:", built_in.wasm.len() >> 10);
    for (name, took) in rows {
        println!("{name:<24}{:>8.2} µs  {:>5.1} × native", micros(took), took.as_secs_f64() / native.as_secs_f64());
    }
}

fn batch(mut call: impl FnMut()) -> Duration {
    let began = now();
    for _ in 0..BATCH {
        call();
    }
    began.elapsed() / BATCH
}

fn best(measure: impl FnMut() -> Duration) -> Duration {
    std::iter::repeat_with(measure).take(BATCHES).min().unwrap()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[expect(clippy::disallowed_methods, reason = "measures durations")]
fn now() -> Instant {
    Instant::now()
}

fn convert<T: serde::de::DeserializeOwned>(value: &impl serde::Serialize) -> T {
    serde_json::from_value(serde_json::to_value(value).unwrap()).unwrap()
}

fn context() -> contract::Context {
    contract::Context {
        now_ms: 1_768_487_520_500,
        seed: 42,
        attempt: 1,
        test_mode: false,
        config: r#"{"pixel_id":"123","api_version":"v26.0"}"#.into(),
    }
}

/// A purchase by a known customer who clicked an ad: eight identifiers, three items.
fn purchase() -> tidegate_event::Event {
    serde_json::from_value(json!({
        "id": "order-A-1001", "name": "purchase", "kind": "track",
        "at_ms": 1_768_487_520_000u64, "received_ms": 1_768_487_520_250u64,
        "anonymous_id": "0197a1b2-0000-7000-8000-000000000001", "user_id": "customer-12345",
        "identifiers": {
            "email": "John_Smith@gmail.com", "phone": "US (650)555-1212", "first_name": "Mary", "last_name": "Smith",
            "city": "Menlo Park", "state": "CA", "postal_code": "94025", "country": "US"
        },
        "clicks": [{ "kind": "fbclid", "value": "IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk",
            "seen_ms": 1_768_487_000_000u64 }],
        "cookies": { "_fbp": "fb.1.1768000000000.1098115397", "_ga": "GA1.1.1098115397.1768000000" },
        "page": { "url": "https://shop.example/checkout/thanks?order=A-1001", "title": "Thank you" },
        "client": { "ip": "192.0.2.44", "locale": "en-US",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36" },
        "consent": { "level": "marketing", "granted": ["analytics", "ad-storage", "ad-user-data", "ad-personalization"],
            "denied": [], "gpc": false, "limited_data_use": false, "signal": "event" },
        "value": 149.99, "currency": "EUR", "order_id": "A-1001",
        "items": [
            { "id": "SKU-1001", "name": "Trail Shoe", "quantity": 1, "price": 89.9, "brand": "Acme", "category": "Shoes" },
            { "id": "SKU-2002", "name": "Running Socks", "quantity": 2, "price": 12.5, "brand": "Acme", "category": "Socks" },
            { "id": "SKU-3003", "name": "Cap", "quantity": 1, "price": 35.09, "brand": "Acme", "category": "Hats" }
        ],
        "properties": { "coupon": "WINTER", "shipping": 4.9, "tax": 23.95 }
    }))
    .unwrap()
}
