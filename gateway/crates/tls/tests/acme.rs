//! Certificates from a real ACME server, Debian's pebble. Its certificates live for five years.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use support::pebble::Pebble;
use support::{Anyone, Authority, DAY_MS, der, files_below, meet, shown, write};
use tidegate_tls::{Challenge, Clock as _, ExternalAccount, Source, Status, Tls};

const MINUTE_MS: u64 = 60_000;

fn visitor() -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(rustls::ALL_VERSIONS).unwrap().dangerous();
    Arc::new(builder.with_custom_certificate_verifier(Arc::new(Anyone(provider))).with_no_client_auth())
}

/// The certificate that visitors of a host are shown.
async fn certificate(tls: &Tls, host: &str) -> Option<Vec<u8>> {
    let met = meet(tls, &visitor(), host).await;
    met.is_ok().then(|| shown(&met))
}

fn status(tls: &Tls, host: &str) -> Status {
    tls.status().into_iter().find(|status| status.host == host).unwrap()
}

async fn is_issued(challenge: Challenge) {
    let pebble = Pebble::start().await;
    let tls = pebble.open(pebble.options(challenge, &["T.shop.test", "t.other.test"]));
    let before = status(&tls, "t.shop.test");
    assert_eq!((before.certificate, before.last_error), (None, None));
    assert_eq!(before.next_attempt_ms, Some(pebble.clock.now_ms()));
    assert!(before.warnings[0].contains("no certificate yet"));
    assert_eq!(certificate(&tls, "t.shop.test").await, None);

    pebble.renew(&[&tls]).await;
    let shop = certificate(&tls, "t.shop.test").await.unwrap();
    assert_ne!(certificate(&tls, "t.other.test").await.unwrap(), shop);
    assert_eq!(certificate(&tls, "www.shop.test").await, None);
    let after = status(&tls, "t.shop.test");
    assert!(matches!(&after.source, Source::Acme { directory } if directory.ends_with("/dir")));
    assert!(after.certificate.unwrap().issuer.starts_with("CN=Pebble Intermediate CA"));
    assert_eq!((after.last_error, after.warnings), (None, vec![]));

    pebble.renew(&[&tls]).await;
    assert_eq!(certificate(&tls, "t.shop.test").await.unwrap(), shop);
    assert!(files_below(&pebble.cache()).iter().all(|path| !path.ends_with("challenge.json")));
    assert_eq!(tls.challenge("t.shop.test", "token"), None);
}

#[tokio::test]
async fn a_certificate_is_issued_by_tls_alpn_01() {
    is_issued(Challenge::TlsAlpn01).await;
}

#[tokio::test]
async fn a_certificate_is_issued_by_http_01() {
    is_issued(Challenge::Http01).await;
}

#[tokio::test]
async fn a_certificate_is_renewed_with_a_third_of_its_life_left_and_not_again_at_once() {
    let pebble = Pebble::start().await;
    let tls = pebble.open(pebble.options(Challenge::TlsAlpn01, &["t.shop.test"]));
    pebble.renew(&[&tls]).await;
    let first = certificate(&tls, "t.shop.test").await;
    let Status { certificate: Some(life), next_attempt_ms: Some(next_ms), .. } = status(&tls, "t.shop.test") else {
        panic!("there is no certificate")
    };
    let left = (life.not_after_ms - next_ms) as f64 / (life.not_after_ms - life.not_before_ms) as f64;
    assert!((0.333..0.384).contains(&left), "{left}");

    pebble.clock.set(next_ms - 1);
    pebble.renew(&[&tls]).await;
    assert_eq!(certificate(&tls, "t.shop.test").await, first);

    pebble.clock.set(next_ms);
    pebble.renew(&[&tls]).await;
    let second = certificate(&tls, "t.shop.test").await;
    assert_ne!(second, first);

    // Pebble's certificates begin with its own clock: this one, too, has about a third left by ours. An authority that
    // issues such ones is not asked for another all the time; how much later depends on the certificate's own lot.
    pebble.renew(&[&tls]).await;
    assert_eq!(certificate(&tls, "t.shop.test").await, second);
    let again_ms = status(&tls, "t.shop.test").next_attempt_ms.unwrap();
    assert!(again_ms >= next_ms + DAY_MS, "{again_ms}");
    for _ in 0..10 {
        pebble.clock.advance(DAY_MS);
        pebble.renew(&[&tls]).await;
    }
    let record = files_below(&pebble.cache()).into_iter().find(|path| path.ends_with("record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    let issued: Vec<u64> = record["issued_ms"].as_array().unwrap().iter().map(|at| at.as_u64().unwrap()).collect();
    assert!(issued.windows(5).all(|five| five[4] - five[0] >= 7 * DAY_MS), "{issued:?}");
}

#[tokio::test]
async fn a_host_that_fails_waits_also_across_restarts_and_others_go_on() {
    let pebble = Pebble::start().await;
    pebble.lead("bad.shop.test", "127.0.0.9");
    let options = pebble.options(Challenge::TlsAlpn01, &["bad.shop.test", "good.shop.test"]);
    let tls = pebble.open(options.clone());
    pebble.renew(&[&tls]).await;
    assert!(certificate(&tls, "good.shop.test").await.is_some());
    assert_eq!(certificate(&tls, "bad.shop.test").await, None);
    let failed = status(&tls, "bad.shop.test");
    let message = &failed.last_error.as_ref().unwrap().message;
    assert!(message.contains("Failed to connect") && message.contains("was not reached on port 443"), "{message}");
    let next_ms = failed.next_attempt_ms.unwrap();
    assert!(next_ms >= pebble.clock.now_ms() + 15 * MINUTE_MS);

    let restarted = pebble.open(options);
    assert_eq!(status(&restarted, "bad.shop.test"), failed);
    pebble.clock.set(next_ms - 1);
    pebble.renew(&[&restarted]).await;
    assert_eq!(status(&restarted, "bad.shop.test").last_error, failed.last_error);

    // Still wrong: it waits longer.
    pebble.clock.set(next_ms);
    pebble.renew(&[&restarted]).await;
    let later_ms = status(&restarted, "bad.shop.test").next_attempt_ms.unwrap();
    assert!(later_ms - next_ms > next_ms - failed.last_error.unwrap().at_ms);

    pebble.lead_here("bad.shop.test");
    pebble.clock.set(later_ms);
    pebble.renew(&[&restarted]).await;
    assert!(certificate(&restarted, "bad.shop.test").await.is_some());
    assert_eq!(status(&restarted, "bad.shop.test").last_error, None);
}

#[tokio::test]
async fn a_kept_certificate_is_shown_at_once_without_the_directory() {
    let mut pebble = Pebble::start().await;
    let options = pebble.options(Challenge::Http01, &["t.shop.test"]);
    let tls = pebble.open(options.clone());
    pebble.renew(&[&tls]).await;
    let issued = certificate(&tls, "t.shop.test").await.unwrap();
    pebble.end();

    let restarted = pebble.open(options);
    assert_eq!(certificate(&restarted, "t.shop.test").await.unwrap(), issued);
    pebble.renew(&[&restarted]).await;
    assert_eq!(status(&restarted, "t.shop.test").last_error, None);

    // Nor is it given up when it cannot be renewed.
    pebble.clock.set(status(&restarted, "t.shop.test").next_attempt_ms.unwrap());
    pebble.renew(&[&restarted]).await;
    assert_eq!(certificate(&restarted, "t.shop.test").await.unwrap(), issued);
    let failed = status(&restarted, "t.shop.test");
    assert!(failed.last_error.unwrap().message.contains("Connection refused"));
    assert!(failed.next_attempt_ms.unwrap() <= pebble.clock.now_ms() + 2 * MINUTE_MS);
    pebble.begin();
    pebble.clock.advance(2 * MINUTE_MS);
    // This directory was started anew, and does not know our account.
    pebble.renew(&[&restarted]).await;
    assert!(status(&restarted, "t.shop.test").last_error.is_some());
    pebble.clock.advance(4 * MINUTE_MS);
    pebble.renew(&[&restarted]).await;
    assert_eq!(status(&restarted, "t.shop.test").last_error, None);
    assert_ne!(certificate(&restarted, "t.shop.test").await.unwrap(), issued);
}

#[tokio::test]
async fn gateways_that_share_a_cache_order_once_and_answer_for_each_other() {
    for challenge in [Challenge::TlsAlpn01, Challenge::Http01] {
        let pebble = Pebble::start().await;
        let options = pebble.options(challenge, &["a.shop.test", "b.shop.test", "c.shop.test"]);
        let (one, other) = (pebble.open(options.clone()), pebble.open(options));
        // Validations reach them in turn, so that half of them reach the one that did not order.
        for _ in 0..3 {
            pebble.clock.advance(16 * MINUTE_MS);
            pebble.renew(&[&one, &other]).await;
        }
        one.check_files();
        other.check_files();
        for host in ["a.shop.test", "b.shop.test", "c.shop.test"] {
            let shown = certificate(&one, host).await;
            assert!(shown.is_some(), "{:?}", status(&one, host));
            assert_eq!(shown, certificate(&other, host).await);
            assert_eq!(status(&one, host).last_error, None);
        }
        let records = files_below(&pebble.cache()).into_iter().filter(|path| path.ends_with("record.json"));
        for record in records {
            let record: serde_json::Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
            assert_eq!(record["issued_ms"].as_array().unwrap().len(), 1);
        }
        assert_eq!(files_below(&pebble.cache()).iter().filter(|path| path.ends_with("account.json")).count(), 1);
    }
}

#[tokio::test]
async fn a_host_that_leads_elsewhere_is_not_ordered() {
    let pebble = Pebble::start().await;
    let tls = pebble.open(pebble.options(Challenge::TlsAlpn01, &["t.shop.test"]));
    pebble.precheck.fails.store(true, Ordering::SeqCst);
    pebble.renew(&[&tls]).await;
    let waiting = status(&tls, "t.shop.test");
    assert_eq!(waiting.last_error.unwrap().message, "not ordered: `t.shop.test` leads elsewhere");
    assert!(!files_below(&pebble.cache()).iter().any(|path| path.ends_with("account.json")));
    pebble.renew(&[&tls]).await;
    assert_eq!(pebble.precheck.asked.load(Ordering::SeqCst), 1);

    pebble.precheck.fails.store(false, Ordering::SeqCst);
    pebble.clock.advance(2 * MINUTE_MS);
    pebble.renew(&[&tls]).await;
    assert!(certificate(&tls, "t.shop.test").await.is_some());
}

#[tokio::test]
async fn a_host_that_a_file_covers_is_not_ordered_and_the_options_may_change() {
    let pebble = Pebble::start().await;
    let authority = Authority::new();
    let pem = authority.issue(&["*.shop.test"]);
    let mut options = pebble.options(Challenge::TlsAlpn01, &["t.shop.test", "t.other.test"]);
    let acme_alone = options.clone();
    options.files = vec![write(&pem, &pebble.path(""), "wild")];
    let tls = pebble.open(options);
    pebble.renew(&[&tls]).await;
    assert_eq!(certificate(&tls, "t.shop.test").await.unwrap(), der(&pem.cert));
    assert!(certificate(&tls, "t.other.test").await.is_some());
    assert_eq!(pebble.precheck.asked.load(Ordering::SeqCst), 1);

    tls.change(acme_alone).unwrap();
    assert_eq!(certificate(&tls, "t.shop.test").await, None);
    assert!(certificate(&tls, "t.other.test").await.is_some());
    pebble.renew(&[&tls]).await;
    assert!(certificate(&tls, "t.shop.test").await.is_some());
}

#[tokio::test]
async fn an_account_is_bound_to_an_external_one() {
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let pebble = Pebble::start_with(&format!(
        r#","externalAccountBindingRequired":true,"externalAccountMACKeys":{{"kid-1":"{key}"}}"#
    ))
    .await;
    let mut options = pebble.options(Challenge::TlsAlpn01, &["t.shop.test"]);
    let tls = pebble.open(options.clone());
    pebble.renew(&[&tls]).await;
    let message = status(&tls, "t.shop.test").last_error.unwrap().message;
    assert!(message.contains("externalAccountRequired"), "{message}");

    let acme = options.acme.as_mut().unwrap();
    acme.external_account = Some(ExternalAccount { key_id: "kid-1".into(), hmac_key: key.into() });
    tls.change(options).unwrap();
    pebble.clock.advance(20 * MINUTE_MS);
    pebble.renew(&[&tls]).await;
    assert!(certificate(&tls, "t.shop.test").await.is_some(), "{:?}", status(&tls, "t.shop.test"));
}

#[tokio::test]
async fn what_a_crash_or_a_person_left_in_the_cache_is_survived() {
    let pebble = Pebble::start().await;
    let options = pebble.options(Challenge::TlsAlpn01, &["t.shop.test"]);
    let tls = pebble.open(options.clone());
    pebble.renew(&[&tls]).await;
    let issued = certificate(&tls, "t.shop.test").await.unwrap();
    for path in files_below(&pebble.cache()) {
        if !path.ends_with("account.json") {
            fs::write(path, "nonsense").unwrap();
        }
    }
    // What is in memory is better than what is on disk.
    tls.reload();
    assert_eq!(certificate(&tls, "t.shop.test").await.unwrap(), issued);
    let restarted = pebble.open(options);
    assert_eq!(certificate(&restarted, "t.shop.test").await, None);
    pebble.renew(&[&restarted]).await;
    assert!(certificate(&restarted, "t.shop.test").await.is_some(), "{:?}", status(&restarted, "t.shop.test"));
}
