//! The kit must fail where a plugin is wrong, not only pass where it is right.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Calls, Mode, Suite, Uses, run_all, unused};
use crate::{Context, Event, Plugin, Rejection, Request, Response, Verdict, classify};

struct Echo;

impl Plugin for Echo {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        match event.name.as_str() {
            "skip" => Err(Rejection::skip("not mine")),
            "elsewhere" => Ok(vec![Request::new("elsewhere").with_header("Authorization", "x")]),
            "forwarded" => Ok(vec![Request::new("events").with_header("X-Forwarded-For", "192.0.2.1")]),
            "signed" => Ok(vec![Request::new("events").with_header("webhook-id", "x")]),
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

const CALLS: Calls<'_> = Calls {
    transform: &|event, ctx| match event.name.as_str() {
        "crash" => Err("crashed: out of bounds".into()),
        _ => Ok(Echo::transform(event, ctx)),
    },
    classify: &|response, count, ctx| Ok(Echo::classify(response, count, ctx)),
};

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
        run_all(&self.0, &CALLS, Mode::Compare).err().unwrap_or_default()
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
    assert_eq!(folder.report(), "");
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
            ("h.json", json!({ "about": "h", "event": { "name": "crash" }, "skip": "no" })),
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
        "fixtures/h.json\n    crashed: out of bounds",
    ] {
        assert!(report.contains(expected), "`{expected}` is not in\n{report}");
    }
}

#[test]
fn what_a_gateway_would_not_send_fails_though_it_is_expected() {
    let expected = json!([{ "endpoint": "events", "headers": { "X-Forwarded-For": "192.0.2.1" } }]);
    let folder = Folder::new(
        "refused",
        &[
            ("a.json", json!({ "about": "a", "event": { "name": "forwarded" }, "requests": expected })),
            ("b.json", json!({ "about": "b", "event": { "name": "signed" } })),
            ("c.json", json!({ "about": "c", "event": { "value": 1.5 }, "requests": body(1.5) })),
        ],
    );
    let joined = format!("{MANIFEST}[batch]\njoin = \"json-array:/data\"\nevents_max = 2\n");
    fs::write(folder.0.join("plugin.toml"), joined).unwrap();
    let report = folder.report();
    for expected in [
        "fixtures/a.json\n    the header `x-forwarded-for` is not a plugin's to set",
        "fixtures/b.json\n    the header `webhook-id` is not a plugin's to set",
        "fixtures/c.json\n    the body has no array at `/data`",
    ] {
        assert!(report.contains(expected), "`{expected}` is not in\n{report}");
    }
    let blessed = run_all(&folder.0, &CALLS, Mode::Bless).unwrap_err();
    assert!(blessed.contains("the header `webhook-id` is not"), "what is refused is not blessed away: {blessed}");
}

#[test]
fn an_id_that_is_granted_as_a_digest_is_one_in_fixtures() {
    let event = json!({ "user_id": "cust_1", "anonymous_id": "ab".repeat(32) });
    let folder = Folder::new("ids", &[("a.json", json!({ "about": "a", "event": event }))]);
    let ids = ["id", "anonymous_id"].map(|id| format!("\"user.{id}\" = {{ as = \"sha256\", why = \"so\" }}\n"));
    let manifest = MANIFEST.replace("[config]", &format!("{}[config]", ids.concat()));
    fs::write(folder.0.join("plugin.toml"), manifest).unwrap();
    let report = folder.report();
    assert!(report.contains("`user.id` is granted as a SHA-256 digest"), "{report}");
    assert!(!report.contains("`user.anonymous_id` is granted as"), "{report}");
}

#[test]
fn blessing_writes_what_came_and_keeps_the_rest() {
    let folder = Folder::new("bless", &[("a.json", json!({ "about": "a", "event": { "value": 7 }, "skip": "no" }))]);
    assert_eq!(run_all(&folder.0, &CALLS, Mode::Bless), Ok(()));
    let read = |path: &Path| serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap();
    let blessed = read(&folder.0.join("fixtures/a.json"));
    assert_eq!(blessed, json!({ "about": "a", "event": { "value": 7 }, "requests": body(7.0) }));
    assert_eq!(folder.report(), "");
}

#[test]
fn a_plugin_without_fixtures_fails() {
    assert!(Folder::new("none", &[]).report().contains("has no fixture"));
}

#[test]
fn a_plugin_that_keeps_something_from_before_fails() {
    let folder = Folder::new(
        "state",
        &[
            ("a.json", json!({ "about": "a", "event": { "value": 1 }, "requests": body(1.0) })),
            ("b.json", json!({ "about": "b", "event": { "name": "skip" }, "skip": "not mine" })),
        ],
    );
    let seen = std::cell::Cell::new(false);
    let calls = Calls {
        transform: &|event, ctx| match event.name.as_str() {
            "purchase" if seen.get() => Ok(Err(Rejection::skip("the second time"))),
            name => {
                seen.set(seen.get() || name == "skip");
                Ok(Echo::transform(event, ctx))
            }
        },
        ..CALLS
    };
    let failed: Vec<_> = Suite::load(&folder.0).unwrap().run(&calls).into_iter().filter(|ran| !ran.is_ok()).collect();
    let [ran] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!((ran.file.as_str(), &ran.diff), ("a.json", &None));
    assert!(ran.problems[0].starts_with("gives something else the second time"), "{ran}");
}

#[test]
fn a_plugin_that_fails_only_the_second_time_says_why() {
    let event = json!({ "about": "a", "event": { "value": 1 }, "requests": body(1.0) });
    let folder = Folder::new("later", &[("a.json", event)]);
    let seen = std::cell::Cell::new(false);
    let calls = Calls {
        transform: &|event, ctx| {
            if seen.replace(true) { Err("it ran too long".into()) } else { Ok(Echo::transform(event, ctx)) }
        },
        ..CALLS
    };
    let ran = Suite::load(&folder.0).unwrap().run(&calls).remove(0);
    assert!(
        ran.problems[0].starts_with("fails the second time: ") && ran.problems[0].contains("it ran too long"),
        "{ran}"
    );
}

#[test]
fn a_grant_that_changes_nothing_is_unused_and_the_others_are_not() {
    let event = json!({ "value": 1, "identifiers": { "email": "ab".repeat(32) }, "page": { "title": "t" } });
    let folder = Folder::new("unused", &[("a.json", json!({ "about": "a", "event": event }))]);
    let more =
        "\"page.title\" = { as = \"plain\", why = \"so\" }\n\"properties.*\" = { as = \"plain\", why = \"so\" }\n";
    fs::write(folder.0.join("plugin.toml"), MANIFEST.replace("[config]", &format!("{more}[config]"))).unwrap();
    let suite = Suite::load(&folder.0).unwrap();
    assert_eq!(unused(&suite, CALLS.transform), ["page.title", "properties.*"]);
    let uses = Uses::of(&suite, CALLS.transform);
    let used: Vec<&String> = uses.of_event("purchase").unwrap().iter().collect();
    assert_eq!(used, ["event.value", "user.email"]);
    assert!(uses.of_event("login").is_none() && !uses.is_used("page.title"));
}

#[test]
fn a_wildcard_grants_what_no_grant_of_its_own_does() {
    let reads = "\"user.*\" = { as = \"plain\", why = \"so\" }\n[config]";
    let manifest = crate::manifest::Manifest::parse(&MANIFEST.replace("[config]", reads)).unwrap();
    assert_eq!(super::granted_by(&manifest, "user.email"), Some("user.email"));
    assert_eq!(super::granted_by(&manifest, "user.id"), Some("user.*"));
    assert_eq!(super::granted_by(&manifest, "page.url"), None);
    let event = Event { user_id: Some("u".into()), anonymous_id: Some("a".into()), ..Event::example() };
    let less = super::without(&manifest, &event, "user.*");
    assert_eq!((less.user_id, less.anonymous_id), (None, None));
}
