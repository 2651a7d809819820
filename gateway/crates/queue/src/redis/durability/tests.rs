use std::time::Duration;

use tidegate_test_redis::{Replicated, Server};

use super::*;
use crate::Level;
use crate::redis::{Persistence, Timeouts};

async fn asked(url: &str, level: Level, assumed: Option<Persistence>) -> Result<Established, OpenError> {
    let address = Address::parse(url).unwrap();
    let timeouts = Timeouts { connect: Duration::from_secs(5), response: Duration::from_secs(5) };
    let link = Link::connect(&address, None, timeouts).await.unwrap();
    establish(&link, &address, Wanted { level, assumed }).await
}

async fn given(server: &Server, level: Level) -> Established {
    asked(&server.url(), level, None).await.unwrap()
}

async fn refusal(url: &str, level: Level) -> (String, String) {
    match asked(url, level, None).await.unwrap_err() {
        OpenError::Unfit { why, hint, .. } => (why, hint),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_always_syncs_gives_the_disk_whatever_is_asked() {
    let server = Server::with(&["appendonly yes", "appendfsync always"]);
    for level in [Level::Any, Level::Fsync] {
        let established = given(&server, level).await;
        assert_eq!(established.durability.level, Level::Fsync);
        assert_eq!(established.confirm, Confirm::Nothing);
        assert!(established.durability.meaning.starts_with("an acknowledged event is on the server's disk"));
        assert!(established.server.starts_with("Redis ") || established.server.starts_with("Valkey "));
        assert!(established.warnings.is_empty(), "{:?}", established.warnings);
    }
    server.must(&["CONFIG", "SET", "no-appendfsync-on-rewrite", "yes"]);
    let (why, hint) = refusal(&server.url(), Level::Fsync).await;
    assert!(why.contains("rewrites") && hint.contains("no-appendfsync-on-rewrite no"), "{why} {hint}");
    assert_eq!(given(&server, Level::Any).await.durability.level, Level::Any);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_second_is_enough_for_the_disk_only_where_it_can_be_waited_for() {
    let server = Server::with(&["appendonly yes", "appendfsync everysec"]);
    let any = given(&server, Level::Any).await;
    assert_eq!((any.durability.level, any.confirm), (Level::Any, Confirm::Nothing));
    assert!(any.durability.meaning.contains("up to 2 seconds are at risk"), "{}", any.durability.meaning);
    match asked(&server.url(), Level::Fsync, None).await {
        Ok(established) => assert_eq!(established.confirm, Confirm::Disk),
        Err(OpenError::Unfit { why, hint, .. }) => {
            assert!(why.contains("each second only") && hint.contains("Redis 7.2"), "{why} {hint}");
            assert!(any.server.starts_with("Redis 7.0"));
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_append_only_file_the_meaning_says_what_is_lost() {
    let server = Server::with(&["appendonly no", "save 900 1"]);
    let snapshots = given(&server, Level::Any).await;
    assert!(snapshots.durability.meaning.contains("everything since the last snapshot"));
    server.must(&["CONFIG", "SET", "save", ""]);
    let nothing = given(&server, Level::Any).await;
    assert!(nothing.durability.meaning.contains("everything is lost"), "{}", nothing.durability.meaning);
    let (why, hint) = refusal(&server.url(), Level::Fsync).await;
    assert!(why.contains("`appendonly` is `no`") && hint.contains("appendonly yes"), "{why} {hint}");
    let (why, hint) = refusal(&server.url(), Level::Replicated).await;
    assert!(why.contains("no replica") && hint.contains("start a replica"), "{why} {hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_is_refused_or_warned_of() {
    let server = Server::with(&["maxmemory 100mb", "maxmemory-policy allkeys-lru", "appendfsync always"]);
    let any = given(&server, Level::Any).await;
    assert_eq!(any.durability.level, Level::Any);
    assert!(any.warnings[0].contains("noeviction"), "{:?}", any.warnings);
    let (why, hint) = refusal(&server.url(), Level::Fsync).await;
    assert!(why.contains("allkeys-lru") && hint.contains("noeviction"), "{why} {hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_config_is_forbidden_the_operator_asserts() {
    let server = Server::builder().with(&["appendfsync always"]).user("app", "pw", "~* &* +@all -@admin").start();
    let url = server.url_as("app", "pw");
    let any = asked(&url, Level::Any, None).await.unwrap();
    assert_eq!(any.durability.level, Level::Any);
    assert!(any.durability.meaning.contains("NOPERM"), "{}", any.durability.meaning);
    let (why, hint) = refusal(&url, Level::Fsync).await;
    assert!(why.contains("does not tell") && hint.contains("store.durability_assumed"), "{why} {hint}");
    let asserted = asked(&url, Level::Fsync, Some(Persistence::Always)).await.unwrap();
    assert_eq!(asserted.durability.level, Level::Fsync);
    let renamed = Server::builder().with(&["rename-command CONFIG \"\""]).start();
    let seldom = asked(&renamed.url(), Level::Any, Some(Persistence::Seldom)).await.unwrap();
    assert!(seldom.durability.meaning.contains("durability_assumed"), "{}", seldom.durability.meaning);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_makes_it_replicated_and_is_itself_refused() {
    let replicated = Replicated::start(1);
    let url = replicated.url();
    let established = asked(&url, Level::Replicated, None).await.unwrap();
    assert_eq!((established.durability.level, established.confirm), (Level::Replicated, Confirm::Replicas));
    let any = asked(&url, Level::Any, None).await.unwrap();
    assert!(any.durability.meaning.contains("a failover loses"), "{}", any.durability.meaning);
    replicated.primary().must(&["CONFIG", "SET", "appendfsync", "always"]);
    let both = asked(&url, Level::Replicated, None).await.unwrap();
    assert_eq!((both.durability.level, both.confirm), (Level::Fsync, Confirm::Replicas));
    let other = Server::start();
    other.replica_of(replicated.primary());
    let (why, hint) = refusal(&other.url(), Level::Any).await;
    assert!(why.contains("is a replica") && hint.contains("Sentinel"), "{why} {hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ailing_server_is_noticed() {
    let server = Server::start();
    let address = Address::parse(&server.url()).unwrap();
    let timeouts = Timeouts { connect: Duration::from_secs(5), response: Duration::from_secs(5) };
    let link = Link::connect(&address, None, timeouts).await.unwrap();
    assert_eq!(ailment(&link).await.unwrap(), None);
    server.must(&["CONFIG", "SET", "maxmemory", "100kb"]);
    assert!(ailment(&link).await.unwrap().unwrap().contains("bytes of memory"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_snapshot_failed_is_noticed() {
    let server = Server::with(&["save 900 1"]);
    let address = Address::parse(&server.url()).unwrap();
    let timeouts = Timeouts { connect: Duration::from_secs(5), response: Duration::from_secs(5) };
    let link = Link::connect(&address, None, timeouts).await.unwrap();
    std::fs::remove_dir_all(server.dir()).unwrap();
    server.must(&["SET", "x", "y"]);
    server.must(&["BGSAVE"]);
    tidegate_test_redis::until("the snapshot has failed", || {
        (server.info("rdb_last_bgsave_status")? == "err").then_some(())
    });
    assert!(ailment(&link).await.unwrap().unwrap().contains("last snapshot failed"));
    server.must(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    assert_eq!(ailment(&link).await.unwrap(), None);
}
