//! What a sender sees of a fake that misbehaves, and what the fake remembers of it.

use std::io::ErrorKind;
use std::time::Duration;

use crate::raw;
use serde_json::json;
use tidegate_fakes::{Behaviour, Fake, Ga4, Gate, Keep, Meta};
use tokio::io::AsyncReadExt as _;

const COLLECT: &str = "/mp/collect?measurement_id=G-1&api_secret=s";

fn page_view() -> serde_json::Value {
    json!({ "client_id": "1.2", "events": [{ "name": "page_view", "params": { "event_id": "e1" } }] })
}

#[tokio::test]
async fn scripted_answers_come_once_each_and_then_it_behaves_again() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    ga4.next([Behaviour::status(500), Behaviour::status(400)]);
    for wanted in [500, 400, 204, 204] {
        assert_eq!(raw::post(ga4.address(), COLLECT, &page_view()).await.status(), wanted);
    }
    assert_eq!(ga4.events().len(), 2);
    assert_eq!(ga4.requests().iter().map(|request| request.order).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[tokio::test]
async fn it_behaves_as_told_until_told_otherwise() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    ga4.always(Behaviour::unavailable("7"));
    for _ in 0..3 {
        let heard = raw::post(ga4.address(), COLLECT, &page_view()).await;
        assert_eq!(heard.status(), 503);
        assert!(heard.head().contains("retry-after: 7"), "{}", heard.head());
    }
    ga4.behave();
    assert_eq!(raw::post(ga4.address(), COLLECT, &page_view()).await.status(), 204);
}

#[tokio::test]
async fn retry_after_may_be_a_date() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    ga4.next([Behaviour::too_many_requests("Fri, 20 Nov 2026 12:00:00 GMT")]);
    let heard = raw::post(ga4.address(), COLLECT, &page_view()).await;
    assert_eq!(heard.status(), 429);
    assert!(heard.head().contains("retry-after: fri, 20 nov 2026 12:00:00 gmt"), "{}", heard.head());
}

#[tokio::test]
async fn garbage_is_a_200_that_is_not_json() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    ga4.next([Behaviour::garbage()]);
    let heard = raw::post(ga4.address(), COLLECT, &page_view()).await;
    assert_eq!(heard.status(), 200);
    assert!(serde_json::from_slice::<serde_json::Value>(heard.body()).is_err());
}

#[tokio::test]
async fn bytes_that_are_not_http_arrive_as_they_are() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    ga4.next([Behaviour::NotHttp("what is this?".into())]);
    let heard = raw::post(ga4.address(), COLLECT, &page_view()).await;
    assert_eq!(heard.bytes, b"what is this?");
}

#[tokio::test]
async fn a_held_answer_comes_when_the_gate_opens() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    let gate = Gate::shut();
    ga4.next([Behaviour::held(&gate)]);
    let mut stream = raw::open(ga4.address(), "POST", COLLECT, &[], page_view().to_string().as_bytes()).await;
    ga4.wait_for(1).await.unwrap();
    let mut byte = [0];
    assert_eq!(stream.try_read(&mut byte).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
    gate.open();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

#[tokio::test]
async fn a_slow_answer_comes_in_the_end() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    ga4.next([Behaviour::slow(Duration::from_millis(20))]);
    assert_eq!(raw::post(ga4.address(), COLLECT, &page_view()).await.status(), 204);
}

#[tokio::test]
async fn a_fake_that_never_answers_still_records_and_stops() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    ga4.always(Behaviour::NeverAnswer);
    let body = page_view().to_string();
    let mut stream = raw::open(ga4.address(), "POST", COLLECT, &[], body.as_bytes()).await;
    let requests = ga4.wait_for(1).await.unwrap();
    assert_eq!((requests[0].status, requests[0].json.clone()), (None, Some(page_view())));
    assert!(ga4.events().is_empty());
    ga4.stop().await;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_closed_connection_ends_in_order_and_a_reset_one_does_not() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    ga4.next([Behaviour::Close, Behaviour::Reset]);
    let closed = raw::post(ga4.address(), COLLECT, &page_view()).await;
    assert_eq!((closed.bytes, closed.error), (Vec::new(), None));
    let reset = raw::post(ga4.address(), COLLECT, &page_view()).await;
    assert_eq!((reset.bytes, reset.error), (Vec::new(), Some(ErrorKind::ConnectionReset)));
    assert!(ga4.events().is_empty());
}

#[tokio::test]
async fn a_lost_answer_means_the_events_were_taken() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    ga4.next([Behaviour::LoseAnswer]);
    let heard = raw::post(ga4.address(), COLLECT, &page_view()).await;
    assert_eq!(heard.bytes, b"");
    assert_eq!(ga4.events().len(), 1);
}

#[tokio::test]
async fn redirects_and_huge_bodies_are_answers_like_others() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    ga4.next([Behaviour::redirect("http://127.0.0.1:1/elsewhere"), Behaviour::HugeBody(3_000_001)]);
    let heard = raw::post(ga4.address(), COLLECT, &page_view()).await;
    assert_eq!(heard.status(), 302);
    assert!(heard.head().contains("location: http://127.0.0.1:1/elsewhere"));
    let heard = raw::post(ga4.address(), COLLECT, &page_view()).await;
    // The body comes in chunks, each with its length beside it.
    assert_eq!(heard.body().iter().filter(|byte| **byte == 0).count(), 3_000_001);
}

#[tokio::test]
async fn waiting_in_vain_says_what_arrived() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    raw::post(ga4.address(), COLLECT, &json!({ "events": [] })).await;
    let error = ga4.wait_for_within(2, Duration::from_millis(1)).await.unwrap_err().to_string();
    assert!(error.contains("`ga4` got 1 of 2 requests within 1 ms"), "{error}");
    assert!(error.contains("0. POST /mp/collect → 204"), "{error}");
    assert!(error.contains("problem: client_id: Is required."), "{error}");
}

#[tokio::test]
async fn a_dropped_fake_no_longer_listens() {
    let ga4 = Fake::start(Ga4::new()).await.unwrap();
    let address = ga4.address();
    ga4.stop().await;
    let again = Fake::builder(Ga4::new()).address(address).start().await.unwrap();
    assert_eq!(again.address(), address);
}

#[tokio::test]
async fn a_ledger_counts_each_id_and_keeps_no_requests() {
    let meta = Fake::builder(Meta::new("token")).keep(Keep::EventIds).start().await.unwrap();
    let body = json!({ "data": [{ "event_id": "a", "event_name": "Lead" }, { "event_id": "b" }] });
    raw::post(meta.address(), "/v26.0/1/events", &body).await;
    meta.next([Behaviour::status(500)]);
    raw::post(meta.address(), "/v26.0/1/events", &body).await;
    let heard = raw::post(meta.address(), "/v26.0/1/events", &json!({ "data": [{ "event_id": "b" }] })).await;
    assert_eq!(heard.json()["events_received"], 1);
    assert_eq!(meta.event_ids().into_iter().collect::<Vec<_>>(), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    assert_eq!((meta.requests_count(), meta.events_count(), meta.requests().len()), (3, 3, 0));
}

#[tokio::test]
async fn only_the_last_requests_are_kept_where_that_is_asked() {
    let ga4 = Fake::builder(Ga4::new()).keep(Keep::Last(2)).start().await.unwrap();
    for _ in 0..3 {
        raw::post(ga4.address(), COLLECT, &page_view()).await;
    }
    assert_eq!(ga4.requests().iter().map(|request| request.order).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(ga4.requests_count(), 3);
}
