//! The egress ledger: what has left is in it, field by field and never by value, and nobody can change that unseen.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod chain;
mod left;
mod processes;

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_fakes::Fake;
use tidegate_test_redis::Server;
use tidegate_tests::{Client, PATIENCE, Platforms, Process, Settings};

const COOKIES: &str = "_fbp=fb.1.1700000000000.77; _ga=GA1.1.1098115397.1768000000";

/// A purchase with nearly everything in it.
fn purchase(id: &str, consent: &str) -> Value {
    json!({
        "event": "purchase",
        "message_id": id,
        "customer_id": "cust_12345",
        "consent": consent,
        "user": { "email": "ada@example.com", "phone": "+44 20 7946 0000", "last_name": "Lovelace" },
        "page": { "url": "https://www.shop.example/secret-lamps?fbclid=IwAR_AbC" },
        "properties": {
            "order_id": "order-of-ada",
            "value": 12.5,
            "currency": "EUR",
            "coupon": "COUPON-OF-ADA",
            "items": [{ "id": "sku-of-ada", "price": 12.5 }],
        },
    })
}

fn small(id: &str) -> Value {
    json!({ "event": "a", "customer_id": "c", "message_id": id })
}

fn host(fake: &Fake) -> String {
    fake.address().to_string()
}

/// Asks for the ledger until it is as wanted.
async fn ledger(client: &Client, query: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let search = async {
        loop {
            last = client.admin(&format!("/api/ledger{query}")).await.json;
            if wanted(&last) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, search).await.is_err() {
        panic!("the ledger did not become as wanted; it is {last:#}");
    }
    last
}

/// All events that are counted.
fn events(ledger: &Value) -> u64 {
    ledger["flows"].as_array().unwrap().iter().map(|flow| flow["events"].as_u64().unwrap()).sum()
}

fn flow<'a>(ledger: &'a Value, destination: &str, consent: &str) -> &'a Value {
    let flows = ledger["flows"].as_array().unwrap();
    let mut found = flows.iter().filter(|flow| flow["destination"] == destination && flow["consent"] == consent);
    let flow = found.next().unwrap_or_else(|| panic!("no flow of {destination} under {consent}: {ledger:#}"));
    assert!(found.next().is_none(), "one flow of {destination} under {consent}: {ledger:#}");
    flow
}

/// The fields of a flow, digests with a `#` before them, each with its count.
fn fields(flow: &Value) -> Vec<(String, u64)> {
    let field = |field: &Value| {
        let digest = if field["as"] == "sha256" { "#" } else { "" };
        (format!("{digest}{}", field["name"].as_str().unwrap()), field["events"].as_u64().unwrap())
    };
    flow["fields"].as_array().unwrap_or_else(|| panic!("fields: {flow:#}")).iter().map(field).collect()
}

fn each(count: u64, names: &[&str]) -> Vec<(String, u64)> {
    names.iter().map(|name| ((*name).to_owned(), count)).collect()
}

/// A gateway as a process, with what the command line says of its ledger.
struct Home {
    dir: TempDir,
    config: PathBuf,
}

impl Home {
    fn new(settings: &Settings, platforms: &Platforms) -> Home {
        let dir = tempfile::tempdir().unwrap();
        let config = Process::configure(settings, platforms, dir.path());
        Home { dir, config }
    }

    fn over(redis: &Server, settings: &Settings, platforms: &Platforms) -> Home {
        let dir = tempfile::tempdir().unwrap();
        let config = Process::configure_on(&redis.url(), settings, platforms, dir.path());
        Home { dir, config }
    }

    /// Runs a command; gives the exit code and the two streams.
    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let arguments = [arguments, &["--config", self.config.to_str().unwrap()]].concat();
        let output = Process::command(&arguments).current_dir(self.dir.path()).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let (_, out, said) = self.run(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{said}"))
    }

    /// Verifies a ledger that must be whole; gives what was found.
    async fn whole(&self) -> Value {
        let found = self.json(&["ledger", "verify"]).await;
        assert_eq!(found["whole"], true, "{found:#}");
        found
    }

    /// Does something to the file that the file does not allow.
    fn tamper(&self, sql: &str) {
        let store = Connection::open(self.dir.path().join("tidegate.db")).unwrap();
        store.execute_batch("DROP TRIGGER IF EXISTS chain_stays; DROP TRIGGER IF EXISTS chain_is_kept;").unwrap();
        store.execute_batch(sql).unwrap();
    }
}

/// A store of a gateway that has delivered and stopped, three entries of the ledger at least.
async fn used(platforms: &Platforms) -> Home {
    let home = Home::new(&Settings::marketing(), platforms);
    let gateway = Process::start(&home.config).await;
    gateway.client.post_from_page(&purchase("m1", "marketing"), COOKIES).await;
    ledger(&gateway.client, "", |left| events(left) == 3).await;
    gateway.client.post_from_page(&purchase("a1", "analytics"), COOKIES).await;
    ledger(&gateway.client, "", |left| events(left) == 5).await;
    assert!(gateway.terminate().await.success());
    home
}
