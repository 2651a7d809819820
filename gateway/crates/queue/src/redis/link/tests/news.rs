use tidegate_test_redis::{Cluster, Server};
use tokio::time::timeout;

use super::*;

async fn next(news: &mut mpsc::Receiver<News>) -> News {
    timeout(PATIENCE, news.recv()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_heard_and_gaps_are_told() {
    let server = Server::start();
    let link = link(&server.url()).await;
    let mut news = link.listen("t:arrivals".to_owned());
    assert_eq!(next(&mut news).await, News::Gap);
    assert_eq!(server.must(&["PUBLISH", "t:arrivals", "one"]).int(), 1);
    assert_eq!(next(&mut news).await, News::Message(b"one".to_vec()));
    server.kill();
    server.restart();
    assert_eq!(next(&mut news).await, News::Gap);
    server.must(&["PUBLISH", "t:arrivals", "two"]);
    assert_eq!(next(&mut news).await, News::Message(b"two".to_vec()));
    link.close();
    assert_eq!(timeout(PATIENCE, news.recv()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_after_the_receiver_is_gone() {
    let server = Server::start();
    let link = link(&server.url()).await;
    let mut news = link.listen("t:arrivals".to_owned());
    next(&mut news).await;
    drop(news);
    tidegate_test_redis::until("the subscription is gone", || {
        (server.must(&["PUBLISH", "t:arrivals", "one"]).int() == 0).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_any_node_tells() {
    let cluster = Cluster::start();
    let link = link(&cluster.url()).await;
    let mut news = link.listen("t:arrivals".to_owned());
    assert_eq!(next(&mut news).await, News::Gap);
    for node in cluster.primaries() {
        cluster.node(node).must(&["PUBLISH", "t:arrivals", "one"]);
        assert_eq!(next(&mut news).await, News::Message(b"one".to_vec()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_keep_up_is_told_of_the_gap() {
    let server = Server::start();
    let link = link(&server.url()).await;
    let mut news = link.listen("t:arrivals".to_owned());
    assert_eq!(next(&mut news).await, News::Gap);
    let mut publisher = server.connect().unwrap();
    tidegate_test_redis::until("the connection is given up", || {
        (0..500).any(|_| publisher.call(&["PUBLISH", "t:arrivals", "one"]).unwrap().int() == 0).then_some(())
    });
    while next(&mut news).await != News::Gap {}
}
