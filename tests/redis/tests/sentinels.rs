//! Sentinels: when the primary is gone, another takes its place.

use tidegate_test_redis::{Replicated, until};

#[test]
fn a_killed_primary_is_replaced_and_comes_back_as_a_replica() {
    let servers = Replicated::start(2);
    let before = servers.primary().port();
    assert_eq!(before, servers.nodes[0].port());
    assert!(servers.url().starts_with("redis+sentinel://127.0.0.1:") && servers.url().ends_with("/tidegate"));
    servers.primary().must(&["SET", "key", "value"]);
    let confirmed = servers.primary().connect().unwrap().call(&["INCR", "other"]).unwrap();
    assert_eq!(confirmed.int(), 1);
    until("the replicas have it", || {
        servers.nodes[1..]
            .iter()
            .all(|node| node.must(&["GET", "other"]) != tidegate_test_redis::Reply::Nil)
            .then_some(())
    });

    let (dead, new) = servers.kill_primary();
    assert_ne!(new.port(), before);
    assert_eq!(new.must(&["GET", "key"]).text(), "value");
    new.must(&["SET", "key", "newer"]);

    dead.restart();
    until("the old primary follows the new one", || (dead.info("master_link_status")? == "up").then_some(()));
    assert_eq!(dead.must(&["GET", "key"]).text(), "newer");
}

#[test]
fn a_living_primary_can_be_replaced() {
    let servers = Replicated::start(1);
    let before = servers.primary().port();
    let after = servers.sentinels.failover();
    assert_ne!(before, after);
    assert_eq!(servers.primary().port(), after);
}
