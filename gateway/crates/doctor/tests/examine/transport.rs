//! Certificates, TLS, plain HTTP, the clock, and servers that do not answer.

use std::time::Duration;

use http::StatusCode;
use http::header::{DATE, LOCATION, STRICT_TRANSPORT_SECURITY};
use tidegate_doctor::Code;

use crate::world::{Authority, Behaviour, Shop, TRACKING, Tls, now, set};

type Fault = fn(&mut Tls);

#[tokio::test]
async fn each_fault_of_a_certificate_has_its_code_and_the_rest_is_still_checked() {
    let faults: [(Fault, Code); 5] = [
        (|tls| tls.until = (2023, 11, 1), Code::CertificateExpired),
        (|tls| tls.from = (2023, 12, 1), Code::CertificateNotYetValid),
        (|tls| tls.until = (2023, 11, 25), Code::CertificateExpiresSoon),
        (|tls| tls.names = vec!["www.shop.example", "*.track.shop.example"], Code::CertificateWrongName),
        (|tls| tls.signed_by = Authority::Stranger, Code::CertificateUntrusted),
    ];
    for (fault, expected) in faults {
        let mut shop = Shop::new();
        fault(&mut shop.tracking_tls);
        let seen = shop.examine().await;
        assert_eq!(seen.wrong(), [expected]);
        assert!(seen.codes().contains(&Code::CorsMirrored));
    }
}

#[tokio::test]
async fn the_report_has_the_certificate() {
    let certificate = Shop::new().examine().await.0.certificate.unwrap();
    assert_eq!((certificate.issuer.as_str(), certificate.names.as_slice()), ("CN=Trusted", &[TRACKING.to_owned()][..]));
    assert_eq!((certificate.days_left, certificate.versions.as_slice()), (47, &["1.3", "1.2"][..]));
}

#[tokio::test]
async fn a_certificate_of_a_short_life_is_late_only_in_its_last_third() {
    let mut shop = Shop::new();
    (shop.tracking_tls.from, shop.tracking_tls.until) = ((2023, 10, 21), (2023, 12, 5));
    let seen = shop.examine().await;
    assert_eq!(seen.wrong(), []);
    assert!(seen.0.certificate.unwrap().days_left < 21);
}

#[tokio::test]
async fn a_certificate_for_all_hosts_of_the_domain_will_do() {
    let mut shop = Shop::new();
    shop.tracking_tls.names = vec!["*.shop.example"];
    assert_eq!(shop.examine().await.wrong(), []);
}

#[tokio::test]
async fn tls_1_2_alone_is_worth_knowing() {
    let mut shop = Shop::new();
    shop.tracking_tls.versions = vec![&rustls::version::TLS12];
    assert_eq!(shop.examine().await.wrong(), [Code::TlsNo13]);
}

#[tokio::test]
async fn hsts_may_be_missing() {
    let mut shop = Shop::new();
    shop.on_tracking(|_, answer| drop(answer.headers_mut().remove(STRICT_TRANSPORT_SECURITY)));
    assert_eq!(shop.examine().await.wrong(), [Code::HstsMissing]);
}

#[tokio::test]
async fn a_clock_that_is_off_is_a_warning_and_says_by_how_much() {
    let mut shop = Shop::new();
    shop.on_tracking(|_, answer| {
        let late = now() - Duration::from_secs(3600);
        set(answer.headers_mut(), DATE, &httpdate::fmt_http_date(late));
    });
    let seen = shop.examine().await;
    assert_eq!(seen.wrong(), [Code::ClockOff]);
    assert!(seen.one(Code::ClockOff).what.contains(" s behind"));
}

#[tokio::test]
async fn plain_http_that_does_not_lead_to_https_is_a_warning() {
    let mut shop = Shop::new();
    shop.on_plain(|_, answer| {
        answer.headers_mut().remove(LOCATION);
        *answer.status_mut() = StatusCode::OK;
    });
    assert_eq!(shop.examine().await.wrong(), [Code::HttpNotRedirected]);

    let mut shop = Shop::new();
    shop.plain = Behaviour::Absent;
    assert_eq!(shop.examine().await.wrong(), [Code::HttpClosed]);
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_unreachable_and_its_checks_are_not_made() {
    let mut shop = Shop::new();
    shop.tracking = Behaviour::Absent;
    let seen = shop.examine().await;
    assert_eq!(seen.one(Code::Unreachable).subject, TRACKING);
    assert!(seen.one(Code::Unreachable).what.contains("refused"));
    assert!(seen.codes().contains(&Code::TagFound), "the page is looked at all the same");
    let unchecked: Vec<&str> =
        seen.0.findings.iter().filter(|one| one.code == Code::Unchecked).map(|one| one.subject.as_str()).collect();
    assert_eq!(unchecked.len(), 6, "{unchecked:?}");
}

#[tokio::test]
async fn what_is_no_tls_is_said_to_be_none() {
    let mut shop = Shop::new();
    shop.tracking = Behaviour::Babbles;
    assert_eq!(shop.examine().await.one(Code::TlsFailed).subject, TRACKING);
}

#[tokio::test]
async fn a_gateway_that_hangs_is_waited_for_only_so_long() {
    let mut shop = Shop::new();
    shop.tracking = Behaviour::Hangs;
    shop.timeout = Duration::from_secs(1);
    let seen = shop.examine().await;
    assert!(seen.one(Code::Unreachable).what.contains("too long"));
    assert!(seen.0.took_ms < 20_000, "{}", seen.0.took_ms);
}

#[tokio::test]
async fn the_whole_examination_ends_by_its_deadline() {
    let mut shop = Shop::new();
    shop.tracking = Behaviour::Hangs;
    shop.page = Behaviour::Hangs;
    shop.plain = Behaviour::Hangs;
    shop.timeout = Duration::from_secs(600);
    shop.deadline = Duration::from_secs(2);
    let seen = shop.examine().await;
    assert!(seen.one(Code::Unchecked).why.contains("ran out"));
    assert!(seen.0.took_ms < 30_000, "{}", seen.0.took_ms);
    assert_eq!(seen.days("Safari"), (400, 400), "what DNS says is known");
}
