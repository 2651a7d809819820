//! The command line as a person, or a script, meets it: the real program, its two streams and its exit code.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const USAGE: i32 = 64;
const DATA: i32 = 65;
const NOT_FOUND: i32 = 66;
const UNAVAILABLE: i32 = 69;

fn tidegate(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let visitor_key = "a visitor key of the tests";
    command.args(arguments).current_dir(directory).env_clear().env("TIDEGATE_VISITOR_KEY", visitor_key);
    command.stdin(Stdio::null());
    command
}

fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = tidegate(directory, arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn json(directory: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, stdout, stderr) = run(directory, arguments);
    (code, serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout}{stderr}")))
}

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

#[test]
fn the_schema_of_a_manifest_is_printed_for_editors() {
    let (code, stdout, stderr) = run(&configs(), &["plugin", "schema"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(stdout, include_str!("../../docs/schemas/plugin.json"));
}

#[test]
fn check_says_all_mistakes_at_once() {
    let (code, stdout, stderr) = run(&configs(), &["check", "--config", "dreadful.toml"]);
    let expected = include_str!("config/dreadful.txt").replace(" in tidegate.toml", " in dreadful.toml");
    let expected = expected.replace("/etc/tidegate/", "");
    assert_eq!(stderr.trim_end(), format!("{}\n\ndreadful.toml: 36 errors, 2 warnings", expected.trim_end()));
    assert_eq!((code, stdout.as_str()), (Some(USAGE), ""));
}

#[test]
fn check_gives_machines_the_same_mistakes() {
    let (code, report) = json(&configs(), &["check", "--config", "dreadful.toml", "--json"]);
    assert_eq!((code, &report["errors"], &report["warnings"]), (Some(USAGE), &36.into(), &2.into()));
    assert_eq!(report["file"], "dreadful.toml");
    let first = &report["mistakes"][0];
    assert_eq!((&first["line"], &first["severity"]), (&3.into(), &"error".into()));
    assert_eq!(first["hint"], "write `127.0.0.1:8080`");
}

#[test]
fn check_holds_a_destination_against_its_plugins_manifest() {
    let site = Site::new("http://127.0.0.1:9");
    let (code, stdout, stderr) = run(site.path(), &["check"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "ok tidegate.toml: 1 site, 1 destination\n"), "{stderr}");

    let text = std::fs::read_to_string(site.path().join("tidegate.toml")).unwrap();
    let text = text.replace("signing_secret", "sining_secret").replace("config = { url", "config = { ulr");
    std::fs::write(site.path().join("tidegate.toml"), text).unwrap();
    let (code, stdout, stderr) = run(site.path(), &["check"]);
    assert_eq!((code, stdout.as_str()), (Some(USAGE), ""));
    for part in ["secret `signing_secret` is missing", "`url`", "tidegate.toml, line 18"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let directory = TempDir::new().unwrap();
    let (code, stdout, stderr) = run(directory.path(), &["check"]);
    assert_eq!((code, stdout.as_str()), (Some(NOT_FOUND), ""));
    assert!(stderr.starts_with("error: read the configuration `tidegate.toml`: No such file"), "{stderr}");
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let directory = TempDir::new().unwrap();
    for arguments in [&["dleq"][..], &["dlq", "replay"], &["dlq", "show", "x"], &["send", "--consent", "some"], &[]] {
        assert_eq!(run(directory.path(), arguments).0, Some(USAGE), "{arguments:?}");
    }
    let (code, stdout, _) = run(directory.path(), &["--help"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("Usage: tidegate"), "{stdout}");
}

#[test]
fn inspect_shows_what_a_plugin_is_without_running_it() {
    let directory = TempDir::new().unwrap();
    let (code, stdout, stderr) = run(directory.path(), &["plugin", "inspect", "meta-capi"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for part in ["imports     none", "user.email", "SHA-256 of", "https://graph.facebook.com/", "pixel_id", "memory"] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    let (code, report) = json(directory.path(), &["plugin", "inspect", "meta-capi", "--json"]);
    assert_eq!((code, &report["manifest"]["name"]), (Some(0), &"meta-capi".into()));
    assert_eq!(report["digest"].as_str().unwrap().len(), 64);
    assert_eq!(report["imports"], Value::Array(Vec::new()));
}

#[test]
fn inspect_says_what_a_file_is_instead_of_a_plugin() {
    let directory = TempDir::new().unwrap();
    let (code, _, stderr) = run(directory.path(), &["plugin", "inspect", "meta-cpai"]);
    assert_eq!(code, Some(NOT_FOUND));
    assert!(stderr.contains("hint: did you mean `meta-capi`?"), "{stderr}");
    std::fs::write(directory.path().join("some.wasm"), "\0asm\x01\0\0\0").unwrap();
    let (code, _, stderr) = run(directory.path(), &["plugin", "inspect", "some.wasm"]);
    assert_eq!(code, Some(DATA));
    assert!(stderr.contains("error: `some.wasm` is a core module, not a WebAssembly component"), "{stderr}");
}

#[test]
fn a_store_that_is_not_there_yet_is_said_so() {
    let site = Site::new("http://127.0.0.1:9");
    let (code, _, stderr) = run(site.path(), &["events", "list"]);
    assert_eq!(code, Some(NOT_FOUND));
    assert!(stderr.contains("there is no queue at `data/tidegate.db`"), "{stderr}");
}

#[test]
fn send_says_when_no_gateway_runs() {
    let site = Site::new("http://127.0.0.1:9");
    let (code, _, stderr) = run(site.path(), &["send", "--url", "http://127.0.0.1:9"]);
    assert_eq!(code, Some(UNAVAILABLE));
    assert!(stderr.contains("`tidegate run` starts it"), "{stderr}");
}

#[test]
fn a_second_gateway_on_the_same_store_is_refused() {
    let site = Site::new("http://127.0.0.1:9");
    let _first = Gateway::start(&site);
    let (code, _, stderr) = run(site.path(), &["run"]);
    assert_eq!(code, Some(UNAVAILABLE));
    assert!(stderr.contains("is in use by another gateway"), "{stderr}");
    assert!(stderr.contains("hint: stop the other gateway"), "{stderr}");
}

#[test]
fn a_test_event_is_followed_until_it_is_delivered() {
    let platform = platform("200 OK", "{\"received\":1}");
    let site = Site::new(&format!("http://{platform}"));
    let gateway = Gateway::start(&site);
    let arguments = ["send", "--event", "order_completed", "--user-email", "a@b.example", "--url", &gateway.url];
    let (code, stdout, stderr) = run(site.path(), &arguments);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    for part in ["hook  delivered", "consent    marketing", "user.email", "HTTP 200", "\"received\": 1", "/hook"] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    let (_, list) = json(site.path(), &["events", "list", "--json"]);
    let id = list["events"][0]["id"].as_str().unwrap();
    assert_eq!(list["events"][0]["outcome"], "delivered");
    let (code, trace) = json(site.path(), &["events", "show", id, "--json"]);
    assert_eq!((code, &trace["destinations"][0]["attempts"][0]["status"]), (Some(0), &200.into()));
    assert_eq!(run(site.path(), &["events", "show", "nothing"]).0, Some(NOT_FOUND));
    gateway.stop();
}

#[test]
fn what_the_gateway_refuses_is_said_in_its_words() {
    let site = Site::new("http://127.0.0.1:9");
    let gateway = Gateway::start(&site);
    let (code, _, stderr) = run(site.path(), &["send", "--event", "", "--url", &gateway.url]);
    assert_eq!(code, Some(DATA));
    assert!(stderr.contains("error: the gateway answered 400: event: expected the event's name"), "{stderr}");
    gateway.stop();
}

#[test]
fn consent_that_does_not_cover_a_destination_is_explained() {
    let site = Site::new("http://127.0.0.1:9");
    let gateway = Gateway::start(&site);
    let (code, stdout, stderr) = run(site.path(), &["send", "--consent", "none", "--url", &gateway.url]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("hook  dropped\n  because    "), "{stdout}");
    gateway.stop();
}

#[test]
fn dead_letters_are_listed_shown_put_back_and_purged() {
    let platform = platform("400 Bad Request", "no such field");
    let site = Site::new(&format!("http://{platform}"));
    let gateway = Gateway::start(&site);
    let (code, stdout, stderr) = run(site.path(), &["send", "--url", &gateway.url]);
    assert_eq!(code, Some(DATA), "{stdout}{stderr}");
    assert!(stdout.contains("hook  dead"), "{stdout}");

    let (_, list) = json(site.path(), &["dlq", "list", "--json"]);
    let letter = &list["dead_letters"][0];
    assert_eq!((&letter["destination"], &letter["attempts"]), (&"hook".into(), &1.into()));
    let id = letter["id"].as_str().unwrap().to_owned();
    let (code, stdout, _) = run(site.path(), &["dlq", "show", &id]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("HTTP 400") && stdout.contains("no such field"), "{stdout}");
    let (_, stdout, stderr) = run(site.path(), &["dlq", "list", "--destination", "hok"]);
    assert!(stdout.contains("no dead letters") && stderr.contains("did you mean `hook`?"), "{stdout}{stderr}");

    gateway.stop();
    let (code, replayed) = json(site.path(), &["dlq", "replay", &id, "--json"]);
    assert_eq!((code, &replayed["replayed"]), (Some(0), &1.into()), "{replayed}");
    assert_eq!(json(site.path(), &["dlq", "list", "--json"]).1["dead_letters"], Value::Array(Vec::new()));
    assert_eq!(run(site.path(), &["dlq", "replay", &id]).0, Some(DATA));

    let gateway = Gateway::start(&site);
    let (code, stdout, stderr) = run(site.path(), &["send", "--url", &gateway.url]);
    assert_eq!(code, Some(DATA), "{stdout}{stderr}");
    gateway.stop();
    let (code, _, stderr) = run(site.path(), &["dlq", "purge", "--all"]);
    assert_eq!(code, Some(USAGE));
    assert!(stderr.contains("hint: add `--yes`"), "{stderr}");
    let (code, stdout, _) = run(site.path(), &["dlq", "purge", "--destination", "hook", "--yes"]);
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("deleted "), "{stdout}");
    assert!(run(site.path(), &["dlq", "list"]).1.contains("no dead letters"));
}

/// A directory with a configuration of one site and one webhook.
struct Site(TempDir);

impl Site {
    fn new(platform: &str) -> Site {
        let directory = TempDir::new().unwrap();
        let text = format!(
            r#"[listen]
http = "127.0.0.1:0"
admin = "127.0.0.1:0"
[admin]
token = "a token of the tests"
[visitor]
keys = ["k1:env:TIDEGATE_VISITOR_KEY"]
[delivery]
shutdown_ms = 1000
[[site]]
name = "shop"
hosts = ["localhost"]
origins = ["https://shop.example"]
write_keys = ["public-key"]
api_keys = ["a-secret-key-of-the-tests"]
consent = {{ default = "none" }}

[[destination]]
name = "hook"
site = "shop"
plugin = "webhook"
config = {{ url = "{platform}/hook" }}
secrets = {{ signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }}
allow_insecure = true
"#
        );
        std::fs::write(directory.path().join("tidegate.toml"), text).unwrap();
        Site(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A gateway that runs until it is stopped, or dropped.
struct Gateway {
    child: Child,
    url: String,
}

impl Gateway {
    fn start(site: &Site) -> Gateway {
        let mut command = tidegate(site.path(), &["run", "--log-format", "json"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut seen = String::new();
        let url = lines.by_ref().find_map(|line| {
            seen.push_str(&line);
            let (_, rest) = line.split_once("collecting on ")?;
            Some(rest.split(',').next()?.to_owned())
        });
        // Its log is read to the end, or it would stand still with a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Gateway { child, url: url.unwrap_or_else(|| panic!("the gateway did not start: {seen}")) }
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "SIGTERM ends it in order");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A platform that gives every request the same answer.
fn platform(status: &'static str, body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                match line.split_once(':') {
                    Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                        length = value.trim().parse().unwrap();
                    }
                    _ => {}
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}
