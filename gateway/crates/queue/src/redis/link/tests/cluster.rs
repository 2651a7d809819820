use tidegate_test_redis::{Cluster, slot_of};

use super::*;

const PARTITIONS: u16 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn all_partitions_are_reached_wherever_they_are() {
    let cluster = Cluster::start();
    let link = link(&cluster.url()).await;
    assert_eq!(link.shape(), Shape::Cluster);
    for field in ["x", "y"] {
        let calls = (0..PARTITIONS).map(|partition| put(partition, field)).collect();
        let answers = link.run(Lane::Commit, calls, Confirm::Replicas).await;
        assert_eq!(answers.len(), usize::from(PARTITIONS));
        for answer in answers {
            answer.unwrap();
        }
    }
    for answer in link.read((0..PARTITIONS).map(length).collect()).await {
        assert_eq!(answer.unwrap(), Value::Int(2));
    }
    assert_eq!(link.ask_primaries(&[cmd("PING")]).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_on_its_way_is_waited_for_and_followed() {
    let cluster = Cluster::start();
    let link = quick_link(&cluster.url(), Duration::from_secs(20)).await;
    run(&link, (0..4).map(|partition| put(partition, "x")).collect()).await.pop().unwrap().unwrap();
    let slot = slot_of("t:{q:00}:a");
    let owner = cluster.owner_of_slot(slot);
    let to = cluster.primaries().into_iter().find(|node| *node != owner).unwrap();
    let moving = cluster.begin_move(slot, to);
    // All keys are still where they were.
    run_one(&link, put(0, "before")).await.unwrap();
    assert_eq!(moving.some_keys(1), 1);
    // One key here and one there: TRYAGAIN, until the other has gone too.
    let waiting = link.inner.dialer.tasks.spawn({
        let link = link.clone();
        async move { run(&link, vec![put(0, "between"), put(1, "y")]).await }
    });
    let has_refused = |node: usize| cluster.node(node).must(&["INFO", "errorstats"]).text().contains("TRYAGAIN");
    let refused = || has_refused(owner) || has_refused(to);
    tidegate_test_redis::until("the call is refused", || refused().then_some(()));
    assert!(!waiting.is_finished());
    while moving.some_keys(10) > 0 {}
    for answer in waiting.await.unwrap() {
        answer.unwrap();
    }
    // All keys are there, and the slot is not: ASK.
    run_one(&link, put(0, "after")).await.unwrap();
    moving.finish();
    assert_eq!(run_one(&link, put(0, "at last")).await.unwrap(), Value::Int(5));
    assert_eq!(link.read(vec![length(0)]).await.pop().unwrap().unwrap(), Value::Int(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_stays_between_is_told_in_time() {
    let cluster = Cluster::start();
    let link = quick_link(&cluster.url(), Duration::from_millis(500)).await;
    run_one(&link, put(0, "x")).await.unwrap();
    let slot = slot_of("t:{q:00}:a");
    let owner = cluster.owner_of_slot(slot);
    let to = cluster.primaries().into_iter().find(|node| *node != owner).unwrap();
    let moving = cluster.begin_move(slot, to);
    // A key that is nowhere counts as one that has gone already.
    let nowhere = Call { keys: vec![key(0, "a"), key(0, "nowhere")], ..put(0, "y") };
    assert_eq!(run_one(&link, nowhere).await.unwrap_err().code(), "TRYAGAIN");
    moving.some_keys(1);
    let begun = Instant::now();
    let trouble = run_one(&link, put(0, "y")).await.unwrap_err();
    assert_eq!(trouble.code(), "TRYAGAIN");
    assert!(trouble.is_unavailable() && begun.elapsed() < Duration::from_secs(3));
    while moving.some_keys(100) > 0 {}
    moving.finish();
    until_well(&link, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_primary_is_replaced_and_the_others_go_on() {
    let cluster = Cluster::start();
    let link = link(&cluster.url()).await;
    let all = |field: &str| (0..PARTITIONS).map(|partition| put(partition, field)).collect::<Vec<_>>();
    for answer in link.run(Lane::Commit, all("x"), Confirm::Replicas).await {
        answer.unwrap();
    }
    let lost = cluster.owner_of_slot(slot_of("t:{q:00}:a"));
    cluster.kill(lost);
    let answers = run(&link, all("y")).await;
    assert!(answers.iter().any(Result::is_ok), "the other primaries are there");
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(Trouble::is_unavailable));
    cluster.until_replaced(lost);
    for partition in 0..PARTITIONS {
        until_well(&link, partition).await;
    }
    for answer in link.read((0..PARTITIONS).map(length).collect()).await {
        assert!(matches!(answer.unwrap(), Value::Int(2..=3)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_primary_is_replaced_and_not_asked_again() {
    let cluster = Cluster::start();
    let link = quick_link(&cluster.url(), Duration::from_secs(1)).await;
    run(&link, (0..PARTITIONS).map(|partition| put(partition, "x")).collect()).await.pop().unwrap().unwrap();
    let stuck = cluster.owner_of_slot(slot_of("t:{q:00}:a"));
    cluster.node(stuck).pause();
    assert!(run_one(&link, put(0, "y")).await.unwrap_err().is_unavailable());
    cluster.until_replaced(stuck);
    for partition in 0..PARTITIONS {
        until_well(&link, partition).await;
    }
}
