use tidegate_test_redis::{ClientCertificates, Proxy, Server};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_loaded_when_the_server_does_not_know_it() {
    let server = Server::start();
    let link = link(&server.url()).await;
    assert_eq!(run_one(&link, put(0, "x")).await.unwrap(), Value::Int(1));
    server.must(&["SCRIPT", "FLUSH"]);
    assert_eq!(run_one(&link, put(0, "y")).await.unwrap(), Value::Int(2));
    server.must(&["SCRIPT", "FLUSH"]);
    let answers = run(&link, vec![put(1, "x"), put(2, "x"), put(2, "y")]).await;
    let answers: Vec<Value> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, [Value::Int(1), Value::Int(1), Value::Int(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_cannot_be_loaded_says_why() {
    static BROKEN: LazyLock<Script> = LazyLock::new(|| Script::new("broken", "", "return nonsense("));
    let server = Server::start();
    let link = link(&server.url()).await;
    let call = Call { script: &BROKEN, partition: 0, keys: vec![key(0, "a")], args: vec![] };
    let answers = run(&link, vec![put(0, "x"), call]).await;
    assert!(answers[0].is_ok());
    let trouble = answers[1].as_ref().unwrap_err();
    assert!(trouble.to_string().contains("Error compiling script"), "{trouble}");
    assert!(trouble.to_string().ends_with("(script `broken`, partition 0)"), "{trouble}");
    assert!(!trouble.is_unavailable());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_calls_are_one_transaction_and_fail_alone() {
    let server = Server::start();
    let link = link(&server.url()).await;
    server.must(&["SET", "t:{q:01}:a", "not a hash"]);
    run_one(&link, put(0, "x")).await.unwrap();
    let before = server.info("total_commands_processed");
    let answers = run(&link, vec![put(0, "y"), put(1, "x"), put(2, "x")]).await;
    assert_eq!(answers[0].as_ref().unwrap(), &Value::Int(2));
    assert_eq!(answers[1].as_ref().unwrap_err().code(), "WRONGTYPE");
    assert_eq!(answers[2].as_ref().unwrap(), &Value::Int(1));
    assert!(before.is_some());
    let transactions = server.info("cmdstat_exec").unwrap_or_default();
    assert!(transactions.is_empty() || transactions.contains("calls=1"), "{transactions}");
    let lengths = link.read(vec![length(0), length(2), length(5)]).await;
    let lengths: Vec<Value> = lengths.into_iter().map(Result::unwrap).collect();
    assert_eq!(lengths, [Value::Int(2), Value::Int(1), Value::Int(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_memory_refuses_all_calls_with_the_cause() {
    let server = Server::start();
    let link = link(&server.url()).await;
    run(&link, vec![put(0, "x"), put(1, "x")]).await.pop().unwrap().unwrap();
    server.must(&["CONFIG", "SET", "maxmemory", "100kb"]);
    for calls in [vec![put(0, "y")], vec![put(0, "y"), put(1, "y"), put(2, "y")]] {
        for answer in run(&link, calls).await {
            let trouble = answer.unwrap_err();
            assert!(trouble.is_no_room() && trouble.is_unavailable(), "{trouble}");
            assert!(trouble.to_string().starts_with("OOM command not allowed"), "{trouble}");
        }
    }
    // A script of the old kind is begun, and refused at its first write.
    static OLD: LazyLock<Script> = LazyLock::new(|| Script::new("old", "", "return redis.call('SET', KEYS[1], 'x')"));
    let old = || Call { script: &OLD, partition: 0, keys: vec![key(0, "c")], args: vec![] };
    for answer in run(&link, vec![old()]).await.into_iter().chain(run(&link, vec![old(), old()]).await) {
        assert!(answer.unwrap_err().is_no_room());
    }
    server.must(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(run_one(&link, put(0, "y")).await.unwrap(), Value::Int(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_memory_takes_calls_that_make_room_however_many_they_are() {
    static TAKE: LazyLock<Script> =
        LazyLock::new(|| Script::new("take", "#!lua flags=allow-oom\n", "return redis.call('DEL', KEYS[1])"));
    let take = |partition| Call { script: &TAKE, partition, keys: vec![key(partition, "a")], args: vec![] };
    let server = Server::start();
    let link = link(&server.url()).await;
    run(&link, (0..5).map(|partition| put(partition, "x")).collect()).await.pop().unwrap().unwrap();
    server.must(&["CONFIG", "SET", "maxmemory", "100kb"]);
    // Neither a script that the server has to learn first nor a transaction is in the way.
    for partitions in [0..2, 2..4, 4..5] {
        for answer in run(&link, partitions.map(take).collect()).await {
            assert_eq!(answer.unwrap(), Value::Int(1));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_fails_at_once_and_works_again_after_its_restart() {
    let server = Server::with(&["appendfsync always"]);
    let link = link(&server.url()).await;
    run_one(&link, put(0, "x")).await.unwrap();
    server.kill();
    let begun = Instant::now();
    for _ in 0..100 {
        let trouble = run_one(&link, put(0, "y")).await.unwrap_err();
        assert!(trouble.is_unavailable(), "{trouble}");
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "it waited for a server that is not there");
    server.restart();
    until_well(&link, 0).await;
    assert_eq!(link.read(vec![length(0)]).await.pop().unwrap().unwrap(), Value::Int(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_server_closed_while_idle_costs_nothing() {
    let server = Server::start();
    let link = link(&server.url()).await;
    run_one(&link, put(0, "x")).await.unwrap();
    for round in 0..5 {
        server.must(&["CLIENT", "KILL", "TYPE", "normal"]);
        let Way::One(one) = &link.inner.way else { panic!("it is one server") };
        one.until_ended(Lane::Commit).await;
        run_one(&link, put(0, &format!("{round}"))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_server_is_left_in_time_and_works_again() {
    let server = Server::start();
    let link = quick_link(&server.url(), Duration::from_millis(300)).await;
    run_one(&link, put(0, "x")).await.unwrap();
    server.pause();
    let begun = Instant::now();
    let troubles = futures_util::future::join_all((0..20).map(|_| run_one(&link, put(0, "y")))).await;
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(troubles.iter().all(|answer| answer.as_ref().is_err_and(Trouble::is_unavailable)));
    let timed_out = troubles.iter().any(|answer| matches!(answer, Err(Trouble::Timeout { ms: 300, .. })));
    assert!(timed_out, "{troubles:?}");
    server.resume();
    until_well(&link, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_told_and_not_tried_again() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let link = link(&proxy.url()).await;
    run_one(&link, put(0, "x")).await.unwrap();
    proxy.drop_answer_to("EVALSHA");
    let trouble = run_one(&link, put(0, "y")).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Lost { .. }), "{trouble}");
    assert_eq!(server.must(&["HLEN", "t:{q:00}:a"]).int(), 2);
    until_well(&link, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_replica_nothing_counts_that_a_replica_should_confirm() {
    let server = Server::start();
    let link = quick_link(&server.url(), Duration::from_secs(2)).await;
    for answer in link.run(Lane::Commit, vec![put(0, "x"), put(1, "x")], Confirm::Replicas).await {
        let trouble = answer.unwrap_err();
        assert_eq!(trouble.to_string(), "only 0 of 1 replicas confirmed in 1600 ms");
        assert!(trouble.is_unavailable());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_waits_holds_up_no_other() {
    let server = Server::start();
    let link = quick_link(&server.url(), Duration::from_secs(10)).await;
    let waiting = link.run(Lane::Commit, vec![put(0, "x")], Confirm::Replicas);
    let work = async {
        link.run(Lane::Work, vec![put(1, "x")], Confirm::Nothing).await.pop().unwrap().unwrap();
        link.read(vec![length(1)]).await.pop().unwrap().unwrap()
    };
    tokio::select! {
        biased;
        _ = waiting => panic!("the replica that is not there confirmed first"),
        length = work => assert_eq!(length, Value::Int(1)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_without_showing_it() {
    let server = Server::builder().password("right").start();
    assert!(link(&server.url()).await.shape() == Shape::Single);
    let message = refusal(&format!("redis://:wr0ng@127.0.0.1:{}", server.port())).await;
    assert!(message.contains("refused the user or the password") && message.contains(":***@"), "{message}");
    assert!(!message.contains("wr0ng"), "{message}");
    let message = refusal(&format!("redis://127.0.0.1:{}", server.port())).await;
    assert!(message.contains("NOAUTH"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_other_than_the_first_is_used() {
    let server = Server::start();
    let link = link(&format!("{}/3", server.url())).await;
    run_one(&link, put(0, "x")).await.unwrap();
    assert!(server.info("db3").is_some() && server.info("db0").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_checked_against_the_file_of_authorities() {
    let server = Server::builder().tls(ClientCertificates::NotAsked).start();
    let ca = &server.tls().ca;
    for host in ["localhost", "127.0.0.1"] {
        let address = Address::parse(&format!("rediss://{host}:{}", server.tls_port())).unwrap();
        let link = Link::connect(&address, Some(ca), TIMEOUTS).await.unwrap();
        run_one(&link, put(0, host)).await.unwrap();
    }
    // Another name of the same machine, which the certificate does not have.
    let address = Address::parse(&format!("rediss://127.0.0.2:{}", server.tls_port())).unwrap();
    assert!(Link::connect(&address, Some(ca), TIMEOUTS).await.is_err());
    // Another authority.
    let other = Server::builder().tls(ClientCertificates::NotAsked).start();
    let address = Address::parse(&server.url()).unwrap();
    let message = match Link::connect(&address, Some(&other.tls().ca), TIMEOUTS).await {
        Err(OpenError::Unreachable { source, .. }) => source.to_string(),
        _ => panic!("it connected"),
    };
    assert!(message.contains("certificate"), "{message}");
    let missing = Link::connect(&address, Some(Path::new("/nowhere/ca.pem")), TIMEOUTS).await.map(|_| ());
    let OpenError::Unreachable { source, .. } = missing.unwrap_err() else { panic!("it is unreachable") };
    assert!(source.to_string().contains("`/nowhere/ca.pem`"), "{source}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_link_says_so() {
    let server = Server::start();
    let link = link(&server.url()).await;
    run_one(&link, put(0, "x")).await.unwrap();
    link.close();
    let trouble = run_one(&link, put(0, "y")).await.unwrap_err();
    assert!(matches!(trouble.into_error("append"), crate::Error::Closed));
    link.inner.dialer.tasks.wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_nobody_answers_is_replaced() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let link = quick_link(&proxy.url(), Duration::from_millis(300)).await;
    run_one(&link, put(0, "x")).await.unwrap();
    proxy.half_open();
    let trouble = run_one(&link, put(0, "y")).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Timeout { .. }), "{trouble}");
    proxy.pass();
    until_well(&link, 0).await;
    assert_eq!(server.must(&["HLEN", "t:{q:00}:a"]).int(), 2);
}
