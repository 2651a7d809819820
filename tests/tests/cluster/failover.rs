//! A replica takes its primary's place: because the primary died with what only it had, or because it was asked to.

use tidegate_test_redis::until;
use tidegate_tests::Form;

use crate::stand::{Stand, Story, block};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_confirmed_survives_its_primary() {
    let failovers = Form::asked().of(1, 6);
    let mut stand = Stand::start().await;
    for n in 0..failovers {
        let fault = stand.begin().await;
        block(|| {
            let primary = stand.cluster.primaries()[n % 3];
            // The replica is cut off first, so that the primary has something that nobody else has.
            for _ in 0..5 {
                stand.cluster.node(primary).must(&["CLIENT", "KILL", "TYPE", "replica"]);
            }
            stand.cluster.kill(primary);
            stand.cluster.until_replaced(primary);
            stand.cluster.restart(primary);
        });
        stand.end(fault).await;
    }
    let story = Story {
        name: "53-cluster-failover",
        fault: "Cluster: failover, `replicated`",
        done: format!("replica cut off, primary killed -9, replica promoted, {failovers} times"),
    };
    stand.settle(story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_is_asked_for_loses_nothing() {
    let failovers = Form::asked().of(3, 24);
    let mut stand = Stand::start().await;
    for n in 0..failovers {
        let fault = stand.begin().await;
        block(|| {
            let replica = stand.cluster.partner(stand.cluster.primaries()[n % 3]);
            let node = stand.cluster.node(replica);
            node.must(&["CLUSTER", "FAILOVER"]);
            until("the replica is the primary", || (node.info("role")? == "master").then_some(()));
            stand.cluster.wait_until_ok();
        });
        stand.end(fault).await;
    }
    let story = Story {
        name: "54-cluster-failover-asked-for",
        fault: "Cluster: `CLUSTER FAILOVER`",
        done: format!("a replica was told to take over, {failovers} times"),
    };
    stand.settle(story).await;
}
