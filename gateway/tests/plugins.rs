//! `tidegate plugin` as a security team, its pipeline and its code-scanning page meet it.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tidegate_plugin_sdk::manifest::{Fixtures, embed};

const NO: i32 = 1;
const NOT_FOUND: i32 = 66;
const MANIFEST: &str = r#"
name = "acme"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "Acme"
purposes = ["analytics", "ad-user-data"]
endpoints.events.url = "https://acme.example/events"
auth = { scheme = "bearer", secret = "token" }
[reads]
"user.email" = { as = "sha256", normalize = ["trim", "lowercase"], why = "match key" }
"#;

fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).current_dir(directory).env_clear().stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn json(directory: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, stdout, stderr) = run(directory, arguments);
    (code, serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout}{stderr}")))
}

/// A file with a component that has the contract's interface by name, and this manifest.
fn write(directory: &Path, file: &str, manifest: &str) {
    let imports = if file.contains("clock") { "(import \"wasi:clocks/wall-clock@0.2.6\" (instance))" } else { "" };
    let wat =
        format!("(component {imports} (instance $i) (export \"tidegate:destination/plugin@0.2.0\" (instance $i)))");
    let component = embed(&wat::parse_str(wat).unwrap(), manifest);
    let fixtures = Fixtures::new([("a.json".to_owned(), r#"{"about": "a"}"#.to_owned())]).unwrap();
    std::fs::write(directory.join(file), fixtures.embed(&component)).unwrap();
}

#[test]
fn an_audit_of_all_built_in_plugins_finds_no_error() {
    let directory = TempDir::new().unwrap();
    let (code, report) = json(directory.path(), &["plugin", "audit", "--all", "--json"]);
    assert_eq!((code, &report["errors"]), (Some(0), &0.into()), "{report}");
    assert_eq!(report["plugins"].as_array().unwrap().len(), tidegate_plugins::BUILT_IN.len());
    for audit in report["plugins"].as_array().unwrap() {
        assert_eq!(audit["inspection"]["imports"], Value::Array(Vec::new()), "{}", audit["source"]);
    }
}

#[test]
fn the_json_of_an_audit_is_what_its_schema_says() {
    let directory = TempDir::new().unwrap();
    write(directory.path(), "clock.wasm", MANIFEST);
    std::fs::write(directory.path().join("nothing.wasm"), "nothing").unwrap();
    let (_, report) = json(directory.path(), &["plugin", "audit", "--all", "clock.wasm", "nothing.wasm", "--json"]);
    let schema: Value = serde_json::from_str(include_str!("../../docs/schemas/audit.json")).unwrap();
    let problems: Vec<String> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path))
        .collect();
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn an_audit_says_what_an_import_would_allow_and_exits_1() {
    let directory = TempDir::new().unwrap();
    write(directory.path(), "clock.wasm", MANIFEST);
    let (code, stdout, stderr) = run(directory.path(), &["plugin", "audit", "clock.wasm"]);
    assert_eq!((code, stderr.as_str()), (Some(NO), ""));
    for part in [
        "error     imports `wasi:clocks/wall-clock@0.2.6`, which would read the clock, or wait  import",
        "hint: build for `wasm32-unknown-unknown`",
        "user.email",
        "match key",
        "1 plugin: 1 error, 0 warnings, 0 notes",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    std::fs::write(directory.path().join("module.wasm"), "\0asm\x01\0\0\0").unwrap();
    let (code, stdout, _) = run(directory.path(), &["plugin", "audit", "module.wasm"]);
    assert_eq!(code, Some(NO));
    assert!(stdout.contains("error     it is a core module, not a WebAssembly component  unreadable"), "{stdout}");
    assert_eq!(run(directory.path(), &["plugin", "audit", "absent.wasm"]).0, Some(NOT_FOUND));
}

#[test]
fn an_audit_as_sarif_has_results_for_findings_and_names_their_file() {
    let directory = TempDir::new().unwrap();
    write(directory.path(), "a clock.wasm", MANIFEST);
    let (code, log) = json(directory.path(), &["plugin", "audit", "a clock.wasm", "--sarif"]);
    assert_eq!((code, &log["version"]), (Some(NO), &"2.1.0".into()));
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 1, "{results:?}");
    let location = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(
        (&results[0]["ruleId"], &location["artifactLocation"]["uri"]),
        (&"import".into(), &"a%20clock.wasm".into())
    );
    assert_eq!(location["region"]["startLine"], 1);
    write(directory.path(), "sound.wasm", MANIFEST);
    let (code, log) = json(directory.path(), &["plugin", "audit", "sound.wasm", "--sarif"]);
    assert_eq!((code, &log["runs"][0]["results"]), (Some(0), &Value::Array(Vec::new())));
}

#[test]
fn an_audit_as_a_page_stands_alone_and_escapes_what_plugins_say() {
    let directory = TempDir::new().unwrap();
    write(directory.path(), "sly.wasm", &MANIFEST.replace("match key", "<script>alert(1)</script>"));
    let (code, html, _) = run(directory.path(), &["plugin", "audit", "--all", "sly.wasm", "--html"]);
    assert_eq!(code, Some(0));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "it is escaped");
    for outside in ["<script", "<link", "<img", "src=", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    for plugin in tidegate_plugins::BUILT_IN {
        assert!(html.contains(&format!("<h2>{} ", plugin.name)), "{}", plugin.name);
    }
    // To be looked at.
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-audit.html"), html).unwrap();
}

#[test]
fn a_diff_shows_widenings_first_and_exits_1() {
    let directory = TempDir::new().unwrap();
    write(directory.path(), "old.wasm", MANIFEST);
    let wider = MANIFEST.replace("as = \"sha256\"", "as = \"plain\"").replace(", \"ad-user-data\"", "");
    write(directory.path(), "new.wasm", &wider.replace("version = \"0.1.0\"", "version = \"0.2.0\""));
    let (code, stdout, stderr) = run(directory.path(), &["plugin", "diff", "old.wasm", "new.wasm"]);
    assert_eq!((code, stderr.as_str()), (Some(NO), ""));
    let widens = stdout.find("It may do more").unwrap();
    assert!(widens < stdout.find("It is different").unwrap(), "{stdout}");
    for part in [
        "  reads user.email  it sees this in the clear",
        "      - SHA-256 of trim, lowercase",
        "      + plain after trim, lowercase",
        "  purposes ad-user-data  events come here without consent to this",
        "2 permissions are wider",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    let (code, stdout, _) = run(directory.path(), &["plugin", "diff", "new.wasm", "old.wasm"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("It may do less") && stdout.contains("no permission is wider than before"), "{stdout}");
}

#[test]
fn a_diff_of_the_same_plugin_says_so() {
    let directory = TempDir::new().unwrap();
    let (code, stdout, _) = run(directory.path(), &["plugin", "diff", "meta-capi", "meta-capi"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("the same in every byte and permission"), "{stdout}");
    let (code, _, stderr) = run(directory.path(), &["plugin", "diff", "meta-capi", "absent.wasm"]);
    assert_eq!(code, Some(NOT_FOUND), "{stderr}");
}

#[test]
fn a_diff_as_json_is_what_its_schema_says() {
    let directory = TempDir::new().unwrap();
    let (code, report) = json(directory.path(), &["plugin", "diff", "meta-capi", "segment", "--json"]);
    assert_eq!((code, &report["changes"][0]["effect"]), (Some(NO), &"widens".into()));
    let schema: Value = serde_json::from_str(include_str!("../../docs/schemas/diff.json")).unwrap();
    let problems: Vec<String> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&report).map(|error| error.to_string()).collect();
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn a_diff_as_markdown_is_a_table_for_a_pull_request() {
    let directory = TempDir::new().unwrap();
    write(directory.path(), "old.wasm", MANIFEST);
    write(
        directory.path(),
        "new.wasm",
        &MANIFEST.replace("acme.example", "evil.example").replace("\"acme\"", "\"apex\""),
    );
    let (code, stdout, _) = run(directory.path(), &["plugin", "diff", "old.wasm", "new.wasm", "--markdown"]);
    assert_eq!(code, Some(NO));
    for part in [
        "### ⚠️ `acme` 0.1.0 → `apex` 0.1.0: 1 permission is wider",
        "| **widens** | endpoints events | POST https&#58;//acme.example/events | POST https&#58;//evil.example/events |",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
}
