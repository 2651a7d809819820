//! Slots move from primary to primary while clients send.

use tidegate_test_redis::Move;
use tidegate_tests::Form;

use crate::stand::{PARTITIONS, Stand, Story, block, slot};

/// So many events of other partitions are taken while one partition's move is halfway.
const MEANWHILE: u64 = 200;
/// So many, and there is something in each partition.
const FILLED: u64 = 400;

/// How a partition's slot moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    AtOnce,
    /// With its keys here and there for so long that clients are told to come again: Redis answers TRYAGAIN to a
    /// script that needs both.
    Halting,
    /// Begun, given up before the first key, and begun again.
    GivenUp,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_take_everything_along() {
    let every = Form::asked().of(16, 1);
    let mut stand = Stand::start().await;
    stand.senders.until(FILLED).await;
    let ways = [How::AtOnce, How::Halting, How::AtOnce, How::GivenUp];
    let mut count = 0;
    for partition in (0..PARTITIONS).step_by(every) {
        let how = ways[count % ways.len()];
        let fault = stand.begin().await;
        move_partition(&mut stand, partition, how).await;
        stand.end(fault).await;
        count += 1;
    }
    let refused = stand.senders.pace().refused;
    let story = Story {
        name: "55-cluster-slots-moved",
        fault: "Cluster: slots moved under load",
        done: format!(
            "{count} of {PARTITIONS} partitions moved to another primary; some with a halt midway, in which their events \
             were answered with 503 ({refused} times) and the others taken, and some given up at first"
        ),
    };
    stand.settle(story).await;
}

async fn move_partition(stand: &mut Stand, partition: u16, how: How) {
    let slot = slot(partition);
    let Stand { cluster, senders, .. } = stand;
    let to = block(|| {
        let owner = cluster.owner_of_slot(slot);
        let others: Vec<usize> = cluster.primaries().into_iter().filter(|node| *node != owner).collect();
        others[usize::from(partition) % others.len()]
    });
    if how == How::AtOnce {
        return block(|| cluster.move_slot(slot, to));
    }
    let mut moving: Move<'_> = block(|| cluster.begin_move(slot, to));
    if how == How::GivenUp {
        senders.more(MEANWHILE).await;
        block(|| moving.cancel());
        senders.more(MEANWHILE).await;
        moving = block(|| cluster.begin_move(slot, to));
    }
    assert_eq!(block(|| moving.some_keys(1)), 1, "there is something to move");
    senders.more(MEANWHILE).await;
    if how == How::Halting {
        senders.until_refused(1).await;
    }
    block(|| {
        while moving.some_keys(100) > 0 {}
        moving.finish();
    });
}
