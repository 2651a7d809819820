//! The JSON of the host's types is the JSON of the plugin SDK's: what one stores, the other reads.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidegate_plugin_sdk as sdk;
use tidegate_sandbox::contract::{self, Outcome, Request, Verdict};

/// Host to JSON to SDK to JSON to host, without a change on the way.
fn travels<Host, Sdk>(host: &Host) -> Value
where
    Host: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    Sdk: Serialize + DeserializeOwned,
{
    let stored = serde_json::to_value(host).unwrap();
    let plugin: Sdk = serde_json::from_value(stored.clone()).unwrap();
    let back = serde_json::to_value(plugin).unwrap();
    assert_eq!(back, stored);
    assert_eq!(&serde_json::from_value::<Host>(back).unwrap(), host);
    stored
}

#[test]
fn an_event_reads_the_same_in_host_and_plugin() {
    let stored = travels::<contract::Event, sdk::Event>(&support::event());
    assert_eq!(stored["kind"], "Track");
    assert_eq!(stored["consent"]["granted"], json!(["analytics", "ad-user-data"]));
    assert_eq!(stored["consent"]["limited_data_use"], json!(false));
    assert_eq!(stored["cookies"], json!([["_fbp", "fb.1.2.3"]]));
    assert_eq!(stored["user_id"], Value::Null);
}

#[test]
fn the_rest_of_the_contract_reads_the_same_in_host_and_plugin() {
    travels::<contract::Context, sdk::Context>(&support::context());
    travels::<contract::Response, sdk::Response>(&support::response());
    let request = Request {
        endpoint: "events".into(),
        path: vec![("id".into(), "1".into())],
        query: Vec::new(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: b"{}".to_vec(),
    };
    travels::<Request, sdk::Request>(&request);
    let outcomes = vec![Outcome::Delivered, Outcome::Retry(Some(5)), Outcome::Reject("old".into())];
    for verdict in [
        Verdict::Delivered,
        Verdict::Retry(None),
        Verdict::Reject("bad".into()),
        Verdict::Split,
        Verdict::Credentials("401".into()),
        Verdict::Each(outcomes),
    ] {
        travels::<Verdict, sdk::Verdict>(&verdict);
    }
    travels::<contract::Rejection, sdk::Rejection>(&contract::Rejection::Skip("not a conversion".into()));
}

#[test]
fn an_unknown_purpose_is_refused() {
    let error = serde_json::from_value::<contract::Purposes>(json!(["telepathy"])).unwrap_err();
    assert_eq!(error.to_string(), "unknown purpose `telepathy`");
}
