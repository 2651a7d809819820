//! What the first-party plugins' fixtures say they send is what the platforms take.

use serde_json::Value;
use tidegate_fakes::{Clock, Fake, Meta};

use crate::raw;

/// A minute after the time at which the fixtures' events happen.
const NOW_MS: i64 = 1_768_487_580_000;

#[tokio::test]
async fn meta_takes_every_request_that_the_plugins_fixtures_produce() {
    let meta = Fake::builder(Meta::new("token")).clock(Clock::at(NOW_MS)).start().await.unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/meta-capi/fixtures");
    let mut sent = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let fixture: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for request in fixture["requests"].as_array().into_iter().flatten() {
            let heard = raw::post(meta.address(), "/v26.0/1/events?access_token=token", &request["body"]).await;
            assert_eq!(heard.status(), 200, "{}: {}", path.display(), heard.json());
            sent += 1;
        }
    }
    assert!(sent > 20, "only {sent} requests were found in {folder}");
}
