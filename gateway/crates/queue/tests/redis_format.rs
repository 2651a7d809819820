//! A store of format 1, as the first version wrote it, is read whole. The fixture has one command a line, its words in
//! hexadecimal; `TIDEGATE_WRITE_FIXTURE=1` writes it anew, for a new format in a new file.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here has failed")]

#[macro_use]
mod contract;
mod redis_store;

use contract::*;
use redis_store::{counts, keys_of, lease_long, small};
use tidegate_queue::*;
use tidegate_test_redis::{Reply, Server};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/redis-format-1.txt");

fn bytes(reply: &Reply) -> Vec<u8> {
    match reply {
        Reply::Bulk(bytes) => bytes.clone(),
        other => other.text().into_bytes(),
    }
}

/// Commands that make the store again.
fn dump(server: &Server) -> String {
    let mut commands: Vec<Vec<Vec<u8>>> = Vec::new();
    for key in keys_of(server) {
        let new = |command: &str| vec![command.as_bytes().to_vec(), key.as_bytes().to_vec()];
        let all = |words: &[&str]| server.must(words).array().iter().map(bytes).collect::<Vec<_>>();
        match server.must(&["TYPE", &key]).text().as_str() {
            "hash" => commands.push([new("HSET"), all(&["HGETALL", &key])].concat()),
            "set" => commands.push([new("SADD"), all(&["SMEMBERS", &key])].concat()),
            "zset" => {
                let pairs = all(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]);
                let pairs = pairs.chunks(2).flat_map(|pair| [pair[1].clone(), pair[0].clone()]);
                commands.push([new("ZADD"), pairs.collect()].concat());
            }
            "stream" => {
                for entry in server.must(&["XRANGE", &key, "-", "+"]).array() {
                    let fields = entry.array()[1].array().iter().map(bytes).collect();
                    commands.push([new("XADD"), vec![bytes(&entry.array()[0])], fields].concat());
                }
                let create = [&b"XGROUP"[..], b"CREATE", key.as_bytes(), b"workers", b"0"];
                commands.push(create.iter().map(|word| word.to_vec()).collect());
            }
            other => panic!("{key} is a {other}"),
        }
    }
    let hex = |word: &Vec<u8>| word.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let line = |words: &Vec<Vec<u8>>| words.iter().map(hex).collect::<Vec<_>>().join(" ") + "\n";
    commands.iter().map(line).collect()
}

fn restore(server: &Server, text: &str) {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    for line in text.lines() {
        let words: Vec<Vec<u8>> = line.split(' ').map(|hex| hex.as_bytes().chunks(2).map(byte).collect()).collect();
        server.must(&words);
    }
}

/// One of everything: a delivery that waits unread, one to be tried again, one leased, one dead, one delivered; a
/// duplicate, a profile.
async fn write() -> String {
    let server = Server::start();
    let queue = small(&server).await;
    for (id, n) in [("delivered", 1), ("retried", 2), ("dead", 3), ("leased", 4)] {
        queue.append(due(id, n, 10)).await.unwrap();
    }
    let request = LeaseRequest { count_max: 3, ..wish("meta", 20) };
    let leases = queue.lease(request).await.unwrap().deliveries;
    let outcomes = [Outcome::Delivered, Outcome::Retry(5_000), Outcome::Dead("refused: 400".into())];
    let attempts = leases.iter().zip(outcomes).map(|(lease, outcome)| attempt(lease, 30, outcome));
    queue.settle(attempts.collect()).await.unwrap();
    assert_eq!(keys(&lease_long(&queue, 40).await), [key(4)]);
    let field = ProfileField { name: "email".into(), value: "a:b@c.example".into(), seen_ms: 7 };
    let profile = vec![ProfilePatch { key: "shop/user/1".into(), fields: vec![field], expires_ms: 1 << 50 }];
    queue.append(Entry { profile, ..due("waiting", 5, 10) }).await.unwrap();
    assert_eq!(queue.append(due("waiting", 6, 10)).await.unwrap(), Appended::Duplicate);
    dump(&server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_the_first_version_wrote_is_read_whole() {
    if std::env::var_os("TIDEGATE_WRITE_FIXTURE").is_some() {
        std::fs::write(FIXTURE, write().await).unwrap();
    }
    let server = Server::start();
    restore(&server, &std::fs::read_to_string(FIXTURE).unwrap());
    let queue = small(&server).await;
    assert_eq!(counts(&queue).await, (3, 1));
    let recent: Vec<_> = queue.recent(10).await.unwrap().into_iter().map(|journal| journal.key.id).collect();
    assert_eq!(recent.len(), 5, "{recent:?}");
    let waiting = queue.find("waiting").await.unwrap().remove(0);
    assert_eq!((waiting.duplicates, waiting.record, waiting.received_ms), (1, b"record of waiting".to_vec(), 10));
    let retried = queue.find("retried").await.unwrap().remove(0).deliveries.remove(0);
    assert_eq!((retried.state, retried.attempts), (State::Waiting(5_000), vec![b"attempt at 30".to_vec()]));
    let delivered = queue.find("delivered").await.unwrap().remove(0).deliveries.remove(0);
    assert_eq!((delivered.state, delivered.payload), (State::Delivered, b"payload 1".to_vec()));
    let dead = letters(&queue).await.remove(0);
    assert_eq!((dead.key, dead.reason.as_str(), dead.died_ms), (key(3), "refused: 400", 30));
    assert_eq!(queue.profile("shop/user/1", 20).await.unwrap()[0].value, "a:b@c.example");
    assert_eq!(keys(&lease(&queue, 50).await), [key(5)], "the other one is leased until 60,040");
    let mut late = keys(&lease(&queue, 100_000).await);
    late.sort();
    assert_eq!(late, [key(2), key(4), key(5)]);
}
