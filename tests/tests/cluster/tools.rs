//! What an operator does from a shell works on a cluster as it does on a file.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_fakes::Behaviour;
use tidegate_tests::{Client, PATIENCE, Process, Settings};

use crate::stand::{Stand, drained, settings};

const EVENTS: usize = 60;
const DEAD: usize = 20;

/// Runs the program; gives what it printed.
async fn tidegate(config: &Path, arguments: &[&str]) -> String {
    let arguments = [arguments, &["--config", config.to_str().unwrap()]].concat();
    let output = Process::command(&arguments).output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn tidegate_json(config: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&tidegate(config, &[arguments, &["--json"]].concat()).await).unwrap()
}

/// What is stored: the lines between the first, which has the time, and the last, which says that it is whole.
async fn exported(config: &Path) -> BTreeSet<String> {
    let lines = tidegate(config, &["store", "export"]).await;
    let mut lines = lines.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    lines.pop();
    lines.into_iter().collect()
}

/// One that leaves a profile.
fn event(id: &str) -> Value {
    json!({
        "event": "purchase", "message_id": id, "anonymous_id": format!("visitor-{id}"),
        "user": { "email": format!("{id}@example.com") },
    })
}

/// Sends an event until it is taken: a machine that is busy with other tests makes a cluster elect now and then.
async fn insist(client: &Client, id: &str) {
    let insisting = async {
        while client.post("/v1/events", &event(id)).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, insisting).await.is_ok(), "`{id}` is never taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_traces_and_moving_work_on_a_cluster() {
    let stand = Stand::quiet(&Settings { store: "durability = \"replicated\"\n".into(), ..settings() }).await;
    let (platforms, config) = (&stand.platforms, stand.config.as_path());
    let [one, other] = [&stand.gateways[0].client, &stand.gateways[1].client];
    platforms.webhook.next(std::iter::repeat_with(|| Behaviour::status(400)).take(DEAD));
    for n in 0..EVENTS {
        insist([one, other][n % 2], &format!("e{n}")).await;
    }
    drained(one).await;
    for client in [one, other] {
        assert_eq!(client.status("hook").await["dead"], DEAD, "each process counts all");
    }

    let listed = tidegate_json(config, &["dlq", "list", "--destination", "hook", "--limit", "1000"]).await;
    let letters = listed["dead_letters"].as_array().unwrap();
    assert_eq!(letters.len(), DEAD, "{listed:#}");
    let event_id = letters[0]["event_id"].as_str().unwrap();
    let trace = tidegate_json(config, &["events", "show", event_id]).await;
    assert!(trace.to_string().contains("\"dead\""), "{trace:#}");
    let shown = tidegate(config, &["dlq", "list", "--event", event_id]).await;
    assert!(shown.contains(letters[0]["id"].as_str().unwrap()), "{shown}");
    assert_eq!(other.trace(event_id).await["outcome"], "dead");

    // A letter by its id, and then all of them: the workers hear of both.
    tidegate(config, &["dlq", "replay", letters[0]["id"].as_str().unwrap()]).await;
    one.outcome(event_id, "hook", "delivered").await;
    tidegate(config, &["dlq", "replay", "--destination", "hook"]).await;
    for letter in letters {
        one.outcome(letter["event_id"].as_str().unwrap(), "hook", "delivered").await;
    }
    assert_eq!(other.status("hook").await["dead"], 0);
    assert_eq!(platforms.webhook.events().len(), EVENTS, "each once");

    // Some of each kind, to be moved: to a file, and from there to the cluster again, beside what it has.
    platforms.webhook.next([Behaviour::status(400)]);
    insist(one, "dead").await;
    one.outcome("dead", "hook", "dead").await;
    platforms.webhook.always(Behaviour::unavailable("3600"));
    insist(one, "waits").await;
    one.trace_until("waits", |trace| !trace["destinations"][0]["attempts"][0].is_null()).await;
    for worker in stand.workers {
        assert!(worker.terminate().await.success());
    }
    let all = exported(config).await;
    let kinds =
        ["entry", "profile"].map(|kind| all.iter().filter(|line| line.starts_with(&format!("{{\"{kind}\""))).count());
    assert_eq!(kinds, [EVENTS + 2, EVENTS + 2], "{all:#?}");
    let (sqlite, again) = (stand.dir.path().join("sqlite"), stand.dir.path().join("again"));
    let file = |dir: &Path, store: &str| {
        std::fs::create_dir_all(dir).unwrap();
        // SQLite syncs always, and knows none of the settings of a Redis.
        let settings = Settings { store: store.into(), ..settings() };
        (dir.join("moved.jsonl"), settings)
    };
    let (moved, of_sqlite) = file(&sqlite, "");
    let (moved_again, of_again) = file(&again, "durability = \"replicated\"\nprefix = \"again\"\n");
    let sqlite = Process::configure(&of_sqlite, platforms, &sqlite);
    let again = Process::configure_on(&stand.cluster.url(), &of_again, platforms, &again);
    tidegate(config, &["store", "export", "--to", moved.to_str().unwrap()]).await;
    let told = tidegate_json(&sqlite, &["store", "import", moved.to_str().unwrap()]).await;
    assert_eq!(told["new"], json!(all.len()), "{told:#}");
    assert_eq!(exported(&sqlite).await, all);
    tidegate(&sqlite, &["store", "export", "--to", moved_again.to_str().unwrap()]).await;
    let told = tidegate_json(&again, &["store", "import", moved_again.to_str().unwrap()]).await;
    assert_eq!(told["new"], json!(all.len()), "{told:#}");
    assert_eq!(exported(&again).await, all);
    let listed = tidegate_json(&again, &["dlq", "list"]).await;
    assert_eq!(listed["dead_letters"].as_array().map(Vec::len), Some(1), "{listed:#}");
    assert!(stand.senders.ledger().await.is_empty(), "no other client sent anything");
}
