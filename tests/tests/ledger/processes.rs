//! Processes that write it: one that is killed, one that cannot, two at once.

use tidegate_fakes::Behaviour;

use super::*;

/// What is told of a person, something else before each kill.
const ONE_EACH: [(&str, &str); 6] = [
    ("email", "ada@example.com"),
    ("phone", "+44 20 7946 0000"),
    ("first_name", "Ada"),
    ("last_name", "Lovelace"),
    ("city", "London"),
    ("country", "gb"),
];

/// Waits until a platform has read a request with this event.
async fn arrived(fake: &Fake, id: &str) {
    let quoted = format!("\"{id}\"");
    let has = || fake.requests().iter().any(|request| String::from_utf8_lossy(&request.body).contains(&quoted));
    let search = async {
        while !has() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, search).await.is_ok(), "`{id}` arrives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_killed_as_a_request_arrives_has_named_its_fields_before() {
    let platforms = Platforms::start().await;
    let home = Home::new(&Settings::marketing(), &platforms);
    platforms.meta.always(Behaviour::NeverAnswer);
    for (round, (name, value)) in (1..).zip(ONE_EACH) {
        let gateway = Process::start(&home.config).await;
        let id = format!("e{round}");
        let mut event = purchase(&id, "marketing");
        event["user"] = json!({ name: value });
        assert_eq!(gateway.client.post_from_page(&event, COOKIES).await.status, 200);
        arrived(&platforms.meta, &id).await;
        gateway.kill().await;
        home.whole().await;
        let left = home.json(&["ledger", "show", "--destination", "meta"]).await;
        let names: Vec<String> = fields(flow(&left, "meta", "marketing")).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&format!("#user.{name}")), "{names:?}");
        assert_eq!(left["unended"], round, "nobody has stopped in order: {left:#}");
    }
    let (_, shown, _) = home.run(&["ledger", "show"]).await;
    assert!(shown.contains("6 of the processes that wrote it run still or were killed"), "{shown}");
}

#[tokio::test]
async fn while_the_ledger_cannot_be_written_nothing_new_leaves() {
    let platforms = Platforms::start().await;
    let redis = Server::with(&["appendfsync always"]);
    let home = Home::over(&redis, &Settings::hook(), &platforms);
    // Of another type, the key takes no entries.
    redis.must(&["SET", "tidegate:{chain}:ends", "in the way"]);
    let gateway = Process::start(&home.config).await;
    gateway.client.take(&small("held")).await;
    let said = async {
        while gateway.said("the ledger cannot be written").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, said).await.unwrap();
    assert_eq!(platforms.webhook.requests_count(), 0);
    redis.must(&["DEL", "tidegate:{chain}:ends"]);
    let part = gateway.client.outcome("held", "hook", "delivered").await;
    assert_eq!(part["attempts"].as_array().unwrap().len(), 1, "waiting for the ledger was no attempt: {part:#}");
    assert_eq!(gateway.client.status("hook").await["down"], Value::Null, "the platform is not to blame");
    assert!(gateway.terminate().await.success());
    home.whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_over_one_redis_write_one_whole_ledger() {
    const EVENTS: usize = 120;
    let platforms = Platforms::start().await;
    let redis = Server::with(&["appendfsync always"]);
    let home = Home::over(&redis, &Settings::hook(), &platforms);
    let gateways = [Process::start(&home.config).await, Process::start(&home.config).await];
    for n in 0..EVENTS {
        let event = json!({ "event": "a", "customer_id": format!("c{n}"), "message_id": format!("e{n}") });
        gateways[n % 2].client.take(&event).await;
    }
    for n in 0..EVENTS {
        gateways[0].client.outcome(&format!("e{n}"), "hook", "delivered").await;
    }
    for gateway in gateways {
        assert!(gateway.terminate().await.success());
    }
    let found = home.whole().await;
    let left = home.json(&["ledger", "show"]).await;
    assert_eq!((events(&left), &left["unended"]), (EVENTS as u64, &json!(0)), "{left:#}");
    assert_eq!(fields(flow(&left, "hook", "marketing")), each(EVENTS as u64, &["user.id"]));
    assert_eq!(found["head"], left["head"]);
    // The same on the other side of a move.
    let (code, export, said) = home.run(&["store", "export"]).await;
    assert_eq!(code, 0, "{said}");
    let other = Home::new(&Settings::hook(), &platforms);
    let file = other.dir.path().join("moved.jsonl");
    std::fs::write(&file, export).unwrap();
    let (code, _, said) = other.run(&["store", "import", file.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(other.whole().await, found, "from Redis to a file");
    assert_eq!(other.json(&["ledger", "show"]).await, left);
}
