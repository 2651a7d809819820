//! Hostile plugins, through the whole gateway: each costs one event at its own destination, or is not even started, and the
//! reason says why. `catalogue.rs` has all of them; what the sandbox itself says of the same is in its own tests.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod catalogue;
mod craft;
mod neighbours;
mod page;
mod reload;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidegate::permissions::Permissions;
use tidegate::permissions::lock::{Approved, Lock};
use tidegate_plugin_sdk::manifest::Manifest;
use tidegate_sandbox::Digest;
use tidegate_tests::plugin::{MANIFEST, Parts, destination};
use tidegate_tests::{ADMIN_TOKEN, API_KEY, HOOK, Settings, Stack, WEBHOOK_SECRET};

use catalogue::{Case, End, all};

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": "cust_12345", "message_id": id })
}

/// The name of a case's file.
fn file(case: &Case) -> &'static str {
    format!("{}.wasm", case.name).leak()
}

/// A site with a good destination and these hostile ones.
fn site<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Settings {
    let mut settings = Settings::hook();
    for case in cases {
        settings.more.push_str(&destination(case.name, file(case)));
        settings.files.push((file(case), (case.component)()));
    }
    settings
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = all().map(|case| case.name).collect();
    assert_eq!(names.len(), all().count());
    assert!(names.len() >= 80, "{} cases", names.len());
}

/// All at once beside a good destination, and twice, so that what one leaves behind would be found.
#[tokio::test]
async fn what_runs_costs_its_own_event_and_no_other() {
    let runs: Vec<&Case> = all().filter(|case| matches!(case.end, End::Dead(_) | End::Nothing)).collect();
    let stack = Stack::with(site(runs.iter().copied())).await;
    for id in ["e1", "e2"] {
        stack.take(&event(id)).await;
        stack.outcome(id, "hook", "delivered").await;
    }
    let mut failures = Vec::new();
    for case in &runs {
        for id in ["e1", "e2"] {
            if let Err(problem) = contained(&stack, case, id).await {
                failures.push(format!("{} ({id}): {problem}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let misread = runs.iter().filter(|case| matches!(case.end, End::Dead(reason) if reason.contains("classifying")));
    let nothing = runs.iter().filter(|case| matches!(case.end, End::Nothing));
    let sent = 2 * (1 + misread.count() + nothing.count());
    assert_eq!(stack.platforms.webhook.requests_count(), sent as u64, "a request that was refused was sent");
}

async fn contained(stack: &Stack, case: &Case, id: &str) -> Result<(), String> {
    let part = settled(stack, case.name, id).await;
    let reason = part["reason"].as_str().unwrap_or_default();
    let delivery = &part["deliveries"][0];
    // What it saw is kept, so that a person can find out what happened.
    if delivery["saw"]["user_id"] != "cust_12345" {
        return Err(format!("it saw {}", delivery["saw"]));
    }
    let as_expected = match (case.end, part["outcome"].as_str()) {
        (End::Dead(expected), Some("dead")) => reason.starts_with(expected) && !reason.chars().any(char::is_control),
        (End::Nothing, Some("delivered")) => {
            case.name == "query-fragment" || delivery["request"]["body"] == json!({ "text": id })
        }
        _ => false,
    };
    if as_expected { Ok(()) } else { Err(format!("{}: {reason}: {}", part["outcome"], delivery["request"])) }
}

/// A destination's part of an event, once it is over.
async fn settled(stack: &Stack, name: &str, id: &str) -> Value {
    let part = |trace: &Value| {
        let parts = trace["destinations"].as_array()?.iter();
        parts.clone().find(|part| part["name"] == name).cloned()
    };
    let over = |part: Value| part["outcome"] == "delivered" || part["outcome"] == "dead";
    let trace = stack.trace_until(id, |trace| part(trace).is_some_and(over)).await;
    part(&trace).unwrap()
}

/// What a gateway says that does not start with these plugins: every mistake, each with its destination.
async fn refusals(settings: Settings) -> Vec<String> {
    let said = Stack::try_start(settings).await.unwrap_err();
    said.split("\n\n").map(str::to_owned).collect()
}

fn told(case: &Case, expected: &str, said: &[String]) -> Result<(), String> {
    let own = |mistake: &&String| mistake.contains(&format!("destination `{}`", case.name));
    match said.iter().find(own) {
        Some(mistake) if mistake.contains(expected) => Ok(()),
        Some(mistake) => Err(format!("{}: {mistake}", case.name)),
        None => Err(format!("{}: it was let in", case.name)),
    }
}

#[tokio::test]
async fn what_must_not_run_is_refused_with_the_reason() {
    let refused: Vec<&Case> = all().filter(|case| matches!(case.end, End::Refused(_))).collect();
    let said = refusals(site(refused.iter().copied())).await;
    assert_eq!(said.len(), refused.len(), "one mistake each: {said:#?}");
    let failures = refused.iter().filter_map(|case| match case.end {
        End::Refused(expected) => told(case, expected, &said).err(),
        _ => None,
    });
    let failures: Vec<String> = failures.collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn what_the_lock_does_not_cover_is_refused_with_the_reason() {
    let uncovered: Vec<&Case> = all().filter(|case| matches!(case.end, End::Uncovered(_))).collect();
    let mut settings = site(uncovered.iter().copied());
    let approved = |manifest: &str, wasm: &[u8]| Approved {
        approved_by: "anna".to_owned(),
        approved_at: "2026-11-20T20:00:00Z".to_owned(),
        note: None,
        permissions: Permissions::new(&Manifest::parse(manifest).unwrap(), &Digest::of(wasm)),
    };
    let mut lock = Lock::default();
    for case in &uncovered {
        lock.destinations.insert(case.name.to_owned(), approved(MANIFEST, &Parts::default().build()));
    }
    let hook = tidegate_plugins::find("webhook").unwrap().wasm;
    let manifest = tidegate_plugin_sdk::manifest::extract(hook).unwrap();
    lock.destinations.insert("hook".to_owned(), approved(manifest, hook));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidegate.lock");
    lock.write(&path).unwrap();
    settings.files.push(("tidegate.lock", std::fs::read(&path).unwrap()));
    let said = refusals(settings).await;
    assert_eq!(said.len(), uncovered.len(), "one mistake each: {said:#?}");
    let failures = uncovered.iter().filter_map(|case| match case.end {
        End::Uncovered(expected) => told(case, expected, &said).err(),
        _ => None,
    });
    let failures: Vec<String> = failures.collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A plugin that sends all of its memory, after the event and its context were put there.
#[tokio::test]
async fn what_a_plugin_is_given_has_no_secret_and_no_field_that_was_not_granted() {
    let dump = craft::pointing(craft::Field::Body, 4096, 60_000);
    let more = destination("dump", "dump.wasm").replace("secrets =", "config = { }\nsecrets =");
    let stack = Stack::with(Settings { more, files: vec![("dump.wasm", dump)], ..Settings::hook() }).await;
    let event = json!({
        "event": "a", "customer_id": "cust_12345", "message_id": "e-dumped", "user": { "email": "anna@shop.example" },
        "properties": { "coupon": "SECRET-COUPON" },
    });
    stack.take(&event).await;
    stack.outcome("e-dumped", "dump", "delivered").await;
    let requests = stack.platforms.webhook.requests();
    let sent = String::from_utf8_lossy(&requests[0].body).into_owned();
    for given in ["e-dumped", "cust_12345"] {
        assert!(sent.contains(given), "the plugin was to see `{given}`");
    }
    let key = WEBHOOK_SECRET.trim_start_matches("whsec_");
    for kept in [key, "anna@shop.example", "SECRET-COUPON", ADMIN_TOKEN, API_KEY] {
        assert!(!sent.contains(kept), "the plugin saw `{kept}`");
    }
}

#[tokio::test]
async fn a_good_plugin_by_hand_is_delivered() {
    let header = craft::pairs(craft::Field::Headers, &[("x-custom", "value")]);
    let more = format!("{}{}{HOOK}", destination("good", "good.wasm"), destination("header", "header.wasm"));
    let files = vec![("good.wasm", Parts::default().build()), ("header.wasm", header)];
    let stack = Stack::with(Settings { more, files, ..Settings::hook() }).await;
    stack.take(&event("e")).await;
    let part = stack.outcome("e", "good", "delivered").await;
    assert_eq!(part["deliveries"][0]["request"]["body"], json!({ "text": "e" }));
    stack.outcome("e", "header", "delivered").await;
    let requests = stack.platforms.webhook.requests();
    assert!(requests.iter().any(|request| request.path == "/events" && request.header("x-custom") == Some("value")));
}
