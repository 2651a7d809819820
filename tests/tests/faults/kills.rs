//! `kill -9` at random moments under load: of a collector, of a worker, of Redis itself.

use tidegate_fakes::Behaviour;
use tidegate_test_redis::Server;
use tidegate_tests::{Fault, Form};
use tokio::time::Instant;

use crate::world::{CONCURRENCY, Story, World, block, random, times};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collectors_that_are_killed_lose_nothing_that_they_acknowledged() {
    let kills = times(6, 150);
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::over(&redis.url()).await;
    let worker = world.process("deliver").await;
    for round in 0..kills {
        let collector = world.process("collect").await;
        let started = Instant::now();
        world.senders.point_to([&collector.client]);
        world.recovered(started).await;
        world.platforms.webhook.next(misbehaviour(round));
        world.senders.more(random(80)).await;
        collector.kill().await;
    }
    let collector = world.process("collect").await;
    world.senders.point_to([&collector.client]);
    world.senders.more(10).await;
    let story = Story {
        name: "10-collector-killed",
        fault: "Collector killed",
        done: format!("kill -9 under load, {kills} times; a worker goes on"),
    };
    // No fault is noted: the platform gets nothing twice.
    world.settle(&worker.client, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_are_killed_leave_their_leases_to_others() {
    let kills = times(5, 100);
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::over(&redis.url()).await;
    let (collector, mut worker) = world.pair().await;
    for round in 0..kills {
        let sent = world.platforms.webhook.requests_count();
        world.platforms.webhook.next(misbehaviour(round));
        world.platforms.webhook.wait_for(sent + random(60)).await.unwrap();
        let fault = Fault::begin();
        worker.kill().await;
        // What it had sent comes again when its leases end, whenever that is.
        world.note(fault);
        worker = world.process("deliver").await;
    }
    world.senders.more(10).await;
    let story = Story {
        name: "11-worker-killed",
        fault: "Worker killed",
        done: format!("kill -9 under load, {kills} times; a collector goes on"),
    };
    let end = match Form::asked() {
        Form::Long => world.settle(&collector.client, story).await,
        // What the last of them leased waits for half a minute: that it waits is enough.
        Form::Short => {
            world.senders.point_to([]);
            assert!(worker.terminate().await.success());
            world.reckon(None, story).await
        }
    };
    assert!(end.accounts.lost.is_empty(), "{:?}", end.accounts);
    assert!(end.accounts.again <= CONCURRENCY * kills, "more came again than was under way: {:?}", end.accounts);
    assert_eq!(end.pace.refused + end.pace.unanswered, 0, "collecting needs no worker: {:?}", end.pace);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_has_all_that_was_acknowledged_on_its_disk() {
    let kills = times(5, 100);
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::over(&redis.url()).await;
    let (collector, worker) = world.pair().await;
    for round in 0..kills {
        world.platforms.webhook.next(misbehaviour(round));
        world.senders.more(random(120)).await;
        let fault = Fault::begin();
        block(|| redis.restart());
        let back = Instant::now();
        world.recovered(back).await;
        world.note(fault);
    }
    let story = Story {
        name: "12-redis-killed",
        fault: "Redis killed",
        done: format!("`appendfsync always`; kill -9 under load and started again, {kills} times"),
    };
    world.settle(&worker.client, story).await;
    drop(collector);
}

/// Now and then the platform fails, and now and then it refuses for good.
fn misbehaviour(round: usize) -> Vec<Behaviour> {
    match round % 4 {
        1 => vec![Behaviour::status(500), Behaviour::status(500)],
        3 => vec![Behaviour::status(400)],
        _ => Vec::new(),
    }
}
