//! Reloading: what is new is made aside and swapped in under load; what is bad changes nothing, and raises an alarm.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegate_fakes::{Behaviour, Gate};
use tidegate_plugin_sdk::manifest::Fixtures;
use tidegate_tests::plugin::{self, Parts};
use tidegate_tests::{Answer, HOOK, Platforms, Process, Senders, Settings, Stack, WRITE_KEY};

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": "cust_12345", "message_id": id })
}

/// A component that does the same as another of this function, and is other code.
fn version(n: usize) -> Vec<u8> {
    Parts { data: &format!("version {n}"), ..Parts::default() }.build()
}

/// Two destinations by hand, of two components.
fn by_hand(left: Vec<u8>, right: Vec<u8>) -> Settings {
    let more = plugin::destination("left", "left.wasm") + &plugin::destination("right", "right.wasm");
    Settings { more, files: vec![("left.wasm", left), ("right.wasm", right)], ..Settings::hook() }
}

async fn digest(stack: &Stack, destination: &str) -> String {
    stack.status(destination).await["digest"].as_str().unwrap().to_owned()
}

fn reloaded(answer: &Answer) -> &Value {
    assert_eq!((answer.status, &answer.json["reload"]["state"]), (200, &json!("done")), "{}", answer.text);
    &answer.json["reload"]["changes"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_lose_nothing_and_send_nothing_twice() {
    let stack = Stack::with(by_hand(version(0), version(0))).await;
    let mut senders = Senders::start(4, stack.dir.path(), event).await;
    senders.point_to([&*stack]);
    senders.more(50).await;
    for n in 1_usize..=12 {
        // Each time another one changes, and the other goes on.
        let (left, right) = (version(n.div_ceil(2)), version(n / 2));
        let answer = stack.reload(&by_hand(left, right)).await;
        let changed = if n % 2 == 1 { "left" } else { "right" };
        assert_eq!(*reloaded(&answer), json!({ "added": [], "changed": [changed], "removed": [], "unchanged": 1 }));
        senders.more(25).await;
    }
    let pace = senders.pace();
    assert_eq!((pace.refused, pace.unreachable, pace.unanswered), (0, 0, 0), "no request was refused or cut");
    let ledger = senders.ledger().await;
    assert!(ledger.len() > 350, "{}", ledger.len());
    for name in ["left", "right"] {
        stack.status_until(name, |status| status["waiting"] == 0).await;
    }
    let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
    for request in stack.platforms.webhook.requests() {
        *arrived.entry(String::from_utf8_lossy(&request.body).into_owned()).or_default() += 1;
    }
    for id in &ledger {
        assert_eq!(arrived.get(id), Some(&2), "`{id}` arrives once from each destination");
    }
    let sent: usize = arrived.values().sum();
    let totals = [stack.status("left").await, stack.status("right").await];
    assert_eq!(totals.iter().map(|status| status["delivered"].as_u64().unwrap()).sum::<u64>() as usize, sent);
    assert!(arrived.values().all(|times| *times == 2), "also those that nobody heard the answer of");
}

#[tokio::test]
async fn a_new_component_takes_over_and_every_event_carries_the_digest_of_its_own() {
    let stack = Stack::with(by_hand(version(1), version(1))).await;
    let old = digest(&stack, "left").await;
    stack.take(&event("before")).await;
    stack.outcome("before", "left", "delivered").await;
    let answer = stack.reload(&by_hand(version(2), version(1))).await;
    reloaded(&answer);
    let new = digest(&stack, "left").await;
    assert_ne!(old, new);
    stack.take(&event("after")).await;
    for (id, left) in [("before", &old), ("after", &new)] {
        let part = stack.outcome(id, "left", "delivered").await;
        assert_eq!(part["digest"], **left, "{part:#}");
        assert_eq!(stack.outcome(id, "right", "delivered").await["digest"], *old, "of which nothing changed");
    }
    assert_eq!(stack.status("left").await["delivered"], 2, "it counts on");
}

/// What is reloaded, and a part of what is said against it, with its hint and whether a line is known.
struct Bad {
    name: &'static str,
    settings: Settings,
    text: fn(String) -> String,
    says: &'static str,
    hint: &'static str,
    has_line: bool,
}

fn same(text: String) -> String {
    text
}

/// Another version, which carries a fixture: an event, and the body that it gives.
fn promises(n: usize, body: &str) -> Vec<u8> {
    promised(&version(n), body)
}

fn promised(component: &[u8], body: &str) -> Vec<u8> {
    let fixture = json!({ "about": "One event.", "event": { "id": "evt_1" }, "requests": [{ "endpoint": "events", "body": body }] });
    let fixtures = [("purchase.json".to_owned(), fixture.to_string())];
    Fixtures::new(fixtures).unwrap().embed(component)
}

fn bads() -> Vec<Bad> {
    let good = || by_hand(version(1), version(1));
    let with = |left: Vec<u8>| by_hand(left, version(1));
    let joined = format!("{}{}", plugin::MANIFEST, plugin::JOINED);
    let joined = Parts { manifest: &joined, ..Parts::default() }.build();
    let traps = Parts { extra: "(func $start unreachable) (start $start)", ..Parts::default() }.build();
    vec![
        Bad {
            name: "a file that is no component",
            settings: with(b"\0asm no component".to_vec()),
            text: same,
            says: "destination `left`",
            hint: "",
            has_line: true,
        },
        Bad {
            name: "a component that cannot start",
            settings: with(traps),
            text: same,
            says: "destination `left`",
            hint: "",
            has_line: true,
        },
        Bad {
            name: "a component that fails its own fixture",
            settings: with(promises(2, "evt_2")),
            text: same,
            says: "destination `left`: the plugin's own fixture `purchase.json` fails: \
                   requests[0].body: expected \"evt_2\", got \"evt_1\"",
            hint: "ask its author",
            has_line: false,
        },
        Bad {
            name: "a component whose every request would be refused",
            settings: with(promised(&joined, "evt_1")),
            text: same,
            says: "destination `left`: the plugin's own fixture `purchase.json` fails: \
                   the body has no array at `/conversions`",
            hint: "ask its author",
            has_line: false,
        },
        Bad {
            name: "a mistake in the configuration",
            settings: good(),
            text: |text| text.replacen("site = \"shop\"", "site = \"shap\"", 1),
            says: "unknown site `shap`",
            hint: "did you mean `shop`?",
            has_line: true,
        },
        Bad {
            name: "no TOML",
            settings: good(),
            text: |text| text + "\n[[",
            says: "no valid TOML",
            hint: "",
            has_line: true,
        },
        Bad {
            name: "another address",
            settings: good(),
            text: |text| text.replacen("http = \"127.0.0.1:0\"", "http = \"127.0.0.1:1\"", 1),
            says: "needs a restart: `listen.http`",
            hint: "restart the gateway",
            has_line: true,
        },
        Bad {
            name: "another store",
            settings: Settings { store: "journal_days = 3\n".into(), ..good() },
            text: same,
            says: "needs a restart: `store.journal_days`",
            hint: "restart the gateway",
            has_line: true,
        },
        Bad {
            name: "a plugin that nobody approved",
            settings: good(),
            text: |text| text.replacen("[plugins]\n", "[plugins]\nlock = \"enforce\"\n", 1),
            says: "there is no lock",
            hint: "tidegate plugin approve --all",
            has_line: false,
        },
    ]
}

#[tokio::test]
async fn what_is_bad_leaves_the_old_one_in_place_and_raises_an_alarm_that_the_next_good_one_ends() {
    let good = by_hand(version(1), version(1));
    let stack = Stack::with(good.clone()).await;
    let digests = [digest(&stack, "left").await, digest(&stack, "right").await];
    assert_eq!(stack.admin("/api/status").await.json["reload"], json!({ "state": "never" }));
    for Bad { name, settings, text, says, hint, has_line } in bads() {
        stack.write(&settings);
        let file = stack.dir.path().join("tidegate.toml");
        std::fs::write(&file, text(std::fs::read_to_string(&file).unwrap())).unwrap();
        let answer = stack.admin_post("/api/reload", &json!({})).await;
        assert_eq!(
            (answer.status, &answer.json["reload"]["state"]),
            (422, &json!("failed")),
            "{name}: {}",
            answer.text
        );
        let status = stack.admin("/api/status").await.json;
        assert_eq!(status["reload"], answer.json["reload"], "{name}: the alarm is there");
        let problems = status["reload"]["problems"].as_array().unwrap();
        let problem = problems.iter().find(|problem| problem["what"].as_str().unwrap().contains(says));
        let problem = problem.unwrap_or_else(|| panic!("{name}: {status:#}"));
        assert!(problem["hint"].as_str().unwrap_or_default().contains(hint), "{name}: {problem:#}");
        assert_eq!(problem["line"].is_u64(), has_line, "{name}: {problem:#}");
        assert!(status["reload"]["file"].as_str().unwrap().ends_with("tidegate.toml"));
        let metrics = stack.admin("/metrics").await.text;
        assert!(metrics.contains("tidegate_reload_failed 1"), "{name}: {metrics}");

        let id = name.replace(' ', "-");
        stack.take(&event(&id)).await;
        stack.outcome(&id, "left", "delivered").await;
        stack.outcome(&id, "right", "delivered").await;
        assert_eq!([digest(&stack, "left").await, digest(&stack, "right").await], digests, "{name}");

        let answer = stack.reload(&good).await;
        assert_eq!(*reloaded(&answer), json!({ "added": [], "changed": [], "removed": [], "unchanged": 2 }), "{name}");
        assert_eq!(stack.admin("/api/status").await.json["reload"]["state"], "done", "{name}");
        let metrics = stack.admin("/metrics").await.text;
        assert!(metrics.contains("tidegate_reload_failed 0"), "{name}: {metrics}");
    }
    let metrics = stack.admin("/metrics").await.text;
    let count = bads().len();
    assert!(metrics.contains(&format!("tidegate_reloads_total{{outcome=\"failed\"}} {count}")), "{metrics}");
}

#[tokio::test]
async fn a_component_that_holds_its_own_fixture_takes_over() {
    let stack = Stack::with(by_hand(version(1), version(1))).await;
    let answer = stack.reload(&by_hand(promises(2, "evt_1"), version(1))).await;
    assert_eq!(reloaded(&answer)["changed"], json!(["left"]));
}

#[tokio::test]
async fn a_plugin_that_the_lock_does_not_cover_does_not_take_over() {
    let stack = Stack::with(by_hand(version(1), version(1))).await;
    let old = digest(&stack, "left").await;
    let config = stack.dir.path().join("tidegate.toml");
    let config = config.to_str().unwrap();
    let approve = ["plugin", "approve", "--all", "--yes", "--by", "anna", "--config", config];
    assert!(Process::command(&approve).output().await.unwrap().status.success());
    let answer = stack.reload(&by_hand(version(1), version(1))).await;
    assert_eq!(reloaded(&answer)["unchanged"], 0, "each is approved now, and says so");
    assert_eq!(stack.status("left").await["approval"]["by"], "anna");

    let answer = stack.reload(&by_hand(version(2), version(1))).await;
    assert_eq!(answer.status, 422);
    let problems = answer.json["reload"]["problems"].as_array().unwrap();
    let (what, hint) = (problems[0]["what"].as_str().unwrap(), problems[0]["hint"].as_str().unwrap());
    assert_eq!(problems.len(), 1, "{}", answer.text);
    assert!(
        what.starts_with("destination `left`: `tidegate.lock` does not cover its plugin: digest: it is other code")
    );
    assert!(hint.starts_with("`tidegate plugin approve left`"), "{hint}");
    assert_eq!(digest(&stack, "left").await, old);

    assert!(Process::command(&approve).output().await.unwrap().status.success());
    reloaded(&stack.reload(&by_hand(version(2), version(1))).await);
    assert_ne!(digest(&stack, "left").await, old);
}

#[tokio::test]
async fn a_destination_that_is_removed_keeps_what_waits_and_sends_it_when_it_is_back() {
    let both = Settings { delivery: "timeout_ms = 30000\nconcurrency = 8\n".into(), ..by_hand(version(1), version(1)) };
    let only_right = Settings { more: plugin::destination("right", "right.wasm"), ..both.clone() };
    let stack = Stack::with(both.clone()).await;
    let gate = Gate::shut();
    stack.platforms.webhook.always(Behaviour::held(&gate));
    let ids: Vec<String> = (0..20).map(|n| format!("e{n}")).collect();
    for id in &ids {
        stack.take(&event(id)).await;
    }
    stack.platforms.webhook.wait_for(16).await.unwrap();
    let answer = stack.reload(&only_right).await;
    assert_eq!(*reloaded(&answer), json!({ "added": [], "changed": [], "removed": ["left"], "unchanged": 1 }));
    stack.take(&event("meanwhile")).await;
    gate.open();
    stack.platforms.webhook.behave();
    stack.status_until("right", |status| status["waiting"] == 0).await;
    // What was under way is finished; the rest stays, and the status says so.
    let left = stack.status_until("left", |status| status["waiting"] == 12).await;
    assert_eq!(left["removed"], true, "{left:#}");
    let metrics = stack.admin("/metrics").await.text;
    assert!(metrics.contains("tidegate_deliveries_waiting{destination=\"left\"} 12"), "{metrics}");
    let trace = stack.trace("meanwhile").await;
    assert_eq!(trace["destinations"].as_array().unwrap().len(), 1, "nothing new comes for it: {trace:#}");

    let answer = stack.reload(&both).await;
    assert_eq!(reloaded(&answer)["added"], json!(["left"]));
    for id in &ids {
        stack.outcome(id, "left", "delivered").await;
    }
    assert_eq!(stack.platforms.webhook.requests_count(), 41, "each was sent once");
}

#[tokio::test]
async fn what_did_not_change_goes_on_untouched_and_what_changed_begins_anew() {
    let delivery = "backoff_base_ms = 1000\nbackoff_max_ms = 600000\n".to_owned();
    let settings =
        |more: &str| Settings { more: format!("{HOOK}{more}"), delivery: delivery.clone(), ..Settings::hook() };
    let stack = Stack::with(settings("")).await;
    stack.take(&event("first")).await;
    stack.outcome("first", "hook", "delivered").await;
    stack.platforms.webhook.always(Behaviour::status(401));
    stack.take(&event("second")).await;
    let parked = stack.status_until("hook", |status| !status["parked"].is_null()).await;
    stack.platforms.webhook.behave();

    let other = HOOK.replace("\"hook\"", "\"other\"");
    let answer = stack.reload(&settings(&other)).await;
    assert_eq!(*reloaded(&answer), json!({ "added": ["other"], "changed": [], "removed": [], "unchanged": 1 }));
    let status = stack.status("hook").await;
    assert_eq!((&status["parked"], &status["delivered"]), (&parked["parked"], &json!(1)), "{status:#}");
    stack.take(&event("third")).await;
    stack.outcome("third", "other", "delivered").await;

    // Whoever mends an account does not wait until the old one would have been tried again.
    let changed = settings("").more.replace("allow_insecure", "timeout_ms = 1500\nallow_insecure");
    let answer = stack.reload(&Settings { more: changed, ..settings("") }).await;
    assert_eq!(*reloaded(&answer), json!({ "added": [], "changed": ["hook"], "removed": ["other"], "unchanged": 0 }));
    stack.outcome("third", "hook", "delivered").await;
    let status = stack.status_until("hook", |status| status["delivered"] == 2).await;
    assert_eq!(status["parked"], Value::Null, "{status:#}");
}

#[tokio::test]
async fn sites_keys_and_limits_are_those_of_the_new_configuration_at_once() {
    let stack = Stack::with(Settings::hook()).await;
    let post = async |key: &str, id: &str| {
        let request = stack.request(reqwest::Method::POST, "/v1/events").bearer_auth(key);
        stack.send(request.body(event(id).to_string())).await.unwrap().status
    };
    assert_eq!((post(WRITE_KEY, "a").await, post("another-key", "b").await), (200, 401));
    let settings = Settings { limits: "event_bytes_max = 2000\n".into(), ..Settings::hook() };
    stack.write(&settings);
    let file = stack.dir.path().join("tidegate.toml");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace(WRITE_KEY, "another-key")).unwrap();
    reloaded(&stack.admin_post("/api/reload", &json!({})).await);
    assert_eq!((post(WRITE_KEY, "c").await, post("another-key", "d").await), (401, 200));
    assert_eq!(post("another-key", &"x".repeat(3_000)).await, 413);

    let gate = Gate::shut();
    stack.platforms.webhook.always(Behaviour::held(&gate));
    let full = settings.more.replace("allow_insecure", "waiting_max = 1\nallow_insecure");
    reloaded(&stack.reload(&Settings { more: full, ..settings }).await);
    stack.take(&event("waits")).await;
    let answer = stack.post("/v1/events", &event("another")).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    gate.open();
    stack.platforms.webhook.behave();
    stack.outcome("waits", "hook", "delivered").await;
}

#[tokio::test]
async fn the_program_reloads_on_sighup_and_when_the_command_asks_it_to() {
    let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
    let settings = |n| by_hand(version(n), version(1));
    let file = Process::configure(&settings(1), &platforms, dir.path());
    let gateway = Process::start(&file).await;
    let status = async || gateway.client.admin("/api/status").await.json["reload"].clone();
    let first = gateway.client.status("left").await["digest"].clone();

    Process::configure(&settings(2), &platforms, dir.path());
    gateway.hang_up().await;
    let second = gateway.client.status_until("left", |status| status["digest"] != first).await["digest"].clone();
    assert_eq!(status().await["state"], "done");
    assert_eq!(gateway.said("reloaded the configuration").len(), 1);

    let url = format!("http://{}", gateway.client.admin);
    let config = file.to_str().unwrap();
    let reload = async || {
        let output = Process::command(&["reload", "--config", config, "--url", &url]).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("origins = ", "orgins = ")).unwrap();
    let (code, stdout, stderr) = reload().await;
    let line = 1 + text.lines().position(|line| line.starts_with("origins")).unwrap();
    let expected = format!("error: unknown key `site.orgins` in {config}, line {line}\nhint: did you mean `origins`?");
    assert!(stderr.contains(&expected), "{stderr}");
    assert_eq!((code, stdout.as_str()), (Some(64), ""), "{stderr}");
    assert!(stderr.contains("nothing was reloaded, and what ran before goes on"), "{stderr}");
    assert_eq!(status().await["state"], "failed");
    let check = Process::command(&["check", "--config", config]).output().await.unwrap();
    assert!(String::from_utf8(check.stderr).unwrap().contains(&expected), "`check` says the same");
    assert_eq!(gateway.said("the reload failed, and what ran before goes on").len(), 1);

    Process::configure(&settings(3), &platforms, dir.path());
    let (code, stdout, stderr) = reload().await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("reloaded in ") && stdout.trim_end().ends_with("changed left; 1 as before"), "{stdout}");
    assert_ne!(gateway.client.status("left").await["digest"], second);
    assert!(gateway.terminate().await.success());
}

#[tokio::test]
async fn what_one_plugin_made_is_not_sent_by_another_that_takes_its_place() {
    let stack = Stack::with(by_hand(version(1), version(1))).await;
    assert_eq!(stack.admin_post("/api/destinations/left/pause", &json!({})).await.status, 200);
    stack.take(&event("of-the-first")).await;
    stack.outcome("of-the-first", "left", "waiting").await;
    // Its endpoint has the same name.
    let manifest = plugin::MANIFEST.replace("by-hand", "another");
    let another = Parts { manifest: &manifest, ..Parts::default() }.build();
    reloaded(&stack.reload(&by_hand(another, version(1))).await);
    assert_eq!(stack.admin_post("/api/destinations/left/on", &json!({})).await.status, 200);
    let part = stack.outcome("of-the-first", "left", "dead").await;
    let said = "made by another plugin: `by-hand 0.1.0`; the destination has `another 0.1.0` now: replay it afresh";
    assert_eq!(part["reason"], said);
    stack.outcome("of-the-first", "right", "delivered").await;
    stack.take(&event("of-the-second")).await;
    stack.outcome("of-the-second", "left", "delivered").await;
    let sent = stack.platforms.webhook.requests().iter().filter(|it| &it.body[..] == b"of-the-first").count();
    assert_eq!(sent, 1, "by the other destination alone");
}
