//! A gateway that is told to end, and one that dies with much to do.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_fakes::{Behaviour, Gate};
use tidegate_tests::{Platforms, Process, Settings};
use tokio::time::Instant;

use crate::{accepted, drained, settings, waiting};

#[tokio::test]
async fn a_gateway_with_nothing_to_do_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let platforms = Platforms::start().await;
    let gateway = Process::start(&Process::configure(&settings(), &platforms, dir.path())).await;
    accepted(&gateway.client, "before").await;
    drained(&gateway.client).await;
    let told = Instant::now();
    let status = gateway.terminate().await;
    assert_eq!(status.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(2), "it took {:?}", told.elapsed());
}

#[tokio::test]
async fn a_gateway_that_waits_for_a_platform_ends_within_its_bound_and_gives_its_leases_back() {
    let dir = tempfile::tempdir().unwrap();
    let platforms = Platforms::start().await;
    let patient = Settings {
        delivery:
            "timeout_ms = 60000\nbackoff_base_ms = 40\nbackoff_max_ms = 400\nshutdown_ms = 500\nconcurrency = 1\n"
                .into(),
        ..settings()
    };
    let config = Process::configure(&patient, &platforms, dir.path());
    let gate = Gate::shut();
    platforms.webhook.always(Behaviour::held(&gate));
    let gateway = Process::start(&config).await;
    for number in 0..20 {
        accepted(&gateway.client, &format!("event-{number}")).await;
    }
    platforms.meta.wait_for_events(20).await.unwrap();
    assert!(waiting(&gateway.client).await >= 20, "the webhook's receiver answers nothing");
    let told = Instant::now();
    let status = gateway.terminate().await;
    assert_eq!(status.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(5), "it took {:?}", told.elapsed());

    // The receiver has the first event and could not say so: that one comes again.
    platforms.webhook.behave();
    let gateway = Process::start(&config).await;
    drained(&gateway.client).await;
    for number in 0..20 {
        let part = gateway.client.outcome(&format!("event-{number}"), "hook", "delivered").await;
        assert_eq!(part["attempts"].as_array().unwrap().len(), 1, "{part:#}");
    }
    assert_eq!(platforms.meta.events_count(), 20);
    gate.open();
}

#[tokio::test]
async fn what_waits_when_the_gateway_is_killed_is_delivered_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let platforms = Platforms::start().await;
    let config = Process::configure(&settings(), &platforms, dir.path());
    for fake in [&platforms.meta, &platforms.ga4, &platforms.webhook] {
        fake.always(Behaviour::status(503));
    }
    let gateway = Process::start(&config).await;
    let ids: BTreeSet<String> = (0..100).map(|number| format!("event-{number}")).collect();
    for id in &ids {
        accepted(&gateway.client, id).await;
    }
    assert_eq!(waiting(&gateway.client).await, 300);
    gateway.kill().await;

    for fake in [&platforms.meta, &platforms.ga4, &platforms.webhook] {
        fake.behave();
    }
    let gateway = Process::start(&config).await;
    drained(&gateway.client).await;
    for fake in [&platforms.meta, &platforms.ga4, &platforms.webhook] {
        assert_eq!(fake.events_count(), 100, "each once at {}", fake.name());
    }
    let came = platforms.webhook.events().into_iter().map(|event| event["data"]["id"].as_str().unwrap().to_owned());
    assert_eq!(came.collect::<BTreeSet<_>>(), ids);
}
