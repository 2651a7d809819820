//! What the worked plugin (`examples/`) costs in Rust, JavaScript and Python: a full purchase in a fresh instance, as the
//! gateway runs it, and in a reused one, as `instance = "per-batch"` does; what a start-up pays to compile it; how much
//! memory an event touches; and how many instances all processors make in a second.
//!
//! `cargo run --release -p tidegate-sandbox --example languages`, after `tidegate plugin build` in each folder; with `--json`
//! for `[{"name", "value", "unit", "baseline", "ratio"}]`. Times are the best of many batches.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark, run by hand and by `make bench`")]

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate_plugin_sdk::testing::{Case, Suite};
use tidegate_sandbox::contract::{Context, Event};
use tidegate_sandbox::{Options, Plugin, Sandbox, Transformed};

const LANGUAGES: [&str; 3] = ["rust", "javascript", "python"];
const FIXTURE: &str = "purchase_full.json";
/// Calls in one batch, and batches.
const BATCH: u32 = 20;
const BATCHES: usize = 100;
const REUSES: u32 = 50;
/// How long all processors make instances.
const SPAN: Duration = Duration::from_secs(2);
const PAGE_KIB: f64 = 4.0;

/// What one language costs.
struct Measured {
    size: usize,
    compiled: Duration,
    fresh: Duration,
    instantiated: Duration,
    reused: Duration,
    touched_kib: f64,
    instances_per_s: f64,
}

fn main() {
    let sandbox = Sandbox::new(Options::default()).unwrap();
    let all = LANGUAGES.map(|language| (language, measure(&sandbox, language)));
    let rust = all[0].1.fresh;
    if std::env::args().any(|argument| argument == "--json") {
        let rows: Vec<Value> =
            all.iter().flat_map(|(language, measured)| rows(language, measured, &all[0].1)).collect();
        println!("{}", Value::from(rows));
        return;
    }
    println!("           image   compiled    fresh   × Rust   started   reused   touched   instances/s");
    for (language, it) in &all {
        println!(
            "{language:<10} {:>4} KiB {:>8.0} ms {:>6.0} µs {:>7.1} {:>6.0} µs {:>6.0} µs {:>5.0} KiB {:>10.0}",
            it.size >> 10,
            it.compiled.as_secs_f64() * 1e3,
            micros(it.fresh),
            it.fresh.as_secs_f64() / rust.as_secs_f64(),
            micros(it.instantiated),
            micros(it.reused),
            it.touched_kib,
            it.instances_per_s
        );
    }
}

fn rows(language: &str, it: &Measured, rust: &Measured) -> Vec<Value> {
    let row = |name: &str, (value, baseline): (f64, f64), unit: &str| {
        json!({ "name": format!("languages/{language}/{name}"), "value": value, "unit": unit,
            "baseline": baseline, "ratio": value / baseline })
    };
    let time = |of: fn(&Measured) -> Duration| (micros(of(it)), micros(of(rust)));
    vec![
        row("fresh", time(|it| it.fresh), "µs"),
        row("started", time(|it| it.instantiated), "µs"),
        row("reused", time(|it| it.reused), "µs"),
        row("touched", (it.touched_kib, rust.touched_kib), "KiB"),
        row("compiled", (it.compiled.as_secs_f64() * 1e3, rust.compiled.as_secs_f64() * 1e3), "ms"),
        row("instances", (it.instances_per_s, rust.instances_per_s), "instances/s"),
    ]
}

fn measure(sandbox: &Sandbox, language: &str) -> Measured {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples").join(language);
    let wasm = std::fs::read(folder.join("target/plugin/kompas.wasm")).unwrap();
    let loading = now();
    let plugin = sandbox.load(&wasm).unwrap();
    let compiled = loading.elapsed();
    let (event, ctx) = purchase(&folder);
    assert!(matches!(plugin.transform(&event, &ctx), Ok(Transformed::Requests(requests)) if requests.len() == 1));
    let fresh = || drop(plugin.transform(&event, &ctx).unwrap());
    let faults = page_faults();
    (0..BATCH).for_each(|_| fresh());
    let touched_kib = (page_faults() - faults) as f64 / f64::from(BATCH) * PAGE_KIB;
    Measured {
        size: wasm.len(),
        compiled,
        fresh: best(|| batch(fresh)),
        instantiated: best(|| {
            batch(|| {
                let _ = plugin.transform_reused(&event, &ctx, 0).unwrap();
            })
        }),
        reused: best(|| plugin.transform_reused(&event, &ctx, REUSES).unwrap() / REUSES),
        touched_kib,
        instances_per_s: everywhere(&plugin, &event, &ctx),
    }
}

fn purchase(folder: &Path) -> (Event, Context) {
    match Suite::load(folder).unwrap().case(FIXTURE).unwrap() {
        Case::Transform(event, ctx) => (convert(&event), convert(&ctx)),
        Case::Classify(..) => panic!("`{FIXTURE}` is an event"),
    }
}

/// Fresh instances a second, on as many threads as there are processors.
fn everywhere(plugin: &Plugin, event: &Event, ctx: &Context) -> f64 {
    let began = now();
    let count = || {
        let mut calls = 0u64;
        while began.elapsed() < SPAN {
            drop(plugin.transform(event, ctx).unwrap());
            calls += 1;
        }
        calls
    };
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let calls: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..processors).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    calls as f64 / began.elapsed().as_secs_f64()
}

/// The page faults of this process so far that needed no disk.
fn page_faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    after_name.split_whitespace().nth(7).unwrap().parse().unwrap()
}

fn batch(mut call: impl FnMut()) -> Duration {
    let began = now();
    (0..BATCH).for_each(|_| call());
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
