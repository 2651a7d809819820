use tidegate_test_redis::Replicated;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_replica_that_sentinel_promotes_is_found() {
    let replicated = Replicated::start(1);
    let link = link(&replicated.url()).await;
    assert_eq!(link.shape(), Shape::Single);
    let confirmed = link.run(Lane::Commit, vec![put(0, "x"), put(1, "x")], Confirm::Replicas).await;
    assert!(confirmed.iter().all(Result::is_ok), "{confirmed:?}");
    let (_, primary) = replicated.kill_primary();
    until_well(&link, 0).await;
    assert_eq!(primary.must(&["HLEN", "t:{q:00}:a"]).int(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_demoted_is_left() {
    let replicated = Replicated::start(1);
    let link = link(&replicated.url()).await;
    run_one(&link, put(0, "x")).await.unwrap();
    let old = replicated.primary().port();
    // What Sentinel does is done by hand, but for cutting off the clients: they learn it from READONLY.
    let replicas: Vec<_> = link.ask_primaries(&[cmd("PING")]).await.unwrap();
    assert_eq!(replicas[0].0, format!("127.0.0.1:{old}"));
    replicated.primary().must(&["REPLICAOF", "127.0.0.1", "1"]);
    let trouble = run_one(&link, put(0, "y")).await.unwrap_err();
    assert_eq!(trouble.code(), "READONLY");
    // Sentinel still names it, and the link does not take it.
    let end = Instant::now() + PATIENCE;
    let message = loop {
        let message = run_one(&link, put(0, "y")).await.map_or_else(|trouble| trouble.to_string(), |_| String::new());
        if !message.contains("failed just now") || Instant::now() > end {
            break message;
        }
        sleep(Duration::from_millis(10)).await;
    };
    assert!(message.is_empty() || message.contains("its role is `slave`"), "{message}");
    until_well(&link, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_service_is_told() {
    let replicated = Replicated::start(1);
    let url = replicated.url().replace("/tidegate", "/other");
    let message = refusal(&url).await;
    assert!(message.contains("knows no service `other`"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_that_is_stuck_is_passed_over() {
    let replicated = Replicated::start(1);
    let first = replicated.sentinels.nodes().first().unwrap();
    first.pause();
    let link = link(&replicated.url()).await;
    run_one(&link, put(0, "x")).await.unwrap();
    first.resume();
}
