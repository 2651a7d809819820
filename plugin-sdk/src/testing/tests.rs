//! The kit must fail where a plugin is wrong, not only pass where it is right.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Calls, Mode, report, run_all};
use crate::{Context, Event, Plugin, Rejection, Request, Response, Verdict, classify};

struct Echo;

impl Plugin for Echo {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        match event.name.as_str() {
            "skip" => Err(Rejection::skip("not mine")),
            "elsewhere" => Ok(vec![Request::new("elsewhere").with_header("Authorization", "x")]),
            _ => {
                let config: Value = crate::json::config(&ctx)?;
                let body = json!({ "value": event.value, "email": event.identifier("email"), "config": config });
                Ok(vec![Request::json("events", &body)?])
            }
        }
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        classify::by_status(&response, count, &ctx)
    }
}

const CALLS: Calls<'_> = Calls { transform: &Echo::transform, classify: &Echo::classify };

const MANIFEST: &str = r#"
name = "echo"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "Echoes"
purposes = ["analytics"]
[endpoints.events]
url = "https://echo.example/events"
[reads]
"event.value" = { as = "plain", why = "to echo it" }
"user.email" = { as = "sha256", why = "to echo it" }
[config]
type = "object"
properties.depth = { type = "integer", default = 3 }
"#;

/// A plugin's folder, which is removed with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str, fixtures: &[(&str, Value)]) -> Folder {
        let path = std::env::temp_dir().join(format!("tidegate-testing-{}-{test}", std::process::id()));
        fs::create_dir_all(path.join("fixtures")).unwrap();
        fs::write(path.join("plugin.toml"), MANIFEST).unwrap();
        for (name, fixture) in fixtures {
            fs::write(path.join("fixtures").join(name), fixture.to_string()).unwrap();
        }
        Folder(path)
    }

    fn report(&self) -> String {
        report(&run_all(&self.0, &CALLS, Mode::Compare))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn body(value: f64) -> Value {
    json!([{ "endpoint": "events", "headers": { "content-type": "application/json" },
             "body": { "value": value, "email": null, "config": { "depth": 3 } } }])
}

#[test]
fn right_fixtures_pass_with_the_manifests_defaults() {
    let folder = Folder::new(
        "pass",
        &[
            ("a.json", json!({ "about": "a", "event": { "value": 1.5 }, "requests": body(1.5) })),
            ("b.json", json!({ "about": "b", "like": "a.json", "event": { "value": 2 }, "requests": body(2.0) })),
            ("c.json", json!({ "about": "c", "like": "b.json", "event": { "name": "skip" }, "skip": "not mine" })),
            (
                "d.json",
                json!({ "about": "d", "response": { "status": 429, "headers": { "Retry-After": "2" } },
                               "verdict": { "retry": 2000 } }),
            ),
        ],
    );
    assert!(run_all(&folder.0, &CALLS, Mode::Compare).is_empty(), "{}", folder.report());
}

#[test]
fn every_wrong_fixture_is_reported_with_its_file_and_place() {
    let folder = Folder::new(
        "fail",
        &[
            ("a.json", json!({ "about": "a", "event": { "value": 1.5 }, "requests": body(2.5) })),
            ("b.json", json!({ "about": "b", "event": { "curency": "EUR" }, "requests": [] })),
            ("c.json", json!({ "about": "c", "event": { "user_id": "u", "identifiers": { "email": "a@b.example" } } })),
            ("d.json", json!({ "about": "d", "event": { "name": "elsewhere" } })),
            ("e.json", json!({ "event": {} })),
            ("f.json", json!({ "about": "f", "context": { "config": { "width": 1 } } })),
            ("g.json", json!({ "about": "g", "like": "g.json" })),
        ],
    );
    let report = folder.report();
    for expected in [
        "fixtures/a.json\n    requests[0].body.value: expected 2.5, got 1.5",
        "fixtures/b.json\n    `event.curency` is no field",
        "the event gives `user.id`, which the manifest does not read",
        "`user.email` is granted as a SHA-256 digest",
        "the manifest has no endpoint `elsewhere`",
        "fixtures/e.json\n    says not what it is about",
        "`context.config.width` is not in the manifest's `[config]` schema",
        "goes round in circles",
    ] {
        assert!(report.contains(expected), "`{expected}` is not in\n{report}");
    }
}

#[test]
fn blessing_writes_what_came_and_keeps_the_rest() {
    let folder = Folder::new("bless", &[("a.json", json!({ "about": "a", "event": { "value": 7 }, "skip": "no" }))]);
    assert!(run_all(&folder.0, &CALLS, Mode::Bless).is_empty());
    let read = |path: &Path| serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap();
    let blessed = read(&folder.0.join("fixtures/a.json"));
    assert_eq!(blessed, json!({ "about": "a", "event": { "value": 7 }, "requests": body(7.0) }));
    assert!(run_all(&folder.0, &CALLS, Mode::Compare).is_empty());
}

#[test]
fn a_plugin_without_fixtures_fails() {
    assert!(Folder::new("none", &[]).report().contains("has no fixture"));
}
