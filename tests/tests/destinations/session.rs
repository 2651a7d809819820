//! A session reaches every platform, over both stores, in batches, and whatever trouble the platforms are in.

use serde_json::Value;
use tempfile::TempDir;
use tidegate_fakes::{Behaviour, Trouble};
use tidegate_test_redis::Server;
use tidegate_tests::published::{MODELS, ask, question};
use tidegate_tests::{Destinations, Everywhere, Platforms, Process, Settings};

use crate::shop;

const VISITORS: usize = 4;

/// A gateway that delivers everywhere.
struct World {
    everywhere: Everywhere,
    gateway: Process,
    _platforms: Platforms,
    _dir: TempDir,
}

impl World {
    async fn over(store: &str) -> World {
        let (dir, platforms, everywhere) =
            (tempfile::tempdir().unwrap(), Platforms::start().await, Everywhere::start().await);
        let settings = Settings {
            consent_default: "marketing",
            destinations: Destinations::None,
            more: everywhere.destinations(),
            delivery: "backoff_base_ms = 20\nbackoff_max_ms = 1000\nattempts_max = 50\nshutdown_ms = 3000\n".into(),
            ..Settings::default()
        };
        let config = Process::configure_on(store, &settings, &platforms, dir.path());
        let gateway = Process::start(&config).await;
        World { everywhere, gateway, _platforms: platforms, _dir: dir }
    }

    /// Every visitor's whole session, one after the other, as quickly as the gateway takes it; gives the events' ids.
    async fn shop(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for visitor in 0..VISITORS {
            for event in shop::session(visitor) {
                let answer = self.gateway.client.post_from_page(&event, &shop::cookies(visitor)).await;
                assert_eq!(answer.status, 200, "{event:#}: {}", answer.text);
                ids.push(answer.event_id(0));
            }
        }
        ids
    }

    /// The traces of events of which nothing waits any more.
    async fn settled(&self, ids: &[String]) -> Vec<Value> {
        let mut traces = Vec::new();
        for id in ids {
            let is_settled = |trace: &Value| {
                let parts = trace["destinations"].as_array().map(Vec::as_slice).unwrap_or_default();
                !parts.is_empty() && parts.iter().all(|part| part["outcome"] != "waiting")
            };
            traces.push(self.gateway.client.trace_until(id, is_settled).await);
        }
        traces
    }

    fn no_problems(&self) {
        let problems: Vec<String> = self
            .everywhere
            .iter()
            .flat_map(|(name, fake)| fake.problems().into_iter().map(move |problem| format!("{name}: {problem}")))
            .collect();
        assert!(problems.is_empty(), "{problems:#?}");
    }

    /// What went out, joined by the gateway and with its credentials, is what the platforms' published models take.
    async fn no_complaints(&self) {
        let models = MODELS.map(|(plugin, _)| plugin);
        let asked = self.everywhere.iter().filter(|(name, _)| models.contains(name));
        let questions: Vec<Value> = asked
            .flat_map(|(name, fake)| fake.requests().into_iter().map(move |request| question(name, &request)))
            // Requests for access tokens are forms.
            .filter(|question| !question["body"].is_null())
            .collect();
        let said = ask("validate_requests.py", &questions).await;
        for (question, said) in questions.iter().zip(said) {
            assert!(said.is_empty(), "{said:?}: {question:#}");
        }
        for plugin in models {
            assert!(questions.iter().any(|question| question["plugin"] == plugin), "{plugin} was sent nothing");
        }
    }
}

/// What became of an event at a destination, with the reason.
fn outcome<'a>(trace: &'a Value, destination: &str) -> (&'a str, &'a str) {
    let parts = trace["destinations"].as_array().unwrap();
    let part = parts.iter().find(|part| part["name"] == destination).unwrap();
    (part["outcome"].as_str().unwrap(), part["reason"].as_str().unwrap_or_default())
}

fn largest_request(traces: &[Value], destination: &str) -> u64 {
    let parts = traces.iter().flat_map(|trace| trace["destinations"].as_array().unwrap());
    let attempts =
        parts.filter(|part| part["name"] == destination).flat_map(|part| part["attempts"].as_array().unwrap());
    attempts.map(|attempt| attempt["events"].as_u64().unwrap()).max().unwrap_or(0)
}

async fn a_session_is_delivered_everywhere(store: &str) {
    let world = World::over(store).await;
    let ids = world.shop().await;
    let traces = world.settled(&ids).await;
    for name in world.everywhere.names() {
        let mut delivered = 0;
        for trace in &traces {
            let (outcome, reason) = outcome(trace, name);
            // What is none of a platform's business is dropped with a reason; nothing is refused.
            assert!(
                outcome == "delivered" || (outcome == "dropped" && reason.starts_with("filtered: ")),
                "{name}: {trace:#}"
            );
            delivered += usize::from(outcome == "delivered");
            assert!(trace["name"] != "purchase" || outcome == "delivered", "{name} takes purchases: {trace:#}");
        }
        assert!(delivered >= VISITORS, "{name}: {delivered}");
    }
    world.no_problems();
    world.no_complaints().await;
    for built_in in tidegate_plugins::BUILT_IN {
        let manifest = tidegate_plugin_sdk::manifest::Manifest::parse(built_in.manifest).unwrap();
        let joined = largest_request(&traces, built_in.name);
        assert_eq!(joined > 1, manifest.batch.joins_any(), "{}: {joined} events in a request", built_in.name);
    }
    usable(&world, &traces).await;
    assert!(world.gateway.terminate().await.success());
}

/// Somebody who is known, and came by an ad, is worth something to every platform that matches; the traces, the status and
/// the metrics say so.
async fn usable(world: &World, traces: &[Value]) {
    let purchase = traces.iter().find(|trace| trace["name"] == "purchase").unwrap();
    let metrics = world.gateway.client.admin("/metrics").await.text;
    for built_in in tidegate_plugins::BUILT_IN {
        let manifest = tidegate_plugin_sdk::manifest::Manifest::parse(built_in.manifest).unwrap();
        let name = built_in.name;
        let parts = purchase["destinations"].as_array().unwrap();
        let score = &parts.iter().find(|part| part["name"] == name).unwrap()["quality"];
        let status = &world.gateway.client.status(name).await["quality"];
        let metric = format!("tidegate_match_quality_percent{{destination=\"{name}\"}}");
        if manifest.quality.is_empty() {
            assert_eq!((score, status, metrics.contains(&metric)), (&Value::Null, &Value::Null, false), "{name}");
            continue;
        }
        assert!(score["percent"].as_u64().unwrap() >= 60, "{name}: {score:#}");
        assert!(
            status["percent"].as_u64().unwrap() > 0 && status["events"].as_u64().unwrap() > 0,
            "{name}: {status:#}"
        );
        assert!(metrics.contains(&metric), "{name}");
    }
}

async fn trouble_on_the_way_costs_no_more_than_what_a_platform_refuses(store: &str) {
    let world = World::over(store).await;
    let troubles = [Trouble::Unavailable, Trouble::Throttled, Trouble::CredentialsRefused, Trouble::FirstRefused];
    world.everywhere.next(&troubles.map(Behaviour::Trouble));
    let ids = world.shop().await;
    let traces = world.settled(&ids).await;
    for (name, fake) in world.everywhere.iter() {
        let of = |wanted: &str| traces.iter().filter(|trace| outcome(trace, name).0 == wanted).count();
        // The platform that was told to refuse one event has refused one at most: a batch is taken apart.
        assert!(of("dead") <= 1, "{name}: {:#?}", traces.iter().map(|trace| outcome(trace, name)).collect::<Vec<_>>());
        assert!(of("delivered") + 1 >= VISITORS, "{name}: {} delivered", of("delivered"));
        assert!(fake.requests_count() > troubles.len() as u64 || name == "slack", "{name} was in all its troubles");
        let status = world.gateway.client.status(name).await;
        assert_eq!((&status["parked"], &status["waiting"]), (&Value::Null, &0.into()), "{status:#}");
    }
    assert!(world.gateway.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_delivered_everywhere_over_sqlite() {
    a_session_is_delivered_everywhere("sqlite:tidegate.db").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_delivered_everywhere_over_redis() {
    let redis = Server::with(&["appendfsync always"]);
    a_session_is_delivered_everywhere(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_on_the_way_costs_no_more_than_what_a_platform_refuses_over_sqlite() {
    trouble_on_the_way_costs_no_more_than_what_a_platform_refuses("sqlite:tidegate.db").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_on_the_way_costs_no_more_than_what_a_platform_refuses_over_redis() {
    let redis = Server::with(&["appendfsync always"]);
    trouble_on_the_way_costs_no_more_than_what_a_platform_refuses(&redis.url()).await;
}
