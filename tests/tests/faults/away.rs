//! A Redis that hangs, and one that is shut down for a while: events are refused with 503 and when to come again,
//! `/readyz` says why, and all goes on by itself.

use std::time::Duration;

use tidegate_test_redis::Server;
use tidegate_tests::{Client, Fault};
use tokio::time::Instant;

use crate::world::{Story, World, block, ready, times};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_is_told_and_nothing_is_lost_with_it() {
    let (rounds, hangs) = (times(1, 3), Duration::from_secs(times(2, 30)));
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::over(&redis.url()).await;
    let (collector, worker) = world.pair().await;
    for _ in 0..rounds {
        world.senders.more(100).await;
        let (fault, began) = (Fault::begin(), Instant::now());
        redis.pause();
        stays_away(&mut world, &[&collector.client, &worker.client]).await;
        tokio::time::sleep_until(began + hangs).await;
        redis.resume();
        let back = Instant::now();
        world.recovered(back).await;
        ready(&collector.client, 200).await;
        ready(&worker.client, 200).await;
        delivers(&mut world).await;
        world.note(fault);
    }
    let story = Story {
        name: "20-redis-hangs",
        fault: "Redis hangs",
        done: format!("SIGSTOP for {} s under load, {rounds} times", hangs.as_secs()),
    };
    world.settle(&worker.client, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_shut_down_for_a_while_is_told_and_nothing_is_lost_with_it() {
    let (rounds, gone) = (times(1, 3), Duration::from_secs(times(2, 30)));
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::over(&redis.url()).await;
    let (collector, worker) = world.pair().await;
    for _ in 0..rounds {
        world.senders.more(100).await;
        let (fault, began) = (Fault::begin(), Instant::now());
        block(|| redis.terminate());
        stays_away(&mut world, &[&collector.client, &worker.client]).await;
        tokio::time::sleep_until(began + gone).await;
        block(|| redis.restart());
        let back = Instant::now();
        world.recovered(back).await;
        ready(&collector.client, 200).await;
        ready(&worker.client, 200).await;
        delivers(&mut world).await;
        world.note(fault);
    }
    let story = Story {
        name: "21-redis-shut-down",
        fault: "Redis shut down",
        done: format!("SIGTERM under load, and back after {} s, {rounds} times", gone.as_secs()),
    };
    world.settle(&worker.client, story).await;
}

/// Events are refused in time, and every process says why.
async fn stays_away(world: &mut World, clients: &[&Client]) {
    world.senders.until_refused(4).await;
    for client in clients {
        let said = ready(client, 503).await;
        assert!(said["error"].as_str().is_some_and(|error| !error.is_empty()), "{said:#}");
        assert_eq!(client.admin("/healthz").await.status, 200, "the process lives");
    }
}

/// The platform gets events again.
async fn delivers(world: &mut World) {
    let sent = world.platforms.webhook.events_count();
    world.platforms.webhook.wait_for_events_within(sent + 20, Duration::from_secs(60)).await.unwrap();
}
