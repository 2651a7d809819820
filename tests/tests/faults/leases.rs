//! Two workers on one destination: no delivery is in the hands of both.

use std::time::Duration;

use tidegate_fakes::{Behaviour, Gate};
use tidegate_test_redis::Server;
use tidegate_tests::{Fault, PATIENCE, Process};

use crate::world::{CONCURRENCY, Story, World, drained, times};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_never_send_the_same_event() {
    let events = times(800, 20_000);
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::over(&redis.url()).await;
    let (collector, first) = world.pair().await;
    let second = world.process("deliver").await;
    world.senders.until(events).await;
    let story = Story {
        name: "60-two-workers",
        fault: "None: two workers",
        done: "one destination, two workers; nothing is harmed".into(),
    };
    // No fault is noted: the platform gets nothing twice.
    world.settle(&first.client, story).await;
    let shares = [delivered(&first).await, delivered(&second).await];
    assert!(shares.iter().all(|share| *share > 0), "both work: {shares:?}");
    drop(collector);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_slept_past_its_leases_settles_nothing_and_sends_nothing_of_theirs() {
    let rounds = times(1, 4);
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::over(&redis.url()).await;
    let (collector, sleeper) = world.pair().await;
    let mut helped = 0;
    for _ in 0..rounds {
        let gate = Gate::shut();
        let sent = world.platforms.webhook.requests_count();
        world.platforms.webhook.always(Behaviour::held(&gate));
        world.senders.more(200).await;
        world.platforms.webhook.wait_for(sent + CONCURRENCY as u64).await.unwrap();
        let (fault, told) = (Fault::begin(), lost(&sleeper));
        sleeper.pause().await;
        // The answers are there when it wakes, but by then the leases are another's.
        world.platforms.webhook.behave();
        gate.open();
        let other = world.process("deliver").await;
        world.senders.point_to([]);
        drained(&other.client).await;
        helped += delivered(&other).await;
        world.senders.point_to([&collector.client]);
        world.senders.more(50).await;
        world.senders.point_to([]);
        drained(&other.client).await;
        world.senders.point_to([&collector.client]);
        sleeper.resume().await;
        world.note(fault);
        refused(&sleeper, told + 1).await;
        assert!(other.terminate().await.success());
    }
    let story = Story {
        name: "61-worker-sleeps",
        fault: "Worker sleeps past its leases",
        done: format!("SIGSTOP with {CONCURRENCY} requests under way until another has delivered all, {rounds} times"),
    };
    let end = world.settle(&sleeper.client, story).await;
    assert!(helped > 0, "the other worker took over");
    assert!(end.accounts.again <= CONCURRENCY * rounds, "only what was under way comes again: {:?}", end.accounts);
}

/// How often a worker has told that leases of its were lost when it settled.
fn lost(worker: &Process) -> usize {
    worker.said("leases of `hook` were lost").len()
}

/// Waits until it has told so that often.
async fn refused(worker: &Process, times: usize) {
    let search = async {
        while lost(worker) < times {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, search).await.is_ok(), "no late settle was refused");
}

/// How many this process has delivered.
async fn delivered(worker: &Process) -> u64 {
    worker.client.status("hook").await["delivered"].as_u64().unwrap()
}
