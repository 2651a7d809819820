//! Moving: a store exported to a file and imported into another goes on where it was; a backup is a store.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_fakes::Behaviour;
use tidegate_test_redis::Server;
use tidegate_tests::{Platforms, Process, Settings};

const USAGE: i32 = 64;
const DATA: i32 = 65;
const NOT_FOUND: i32 = 66;

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": "c", "message_id": id, "user": { "email": "a@example.com" } })
}

/// A directory with a configuration.
struct Home {
    dir: TempDir,
    config: PathBuf,
}

impl Home {
    fn new(platforms: &Platforms) -> Home {
        let dir = tempfile::tempdir().unwrap();
        let config = Process::configure(&Settings::hook(), platforms, dir.path());
        Home { dir, config }
    }

    /// The same with its store in a Redis.
    fn over(redis: &Server, platforms: &Platforms) -> Home {
        let home = Home::new(platforms);
        let text = std::fs::read_to_string(&home.config).unwrap();
        std::fs::write(&home.config, text.replace("sqlite:tidegate.db", &redis.url())).unwrap();
        home
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `tidegate store …`; gives the exit code and the two streams.
    async fn store(&self, arguments: &[&str]) -> (i32, String, String) {
        let config = self.config.to_str().unwrap();
        let arguments = [&["store"], arguments, &["--config", config]].concat();
        let output = Process::command(&arguments).current_dir(self.dir.path()).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    async fn export(&self) -> String {
        let (code, lines, said) = self.store(&["export"]).await;
        assert_eq!(code, 0, "{said}");
        lines
    }
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All lines but the first, which has the time.
fn content(export: &str) -> BTreeSet<&str> {
    export.lines().skip(1).collect()
}

/// A store with an event that is delivered, one that is dead and one that waits.
async fn used(platforms: &Platforms) -> Home {
    let home = Home::new(platforms);
    let gateway = Process::start(&home.config).await;
    gateway.client.take(&event("delivered")).await;
    gateway.client.outcome("delivered", "hook", "delivered").await;
    platforms.webhook.next([Behaviour::status(400)]);
    gateway.client.take(&event("dead")).await;
    gateway.client.outcome("dead", "hook", "dead").await;
    platforms.webhook.always(Behaviour::unavailable("1"));
    gateway.client.take(&event("waits")).await;
    gateway.client.trace_until("waits", |trace| !trace["destinations"][0]["attempts"][0].is_null()).await;
    assert!(gateway.terminate().await.success());
    platforms.webhook.behave();
    home
}

#[tokio::test]
async fn a_store_that_is_moved_by_a_file_goes_on_where_it_was() {
    let platforms = Platforms::start().await;
    let (old, new) = (used(&platforms).await, Home::new(&platforms));
    let file = old.file("moved.jsonl");
    let (code, lines, said) = old.store(&["export", "--to", name(&file)]).await;
    assert_eq!((code, lines.as_str()), (0, ""), "{said}");
    assert!(said.contains("what a gateway changes meanwhile may be missed"), "{said}");
    assert!(said.contains("exported 3 entries and 1 profile"), "{said}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "it holds customers' data");

    let (code, told, said) = new.store(&["import", name(&file)]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        told.starts_with("imported 3 entries and 1 profile") && told.contains(" entries of the ledger, "),
        "{told}"
    );
    let (code, told, said) = new.store(&["import", name(&file), "--json"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["new"], &told["entries"]), (0, &json!(0), &json!(3)), "again changes nothing: {said}");
    let (before, after) = (old.export().await, new.export().await);
    assert_eq!(content(&before), content(&after));

    let sent = platforms.webhook.requests_count();
    let gateway = Process::start(&new.config).await;
    let part = gateway.client.outcome("waits", "hook", "delivered").await;
    assert!(part["attempts"].as_array().unwrap().len() >= 2, "what was tried before is kept: {part:#}");
    assert_eq!(platforms.webhook.requests_count(), sent + 1, "only what waited is sent");
    let again = gateway.client.post("/v1/events", &event("delivered")).await;
    assert_eq!(again.json["events"][0]["outcome"], "duplicate");
    assert_eq!(gateway.client.dead_letters("hook").await.len(), 1);
    let replayed = gateway.client.admin_post("/api/dead-letters/replay", &json!({ "all": true })).await;
    assert_eq!(replayed.json["replayed"], 1);
    gateway.client.outcome("dead", "hook", "delivered").await;
    assert!(gateway.terminate().await.success());
}

#[tokio::test]
async fn a_store_is_moved_to_a_redis_and_back() {
    let platforms = Platforms::start().await;
    let redis = Server::with(&["appendfsync always"]);
    let (old, shared, back) = (used(&platforms).await, Home::over(&redis, &platforms), Home::new(&platforms));
    for (from, to, file) in [(&old, &shared, "there.jsonl"), (&shared, &back, "back.jsonl")] {
        let file = old.file(file);
        let (code, _, said) = from.store(&["export", "--to", name(&file)]).await;
        assert_eq!(code, 0, "{said}");
        let (code, told, said) = to.store(&["import", name(&file)]).await;
        assert_eq!(code, 0, "{said}");
        assert!(told.starts_with("imported 3 entries and 1 profile") && !told.contains(", 0 of them new"), "{told}");
        let (code, told, said) = to.store(&["import", name(&file)]).await;
        assert!(code == 0 && told.trim().ends_with(" of the ledger, 0 of them new"), "{told}{said}");
        assert_eq!(content(&from.export().await), content(&to.export().await));
    }
    let (code, told, said) = shared.store(&["status"]).await;
    assert!(code == 0 && told.contains("durability  fsync: ") && told.contains("hook"), "{told}{said}");
    assert_eq!(shared.store(&["backup", "copy.db"]).await.0, USAGE);

    let gateway = Process::start(&shared.config).await;
    gateway.client.outcome("waits", "hook", "delivered").await;
    let again = gateway.client.post("/v1/events", &event("delivered")).await;
    assert_eq!(again.json["events"][0]["outcome"], "duplicate");
    assert!(gateway.terminate().await.success());
}

#[tokio::test]
async fn a_store_is_imported_from_stdin_into_one_that_a_gateway_serves() {
    let platforms = Platforms::start().await;
    let (old, new) = (used(&platforms).await, Home::new(&platforms));
    let gateway = Process::start(&new.config).await;
    let (from, to) = (name(&old.config), name(&new.config));
    let program = tidegate_tests::binary();
    let pipe = format!("'{0}' store export --config '{from}' | '{0}' store import --config '{to}'", program.display());
    let mut piped = tokio::process::Command::new("sh");
    for (variable, value) in Process::command(&[]).as_std().get_envs() {
        piped.env(variable, value.unwrap_or_default());
    }
    let output = piped.args(["-c", &pipe]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    gateway.client.outcome("waits", "hook", "delivered").await;
    assert!(gateway.terminate().await.success());
}

#[tokio::test]
async fn an_export_overwrites_nothing_and_a_store_that_is_not_there_is_said() {
    let platforms = Platforms::start().await;
    let home = Home::new(&platforms);
    let (code, _, said) = home.store(&["export"]).await;
    assert_eq!(code, NOT_FOUND, "{said}");
    let home = used(&platforms).await;
    let file = home.file("there.jsonl");
    std::fs::write(&file, "precious").unwrap();
    let (code, _, said) = home.store(&["export", "--to", name(&file)]).await;
    assert!(code != 0 && said.contains("hint: an export overwrites nothing"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

#[tokio::test]
async fn a_file_that_was_cut_is_refused_but_for_what_there_is() {
    let platforms = Platforms::start().await;
    let (old, new) = (used(&platforms).await, Home::new(&platforms));
    let export = old.export().await;
    let cut: String = export.lines().take(3).map(|line| format!("{line}\n")).collect();
    let file = new.file("cut.jsonl");
    std::fs::write(&file, cut).unwrap();
    let (code, _, said) = new.store(&["import", name(&file)]).await;
    assert_eq!(code, DATA);
    assert!(said.contains("has no last line: it was cut") && said.contains("`--partial`"), "{said}");
    let (code, told, said) = new.store(&["import", name(&file), "--partial"]).await;
    assert_eq!((code, told.contains("0 of them new")), (0, true), "it was imported already: {told}{said}");

    let short: String =
        export.lines().enumerate().filter(|(n, _)| *n != 2).map(|(_, line)| format!("{line}\n")).collect();
    std::fs::write(&file, short).unwrap();
    let (code, _, said) = new.store(&["import", name(&file)]).await;
    assert_eq!(code, DATA);
    assert!(said.contains("should hold 3 entries and 1 profile"), "{said}");
    std::fs::write(&file, &export).unwrap();
    let (code, ..) = new.store(&["import", name(&file)]).await;
    assert_eq!(code, 0);
    assert_eq!(content(&export), content(&new.export().await), "importing again mends it");
}

#[tokio::test]
async fn a_bad_line_is_named_and_nothing_of_its_batch_is_stored() {
    let platforms = Platforms::start().await;
    let (old, new) = (used(&platforms).await, Home::new(&platforms));
    let export = old.export().await;
    let file = new.file("bad.jsonl");
    let bad = |line: usize, text: &str| {
        let lines = export.lines().enumerate().map(|(n, own)| if n + 1 == line { text } else { own });
        std::fs::write(&file, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    };
    for (line, text, why) in [
        (3, "{\"entry\":{}}", "line 3 of the export: missing field"),
        (4, "{\"entry\":", "line 4 of the export: EOF"),
        (1, "{\"tidegate_export\":99,\"created\":\"\"}", "has the version 99"),
        (1, "{\"end\":{\"entries\":0,\"profiles\":0,\"settings\":0}}", "line 1 of the export: an export begins with"),
    ] {
        bad(line, text);
        let (code, _, said) = new.store(&["import", name(&file)]).await;
        assert_eq!(code, DATA);
        assert!(said.contains(why) && said.contains("hint: "), "{said}");
    }
    assert_eq!(
        content(&new.export().await),
        BTreeSet::from(["{\"end\":{\"entries\":0,\"profiles\":0,\"settings\":0,\"ledger\":0}}"])
    );
    assert_eq!(new.store(&["import", "absent.jsonl"]).await.0, NOT_FOUND);
}

#[tokio::test]
async fn a_backup_is_made_beside_the_gateway_and_is_a_store() {
    let platforms = Platforms::start().await;
    let home = used(&platforms).await;
    let gateway = Process::start(&home.config).await;
    gateway.client.outcome("waits", "hook", "delivered").await;
    let copy = home.file("copy.db");
    let (code, _, said) = home.store(&["backup", name(&copy)]).await;
    assert_eq!(code, 0, "{said}");
    let (code, _, said) = home.store(&["backup", name(&copy)]).await;
    assert_eq!(code, USAGE);
    assert!(said.contains("a backup overwrites nothing"), "{said}");
    let (code, told, said) = home.store(&["status", "--json"]).await;
    let status: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &status["durability"]), (0, &json!("fsync")), "{said}");
    assert_eq!((&status["destinations"][0]["name"], &status["destinations"][0]["dead"]), (&json!("hook"), &json!(1)));
    assert!(gateway.terminate().await.success());

    let restored = Home::new(&platforms);
    std::fs::copy(&copy, restored.file("tidegate.db")).unwrap();
    let gateway = Process::start(&restored.config).await;
    assert_eq!(gateway.client.trace("waits").await["outcome"], "delivered");
    assert_eq!(gateway.client.dead_letters("hook").await.len(), 1);
    assert!(gateway.terminate().await.success());
}
