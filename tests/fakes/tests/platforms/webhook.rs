//! The webhook's receiver believes a signature only where it is right, and recent.

use crate::raw;
use tidegate_fakes::{Clock, Fake, WebhookSink};

/// The vector of the Standard Webhooks reference libraries.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: &str = "1614265330";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

async fn send(sink: WebhookSink, now_s: i64, id: &str, signature: &str, body: &[u8]) -> (u16, Fake) {
    let sink = Fake::builder(sink).clock(Clock::at(now_s * 1000)).start().await.unwrap();
    let headers = [("webhook-id", id), ("webhook-timestamp", AT), ("webhook-signature", signature)];
    let heard = raw::send(sink.address(), "POST", "/hook", &headers, body).await;
    (heard.status(), sink)
}

#[tokio::test]
async fn the_published_vector_is_accepted() {
    let (status, sink) = send(WebhookSink::new(SECRET).unwrap(), 1614265330, ID, SIGNATURE, BODY).await;
    assert_eq!(status, 200);
    assert_eq!(sink.events()[0]["test"], 2_432_232_314_u64);
    assert_eq!(sink.requests()[0].header("webhook-id"), Some(ID));
}

#[tokio::test]
async fn one_right_signature_among_several_is_enough() {
    let both = format!("v1,AAAA v2,zzz {SIGNATURE}");
    let rotated = WebhookSink::new("whsec_c29tZXRoaW5nIGVsc2U=").unwrap().also(SECRET).unwrap();
    assert_eq!(send(rotated, 1614265330, ID, &both, BODY).await.0, 200);
}

#[tokio::test]
async fn anything_else_is_401() {
    let sink = || WebhookSink::new(SECRET).unwrap();
    assert_eq!(send(sink(), 1614265330, "msg_other", SIGNATURE, BODY).await.0, 401);
    assert_eq!(send(sink(), 1614265330, ID, SIGNATURE, br#"{"test":2432232314}"#).await.0, 401);
    assert_eq!(send(sink(), 1614265330, ID, "v1,AAAA", BODY).await.0, 401);
    let (status, late) = send(sink(), 1614265330 + 301, ID, SIGNATURE, BODY).await;
    assert_eq!((status, late.problems()), (401, vec!["request 0: webhook-timestamp is 301 s off".to_owned()]));
    let other = WebhookSink::new("whsec_c29tZXRoaW5nIGVsc2U=").unwrap();
    assert_eq!(send(other, 1614265330, ID, SIGNATURE, BODY).await.0, 401);
    assert!(WebhookSink::new("whsec_not base64").is_err());
}
