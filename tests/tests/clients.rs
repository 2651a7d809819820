//! The clients that shops have: Segment's libraries for Node and Python, from their registries, unmodified.
//!
//! Each sends the same three events (identify, page, a purchase), so each scenario expects the same of both.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tidegate_fakes::{Fake, Received};
use tidegate_tests::{Client, PATIENCE, Settings, Stack, WRITE_KEY, python};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;

/// Meta's published examples of hashed match keys, and whose they are.
const PUBLISHED: [(&str, &str); 3] = [
    ("em", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
    ("ph", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
    ("fn", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
];

#[tokio::test]
async fn with_marketing_consent_a_purchase_reaches_every_platform_whole() {
    tokio::join!(check(Library::Node), check(Library::Python));

    async fn check(library: Library) {
        let stack = Stack::start().await;
        assert_eq!(library.shop(&host(&stack), WRITE_KEY, &consent(true, true)).await, library.success());
        let events = settled(&stack).await;
        let purchase = stack.platforms.meta.events().into_iter().find(|event| event["event_name"] == "Purchase");
        let user = &purchase.as_ref().expect("Meta got the purchase")["user_data"];
        for (field, hash) in PUBLISHED {
            assert_eq!(user[field], json!([hash]), "{library:?}: {user:#}");
        }
        insta::assert_json_snapshot!("marketing", whole(&stack, &events));
    }
}

#[tokio::test]
async fn without_consent_nothing_is_sent() {
    tokio::join!(check(Library::Node), check(Library::Python));

    async fn check(library: Library) {
        let stack = Stack::with(Settings { consent_default: "marketing", ..Settings::default() }).await;
        assert_eq!(library.shop(&host(&stack), WRITE_KEY, &consent(false, false)).await, library.success());
        for event in settled(&stack).await {
            assert_eq!(event["outcome"], "dropped", "{library:?}: {event:#}");
            assert_eq!(event["consent"], "none");
        }
        for fake in fakes(&stack) {
            assert_eq!(fake.requests_count(), 0, "{library:?}: {}", fake.name());
        }
    }
}

#[tokio::test]
async fn with_analytics_consent_only_analytics_is_sent_and_nobody_is_in_it() {
    tokio::join!(check(Library::Node), check(Library::Python));

    async fn check(library: Library) {
        let stack = Stack::with(Settings { consent_default: "marketing", ..Settings::default() }).await;
        assert_eq!(library.shop(&host(&stack), WRITE_KEY, &consent(true, false)).await, library.success());
        let events = settled(&stack).await;
        assert_eq!(stack.platforms.meta.requests_count(), 0, "{library:?}");
        let whole = whole(&stack, &events);
        let text = whole.to_string().to_lowercase();
        let personal = ["john_smith", "555", "mary", "cust_12345", "203.0.113.7", "fbclid", "iwar2f4"];
        for trace in personal.into_iter().chain(PUBLISHED.map(|(_, hash)| hash)) {
            assert!(!text.contains(trace), "{library:?} with `{trace}`: {whole:#}");
        }
        insta::assert_json_snapshot!("analytics", whole);
    }
}

#[tokio::test]
async fn a_wrong_write_key_is_told_to_the_clients_error_handler() {
    tokio::join!(check(Library::Node), check(Library::Python));

    async fn check(library: Library) {
        let stack = Stack::start().await;
        let said = library.shop(&host(&stack), "another-shops-key", &consent(true, true)).await;
        match library {
            Library::Node => {
                let error = json!({ "error": "[401] Unauthorized", "code": "delivery_failure" });
                assert_eq!(said, [json!({ "status": 401 }), error.clone(), error.clone(), error]);
            }
            Library::Python => {
                assert_eq!((&said[0]["status"], &said[0]["events"]), (&json!(401), &json!(3)), "{said:?}");
                assert!(said[0]["error"].as_str().unwrap().contains("unknown write key"), "{said:?}");
            }
        }
        assert_eq!(recent(&stack).await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn a_client_that_is_told_503_sends_again_and_counts_once() {
    tokio::join!(check(Library::Node), check(Library::Python));

    async fn check(library: Library) {
        let stack = Stack::with(Settings { limits: "in_flight_max = 1\n".into(), ..Settings::default() }).await;
        let (held, turned_away) = keep_busy(&stack).await;
        let release = async {
            counted(&stack, "503", turned_away + 1).await;
            drop(held);
        };
        let (host, consent) = (host(&stack), consent(true, true));
        let (said, ()) = tokio::join!(library.shop(&host, WRITE_KEY, &consent), release);
        match library {
            Library::Node => assert_eq!(said, [json!({ "status": 503 }), json!({ "status": 200 })]),
            Library::Python => assert_eq!(said, [] as [Value; 0]),
        }
        once(&stack, 0).await;
    }
}

#[tokio::test]
async fn a_client_whose_answer_was_lost_sends_again_and_counts_once() {
    tokio::join!(check(Library::Node), check(Library::Python));

    async fn check(library: Library) {
        let stack = Stack::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = format!("http://{}", listener.local_addr().expect("it listens"));
        let consent = consent(true, true);
        let said = tokio::select! {
            said = library.shop(&host, WRITE_KEY, &consent) => said,
            () = lose_the_first_answer(listener, &stack) => unreachable!("it goes on until it is dropped"),
        };
        assert_eq!(said, library.success());
        once(&stack, 1).await;
    }
}

/// A real client library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Library {
    Node,
    Python,
}

impl Library {
    /// Sends the three events; gives what the client's handlers said.
    async fn shop(self, host: &str, write_key: &str, consent: &Value) -> Vec<Value> {
        let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let (program, script) = match self {
            Library::Node => (node(&clients), "segment_shop.mjs"),
            Library::Python => (python(), "segment_shop.py"),
        };
        let mut command = Command::new(program);
        command.arg(clients.join(script)).args([host, write_key]).arg(consent.to_string());
        command.env("NO_PROXY", "127.0.0.1").stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("the client ends in time");
        let Output { status, stdout, stderr } = output.expect("the client starts");
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{self:?} ended with {status}:\n{stdout}\n{stderr}");
        stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{stdout}"))).collect()
    }

    /// What the handlers say when all goes well: Python's has only one for errors.
    fn success(self) -> Vec<Value> {
        match self {
            Library::Node => vec![json!({ "status": 200 })],
            Library::Python => Vec::new(),
        }
    }
}

fn node(clients: &Path) -> PathBuf {
    let needs = clients.join("node_modules/@segment");
    assert!(needs.exists(), "`{}` is not there: run `make clients` first, as `make test` does", needs.display());
    "node".into()
}

fn host(stack: &Stack) -> String {
    format!("http://{}", stack.http)
}

fn consent(analytics: bool, advertising: bool) -> Value {
    json!({ "categoryPreferences": { "Analytics": analytics, "Advertising": advertising } })
}

fn fakes(stack: &Stack) -> [&Fake; 3] {
    [&stack.platforms.meta, &stack.platforms.ga4, &stack.platforms.webhook]
}

async fn recent(client: &Client) -> Vec<Value> {
    client.admin("/api/events").await.json["events"].as_array().expect("a list of events").clone()
}

/// Waits until all three events have their outcome everywhere, and gives their summaries.
async fn settled(stack: &Stack) -> Vec<Value> {
    let search = async {
        loop {
            let events = recent(stack).await;
            if events.len() == 3 && events.iter().all(|event| event["outcome"] != "waiting") {
                return events;
            }
        }
    };
    let events = tokio::time::timeout(PATIENCE, search).await.expect("all events have an outcome in time");
    for fake in fakes(stack) {
        assert_eq!(fake.problems(), [] as [String; 0], "{}", fake.name());
    }
    events
}

/// Every event came once at every platform, and so many times too often at the gateway.
async fn once(stack: &Stack, duplicates: u64) {
    for event in settled(stack).await {
        assert_eq!((&event["outcome"], &event["duplicates"]), (&json!("delivered"), &json!(duplicates)), "{event:#}");
    }
    let counts = fakes(stack).map(Fake::events_count);
    assert_eq!(counts, [2, 2, 3], "of an identify, a page and a purchase");
}

/// All that the platforms got: address and body of each request, as if no two events had shared one.
fn whole(stack: &Stack, events: &[Value]) -> Value {
    let mut all = serde_json::Map::new();
    for fake in fakes(stack) {
        let mut requests: Vec<Value> = fake.requests().iter().flat_map(|request| apart(request, events)).collect();
        requests.sort_by_key(ToString::to_string);
        all.insert(fake.name().to_owned(), requests.into());
    }
    Value::Object(all)
}

/// Which events share a request depends on when the worker looked, so they are compared apart.
fn apart(request: &Received, events: &[Value]) -> Vec<Value> {
    let body = request.json.clone().expect("a body of JSON");
    let list = ["data", "events"].into_iter().find(|name| body[name].is_array());
    let bodies: Vec<Value> = match list {
        None => vec![body],
        Some(list) => {
            let each = body[list].as_array().expect("it is one").iter();
            each.map(|event| {
                let mut single = body.clone();
                single[list] = json!([event]);
                single
            })
            .collect()
        }
    };
    let of = |mut body: Value| {
        redact(&mut body, request.arrived_ms, events);
        json!({ "to": request.path, "query": request.query, "body": body })
    };
    bodies.into_iter().map(of).collect()
}

/// Replaces what differs from run to run: the events' ids, and times.
fn redact(value: &mut Value, now_ms: i64, events: &[Value]) {
    match value {
        Value::Object(object) => object.values_mut().for_each(|value| redact(value, now_ms, events)),
        Value::Array(list) => list.iter_mut().for_each(|value| redact(value, now_ms, events)),
        Value::Number(number) => {
            if let Some(unit) = number.as_i64().and_then(|number| unit_of_now(number, now_ms)) {
                *value = json!(format!("<now in {unit}>"));
            }
        }
        Value::String(text) => *text = redacted(text, now_ms, events),
        Value::Null | Value::Bool(_) => {}
    }
}

fn redacted(text: &str, now_ms: i64, events: &[Value]) -> String {
    if let Some(event) = events.iter().find(|event| event["id"] == text) {
        return format!("<id of {}>", event["name"].as_str().expect("a name"));
    }
    let bytes = text.as_bytes();
    if text.len() >= 20 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[..4].iter().all(u8::is_ascii_digit) {
        return "<time>".to_owned();
    }
    let parts = text.split('.').map(|part| match part.parse().ok().and_then(|number| unit_of_now(number, now_ms)) {
        Some(unit) => format!("<now in {unit}>"),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(".")
}

fn unit_of_now(number: i64, now_ms: i64) -> Option<&'static str> {
    const TOLERANCE_S: i64 = 600;
    let near = |per_s: i64| (number / per_s).abs_diff(now_ms / 1_000) < TOLERANCE_S.unsigned_abs();
    [("s", 1), ("ms", 1_000), ("µs", 1_000_000)].into_iter().find(|(_, per_s)| near(*per_s)).map(|(unit, _)| unit)
}

/// Takes the gateway's only place for requests, and gives how many requests it has turned away by then.
async fn keep_busy(client: &Client) -> (TcpStream, u64) {
    let mut held = TcpStream::connect(client.http).await.expect("a connection");
    let half = b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{";
    held.write_all(half).await.expect("half a request");
    // Our own request may still come first.
    while client.post("/v1/events", &json!({})).await.status != 503 {}
    (held, 1)
}

/// Waits until the gateway has given so many answers of a status.
async fn counted(client: &Client, status: &str, wanted: u64) {
    let label = format!("tidegate_requests_total{{status=\"{status}\"}} ");
    let search = async {
        loop {
            let metrics = client.admin("/metrics").await.text;
            let count = metrics.lines().find_map(|line| line.strip_prefix(&label)?.parse::<u64>().ok());
            if count.is_some_and(|count| count >= wanted) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("the gateway answers in time");
}

/// Stands between a client and the gateway: of the first request the gateway's answer is thrown away.
async fn lose_the_first_answer(listener: TcpListener, gateway: &Client) {
    let mut connections = JoinSet::new();
    let (mut client, mut server) = connect(&listener, gateway).await;
    {
        let (mut from_client, _) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let mut answer = [0; 64];
        tokio::select! {
            _ = copy(&mut from_client, &mut to_server) => panic!("the client ended before it was answered"),
            read = from_server.read(&mut answer) => assert!(answer[..read.expect("an answer")].starts_with(b"HTTP/1.1 200")),
        }
    }
    drop((client, server));
    loop {
        let (mut client, mut server) = connect(&listener, gateway).await;
        connections.spawn(async move { copy_bidirectional(&mut client, &mut server).await });
    }
}

async fn connect(listener: &TcpListener, gateway: &Client) -> (TcpStream, TcpStream) {
    let (client, _) = listener.accept().await.expect("a connection");
    (client, TcpStream::connect(gateway.http).await.expect("the gateway takes connections"))
}
