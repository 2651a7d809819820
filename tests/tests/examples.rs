//! The same plugin in Rust, JavaScript and Python: built, held against the shared fixtures, compared byte by byte, and at
//! work in a gateway.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tidegate_fakes::{Answer, Fake, Judgement, Platform, Received};
use tidegate_plugin_sdk::build::{Project, surface};
use tidegate_plugin_sdk::testing::{Case, Suite};
use tidegate_sandbox::{Options, Plugin, Sandbox, Weight, fixtures};
use tidegate_tests::{Destinations, Settings, Stack, passes_natively, plugin_cache};

const LANGUAGES: [&str; 3] = ["rust", "javascript", "python"];
const TOKEN: &str = "token-of-the-fake";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn folder(language: &str) -> PathBuf {
    repository().join("examples").join(language)
}

/// The three components, built once for all tests.
fn components() -> &'static [(&'static str, Vec<u8>)] {
    static BUILT: OnceLock<Vec<(&str, Vec<u8>)>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let build = |language| {
            let project = Project::open(&folder(language)).unwrap_or_else(|error| panic!("{language}: {error}"));
            (language, project.write(&mut |_| {}).unwrap_or_else(|error| panic!("{language}: {error}")))
        };
        LANGUAGES.map(build).into()
    })
}

/// The three plugins, compiled once for all tests and for the gateways of these.
fn plugins() -> &'static [(&'static str, Plugin)] {
    static LOADED: OnceLock<Vec<(&str, Plugin)>> = OnceLock::new();
    LOADED.get_or_init(|| {
        let sandbox = Sandbox::new(Options { cache_dir: Some(plugin_cache()), ..Options::default() }).unwrap();
        let load = |(language, wasm): &(&'static str, Vec<u8>)| (*language, sandbox.load(wasm).unwrap());
        components().iter().map(load).collect()
    })
}

#[test]
fn each_language_gives_a_component_that_imports_nothing() {
    for (language, wasm) in components() {
        let surface = surface(wasm).unwrap();
        assert_eq!(surface.imports, [""; 0], "{language}");
        assert_eq!(surface.exports, ["tidegate:destination/plugin@0.2.0"], "{language}");
        assert_eq!(std::fs::read(folder(language).join("target/plugin/kompas.wasm")).unwrap(), *wasm, "{language}");
    }
}

#[test]
fn every_fixture_holds_in_every_language() {
    for (language, plugin) in plugins() {
        let suite = Suite::load(&folder(language)).unwrap();
        let failed: Vec<String> = fixtures::failures(plugin, &suite).iter().map(ToString::to_string).collect();
        assert_eq!(failed, [""; 0], "{language}");
        // What the component carries is the same suite.
        assert_eq!(fixtures::embedded_failures(plugin).len(), 0, "{language}");
        assert_eq!(plugin.inspection().fixtures.files().count(), suite.names().count(), "{language}");
    }
}

/// What each language answers to a fixture, told in full.
fn answers(suite: &Suite, name: &str) -> Vec<String> {
    let said = |plugin: &Plugin| match suite.case(name).unwrap() {
        Case::Transform(event, ctx) => {
            let answer = fixtures::transform(plugin, &event, &ctx).unwrap();
            format!("{answer:?}")
        }
        Case::Classify(response, count, ctx) => {
            format!("{:?}", fixtures::classify(plugin, &response, count, &ctx).unwrap())
        }
    };
    plugins().iter().map(|(_, plugin)| said(plugin)).collect()
}

#[test]
fn the_same_event_gives_the_same_bytes_in_every_language() {
    let suite = Suite::load(&folder("rust")).unwrap();
    assert!(suite.names().count() > 30);
    for name in suite.names() {
        let said = answers(&suite, name);
        assert_eq!(said[0], said[1], "{name}: Rust, JavaScript");
        assert_eq!(said[0], said[2], "{name}: Rust, Python");
    }
}

#[test]
fn an_instance_of_each_language_answers_as_any_other_of_it() {
    let suite = Suite::load(&folder("rust")).unwrap();
    let Ok(Case::Transform(event, ctx)) = suite.case("purchase_full.json") else { panic!("an event") };
    for (language, plugin) in plugins() {
        assert_eq!(plugin.is_slow(), *language != "rust", "{language}");
        let first = fixtures::transform(plugin, &event, &ctx).unwrap();
        for _ in 0..20 {
            assert_eq!(fixtures::transform(plugin, &event, &ctx).unwrap(), first, "{language}");
        }
    }
    assert_eq!(Weight::of(plugins()[0].1.inspection()), Weight::Light);
    assert_eq!(Weight::of(plugins()[2].1.inspection()), Weight::Heavy);
}

/// The manifests differ in what a call may use.
#[test]
fn the_examples_are_the_same_plugin_of_the_same_contract() {
    let read = |path: PathBuf| std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let manifest = |language| {
        let text = read(folder(language).join("plugin.toml"));
        text.split("memory_max").next().unwrap().to_owned()
    };
    let contract = read(repository().join("wit/destination.wit"));
    for language in ["javascript", "python"] {
        assert_eq!(manifest("rust"), manifest(language));
        assert_eq!(read(folder(language).join("wit/destination.wit")), contract, "{language}");
    }
}

#[test]
fn the_types_for_editors_are_what_the_tools_make_of_the_contract() {
    components();
    let out = tempfile::tempdir().unwrap();
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let javascript = folder("javascript");
    let jco = javascript.join("node_modules/@bytecodealliance/jco/src/jco.js");
    let types = out.path().join("types");
    let asked = ["guest-types", "wit", "--world-name", "destination", "--quiet", "--out-dir"];
    run(Command::new("node").arg(jco).args(asked).arg(&types).current_dir(&javascript));
    let python = folder("python");
    let tool = python.join("target/plugin/venv/bin/componentize-py");
    let asked = ["--wit-path", "wit", "--world", "destination", "bindings"];
    run(Command::new(tool).args(asked).arg(out.path().join("bindings")).current_dir(&python));
    for (made, kept) in [
        (types.join("destination.d.ts"), javascript.join("types/destination.d.ts")),
        (
            types.join("interfaces/tidegate-destination-plugin.d.ts"),
            javascript.join("types/interfaces/tidegate-destination-plugin.d.ts"),
        ),
        (out.path().join("bindings/wit_world/__init__.py"), python.join("bindings/wit_world/__init__.py")),
        (
            out.path().join("bindings/wit_world/exports/__init__.py"),
            python.join("bindings/wit_world/exports/__init__.py"),
        ),
        (out.path().join("bindings/wit_world/exports/plugin.py"), python.join("bindings/wit_world/exports/plugin.py")),
        (out.path().join("bindings/componentize_py_types.py"), python.join("bindings/componentize_py_types.py")),
    ] {
        assert_eq!(std::fs::read_to_string(made).unwrap(), std::fs::read_to_string(&kept).unwrap(), "{kept:?}");
    }
}

#[test]
fn the_native_tests_of_the_examples_pass() {
    passes_natively(&folder("javascript"), &["node", "--test"]);
    passes_natively(&folder("python"), &["python3", "-m", "unittest"]);
}

/// Kompas as its imaginary documents have it: each conversion is judged by itself.
struct Kompas;

impl Platform for Kompas {
    fn name(&self) -> &'static str {
        "kompas"
    }

    fn judge(&self, request: &Received, _now_ms: i64) -> Judgement {
        let mut problems = Vec::new();
        if request.path != "/v2/advertisers/4711/conversions" {
            problems.push(format!("path `{}`", request.path));
        }
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            problems.push("no token".to_owned());
        }
        let body = request.json.as_ref().unwrap_or(&Value::Null);
        let conversions = body["conversions"].as_array().cloned().unwrap_or_default();
        let knows = |conversion: &Value| conversion["basket"][0]["sku"] != "unknown";
        let result = |conversion: &Value| match knows(conversion) {
            true => json!({ "code": 0 }),
            false => json!({ "code": 17, "message": "unknown sku" }),
        };
        let results: Vec<Value> = conversions.iter().map(result).collect();
        Judgement {
            answer: Answer::json(200, &json!({ "results": results })),
            events: conversions.into_iter().filter(knows).collect(),
            problems,
        }
    }
}

async fn gateway(kompas: &Fake) -> Stack {
    let destination = |language: &str| {
        format!(
            r#"
[[destination]]
name = "kompas-{language}"
site = "shop"
plugin = "./{language}.wasm"
config = {{ advertiser_id = "4711" }}
secrets = {{ api_token = "{TOKEN}" }}
base_url = "{}"
allow_insecure = true
"#,
            kompas.url()
        )
    };
    let wasm = |language: &str| components().iter().find(|(known, _)| *known == language).unwrap().1.clone();
    // Compiled before the gateway starts, so that it finds them in the cache.
    plugins();
    Stack::with(Settings {
        consent_default: "marketing",
        destinations: Destinations::None,
        more: LANGUAGES.map(destination).concat(),
        files: vec![
            ("rust.wasm", wasm("rust")),
            ("javascript.wasm", wasm("javascript")),
            ("python.wasm", wasm("python")),
        ],
        ..Settings::default()
    })
    .await
}

#[tokio::test]
async fn an_event_is_delivered_by_the_plugin_of_every_language() {
    let kompas = Fake::start(Kompas).await.unwrap();
    let stack = gateway(&kompas).await;
    let purchase = |id: &str, sku: &str| {
        json!({
            "event": "purchase", "customer_id": "cust_12345", "message_id": id,
            "properties": { "value": 149.99, "currency": "EUR", "order_id": id,
                "products": [{ "product_id": sku, "quantity": 2, "price": 74.995 }] }
        })
    };
    let page = json!({ "event": "page_view", "customer_id": "cust_12345", "message_id": "page" });
    let events = json!({ "events": [purchase("good", "SKU-1"), purchase("bad", "unknown"), page] });
    let answer = stack.post("/v1/events", &events).await;
    assert_eq!((answer.status, &answer.json["accepted"]), (200, &json!(3)), "{}", answer.text);
    let mut sent = Vec::new();
    for language in LANGUAGES {
        let destination = format!("kompas-{language}");
        let part = stack.outcome("good", &destination, "delivered").await;
        sent.push(part["deliveries"][0]["request"]["body"].clone());
        let part = stack.outcome("bad", &destination, "dead").await;
        assert_eq!(part["reason"], "rejected: Kompas 17: unknown sku", "{destination}");
        let trace = stack.trace("page").await;
        assert!(trace.to_string().contains("not a conversion"), "{trace:#}");
    }
    assert_eq!(sent[0], sent[1]);
    assert_eq!(sent[0], sent[2]);
    assert_eq!(kompas.problems(), [""; 0]);
    let taken = kompas.events();
    assert_eq!(taken.len(), LANGUAGES.len());
    assert_eq!((&taken[0]["type"], &taken[0]["amount"]), (&json!("SALE"), &json!("14999")));
    assert!(taken.iter().all(|conversion| conversion == &taken[0]), "{taken:#?}");
}
