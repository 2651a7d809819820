//! DNS, and what it means for cookies.

use std::time::Duration;

use tidegate_doctor::{Code, DnsProblem, Site};

use crate::world::{PAGE, Shop, TAG, TRACKING};

#[tokio::test]
async fn a_cname_into_a_cloud_is_capped_and_the_report_says_which_record_to_change() {
    let mut shop = Shop::new();
    shop.name(TRACKING, "CNAME lb.cloud.test");
    shop.name("lb.cloud.test", "198.51.100.99");
    let seen = shop.examine().await;
    assert_eq!(seen.wrong(), [Code::SafariCapsCname]);
    assert_eq!((seen.days("Safari"), seen.days("Firefox")), ((7, 7), (400, 400)));
    let finding = seen.one(Code::SafariCapsCname);
    assert!(finding.what.contains("`lb.cloud.test`"), "{}", finding.what);
    // The cloud's address happens to be near, so the record alone would do.
    let change = finding.change.as_deref().unwrap();
    assert_eq!(change, "Replace the CNAME with:\ntrack.shop.example. 300 IN A 198.51.100.99");
}

#[tokio::test]
async fn replacing_a_cname_by_a_far_address_is_not_advised() {
    let mut shop = Shop::new();
    shop.name(TRACKING, "CNAME lb.cloud.test");
    shop.name("lb.cloud.test", "203.0.113.99");
    let change = shop.examine().await.one(Code::SafariCapsCname).change.clone().unwrap();
    assert!(
        change.contains("is not enough") && change.contains("198.51.0.0/16") && change.contains("path mode"),
        "{change}"
    );
}

#[tokio::test]
async fn a_far_address_is_capped() {
    let mut shop = Shop::new();
    shop.name(TRACKING, "203.0.113.1");
    let seen = shop.examine().await;
    assert_eq!((seen.wrong(), seen.days("Safari")), (vec![Code::SafariCapsAddress], (7, 7)));
}

#[tokio::test]
async fn one_far_address_of_two_may_be_capped() {
    let mut shop = Shop::new();
    shop.name(TRACKING, "198.51.100.20 203.0.113.1");
    let seen = shop.examine().await;
    assert_eq!((seen.wrong(), seen.days("Safari")), (vec![Code::SafariMayCap], (7, 400)));
    assert_eq!(seen.0.pairs.len(), 2);
}

#[tokio::test]
async fn a_cname_within_the_site_and_one_as_the_pages_are_not_capped() {
    let mut shop = Shop::new();
    shop.name(TRACKING, "CNAME gw.shop.example");
    shop.name("gw.shop.example", "203.0.113.1");
    assert_eq!(shop.examine().await.wrong(), []);

    let mut shop = Shop::new();
    shop.name(PAGE, "CNAME shop.cloud.test");
    shop.name("shop.cloud.test", "198.51.100.1");
    shop.name(TRACKING, "CNAME gw.cloud.test");
    shop.name("gw.cloud.test", "203.0.113.1");
    let seen = shop.examine().await;
    assert_eq!((seen.wrong(), seen.days("Safari")), (vec![], (400, 400)));
    assert_eq!(seen.0.dns[1].place.chain, ["gw.cloud.test"]);
}

#[tokio::test]
async fn another_domain_is_a_third_party() {
    let mut shop = Shop::new();
    shop.site.tracking = Site::new("https://www.shop.example", "track.cloud.test").unwrap().tracking;
    shop.name("track.cloud.test", "198.51.100.20");
    let seen = shop.examine().await;
    assert!(seen.wrong().contains(&Code::ThirdParty));
    assert_eq!((seen.days("Safari"), seen.days("Chromium")), ((0, 0), (0, 0)));
}

#[tokio::test]
async fn each_failure_of_dns_is_told_apart() {
    for (answers, expected) in [
        ("SERVFAIL", Code::DnsServerFailure),
        ("REFUSED", Code::DnsServerFailure),
        ("", Code::DnsNoAddress),
        ("CNAME track.shop.example", Code::DnsLoop),
        ("CNAME gone.cloud.test", Code::DnsDanglingCname),
    ] {
        let mut shop = Shop::new();
        shop.name(TRACKING, answers);
        let seen = shop.examine().await;
        let subject = &seen.one(expected).subject;
        assert_eq!(subject, TRACKING, "{answers}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_leaves_the_other_checks_alone() {
    let mut shop = Shop::new();
    shop.site.tracking = Site::new("https://www.shop.example", "gone.shop.example").unwrap().tracking;
    shop.html = TAG.replace("track.", "gone.");
    let seen = shop.examine().await;
    assert_eq!(seen.0.dns[1].problem, Some(DnsProblem::NoSuchName { name: "gone.shop.example".into() }));
    let change = seen.one(Code::DnsNoSuchName).change.as_deref().unwrap();
    assert!(change.contains("`gone.shop.example. 300 IN A"), "{change}");
    assert!(seen.codes().contains(&Code::TagFound) && seen.codes().contains(&Code::SafariUnknown));
    assert!(seen.one(Code::Unchecked).why.contains("address is not known"));
}

#[tokio::test]
async fn a_silent_name_server_is_waited_for_only_so_long() {
    let mut shop = Shop::new();
    shop.name(TRACKING, "SILENCE");
    shop.timeout = Duration::from_secs(2);
    assert_eq!(shop.examine().await.one(Code::DnsTimeout).subject, TRACKING);
}

#[tokio::test]
async fn a_family_that_fails_alone_is_a_warning() {
    let mut shop = Shop::new();
    shop.name(TRACKING, "SERVFAIL-AAAA 198.51.100.20");
    assert_eq!(shop.examine().await.wrong(), [Code::DnsPartial]);
}

#[tokio::test]
async fn long_chains_are_not_followed_for_ever() {
    let mut shop = Shop::new();
    shop.name(TRACKING, "CNAME c0.shop.example");
    for at in 0..50 {
        shop.name(&format!("c{at}.shop.example"), &format!("CNAME c{}.shop.example", at + 1));
    }
    shop.name("c50.shop.example", "198.51.100.20");
    assert!(shop.examine().await.codes().contains(&Code::DnsLoop));
}

#[tokio::test]
async fn unexpected_and_private_addresses_are_named() {
    let mut shop = Shop::new();
    shop.site.addresses = vec!["198.51.100.20".parse().unwrap()];
    shop.name(TRACKING, "198.51.100.20 10.0.0.1");
    let seen = shop.examine().await;
    let change = seen.one(Code::DnsUnexpectedAddress).change.as_deref().unwrap();
    assert_eq!(change, "track.shop.example. 300 IN A 198.51.100.20");
    assert!(seen.one(Code::DnsPrivateAddress).what.contains("10.0.0.1"));
}
