//! Redis forgets what is not data: the consumer groups, the scripts.

use tidegate_test_redis::Server;

use crate::world::{Story, World, patient, random, times};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumer_groups_that_are_destroyed_are_made_again_and_nothing_is_sent_twice() {
    let rounds = times(8, 300);
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::with(&redis.url(), &patient()).await;
    let (collector, worker) = world.pair().await;
    let mut destroyed = 0;
    for _ in 0..rounds {
        world.senders.more(random(60)).await;
        destroyed += destroy(&redis);
    }
    world.senders.more(20).await;
    let story = Story {
        name: "30-groups-destroyed",
        fault: "Consumer groups destroyed",
        done: format!("XGROUP DESTROY of every group under load, {rounds} times ({destroyed} groups)"),
    };
    let end = world.settle(&worker.client, story).await;
    assert!(destroyed > 0, "there were groups");
    assert!(!worker.said("had lost its consumer group").is_empty(), "the worker raises an alarm");
    assert_eq!(end.pace.refused, 0, "collecting needs no group: {:?}", end.pace);
    drop(collector);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_are_flushed_are_loaded_again_and_nobody_notices() {
    let rounds = times(8, 300);
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::over(&redis.url()).await;
    let (collector, worker) = world.pair().await;
    for _ in 0..rounds {
        world.senders.more(random(60)).await;
        redis.must(&["SCRIPT", "FLUSH"]);
    }
    world.senders.more(20).await;
    let story = Story {
        name: "31-scripts-flushed",
        fault: "Scripts flushed",
        done: format!("SCRIPT FLUSH under load, {rounds} times"),
    };
    let end = world.settle(&worker.client, story).await;
    assert_eq!(end.pace.refused + end.pace.unanswered, 0, "clients do not notice: {:?}", end.pace);
    drop(collector);
}

/// Destroys every group of every stream; gives how many there were.
fn destroy(redis: &Server) -> usize {
    let mut connection = redis.connect().unwrap();
    let streams = connection.call(&["KEYS", "tidegate:*:stream:*"]).unwrap().texts();
    let groups = streams.iter().filter(|stream| {
        connection.call(&["XGROUP", "DESTROY", stream, "workers"]).is_ok_and(|destroyed| destroyed.int() == 1)
    });
    groups.count()
}
