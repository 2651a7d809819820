//! `tidegate doctor` as a site's owner calls it: at a real gateway with its TLS or behind a proxy's, a page, and a name server;
//! right, and wrong in one thing after the other.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod shop;

use std::time::Duration;

use serde_json::{Value, json};
use tidegate_tests::Process;

use shop::{Open, PAGE, Proxy, Shop, TRACKING, said};

const VISITOR: &str = "__Secure-tg_vid";

/// The cells of a cookie's row: its life in Chromium, Safari, Firefox and Brave.
fn lives<'a>(text: &'a str, cookie: &str) -> Vec<&'a str> {
    let row = text.lines().find(|line| line.split("  ").next() == Some(cookie));
    let row = row.unwrap_or_else(|| panic!("no row of `{cookie}` in\n{text}"));
    row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).skip(1).collect()
}

/// What the report says of a kind of finding: its severity, and where it was found.
fn finding<'a>(report: &'a Value, code: &str) -> &'a Value {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|one| one["code"] == code).unwrap_or_else(|| panic!("no `{code}` in {report:#}"))
}

/// Without what only lays it out.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All that is not in order.
fn wrong(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().filter(|one| one["severity"] != "ok").map(|one| one["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_site_in_which_all_is_right_has_nothing_to_change_and_its_cookies_live_as_long_as_they_ask() {
    let open = Shop::new().open().await;
    let seen = open.doctor(&["shop"]).await;
    assert_eq!((seen.code, seen.errors.as_str()), (0, ""), "{}", seen.out);
    let last = format!("https://{PAGE}/ at https://{TRACKING}/: 0 errors, 0 warnings, 0 notices");
    assert_eq!(seen.out.lines().last(), Some(last.as_str()), "{}", seen.out);
    assert!(!seen.out.contains("  change  "), "{}", seen.out);
    assert_eq!(lives(&seen.out, VISITOR), ["400 days", "400 days", "400 days", "180 days"]);
    assert_eq!(lives(&seen.out, "_fbc"), ["90 days"; 4]);
    // The gateway's own TLS is all that it takes.
    for said in [
        "its certificate has ",
        "answers with `Strict-Transport-Security: max-age=31536000`",
        "its clock agrees",
        "leads to `https://track.shop.example/`",
    ] {
        assert!(seen.out.contains(said), "{said}: {}", seen.out);
    }
}

#[tokio::test]
async fn what_people_read_and_what_programs_read_is_the_same() {
    let mut shop = Shop::new();
    shop.zone.insert(TRACKING.into(), "203.0.113.20".into());
    shop.html = "<p>Welcome".into();
    let open = shop.open().await;
    let (seen, (code, report)) = (open.doctor(&[]).await, open.report(&[]).await);
    assert_eq!((seen.code, code, &report["verdict"]), (1, 1, &json!("error")));
    for one in report["findings"].as_array().unwrap() {
        let (what, severity) = (one["what"].as_str().unwrap(), one["severity"].as_str().unwrap());
        let line = seen.out.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {}", seen.out));
        assert!(line.starts_with(severity), "{line}");
        if severity != "ok" {
            assert!(line.ends_with(&format!("({})", one["code"].as_str().unwrap())), "{line}");
            let change = flat(&format!("  change  {}", one["change"].as_str().unwrap()));
            assert!(flat(&seen.out).contains(&change), "{change}: {}", seen.out);
        }
    }
    let safari = |one: &&Value| one["browser"] == "Safari" && one["cookie"]["name"] == VISITOR;
    let life = report["lives"].as_array().unwrap().iter().find(safari).unwrap();
    assert_eq!((&life["worst"]["seconds"], lives(&seen.out, VISITOR)[1]), (&json!(604_800), "7 days"));
}

#[tokio::test]
async fn safari_keeps_cookies_of_a_neighbour_and_caps_those_of_a_stranger() {
    let addresses = "safari-caps-address";
    for (tracking, cloud, safari, expected) in [
        // The same first 16 bits are near enough.
        ("198.51.255.1", "", "400 days", None),
        ("198.52.100.20", "", "7 days", Some(addresses)),
        ("198.51.100.20 203.0.113.1", "", "7 to 400 days", Some("safari-may-cap")),
        // A CNAME into another domain is cloaking, however near its address is.
        ("CNAME t.cloud.test", "198.51.100.20", "7 days", Some("safari-caps-cname")),
        ("CNAME t.shop.example", "198.51.100.20", "400 days", None),
    ] {
        let mut shop = Shop::new();
        shop.zone.insert(TRACKING.into(), tracking.into());
        for name in ["t.cloud.test", "t.shop.example"].into_iter().filter(|_| !cloud.is_empty()) {
            shop.zone.insert(name.into(), cloud.into());
        }
        let open = shop.open().await;
        let seen = open.doctor(&[]).await;
        assert_eq!(seen.code, 0, "a warning is no failure: {}", seen.out);
        assert_eq!(lives(&seen.out, VISITOR), ["400 days", safari, "400 days", "180 days"], "{tracking}: {}", seen.out);
        let (_, report) = open.report(&[]).await;
        assert_eq!(wrong(&report), expected.into_iter().collect::<Vec<_>>(), "{tracking}");
        if let Some(code) = expected {
            let change = finding(&report, code)["change"].as_str().unwrap();
            assert!(change.contains("198.51.0.0/16") || change.contains("300 IN A 198.51.100.20"), "{change}");
            assert!(seen.out.contains("\nSafari: the tracking host"), "the table says why: {}", seen.out);
        }
    }
}

/// Opens the shop and looks at it: one thing is wrong, which is found under this code, and its change says this.
async fn one_wrong(shop: Shop, more: &[&str], code: &str, change: &str) -> Open {
    let open = shop.open().await;
    let (exit, report) = open.report(more).await;
    assert_eq!(wrong(&report), [code], "{report:#}");
    let found = finding(&report, code);
    let said = found["change"].as_str().unwrap();
    assert!(said.contains(change), "{code}: {said}");
    let expected = i32::from(found["severity"] == "error");
    let seen = open.doctor(more).await;
    assert_eq!((exit, seen.code), (expected, expected), "{code}: {}", seen.out);
    assert!(seen.out.contains(&format!("({code})\n  why     ")), "{}", seen.out);
    assert!(seen.out.contains("its clock"), "the other checks are made all the same: {}", seen.out);
    open
}

#[tokio::test]
async fn a_bad_certificate_is_an_error_with_what_to_do() {
    let expired = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(2024, 5, 1);
    let mut shop = Shop::new();
    shop.proxy = Some(Proxy::with(shop.authority.issue_with(&[TRACKING], expired)));
    one_wrong(shop, &[], "certificate-expired", "Renew").await;

    let mut shop = Shop::new();
    shop.proxy = Some(Proxy::with(shop.authority.issue(&[PAGE])));
    one_wrong(shop, &[], "certificate-wrong-name", "have `track.shop.example`").await;

    let mut shop = Shop::new();
    shop.proxy = Some(Proxy::with(tidegate_test_tls::Authority::new().issue(&[TRACKING])));
    one_wrong(shop, &[], "certificate-untrusted", "fullchain.pem").await;
}

#[tokio::test]
async fn a_gateway_without_a_certificate_for_the_host_is_told_to_get_one() {
    let mut shop = Shop::new();
    shop.names = vec!["other.shop.example"];
    let (exit, report) = shop.open().await.report(&[]).await;
    assert_eq!((exit, &finding(&report, "certificate-missing")["where"]), (1, &json!(TRACKING)));
    let change = finding(&report, "certificate-missing")["change"].as_str().unwrap();
    assert!(change.contains("`certificates` of `[tls]`"), "{change}");
    // What cannot be asked is said to be unchecked, and not to be wrong.
    assert!(wrong(&report)[1..].iter().all(|code| *code == "unchecked"), "{report:#}");
}

#[tokio::test]
async fn hsts_is_missed_in_the_gateways_own_answers_and_in_a_proxys() {
    let mut shop = Shop::new();
    shop.tls = "hsts_days = 0".into();
    one_wrong(shop, &[], "hsts-missing", "`hsts_days` of `[tls]`").await;

    let mut shop = Shop::new();
    shop.tls = "hsts_days = 30".into();
    one_wrong(shop, &[], "hsts-short", "`hsts_days` of `[tls]`").await;

    let mut shop = Shop::new();
    let pem = shop.authority.issue(&[TRACKING]);
    shop.proxy = Some(Proxy { hsts: None, ..Proxy::with(pem) });
    one_wrong(shop, &[], "hsts-missing", "`Strict-Transport-Security: max-age=31536000`").await;
}

#[tokio::test]
async fn a_clock_that_is_off_is_seen_in_the_answers() {
    let mut shop = Shop::new();
    let pem = shop.authority.issue(&[TRACKING]);
    shop.proxy = Some(Proxy { behind: Duration::from_secs(3_600), ..Proxy::with(pem) });
    let open = one_wrong(shop, &[], "clock-off", "NTP").await;
    let seen = open.doctor(&[]).await.out;
    assert!(
        ["its clock is 3599 s behind", "its clock is 3600 s behind"].iter().any(|said| seen.contains(said)),
        "{seen}"
    );
}

#[tokio::test]
async fn a_page_of_an_origin_that_the_site_does_not_name_is_told_to_name_it() {
    let mut shop = Shop::new();
    shop.zone.insert("blog.shop.example".into(), "198.51.100.11".into());
    let (exit, report) = shop.open().await.report(&["--page", "https://blog.shop.example/"]).await;
    assert_eq!((exit, wrong(&report)), (1, vec!["cors-refused", "origin-not-listed"]));
    for code in ["cors-refused", "origin-not-listed"] {
        let change = &finding(&report, code)["change"];
        assert_eq!(change, "Add \"https://blog.shop.example\" to `origins` of the site.");
    }
}

#[tokio::test]
async fn an_origin_that_was_added_and_not_read_yet_is_a_reload_away() {
    let mut shop = Shop::new();
    shop.zone.insert("blog.shop.example".into(), "198.51.100.11".into());
    let open = shop.open().await;
    open.edit(|text| text.replace("origins = [", "origins = [\"https://blog.shop.example\", "));
    let (exit, report) = open.report(&[]).await;
    assert_eq!((exit, wrong(&report)), (1, vec!["cors-refused"]), "{report:#}");
    let change = finding(&report, "cors-refused")["change"].as_str().unwrap();
    assert!(change.contains("`tidegate reload`"), "{change}");
}

#[tokio::test]
async fn a_page_without_the_tag_is_given_the_tag_and_one_with_a_level_for_consent_is_told_so() {
    let mut shop = Shop::new();
    shop.html = "<!doctype html><p>Welcome".into();
    let tag = "<script async src=\"https://track.shop.example/t.js\" data-key=\"demo-write-key\"></script>";
    one_wrong(shop, &[], "tag-missing", tag).await;

    let mut shop = Shop::new();
    shop.html = shop.html.replace("\"wait\"", "\"none\"");
    one_wrong(shop, &[], "consent-unknown", "`consent.default`").await;
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_the_first_thing_to_mend() {
    let mut shop = Shop::new();
    shop.zone.remove(TRACKING);
    let seen = shop.open().await.doctor(&[]).await;
    assert_eq!(seen.code, 1);
    let first = seen.out.lines().next().unwrap();
    assert!(first.starts_with("error  ") && first.ends_with("(dns-no-such-name)"), "{first}");
    assert_eq!(lives(&seen.out, VISITOR)[1], "7 to 400 days");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_said_with_how_to_ask() {
    let open = Shop::new().open().await;
    for (arguments, code, said) in [
        (["shopp"].as_slice(), 66, "error: there is no site `shopp`\nhint: did you mean `shop`?"),
        (&["--ca", "absent.pem"], 66, "error: read `absent.pem`: No such file"),
        (&["--connect", "track.shop.example"], 64, "HOST:PORT=ADDRESS:PORT"),
        (&["--page", "ftp://shop.example"], 64, "neither http nor https"),
    ] {
        let seen = open.ask(arguments).await;
        assert_eq!((seen.code, seen.out.as_str()), (code, ""), "{arguments:?}: {}", seen.errors);
        assert!(seen.errors.contains(said), "{arguments:?}: {}", seen.errors);
    }
    let elsewhere = Process::command(&["doctor", "--config", "absent.toml"]).output().await.unwrap();
    let seen = said(elsewhere);
    assert_eq!(seen.code, 66);
    assert!(seen.errors.contains("hint: name the file: `--config FILE`"), "{}", seen.errors);
}
