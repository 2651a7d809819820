//! A rolling restart: two gateways, told to end one after the other, while clients send.

use tidegate_test_redis::Server;

use crate::world::{Story, World, patient, times};

/// A delivery that waited for a lease to end would have taken half a minute.
const LATENCY_MAX_MS: u64 = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_cuts_no_request_and_gives_every_lease_back() {
    let restarts = times(4, 40);
    let redis = Server::with(&["appendfsync always"]);
    let mut world = World::with(&redis.url(), &patient()).await;
    let mut gateways = [world.process("collect,deliver").await, world.process("collect,deliver").await];
    world.senders.point_to(gateways.iter().map(|gateway| &gateway.client));
    for round in 0..restarts {
        world.senders.more(150).await;
        let next = world.process("collect,deliver").await;
        let old = std::mem::replace(&mut gateways[round % 2], next);
        // Clients still knock at it: they learn of the new one when it has gone.
        assert!(old.terminate().await.success());
        world.senders.point_to(gateways.iter().map(|gateway| &gateway.client));
    }
    world.senders.more(50).await;
    // A connection may be closed for being idle while a client begins its next request: nobody has read that one.
    let pace = world.senders.pace();
    let story = Story {
        name: "65-rolling-restart",
        fault: "Rolling restart",
        done: format!(
            "two gateways, SIGTERM to one after the other, {restarts} times; {} requests found nobody and {} met a \
             connection just closed, of which none had been taken",
            pace.unreachable, pace.unanswered
        ),
    };
    // No fault is noted: the platform gets nothing twice.
    let end = world.settle(&gateways[0].client, story).await;
    assert_eq!(end.pace.refused, 0, "nobody is refused: {:?}", end.pace);
    assert_eq!(end.pace.known_already, 0, "what is taken is answered: {:?}", end.pace);
    assert!(end.accounts.latency_max_ms < LATENCY_MAX_MS, "{:?}", end.accounts);
}
