//! A store that is away: what collecting and health say, how soon, and that work goes on when it is back.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::app::{self, Gateway};
use tidegate::config::Config;
use tidegate_fakes::Behaviour;
use tidegate_test_redis::Server;
use tidegate_tests::{Client, PATIENCE, Platforms, Process, Settings, variable};
use tokio::time::Instant;

fn event(id: &str) -> Value {
    json!({ "event": "a", "customer_id": id, "message_id": id })
}

struct Stand {
    redis: Server,
    platforms: Platforms,
    gateway: Gateway,
    client: Client,
    _dir: tempfile::TempDir,
}

impl Stand {
    async fn start() -> Stand {
        let (dir, platforms) = (tempfile::tempdir().unwrap(), Platforms::start().await);
        let redis = Server::with(&["appendfsync always"]);
        let store = "timeout_ms = 300\nconnect_timeout_ms = 300\n".into();
        let config = Process::configure(&Settings { store, ..Settings::hook() }, &platforms, dir.path());
        let text = std::fs::read_to_string(config).unwrap().replace("sqlite:tidegate.db", &redis.url());
        let gateway = app::start(Config::parse(&text, dir.path(), &variable).unwrap()).await.unwrap();
        let client = Client::new(gateway.http.unwrap(), gateway.admin);
        Stand { redis, platforms, gateway, client, _dir: dir }
    }

    /// Waits until `/readyz` answers so; gives what it says.
    async fn ready(&self, status: u16) -> Value {
        let asking = async {
            loop {
                let answer = self.client.admin("/readyz").await;
                if answer.status == status {
                    return answer.json;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("/readyz never says {status}"))
    }

    /// Sends until it is taken, as a client does that was told to come again.
    async fn insist(&self, id: &str) {
        let insisting = async {
            while self.client.post("/v1/events", &event(id)).await.status != 200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, insisting).await.is_ok(), "`{id}` is never taken");
    }
}

#[tokio::test]
async fn a_redis_that_hangs_is_told_in_time_and_what_was_refused_is_taken_when_it_is_back() {
    let stand = Stand::start().await;
    stand.client.take(&event("before")).await;
    stand.client.outcome("before", "hook", "delivered").await;
    stand.redis.pause();
    let began = Instant::now();
    let refused = stand.client.post("/v1/events", &event("during")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{}", refused.text);
    assert_eq!(refused.json["error"], "the events could not be stored: the store is busy or away");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let said = stand.ready(503).await;
    assert!(said["error"].as_str().is_some_and(|error| !error.is_empty()), "{said:#}");
    stand.redis.resume();
    stand.insist("during").await;
    stand.client.outcome("during", "hook", "delivered").await;
    stand.ready(200).await;
    stand.gateway.stop().await.unwrap();
}

#[tokio::test]
async fn an_outcome_waits_for_a_redis_that_is_restarted_and_nothing_is_sent_twice() {
    let stand = Stand::start().await;
    let gate = tidegate_fakes::Gate::shut();
    stand.platforms.webhook.next([Behaviour::held(&gate)]);
    stand.client.take(&event("e")).await;
    stand.platforms.webhook.wait_for(1).await.unwrap();
    stand.redis.kill();
    gate.open();
    stand.ready(503).await;
    stand.redis.restart();
    stand.client.outcome("e", "hook", "delivered").await;
    stand.insist("after").await;
    stand.client.outcome("after", "hook", "delivered").await;
    assert_eq!(stand.platforms.webhook.requests_count(), 2);
    stand.gateway.stop().await.unwrap();
}
