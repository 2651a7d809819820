//! The kit, as an integrator and an auditor meet it: `tidegate plugin test`, `run`, `bench`, and what `audit` finds by
//! running.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_plugin_sdk::manifest::Fixtures;
use tidegate_tests::plugin::{self, IN_THE_QUERY, MANIFEST, Parts};
use tidegate_tests::{PATIENCE, Platforms, Process, Settings};
use tokio::io::{AsyncBufReadExt as _, BufReader};

const NO: i32 = 1;
const USAGE: i32 = 64;
const DATA: i32 = 65;
const NOT_FOUND: i32 = 66;

/// A plugin's folder, with the component that was built of it.
struct Folder(TempDir);

/// What a command said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Folder {
    /// A folder with a plugin of these parts, and these fixtures.
    fn new(parts: &Parts<'_>, fixtures: &[(&str, Value)]) -> Folder {
        let folder = Folder(TempDir::new().unwrap());
        folder.write("plugin.toml", parts.manifest);
        for (name, fixture) in fixtures {
            folder.write(&format!("fixtures/{name}"), &serde_json::to_string_pretty(fixture).unwrap());
        }
        let own = Fixtures::read(&folder.path("fixtures")).unwrap();
        // Last: it is older than nothing that it was built of.
        std::fs::create_dir_all(folder.path("target/plugin")).unwrap();
        std::fs::write(folder.component(), own.embed(&parts.build())).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn component(&self) -> PathBuf {
        self.path("target/plugin/by-hand.wasm")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs `tidegate plugin …` in the folder.
    async fn plugin(&self, arguments: &[&str]) -> Said {
        let arguments = [&["plugin"], arguments].concat();
        let output = Process::command(&arguments).current_dir(self.0.path()).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The same with its JSON.
    async fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let said = self.plugin(&[arguments, &["--json"]].concat()).await;
        let json = serde_json::from_str(&said.out);
        (said.code, json.unwrap_or_else(|e| panic!("{e}: {}{}", said.out, said.err)))
    }
}

impl Said {
    fn shows(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        for part in parts {
            assert!(self.out.contains(part) || self.err.contains(part), "{part:?} is not in {}{}", self.out, self.err);
        }
    }
}

/// A purchase, whose id the good plugin makes the body.
fn purchase(body: &str) -> Value {
    json!({ "about": "A purchase.", "requests": [{ "endpoint": "events", "body": body }] })
}

fn good() -> Folder {
    let verdict = json!({ "about": "Taken.", "response": { "status": 200 }, "verdict": "delivered" });
    Folder::new(&Parts::default(), &[("purchase.json", purchase("evt_1")), ("taken.json", verdict)])
}

/// What some rules found, as rule, level and subject.
fn findings(report: &Value, rules: &[&str]) -> Vec<[String; 3]> {
    let audits = report["plugins"].as_array().unwrap();
    let all = audits.iter().flat_map(|audit| audit["findings"].as_array().unwrap());
    let text = |finding: &Value| ["rule", "level", "subject"].map(|key| finding[key].as_str().unwrap().to_owned());
    all.map(text).filter(|[rule, ..]| rules.contains(&rule.as_str())).collect()
}

#[tokio::test]
async fn a_good_plugin_passes_and_what_it_used_is_shown_beside_its_limits() {
    let folder = good();
    let said = folder.plugin(&["test"]).await;
    said.shows(0, &["ok      purchase.json", "2 fixtures: 2 ok, 0 failed", " fuel", "of 1 MiB memory", "of 20 ms"]);
    let (code, report) = folder.json(&["test", folder.component().to_str().unwrap()]).await;
    assert_eq!((code, &report["passed"], &report["failed"]), (Some(0), &json!(2), &json!(0)), "{report:#}");
    assert!(report["highest"]["fuel"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!(report["highest"]["memory_bytes"], 131_072, "two pages");
    let fuel = |report: &Value| report["fixtures"][0]["used"]["fuel"].clone();
    let (_, again) = folder.json(&["test", "--only", "purch*"]).await;
    assert_eq!(again["fixtures"].as_array().unwrap().len(), 1);
    assert_eq!(fuel(&again), fuel(&report), "the same call costs the same");
}

#[tokio::test]
async fn a_failing_fixture_shows_what_differs_and_is_blessed_on_request() {
    let folder = Folder::new(&Parts::default(), &[("purchase.json", purchase("another"))]);
    let said = folder.plugin(&["test"]).await;
    said.shows(NO, &["FAILED  purchase.json", "requests[0].body: expected \"another\", got \"evt_1\"", "--bless"]);
    let said = folder.plugin(&["test", "--bless"]).await;
    said.shows(0, &["1 fixture: 1 ok", "wrote: fixtures/purchase.json", "carries the fixtures now"]);
    let written = std::fs::read_to_string(folder.path("fixtures/purchase.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), purchase("evt_1"));
    let again = folder.plugin(&["test", "--bless"]).await;
    again.shows(0, &["1 fixture: 1 ok"]);
    assert!(!again.out.contains("wrote:") && !again.err.contains("carries"), "{}{}", again.out, again.err);
    let component = folder.component();
    // What a gateway would run before it takes the component.
    folder.plugin(&["test", component.to_str().unwrap()]).await.shows(0, &["1 fixture: 1 ok"]);
    let said = folder.plugin(&["test", component.to_str().unwrap(), "--bless"]).await;
    said.shows(USAGE, &["are inside of it", "hint: "]);
}

#[tokio::test]
async fn a_fixture_that_shows_what_was_not_granted_fails() {
    let mut fixture = purchase("evt_1");
    fixture["event"] = json!({ "order_id": "A-1" });
    let folder = Folder::new(&Parts::default(), &[("purchase.json", fixture)]);
    folder.plugin(&["test"]).await.shows(NO, &["the event gives `event.order_id`, which the manifest does not read"]);
}

#[tokio::test]
async fn what_the_gateway_would_refuse_fails_and_is_shown() {
    let manifest = format!("{MANIFEST}{}", plugin::JOINED);
    let parts = Parts { manifest: &manifest, ..Parts::default() };
    let folder = Folder::new(&parts, &[("purchase.json", purchase("evt_1"))]);
    let problem = "the body has no array at `/conversions`";
    folder.plugin(&["test"]).await.shows(NO, &["FAILED  purchase.json", problem]);
    folder.plugin(&["test", "--bless"]).await.shows(NO, &["FAILED  purchase.json", problem]);
    let refuses = format!("the gateway refuses it: {problem}");
    folder.plugin(&["run", "--once"]).await.shows(0, &["POST https://platform.example/events", &refuses]);
}

#[tokio::test]
async fn fixtures_that_were_changed_by_hand_are_in_the_component_after_a_test() {
    let folder = good();
    let before = std::fs::metadata(folder.component()).unwrap().modified().unwrap();
    let mut changed = purchase("evt_1");
    changed["about"] = json!("Said in another way.");
    folder.write("fixtures/purchase.json", &changed.to_string());
    folder.plugin(&["test"]).await.shows(0, &["2 ok", "carries the fixtures now"]);
    let carried = Fixtures::extract(&std::fs::read(folder.component()).unwrap()).unwrap();
    assert_eq!(carried, Fixtures::read(&folder.path("fixtures")).unwrap());
    let after = std::fs::metadata(folder.component()).unwrap().modified().unwrap();
    assert_eq!(before, after, "it is built of the same sources");
    folder.write("fixtures/purchase.json", "{");
    folder.plugin(&["test"]).await.shows(NO, &["FAILED  purchase.json"]);
}

#[tokio::test]
async fn a_component_that_is_older_than_its_sources_or_missing_is_built_first() {
    let folder = good();
    folder.plugin(&["test"]).await.shows(0, &["2 ok"]);
    // There is nothing that it could be built of: that says that it was tried.
    let untold = ["says in which language the plugin is written"];
    let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(folder.component()).unwrap().set_modified(past).unwrap();
    folder.plugin(&["test"]).await.shows(DATA, &untold);
    std::fs::remove_file(folder.component()).unwrap();
    folder.plugin(&["test"]).await.shows(DATA, &untold);
    let nowhere = folder.plugin(&["test", "nowhere.wasm"]).await;
    nowhere.shows(NOT_FOUND, &["nowhere.wasm"]);
}

#[tokio::test]
async fn a_grant_that_changes_nothing_is_found_in_every_form_of_the_audit() {
    let mut fixture = purchase("evt_1");
    fixture["event"] = json!({ "user_id": "cust_1" });
    let folder = Folder::new(&Parts::default(), &[("purchase.json", fixture)]);
    folder.plugin(&["test"]).await.shows(0, &["warning: `user.id` is granted, and no fixture gives anything else"]);
    let component = folder.component();
    let audit = ["audit", component.to_str().unwrap(), "--fixtures"];
    let (code, report) = folder.json(&audit).await;
    let unused = [["unused-grant", "warning", "user.id"].map(str::to_owned)];
    assert_eq!((code, findings(&report, &["unused-grant"])), (Some(0), unused.to_vec()), "{report:#}");
    assert_eq!(report["plugins"][0]["ran"], json!(["fixtures"]));
    folder
        .plugin(&audit)
        .await
        .shows(0, &["warning   sees `user.id`, and gives the same without it", "(run: fixtures)"]);
    folder
        .plugin(&[&audit[..], &["--html"]].concat())
        .await
        .shows(0, &["unused-grant", "Run in the sandbox: fixtures"]);
    folder.plugin(&[&audit[..], &["--sarif"]].concat()).await.shows(0, &["\"ruleId\": \"unused-grant\""]);
    let without = folder.json(&["audit", component.to_str().unwrap()]).await.1;
    assert_eq!((findings(&without, &["unused-grant"]), without["plugins"][0].get("ran")), (vec![], None));
}

#[tokio::test]
async fn the_fixtures_of_a_folder_are_run_where_one_is_named() {
    let folder = good();
    folder.write("others/purchase.json", &purchase("something else").to_string());
    let others = format!("--fixtures={}", folder.path("others").display());
    let (code, report) = folder.json(&["audit", folder.component().to_str().unwrap(), &others]).await;
    let expected = [["failing-fixtures", "warning", "fixtures"].map(str::to_owned)];
    assert_eq!((code, findings(&report, &["failing-fixtures"])), (Some(0), expected.to_vec()), "{report:#}");
}

#[tokio::test]
async fn marked_data_in_a_url_is_found_by_the_canary_and_in_a_body_it_is_not() {
    let mut fixture = json!({ "about": "A purchase.", "event": { "user_id": "cust_1" } });
    fixture["requests"] = json!([{ "endpoint": "events", "query": { "id": "cust_1" } }]);
    let parts = Parts { transform: IN_THE_QUERY, data: "id", ..Parts::default() };
    let folder = Folder::new(&parts, &[("purchase.json", fixture)]);
    folder.plugin(&["test"]).await.shows(0, &["1 ok"]);
    let found = |report: &Value| findings(report, &["canary-leak", "canary-silent", "personal-in-url", "unused-grant"]);
    let audit = ["audit", folder.component().to_str().unwrap(), "--fixtures", "--canary"].map(str::to_owned);
    let (code, report) = folder.json(&audit.each_ref().map(String::as_str)).await;
    let in_url = [["personal-in-url", "note", "user.id"].map(str::to_owned)];
    assert_eq!((code, found(&report)), (Some(0), in_url.to_vec()), "{report:#}");
    assert_eq!(report["plugins"][0]["ran"], json!(["fixtures", "canary"]));
    let folder = good();
    let (_, report) = folder.json(&["audit", folder.component().to_str().unwrap(), "--canary"]).await;
    assert_eq!(found(&report), Vec::<[String; 3]>::new(), "{report:#}");
}

#[tokio::test]
async fn every_built_in_plugin_needs_its_grants_and_leaks_nothing() {
    let folder = TempDir::new().unwrap();
    let mut command = Process::command(&["plugin", "audit", "--all", "--fixtures", "--canary", "--json"]);
    let output = command.current_dir(folder.path()).output().await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rules = ["canary-leak", "canary-silent", "unused-grant", "failing-fixtures", "no-fixtures"];
    assert_eq!(findings(&report, &rules), Vec::<[String; 3]>::new());
    for audit in report["plugins"].as_array().unwrap() {
        assert_eq!(audit["ran"], json!(["fixtures", "canary"]), "{}", audit["source"]);
    }
    assert_eq!((output.status.code(), &report["errors"]), (Some(0), &json!(0)));
}

#[tokio::test]
async fn a_panic_is_shown_with_its_message() {
    let note = r#"(data (i32.const 600) "tidegate\f5panic\f5\01\08\00\00\00no price")"#;
    let parts = Parts { transform: "unreachable", extra: note, ..Parts::default() };
    let folder = Folder::new(&parts, &[("purchase.json", purchase("evt_1"))]);
    folder.plugin(&["test"]).await.shows(NO, &["FAILED  purchase.json", "crashed: ", "no price"]);
    let said = folder.plugin(&["run", "--once"]).await;
    said.shows(NO, &["by-hand 0.1.0 makes of `purchase`", "failed: crashed: ", "no price"]);
}

#[tokio::test]
async fn run_shows_the_request_for_an_event_and_for_a_fixture() {
    let folder = good();
    let request = ["by-hand 0.1.0 makes of `purchase`", "\nPOST https://platform.example/events\n", "  evt_1", " fuel"];
    folder.plugin(&["run", "--once"]).await.shows(0, &request);
    folder.plugin(&["run", "--once", "--fixture", "purchase"]).await.shows(0, &request);
    folder.plugin(&["run", "--once", "--event", "login"]).await.shows(0, &["makes of `login`", "  tidegate-run"]);
    folder.write("event.json", &json!({ "event": "sign_up", "message_id": "own-1", "customer_id": "c" }).to_string());
    let (code, preview) = folder.json(&["run", "--event", "event.json"]).await;
    assert_eq!((code, &preview["outcome"]["requests"][0]["body"]), (Some(0), &json!("own-1")), "{preview:#}");
    let said = folder.plugin(&["run", "--once", "--fixture", "purchas"]).await;
    said.shows(NOT_FOUND, &["there is no fixture `purchas.json`", "purchase.json"]);
}

#[tokio::test]
async fn run_sends_the_event_to_the_destination_as_a_test_and_shows_the_answer() {
    let platforms = Platforms::start().await;
    let settings = Settings { more: plugin::destination("hand", "target/plugin/by-hand.wasm"), ..Settings::hook() };
    let folder = good();
    let config = Process::configure(&settings, &platforms, folder.0.path());
    let config = config.to_str().unwrap();
    let said = folder.plugin(&["run", "--once", "--send", "--config", config, "--destination", "hand"]).await;
    let url = format!("POST {}/events", platforms.webhook.url());
    said.shows(
        0,
        &[&url, "hand (by-hand 0.1.0), a test event: `purchase`", "\nHTTP 2", "delivered: the platform took it"],
    );
    assert_eq!(platforms.webhook.requests_count(), 1);
    // The fixture has `evt_1`: what is shown is the sample that is sent, not that.
    assert!(said.out.contains("  tidegate-run\n") && !said.out.contains("evt_1"), "{}", said.out);
    let (code, told) = folder.json(&["run", "--send", "--config", config, "--destination", "hand"]).await;
    assert_eq!((code, &told["event"], &told["sent"]["event"]), (Some(0), &json!("purchase"), &json!("purchase")));
    assert_eq!(told["sent"]["outcome"], "delivered", "{told:#}");
    let said = folder.plugin(&["run", "--once", "--send"]).await;
    assert_eq!(said.code, Some(USAGE), "{}", said.err);
}

/// In the place of componentize-py, where a shell is the interpreter: copies the component that the test has made, and
/// then does the rest, as if that had come while it built.
fn build_by(folder: &Folder, rest: &str) {
    let bin = folder.path("target/plugin/venv/bin");
    std::fs::create_dir_all(&bin).unwrap();
    if !bin.join("python3").exists() {
        std::os::unix::fs::symlink("/bin/sh", bin.join("python3")).unwrap();
    }
    std::fs::write(folder.path("target/plugin/bare"), Parts::default().bare()).unwrap();
    let copy = "for output; do :; done\ncp target/plugin/bare \"$output\"\n";
    std::fs::write(bin.join("componentize-py"), format!("{copy}{rest}\n")).unwrap();
    folder.write("target/plugin/requirements.txt.installed", "componentize-py\n");
    folder.write("requirements.txt", "componentize-py\n");
}

#[tokio::test]
async fn run_shows_what_was_saved_while_it_built_and_ends_by_a_ctrl_c_that_came_meanwhile() {
    let folder = good();
    let mut fixture = purchase("evt_1");
    fixture["event"] = json!({ "id": "evt_2" });
    folder.write("target/plugin/saved.json", &fixture.to_string());
    build_by(&folder, "cp target/plugin/saved.json fixtures/purchase.json");
    let mut command = Process::command(&["plugin", "run", "--fixture", "purchase"]);
    command.current_dir(folder.0.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap()).lines();
    until(&mut err, "componentize-py builds the component").await;
    until(&mut err, "waiting for a change").await;
    until(&mut err, "changed: fixtures/purchase.json").await;
    until(&mut err, "waiting for a change").await;
    build_by(&folder, "kill -INT $PPID");
    until(&mut err, "changed: requirements.txt").await;
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
    let mut rest = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut err.into_inner(), &mut rest).await.unwrap();
    assert!(!rest.contains("waiting for a change"), "{rest}");
}

#[tokio::test]
async fn run_shows_what_changed_after_each_change_and_ends_by_ctrl_c() {
    let folder = good();
    let mut command = Process::command(&["plugin", "run", "--fixture", "purchase"]);
    command.current_dir(folder.0.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut err = BufReader::new(child.stderr.take().unwrap()).lines();
    until(&mut out, "evt_1").await;
    until(&mut err, "waiting for a change").await;
    let mut fixture = purchase("evt_1");
    fixture["event"] = json!({ "id": "evt_2" });
    folder.write("fixtures/purchase.json", &fixture.to_string());
    until(&mut err, "changed: fixtures/purchase.json").await;
    until(&mut out, "-   evt_1").await;
    until(&mut out, "+   evt_2").await;
    until(&mut err, "waiting for a change").await;
    let interrupt = format!("kill -INT {}", child.id().unwrap());
    assert!(tokio::process::Command::new("sh").args(["-c", &interrupt]).status().await.unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}

/// Reads lines until one contains the text.
async fn until<R: tokio::io::AsyncBufRead + Unpin>(lines: &mut tokio::io::Lines<R>, text: &str) {
    let read = async {
        let mut read = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(text) {
                return;
            }
            read.push(line);
        }
        panic!("{text:?} never came: {read:#?}");
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("{text:?} did not come in time"));
}

#[tokio::test]
async fn bench_measures_an_event_beside_built_in_plugins() {
    let folder = good();
    let (code, report) = folder.json(&["bench"]).await;
    assert_eq!((code, &report["plugin"]), (Some(0), &json!("by-hand")), "{report:#}");
    let [event] = &report["events"].as_array().unwrap()[..] else { panic!("{report:#}") };
    assert_eq!(event["fixture"], "purchase.json");
    let number = |event: &Value, key: &str| event[key].as_u64().unwrap_or_else(|| panic!("{key}: {event:#}"));
    for key in ["fresh_ns", "batch_ns", "memory_bytes", "fuel"] {
        assert!(number(event, key) > 0, "{key}: {event:#}");
    }
    let beside = report["beside"].as_array().unwrap();
    let names: Vec<&str> = beside.iter().map(|it| it["plugin"].as_str().unwrap()).collect();
    assert_eq!(names, ["webhook", "ga4", "meta-capi"]);
    let more = beside.iter().all(|it| number(&it["typical"], "fuel") > number(event, "fuel"));
    assert!(more, "a plugin of ten instructions takes the least fuel: {report:#}");
    let none = folder.plugin(&["bench", "--only", "nothing*"]).await;
    none.shows(NOT_FOUND, &["no fixture with an event is called `nothing*`"]);
}

#[tokio::test]
async fn damaged_fixtures_in_a_component_are_an_error_of_their_own() {
    let folder = good();
    let mut component = std::fs::read(folder.component()).unwrap();
    let last = component.len() - 3;
    component[last] ^= 0xff;
    std::fs::write(folder.path("damaged.wasm"), component).unwrap();
    for command in ["test", "run", "bench", "inspect"] {
        let once: &[&str] = if command == "run" { &["--once"] } else { &[] };
        let said = folder.plugin(&[&[command, "damaged.wasm"], once].concat()).await;
        said.shows(DATA, &["`damaged.wasm` has a `tidegate:fixtures` section that"]);
    }
}
