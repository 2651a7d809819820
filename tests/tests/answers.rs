//! Answers that are no proper HTTP, or never end: by time or by size each is cut, and the delivery goes on as it should.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_tests::{HOOK, Settings, Stack};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A platform that says `first`, then `again` and again, to whoever has sent something; a pause between them.
struct ByHand {
    address: SocketAddr,
    _stop: DropGuard,
}

impl ByHand {
    async fn start(first: &'static [u8], again: &'static [u8], pause: Duration) -> ByHand {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let (stopped, connections) = (stop.clone(), tracker.clone());
        tracker.spawn(async move {
            while let Some(Ok((stream, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let stopped = stopped.clone();
                connections
                    .spawn(async move { stopped.run_until_cancelled(answer(stream, first, again, pause)).await });
            }
        });
        ByHand { address, _stop: stop.drop_guard() }
    }
}

async fn answer(mut stream: TcpStream, first: &[u8], again: &[u8], pause: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = vec![0; 16 << 10];
    let _ = stream.read(&mut request).await?;
    stream.write_all(first).await?;
    while !again.is_empty() {
        stream.write_all(again).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// Sends an event to a platform by hand, with two attempts of 200 ms; gives what became of it.
async fn delivered_to(platform: &ByHand, outcome: &str) -> Value {
    let more = HOOK.replace("$WEBHOOK", &format!("http://{}", platform.address));
    let delivery = "timeout_ms = 200\nbackoff_base_ms = 5\nbackoff_max_ms = 50\nattempts_max = 2\n".into();
    let stack = Stack::with(Settings { more, delivery, ..Settings::hook() }).await;
    let id = stack.take(&json!({ "event": "a", "customer_id": "c" })).await;
    stack.outcome(&id, "hook", outcome).await
}

/// Gives why it died after two attempts without an answer.
async fn reason(first: &'static [u8], again: &'static [u8], pause_ms: u64) -> String {
    let platform = ByHand::start(first, again, Duration::from_millis(pause_ms)).await;
    let part = delivered_to(&platform, "dead").await;
    let reason = part["reason"].as_str().unwrap();
    let last = reason.strip_prefix("given up after 2 attempts; last: retry: ");
    last.unwrap_or_else(|| panic!("{part:#}")).to_owned()
}

const LATE: &str = "no answer within 200 ms";

#[tokio::test]
async fn a_body_that_drips_is_cut_off_by_time() {
    assert_eq!(reason(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", b"x", 10).await, LATE);
    assert_eq!(reason(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 10).await, LATE);
}

#[tokio::test]
async fn a_head_that_drips_or_never_ends_is_cut_off() {
    assert_eq!(reason(b"HTTP/1.1 200 OK\r\n", b"x-", 10).await, LATE);
    let endless =
        reason(b"HTTP/1.1 200 OK\r\n", b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", 0).await;
    assert!(endless.starts_with("connection failed: ") || endless == LATE, "{endless}");
}

#[tokio::test]
async fn a_flood_of_early_hints_is_no_answer() {
    let flood = reason(b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n", 1).await;
    assert!(flood.starts_with("connection failed: ") || flood == LATE, "{flood}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let broken = reason(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", b"", 0).await;
    assert!(broken.starts_with("connection failed: "), "{broken}");
    let broken = reason(b"HTTP/1.1 200 OK\r\ncontent-le", b"", 0).await;
    assert!(broken.starts_with("connection failed: "), "{broken}");
}

#[tokio::test]
async fn a_status_line_that_is_none_is_no_answer() {
    for line in [&b"HTTP/1.1 20 OK\r\n\r\n"[..], b"HTTP/1.1 abc OK\r\n\r\n", b"ICY 200 OK\r\n\r\n", b"\r\n\r\n\r\n\r\n"]
    {
        let said = reason(line, b"", 0).await;
        assert!(said.starts_with("connection failed: "), "{said}");
    }
}

#[tokio::test]
async fn headers_that_are_no_text_spoil_no_good_answer() {
    let head = b"HTTP/1.1 200 OK\r\nx-odd: \xff\xfe\xfd\r\ncontent-length: 2\r\n\r\nok";
    let platform = ByHand::start(head, b"", Duration::ZERO).await;
    let part = delivered_to(&platform, "delivered").await;
    assert_eq!(part["attempts"][0]["answer"], "ok");
}

#[tokio::test]
async fn a_body_without_an_end_that_is_large_is_cut_off_by_size() {
    static CHUNK: [u8; 64 << 10] = [b'x'; 64 << 10];
    let platform = ByHand::start(b"HTTP/1.1 200 OK\r\n\r\n", &CHUNK, Duration::ZERO).await;
    let part = delivered_to(&platform, "delivered").await;
    assert_eq!(part["attempts"][0]["answer"].as_str().map(str::len), Some(2_000));
}

#[tokio::test]
async fn what_a_platform_answers_can_do_nothing_to_whoever_reads_it() {
    let head = b"HTTP/1.1 400 Bad\r\ncontent-length: 35\r\n\r\n\x1b[2J\x1b]0;owned\x07<script>1</script>\0\x08\xff";
    let platform = ByHand::start(head, b"", Duration::ZERO).await;
    let part = delivered_to(&platform, "dead").await;
    let told = [&part["reason"], &part["attempts"][0]["verdict"], &part["attempts"][0]["answer"]];
    for text in told {
        let text = text.as_str().unwrap();
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(text.contains("owned"), "{text:?}");
    }
}
