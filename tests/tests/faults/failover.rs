//! A replica is promoted by Sentinel, and the primary is gone with what only it had.

use tidegate_test_redis::{Replicated, Server};
use tidegate_tests::{Fault, Form, Settings};
use tokio::time::Instant;

use crate::world::{End, Story, World, block, random, settings, times};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_confirmed_survives_the_primary() {
    let (end, failovers) = fail_over("replicated", "50-failover-replicated", "Failover, `replicated`").await;
    end.accounts.all_settled();
    assert!(end.pace.refused + end.pace.unanswered > 0, "{failovers} failovers are noticed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_replicas_word_a_failover_may_lose_events_and_the_gateway_goes_on() {
    // A demonstration for the report: what is lost with `any` is what `replicated` is for.
    if Form::asked() == Form::Long {
        fail_over("any", "51-failover-any", "Failover, `any` (may lose)").await;
    }
}

/// The replicas are cut off first, so that the primary has something that nobody else has.
async fn fail_over(durability: &str, name: &'static str, fault: &'static str) -> (End, usize) {
    let failovers = times(1, 12);
    let redis = block(|| Replicated::of(&Server::builder(), 2));
    let store = format!("{}durability = \"{durability}\"\n", settings().store);
    let mut world = World::with(&redis.url(), &Settings { store, ..settings() }).await;
    let (collector, worker) = world.pair().await;
    for _ in 0..failovers {
        world.senders.more(100 + random(50)).await;
        let fault = Fault::begin();
        let dead = block(|| {
            let primary = redis.primary();
            // They come back soon: once more, and what is confirmed to nobody piles up meanwhile.
            for _ in 0..5 {
                primary.must(&["CLIENT", "KILL", "TYPE", "replica"]);
            }
            redis.kill_primary().0
        });
        let promoted = Instant::now();
        world.recovered(promoted).await;
        world.note_with_leases(fault);
        block(|| {
            dead.restart();
            tidegate_test_redis::until("the dead primary is a replica", || {
                let up = dead.info("master_link_status").is_some_and(|status| status.trim() == "up");
                (up && redis.primary().info("connected_slaves")?.trim() == "2").then_some(())
            });
        });
    }
    let story = Story {
        name,
        fault,
        done: format!("replicas cut off, primary killed -9, replica promoted by Sentinel, {failovers} times"),
    };
    let end = world.reckon(Some(&worker.client), story).await;
    drop(collector);
    (end, failovers)
}
