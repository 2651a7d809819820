//! A cluster: formed, with slots that move, with nodes that are replaced.

use std::sync::atomic::{AtomicBool, Ordering};

use tidegate_test_redis::{Cluster, slot_of};

#[test]
fn a_cluster_serves_all_slots_and_a_killed_primary_is_replaced() {
    let cluster = Cluster::start();
    assert_eq!(cluster.primaries(), [0, 1, 2]);
    let slot = slot_of("key");
    let owner = cluster.owner_of_slot(slot);
    cluster.node(owner).must(&["SET", "key", "value"]);
    cluster.node(owner).must(&["WAIT", "1", "10000"]);
    let moved = cluster.node((owner + 1) % 3).cli(&["GET", "key"]).unwrap_err();
    assert_eq!(
        moved.to_string().split('`').nth(1).unwrap(),
        format!("MOVED {slot} 127.0.0.1:{}", cluster.node(owner).port())
    );

    cluster.kill(owner);
    let new = cluster.until_replaced(owner);
    assert_eq!(new, cluster.owner_of_slot(slot));
    assert_eq!(cluster.node(new).must(&["GET", "key"]).text(), "value");
    cluster.node(new).must(&["SET", "key", "newer"]);

    cluster.restart(owner);
    assert_eq!(cluster.owner_of_slot(slot), new);
    let mut replica = cluster.node(owner).connect().unwrap();
    replica.call(&["READONLY"]).unwrap();
    assert_eq!(replica.call(&["GET", "key"]).unwrap().text(), "newer");
}

#[test]
fn a_slot_moves_while_it_is_written_to() {
    let cluster = Cluster::start();
    let slot = slot_of("{t}");
    let (from, to) = (cluster.owner_of_slot(slot), (cluster.owner_of_slot(slot) + 1) % 3);
    for i in 0..1000 {
        cluster.node(from).must(&["SET", &format!("{{t}}{i}"), "0"]);
    }
    let done = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !done.load(Ordering::SeqCst) || written == 0 {
                increment(&cluster, [from, to], "{t}counter");
                written += 1;
            }
            written
        });
        cluster.move_slot(slot, to);
        done.store(true, Ordering::SeqCst);
        writer.join().unwrap()
    });
    assert_eq!(cluster.owner_of_slot(slot), to);
    assert_eq!(cluster.node(to).must(&["GET", "{t}counter"]).text(), written.to_string());
    assert_eq!(cluster.node(to).must(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]).int(), 1001);
}

#[test]
fn in_the_middle_of_a_move_clients_are_told_to_ask_and_to_try_again() {
    let cluster = Cluster::start();
    let slot = slot_of("{t}");
    let (from, to) = (cluster.owner_of_slot(slot), (cluster.owner_of_slot(slot) + 1) % 3);
    cluster.node(from).must(&["MSET", "{t}a", "1", "{t}b", "2"]);
    let given_up = cluster.begin_move(slot, to);
    let code = |command: &[&str]| cluster.node(from).cli(command).err()?.code().map(str::to_owned);
    assert_eq!(code(&["GET", "{t}c"]).as_deref(), Some("ASK"));
    given_up.cancel();
    assert_eq!(cluster.node(from).must(&["GET", "{t}b"]).text(), "2");
    assert_eq!(code(&["GET", "{t}c"]), None, "nobody is sent elsewhere any more");
    let moving = cluster.begin_move(slot, to);
    assert_eq!(moving.some_keys(1), 1);
    assert_eq!(code(&["MGET", "{t}a", "{t}b"]).as_deref(), Some("TRYAGAIN"));
    assert_eq!(moving.some_keys(1), 1);
    moving.finish();
    assert_eq!(cluster.node(to).must(&["MGET", "{t}a", "{t}b"]).texts(), ["1", "2"]);
    assert_eq!(cluster.owner_of_slot(slot), to);
}

/// Does what a cluster's client does: follows where it is sent.
fn increment(cluster: &Cluster, nodes: [usize; 2], key: &str) {
    let mut at = 0;
    let mut asking = false;
    for _ in 0..1000 {
        let mut connection = cluster.node(nodes[at]).connect().expect("the node runs");
        if std::mem::take(&mut asking) {
            connection.call(&["ASKING"]).expect("any node takes that");
        }
        match connection.call(&["INCR", key]) {
            Ok(_) => return,
            Err(error) => match error.code() {
                Some("MOVED") => at = 1 - at,
                Some("ASK") => (at, asking) = (1 - at, true),
                Some("TRYAGAIN") => {}
                _ => panic!("{error}"),
            },
        }
    }
    panic!("sent around without end");
}
