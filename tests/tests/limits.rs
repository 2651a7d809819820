//! Limits of the public listener: what is slow, large, too much or nonsense is cut off, and others go on.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tidegate_tests::{API_KEY, Destinations, PATIENCE, Raw, Settings, Stack};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A body that never comes.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

async fn limited(limits: &str) -> Stack {
    let limits = limits.to_owned();
    Stack::with(Settings { destinations: Destinations::None, limits, ..Settings::default() }).await
}

fn event() -> Value {
    json!({ "event": "a", "customer_id": "c" })
}

/// A whole request as bytes.
fn request(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nx-write-key: {API_KEY}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_connection_that_sends_no_whole_head_in_time_is_closed() {
    let stack = limited("head_timeout_ms = 100\n").await;
    // `P` could become `POST`, or the preface of HTTP/2.
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n", "POST /v1/events HTTP/1.1\r\nhost: localhost\r\n"] {
        let mut slow = Raw::connect(stack.http).await;
        slow.send(beginning).await;
        let said = slow.read_to_end().await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{beginning:?}: {said:?}");
    }
    assert_eq!(stack.post("/v1/events", &event()).await.status, 200);
}

#[tokio::test]
async fn a_connection_of_http_2_that_begins_no_request_in_time_is_closed() {
    let stack = limited("head_timeout_ms = 100\n").await;
    let mut silent = Raw::connect(stack.http).await;
    // The preface, and an empty SETTINGS frame.
    silent.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let said = silent.read_to_end().await;
    assert!(!said.starts_with("HTTP/1.1"), "{said:?}");
}

#[tokio::test]
async fn a_connection_that_falls_silent_after_its_first_request_is_closed() {
    let stack = limited("head_timeout_ms = 100\n").await;
    let mut idle = Raw::connect(stack.http).await;
    idle.send(request(&event().to_string())).await;
    let said = idle.read_to_end().await;
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
}

#[tokio::test]
async fn a_connection_of_http_2_that_falls_silent_after_its_first_request_is_closed() {
    let stack = limited("head_timeout_ms = 100\n").await;
    let stream = TokioIo::new(TcpStream::connect(stack.http).await.unwrap());
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let asked = async {
        let request = hyper::Request::post(format!("http://{}/v1/events", stack.http)).header("x-write-key", API_KEY);
        let answer = client.send_request(request.body(event().to_string()).unwrap()).await.unwrap();
        // It would go on sending: it is no client of its own that ends the connection.
        (answer.status(), client)
    };
    let both = async { tokio::join!(asked, connection) };
    let ((status, client), ended) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert_eq!(status, 200);
    assert!(ended.is_ok() && client.is_closed(), "GOAWAY, not a reset: {ended:?}");
}

#[tokio::test]
async fn a_request_that_takes_longer_than_the_next_may_be_waited_for_is_no_silence() {
    // A body may take as long as its own limit says.
    let stack = limited("head_timeout_ms = 100\nbody_timeout_ms = 500\n").await;
    let stream = TokioIo::new(TcpStream::connect(stack.http).await.unwrap());
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let asked = async {
        let request = hyper::Request::post(format!("http://{}/v1/events", stack.http)).header("x-write-key", API_KEY);
        client.send_request(request.body(Endless).unwrap()).await.unwrap().status()
    };
    let answered = async {
        tokio::select! {
            status = asked => status,
            ended = connection => panic!("the connection ended first: {ended:?}"),
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, answered).await.unwrap(), 408);
}

#[tokio::test]
async fn one_connection_of_http_2_does_not_have_all_requests_under_way() {
    let stack = limited("in_flight_max = 17\nbody_timeout_ms = 300\n").await;
    let stream = TokioIo::new(TcpStream::connect(stack.http).await.unwrap());
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let request = move || hyper::Request::post(format!("http://{}/v1/events", stack.http));
    let asked = async {
        // With the first answer it knows how many there may be.
        let missing = client.send_request(request().uri("http://localhost/nothing-here").body(Endless).unwrap());
        assert_eq!(missing.await.unwrap().status(), 404);
        let mut all = JoinSet::new();
        for _ in 0..40 {
            all.spawn(client.send_request(request().body(Endless).unwrap()));
        }
        let answers = all.join_all().await;
        answers.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect::<Vec<_>>()
    };
    let answered = async {
        tokio::select! {
            statuses = asked => statuses,
            ended = connection => panic!("the connection ended first: {ended:?}"),
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, answered).await.unwrap(), [408; 40], "503 would be too many");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_408() {
    let stack = limited("body_timeout_ms = 100\n").await;
    let mut slow = Raw::connect(stack.http).await;
    let whole = request(&event().to_string());
    slow.send(&whole[..whole.len() - 1]).await;
    let said = slow.read_answer().await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(said.contains("the body did not arrive within 100 ms"), "{said}");
}

#[tokio::test]
async fn who_sends_far_too_much_reads_the_answer_and_may_go_on() {
    let stack = limited("").await;
    let mut connection = Raw::connect(stack.http).await;
    for path in ["/v1/events", "/nothing-here"] {
        let much = request(&" ".repeat(3 << 20)).replace("/v1/events", path);
        connection.send(much).await;
        let said = connection.read_answer().await;
        assert!(said.starts_with("HTTP/1.1 4") && !said.contains("connection: close"), "{said}");
    }
    connection.send(request(&event().to_string())).await;
    assert!(connection.read_answer().await.starts_with("HTTP/1.1 200 "));
    connection.send(request(&" ".repeat(6 << 20))).await;
    let said = connection.read_to_end().await;
    assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("connection: close"), "{said}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let stack = limited("").await;
    let many = "x: y\r\n".repeat(150);
    for filler in [format!("x-filler: {}\r\n", "x".repeat(40_000)), many] {
        let mut large = Raw::connect(stack.http).await;
        large.send(format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\n{filler}\r\n")).await;
        let said = large.read_to_end().await;
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    }
}

#[tokio::test]
async fn connections_above_their_number_wait_for_a_place() {
    let stack = limited("connections_max = 1\n").await;
    let whole = request(&event().to_string());
    let mut first = Raw::connect(stack.http).await;
    first.send(&whole).await;
    assert!(first.read_answer().await.starts_with("HTTP/1.1 200 "));
    let mut second = Raw::connect(stack.http).await;
    second.send(&whole).await;
    for _ in 0..5 {
        first.send(&whole).await;
        assert!(first.read_answer().await.starts_with("HTTP/1.1 200 "));
        assert!(!second.has_said_something());
    }
    drop(first);
    assert!(second.read_answer().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn garbage_behind_a_good_request_is_400_and_ends_the_connection() {
    let stack = limited("").await;
    let good = request(&event().to_string());
    for garbage in ["\0\u{1}\u{2}garbage\r\n\r\n", "GET\r\n\r\n", "\u{16}\u{3}\u{1}\r\n"] {
        let mut raw = Raw::connect(stack.http).await;
        raw.send(format!("{good}{good}{garbage}")).await;
        let said = raw.read_to_end().await;
        assert_eq!(said.matches("HTTP/1.1 200 ").count(), 2, "{said}");
        assert_eq!(said.matches("HTTP/1.1 400 ").count(), 1, "{said}");
    }
}

#[tokio::test]
async fn what_is_no_http_at_all_is_closed() {
    let stack = limited("").await;
    for garbage in
        [&b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"[..], b"\n\n\n\n\0\0\0\0", b"SSH-2.0-OpenSSH_9.9\r\n"]
    {
        let mut raw = Raw::connect(stack.http).await;
        raw.send(garbage).await;
        let said = raw.read_to_end().await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    assert_eq!(stack.post("/v1/events", &event()).await.status, 200);
}

#[tokio::test]
async fn two_lengths_of_one_body_are_not_believed() {
    let stack = limited("").await;
    let heads = [
        "content-length: 2\r\ncontent-length: 40\r\n",
        "content-length: 2, 40\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: chunked, gzip\r\n",
    ];
    for lengths in heads {
        let mut raw = Raw::connect(stack.http).await;
        raw.send(format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\n{lengths}\r\n{{}}")).await;
        let said = raw.read_to_end().await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{lengths}: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{lengths}: {said}");
    }
}

#[tokio::test]
async fn a_body_in_chunks_is_taken_and_one_that_breaks_off_is_not() {
    let stack = limited("").await;
    let body = json!({ "event": "a", "customer_id": "c", "message_id": "whole" }).to_string();
    let head = format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\nx-write-key: {API_KEY}\r\n");
    let mut raw = Raw::connect(stack.http).await;
    let (left, right) = body.split_at(10);
    let chunks = format!("a\r\n{left}\r\n{:x}\r\n{right}\r\n0\r\n\r\n", right.len());
    raw.send(format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}")).await;
    assert!(raw.read_answer().await.starts_with("HTTP/1.1 200 "));

    let half = body.replace("whole", "half");
    let mut raw = Raw::connect(stack.http).await;
    raw.send(format!("{head}content-length: {}\r\n\r\n{half}", half.len() + 1)).await;
    drop(raw);
    assert_eq!(stack.post("/v1/events", &event()).await.status, 200);
    assert_eq!(stack.admin("/api/events/half").await.status, 404);
}
