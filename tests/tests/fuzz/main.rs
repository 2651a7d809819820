//! Ten thousand hostile requests to a running gateway: each is answered, none with a 5xx, and nothing panics.
//!
//! The seed is fixed; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` choose other inputs and more of them.

mod input;
mod json;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use reqwest::Method;
use serde_json::json;
use tidegate::journey::Protocol;
use tidegate::journey::decode;
use tidegate_event::Kind;
use tidegate_tests::{Client, Settings, Stack};
use tokio::runtime::Handle;

const REQUESTS: u32 = 10_000;
/// Connections that are kept alive, each with requests one after the other.
const LANES: u32 = 6;
const SEED: u64 = 0x7469_6465;
/// An answer that takes longer is a hang.
const ANSWER_MAX: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_hostile_requests_make_no_panic_no_500_and_no_hang() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        report(panic);
    }));
    let stack = Stack::with(Settings { consent_default: "marketing", ..Settings::default() }).await;
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let (client, runtime) = (Client::new(stack.http, stack.admin), Handle::current());
            tokio::task::spawn_blocking(move || {
                check(lane, REQUESTS / LANES + 1, &input::request(), |request| {
                    runtime.block_on(answered(&client, &request)).map_err(TestCaseError::fail)
                });
            })
        })
        .collect();
    // All of them end before one's failure ends the test: the others would fail for that alone.
    let mut ended = Vec::new();
    for lane in lanes {
        ended.push(lane.await);
    }
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "panics");

    assert_eq!(stack.admin("/readyz").await.status, 200);
    let event = json!({
        "event": "purchase",
        "message_id": "a-good-event",
        "anonymous_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "client": { "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "203.0.113.7" },
        "page": { "url": "https://www.shop.example/thanks" },
        "properties": { "order_id": "o-1", "value": 12.5, "currency": "EUR" },
    });
    assert_eq!(stack.post("/v1/events", &event).await.status, 200);
    for destination in ["meta", "ga4", "hook"] {
        stack.outcome("a-good-event", destination, "delivered").await;
    }
    for failure in ["crashed", "returned nonsense", "wanted more than"] {
        let dead = stack.admin(&format!("/api/dead-letters?reason={}", failure.replace(' ', "%20"))).await.json;
        assert_eq!(dead["dead_letters"], json!([]), "a plugin {failure}");
    }
    let metrics = stack.admin("/metrics").await.text;
    let count = |line: &&str| line.starts_with("tidegate_requests_total") || line.starts_with("tidegate_events_total");
    println!("{}", metrics.lines().filter(count).collect::<Vec<_>>().join("\n"));
    assert!(!metrics.contains("tidegate_requests_total{status=\"5"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_comes_over_a_connection_it_is_answered_or_closed() {
    let stack = Stack::with(Settings { limits: "head_timeout_ms = 1000\n".into(), ..Settings::default() }).await;
    let address = stack.http;
    let sent = tokio::task::spawn_blocking(move || {
        check(0, 400, &input::connection(), |bytes| {
            let failed = |error: std::io::Error| TestCaseError::fail(error.to_string());
            let mut connection = TcpStream::connect(address).map_err(failed)?;
            connection.set_read_timeout(Some(ANSWER_MAX)).map_err(failed)?;
            // The gateway may have closed it before all is written: that is an answer too.
            let _ = connection.write_all(&bytes).and_then(|()| connection.shutdown(Shutdown::Write));
            let mut answer = Vec::new();
            match connection.read_to_end(&mut answer) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    Err(TestCaseError::fail(format!("neither answered nor closed within {ANSWER_MAX:?}")))
                }
                _ if answer.starts_with(b"HTTP/1.1 5") => {
                    Err(TestCaseError::fail(String::from_utf8_lossy(&answer).into_owned()))
                }
                _ => Ok(()),
            }
        });
    });
    sent.await.unwrap();
    assert_eq!(stack.admin("/readyz").await.status, 200);
}

#[test]
fn decoding_any_json_gives_drafts_or_a_named_field() {
    let protocols =
        [Protocol::Own, Protocol::SegmentBatch, Protocol::Segment(Kind::Track), Protocol::Segment(Kind::Page)];
    check(0, 2_000, &json::event(), |body| {
        for protocol in protocols {
            let Ok(envelope) = decode::open(body.as_bytes(), protocol) else { continue };
            for event in &envelope.events {
                if let Err(error) = envelope.draft(event, protocol) {
                    proptest::prop_assert!(!error.expected.is_empty() && !error.found.is_empty(), "{error:?}");
                }
            }
        }
        Ok(())
    });
}

/// Runs a test on many inputs; of one that fails, the smallest that fails too is shown, with the seed.
fn check<S: Strategy>(lane: u32, cases: u32, inputs: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let mut config = Config { failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let seed = if let RngSeed::Fixed(seed) = config.rng_seed { seed } else { SEED };
    config.rng_seed = RngSeed::Fixed(seed.wrapping_add(u64::from(lane)));
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if let Err(failure) = TestRunner::new(config).run(inputs, test) {
        panic!("with PROPTEST_RNG_SEED={seed}, in lane {lane}: {failure}");
    }
}

/// Sends a request: it must be answered in time, by anything but a 5xx, and in JSON if the gateway itself answers.
async fn answered(client: &Client, request: &input::Request) -> Result<(), String> {
    let mut sent = client.request(Method::POST, &request.path).timeout(ANSWER_MAX);
    for (name, value) in &request.headers {
        sent = sent.header(name, value);
    }
    let answer = client.send(sent.body(request.body.clone())).await.map_err(|error| format!("no answer: {error:#}"))?;
    // hyper itself answers a head that is too large or malformed, without a body.
    let of_hyper = answer.text.is_empty() && matches!(answer.status, 400 | 431);
    match answer.status {
        200 | 400 | 401 | 403 | 404 | 413 | 431 if answer.json.is_object() || of_hyper => Ok(()),
        status => Err(format!("answered with {status}: {}", answer.text)),
    }
}
