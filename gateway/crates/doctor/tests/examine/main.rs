//! The doctor at real sites: a name server, TLS servers and pages on loopback, right and wrong in each check.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod documents;
mod gateway;
mod names;
mod transport;
mod world;

use tidegate_doctor::{Severity, VERSION};

use world::{Behaviour, Shop};

#[tokio::test]
async fn a_site_in_which_all_is_right_has_nothing_to_change() {
    let seen = Shop::new().examine().await;
    assert_eq!(seen.wrong(), []);
    assert_eq!(seen.0.verdict, Severity::Ok);
    assert_eq!(seen.days("Safari"), (400, 400));
    assert_eq!(seen.days("Chromium"), (400, 400));
    assert!(seen.0.findings.iter().all(|finding| finding.change.is_none()));
}

#[tokio::test]
async fn path_mode_is_one_host_and_a_long_cookie() {
    let mut shop = Shop::new();
    let old = shop.site;
    shop.site = tidegate_doctor::Site::new("https://www.shop.example/", "https://www.shop.example/t/").unwrap();
    shop.site.cookies = old.cookies;
    shop.site.origins = old.origins;
    shop.name("www.shop.example", "CNAME shop.cloud.test");
    shop.name("shop.cloud.test", "203.0.113.1");
    shop.html = world::TAG.replace("https://track.shop.example/", "/t/");
    shop.tracking = Behaviour::Absent;
    let seen = shop.examine().await;
    assert_eq!(seen.wrong(), []);
    assert_eq!((seen.days("Safari"), seen.0.dns.len()), ((400, 400), 1));
}

#[tokio::test]
async fn the_report_is_json_of_a_known_form() {
    let mut shop = Shop::new();
    shop.name(world::TRACKING, "203.0.113.1");
    let report = shop.examine().await.0;
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (&json["version"], &json["verdict"], &json["mode"]),
        (&VERSION.into(), &"warning".into(), &"host".into())
    );
    let finding = &json["findings"][0];
    assert_eq!((&finding["code"], &finding["severity"]), (&"safari-caps-address".into(), &"warning".into()));
    assert_eq!(finding["where"], world::TRACKING);
    assert!(["what", "why", "change"].iter().all(|key| finding[key].is_string()), "{finding}");
    let life = json["lives"].as_array().unwrap().iter().find(|life| life["browser"] == "Safari").unwrap();
    assert_eq!((&life["cookie"]["name"], &life["worst"]["seconds"]), (&"__Secure-tg_vid".into(), &604_800.into()));
    assert_eq!(life["worst"]["why"]["reason"], "address");
    assert_eq!((&json["pairs"][0]["shared_bits"], &json["pairs"][0]["near"]), (&4.into(), &false.into()));
}

/// A command may run it on any runtime.
#[test]
fn an_examination_can_go_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let shop = Shop::new();
    let options = tidegate_doctor::Options::new(world::now());
    is_send(&tidegate_doctor::examine(&shop.site, &options));
}
