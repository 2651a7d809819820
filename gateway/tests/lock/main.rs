//! The lock file as an operator meets it: nothing runs that nobody approved.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on has failed")]

mod gateway;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tidegate_plugin_sdk::manifest::{embed, extract};

use gateway::Gateway;

const USAGE: i32 = 64;
const DATA: i32 = 65;
const NOT_FOUND: i32 = 66;

fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).current_dir(directory).env_clear().stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn approve(directory: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    run(directory, &[&["plugin", "approve", "--by", "anna", "--yes"], more].concat())
}

/// A configuration with a webhook, and with the plugin of it as a file.
fn site() -> TempDir {
    let directory = TempDir::new().unwrap();
    plugin(directory.path(), |manifest| manifest);
    config(directory.path(), "");
    directory
}

fn config(directory: &Path, plugins: &str) {
    let text = format!(
        r#"[listen]
http = "127.0.0.1:0"
admin = "127.0.0.1:0"
[admin]
token = "a token of the tests"
[visitor]
keys = ["k1:a visitor key of the tests"]
{plugins}
[[site]]
name = "shop"
hosts = ["localhost"]
write_keys = ["public-key"]
[[destination]]
name = "hook"
site = "shop"
plugin = "hook.wasm"
config = {{ url = "https://hook.example/" }}
secrets = {{ signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }}
[[destination]]
name = "chat"
site = "shop"
plugin = "slack"
secrets = {{ webhook = "T000/B000/XXXX" }}
"#
    );
    std::fs::write(directory.join("tidegate.toml"), text).unwrap();
}

/// Writes `hook.wasm`: the built-in webhook, with another manifest.
fn plugin(directory: &Path, change: impl FnOnce(String) -> String) {
    let wasm = tidegate_plugins::find("webhook").unwrap().wasm;
    let manifest = extract(wasm).unwrap();
    // After the manifest there is nothing but the fixtures.
    let begins = wasm.windows(manifest.len()).rposition(|bytes| bytes == manifest.as_bytes()).unwrap();
    let section = embed(b"\0asm\x0d\0\x01\0", manifest).len() - 8;
    let bare = &wasm[..begins + manifest.len() - section];
    std::fs::write(directory.join("hook.wasm"), embed(bare, &change(manifest.to_owned()))).unwrap();
}

fn check(directory: &Path) -> (Option<i32>, String) {
    let (code, stdout, stderr) = run(directory, &["check"]);
    (code, stdout + &stderr)
}

#[test]
fn without_a_lock_everything_runs_as_before() {
    let site = site();
    let (code, said) = check(site.path());
    assert_eq!((code, said.as_str()), (Some(0), "ok tidegate.toml: 1 site, 2 destinations\n"));
    config(site.path(), "[plugins]\nlock = \"enforce\"");
    let (code, said) = check(site.path());
    assert_eq!(code, Some(USAGE));
    assert!(said.contains("there is no lock `tidegate.lock`, and `plugins.lock` is `enforce`"), "{said}");
    assert!(said.contains("`tidegate plugin approve --all` writes it"), "{said}");
}

#[test]
fn approving_shows_the_whole_of_what_is_new_and_needs_a_yes() {
    let site = site();
    let (code, stdout, stderr) = run(site.path(), &["plugin", "approve"]);
    assert_eq!((code, stdout.as_str()), (Some(USAGE), ""));
    for part in ["destination hook", "It sees", "signing_secret", "destination chat", "approving 2 plugins needs a yes"]
    {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert!(!site.path().join("tidegate.lock").exists());
    let (code, _, stderr) = run(site.path(), &["plugin", "approve", "--yes"]);
    assert_eq!(code, Some(USAGE));
    assert!(stderr.contains("hint: add `--by NAME`"), "{stderr}");

    let (code, stdout, _) = approve(site.path(), &["--all", "--note", "SEC-17"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "ok 2 plugins approved by anna in `tidegate.lock`\n"));
    let lock = std::fs::read_to_string(site.path().join("tidegate.lock")).unwrap();
    for part in ["version = 1", "[destination.hook]", "approved_by = \"anna\"", "note = \"SEC-17\"", "digest = \""] {
        assert!(lock.contains(part), "{part}: {lock}");
    }
    assert_eq!(check(site.path()).0, Some(0));
    let (code, stdout, _) = approve(site.path(), &[]);
    assert_eq!((code, stdout.as_str()), (Some(0), "`tidegate.lock` covers every plugin already\n"));
    assert_eq!(std::fs::read_to_string(site.path().join("tidegate.lock")).unwrap(), lock);
}

#[test]
fn what_the_lock_does_not_cover_refuses_to_start_and_says_which_lines_are_new() {
    let site = site();
    assert_eq!(approve(site.path(), &["hook"]).0, Some(0));
    let (code, said) = check(site.path());
    assert_eq!(code, Some(USAGE));
    assert!(
        said.contains("destination `chat`: `tidegate.lock` does not cover its plugin: slack 0.1.0 was never"),
        "{said}"
    );
    assert_eq!(approve(site.path(), &["chat"]).0, Some(0));

    let wider = |manifest: String| format!("{manifest}\n[endpoints.spy]\nurl = \"https://spy.example/\"\n");
    plugin(site.path(), wider);
    for command in ["check", "run"] {
        let (code, _, said) = run(site.path(), &[command]);
        assert_eq!(code, Some(USAGE), "{said}");
        for part in [
            "endpoints `spy`: it may send to another host: https://spy.example (POST https://spy.example/)",
            "digest: it is other code",
            "in tidegate.toml, line ",
            "hint: `tidegate plugin approve hook` shows what is new",
        ] {
            assert!(said.contains(part), "{command}: {part}: {said}");
        }
    }
    let (code, _, stderr) = approve(site.path(), &["hook"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("It may do more\n  endpoints spy  it may send to another host"), "{stderr}");
    assert!(!stderr.contains("destination chat"), "{stderr}");
    assert_eq!(check(site.path()).0, Some(0));
}

#[test]
fn a_first_week_of_reports_starts_all_the_same() {
    let site = site();
    config(site.path(), "[plugins]\nlock = \"report\"");
    let (code, said) = check(site.path());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("warning: destination `hook`: `tidegate.lock` does not cover its plugin"), "{said}");
    assert_eq!(approve(site.path(), &[]).0, Some(0));
    assert!(!check(site.path()).1.contains("warning"));
    config(site.path(), "[plugins]\nlock = \"off\"");
    plugin(site.path(), |manifest| manifest.replace("version = \"0.1.0\"", "version = \"0.3.0\""));
    assert_eq!(check(site.path()).0, Some(0));
    config(site.path(), "[plugins]\nlock = \"of\"");
    let (code, said) = check(site.path());
    assert_eq!(code, Some(USAGE));
    assert!(said.contains("unknown use of the lock file, `of`") && said.contains("did you mean `off`?"), "{said}");
}

#[test]
fn a_damaged_lock_opens_nothing() {
    let site = site();
    assert_eq!(approve(site.path(), &[]).0, Some(0));
    std::fs::write(site.path().join("tidegate.lock"), "version = 9\n").unwrap();
    let (code, said) = check(site.path());
    assert_eq!(code, Some(USAGE));
    assert!(said.contains("the lock `tidegate.lock` has version 9; this gateway knows 1"), "{said}");
    let (code, _, stderr) = approve(site.path(), &[]);
    assert_eq!(code, Some(DATA), "{stderr}");
}

#[test]
fn only_what_would_be_loaded_is_approved_and_what_is_gone_is_forgotten() {
    let site = site();
    assert_eq!(approve(site.path(), &["hoook"]).0, Some(NOT_FOUND));
    let clock = "(component (import \"wasi:clocks/wall-clock@0.2.6\" (instance)))";
    let manifest = extract(tidegate_plugins::find("webhook").unwrap().wasm).unwrap();
    std::fs::write(site.path().join("hook.wasm"), embed(&wat::parse_str(clock).unwrap(), manifest)).unwrap();
    let (code, _, stderr) = approve(site.path(), &["hook"]);
    assert_eq!(code, Some(DATA));
    assert!(stderr.contains("cannot be approved: imports `wasi:clocks/wall-clock@0.2.6`"), "{stderr}");

    plugin(site.path(), |manifest| manifest);
    assert_eq!(approve(site.path(), &[]).0, Some(0));
    let text = std::fs::read_to_string(site.path().join("tidegate.toml")).unwrap();
    std::fs::write(site.path().join("tidegate.toml"), text.replace("name = \"chat\"", "name = \"talk\"")).unwrap();
    let (code, _, stderr) = approve(site.path(), &["--all"]);
    assert_eq!(code, Some(0));
    assert!(stderr.contains("destination chat is not configured any more"), "{stderr}");
    let lock = std::fs::read_to_string(site.path().join("tidegate.lock")).unwrap();
    assert!(lock.contains("[destination.talk]") && !lock.contains("[destination.chat]"), "{lock}");
}

#[test]
fn what_was_approved_is_told_to_machines() {
    let site = site();
    let (code, stdout, stderr) = approve(site.path(), &["--json"]);
    let report: Value = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout}{stderr}"));
    assert_eq!((code, &report["approved"][0]["destination"]), (Some(0), &"hook".into()));
    assert_eq!(report["approved"][0]["changes"], Value::Null);
    assert_eq!(report["approved"][0]["permissions"]["secrets"][0], "signing_secret");
}

#[test]
fn an_audit_says_what_is_different_since_the_approval() {
    let site = site();
    assert_eq!(approve(site.path(), &[]).0, Some(0));
    plugin(site.path(), |manifest| manifest.replace("age_max = \"400d\"", "age_max = \"30d\""));
    let audit = ["plugin", "audit", "hook.wasm", "slack", "--lock", "tidegate.lock"];
    let (code, stdout, stderr) = run(site.path(), &audit);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("Since anna approved it for `hook` at 20"), "{stdout}");
    assert!(stdout.contains("  limits age_max  the limit is lower\n      - 400d\n      + 30d"), "{stdout}");
    let (_, rest) = stdout.split_once("Since anna approved it for `chat`").unwrap();
    assert_eq!(rest.lines().nth(1), Some("  nothing"), "{rest}");
    let (_, html, _) = run(site.path(), &[&audit[..], &["--html"]].concat());
    assert!(html.contains("<h3>Since anna approved it for hook at 20"), "{html}");
    assert_eq!(run(site.path(), &["plugin", "audit", "slack", "--lock", "absent.lock"]).0, Some(NOT_FOUND));
    let (_, stdout, _) = run(site.path(), &[&audit[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../../docs/schemas/audit.json")).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&report));
    assert_eq!(report["plugins"][0]["approvals"][0]["changes"][1]["effect"], "narrows");
}

#[test]
fn a_report_is_in_the_log_and_in_the_status() {
    let site = site();
    config(site.path(), "[plugins]\nlock = \"report\"");
    assert_eq!(approve(site.path(), &["hook"]).0, Some(0));
    let gateway = Gateway::start(site.path());
    let log = gateway.log.join("\n");
    assert!(log.contains("the plugin of `chat` runs though `tidegate.lock` does not cover it"), "{log}");
    assert!(!log.contains("the plugin of `hook`"), "{log}");
    let status = gateway.status();
    let approval = |index: usize| &status["destinations"][index]["approval"];
    assert_eq!((&approval(0)["state"], &approval(0)["by"]), (&"approved".into(), &"anna".into()));
    assert_eq!(approval(1)["state"], "unapproved");
    assert_eq!(approval(1)["lines"][0], "slack 0.1.0 was never approved");
}

#[test]
fn a_gateway_without_a_lock_says_so_and_starts() {
    let site = site();
    let gateway = Gateway::start(site.path());
    let log = gateway.log.join("\n");
    assert!(log.contains("there is no `tidegate.lock`: any plugin of the configuration runs"), "{log}");
    assert_eq!(gateway.status()["destinations"][0]["approval"]["state"], "no-lock");
}
