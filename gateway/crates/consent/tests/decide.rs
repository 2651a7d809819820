//! Which signal decides.

mod support;

use serde_json::{Value, json};
use support::{REFUSED, Vendors, decided, tcf};
use tidegate_consent::{Own, Region, Rules, Signals, decide};
use tidegate_event::{Consent, Level, Purpose, Purposes, Signal};

fn of(field: &Value) -> Consent {
    decide(&Signals::parse(field, "consent").expect("a signal"), &Rules::default())
}

fn outcome(consent: &Consent) -> (Level, Signal) {
    (consent.level, consent.signal)
}

#[test]
fn without_a_signal_the_default_decides_and_refuses_nothing() {
    let mut rules = Rules { default: Level::Analytics, ..Rules::default() };
    let consent = decide(&Signals::default(), &rules);
    assert_eq!(consent, Consent::at(Level::Analytics, Signal::SiteDefault));
    rules.regions.add("DE", Level::None).unwrap();
    let mut signals = Signals::default();
    signals.region(Region::parse("DE-BY").unwrap());
    assert_eq!(decide(&signals, &rules), Consent::at(Level::None, Signal::RegionDefault));
    signals.region(Region::parse("CH").unwrap());
    assert_eq!(outcome(&decide(&signals, &rules)), (Level::Analytics, Signal::SiteDefault));
}

#[test]
fn a_signal_wins_over_every_default() {
    let mut rules = Rules { default: Level::None, ..Rules::default() };
    rules.regions.add("DE", Level::None).unwrap();
    let mut signals = Signals::default();
    signals.region(Region::parse("DE").unwrap());
    signals.own(Own::at(Level::Marketing));
    assert_eq!(decide(&signals, &rules), Consent::at(Level::Marketing, Signal::Event));
}

#[test]
fn each_signal_decides_by_itself() {
    for (field, level, signal) in [
        (json!("analytics"), Level::Analytics, Signal::Event),
        (json!({ "analytics": true, "marketing": true }), Level::Marketing, Signal::Event),
        (json!({ "gcs": "G101" }), Level::Analytics, Signal::GoogleConsentMode),
        (json!({ "gcs": "G111" }), Level::Marketing, Signal::GoogleConsentMode),
        (json!({ "gcd": "13r3r3r2r5l1" }), Level::Marketing, Signal::GoogleConsentMode),
        (json!({ "gcd": "13p3p3p3p5" }), Level::None, Signal::GoogleConsentMode),
        (json!({ "google": { "analytics_storage": "granted" } }), Level::Analytics, Signal::GoogleConsentMode),
        (json!({ "tcf": REFUSED }), Level::None, Signal::Tcf),
        (json!({ "gpp": format!("DBABM~{REFUSED}") }), Level::None, Signal::Gpp),
        (json!({ "categoryPreferences": { "Analytics": true } }), Level::Analytics, Signal::SegmentCategories),
        (json!({ "gcs": "G1--" }), Level::None, Signal::SiteDefault),
        (json!({ "categoryPreferences": { "Functional": true } }), Level::None, Signal::SiteDefault),
    ] {
        assert_eq!(outcome(&of(&field)), (level, signal), "{field}");
    }
    let consent = decided(|signals| signals.cookie("v1.marketing.1767225600"));
    assert_eq!(outcome(&consent), (Level::Marketing, Signal::ConsentCookie));
}

#[test]
fn the_most_restrictive_signal_wins() {
    let all = tcf(&[1, 3, 4, 7, 8], &Vendors::Field(&[]));
    let consent = of(&json!({ "marketing": true, "gcs": "G101", "tcf": all }));
    assert_eq!(outcome(&consent), (Level::Analytics, Signal::GoogleConsentMode));
    let consent = of(&json!({ "analytics": false, "marketing": false, "gcs": "G111", "tcf": all }));
    assert_eq!(outcome(&consent), (Level::None, Signal::Event));
    let consent = of(&json!({ "marketing": true, "tcf": REFUSED, "categoryPreferences": { "Advertising": true } }));
    assert_eq!(outcome(&consent), (Level::None, Signal::Tcf));
}

#[test]
fn purposes_are_what_all_signals_grant() {
    let consent = of(&json!({ "marketing": true, "google": {
        "ad_storage": "granted", "analytics_storage": "granted", "ad_user_data": "granted", "ad_personalization": "denied",
    } }));
    // Both reach marketing; the one that grants less decides.
    assert_eq!(outcome(&consent), (Level::Marketing, Signal::GoogleConsentMode));
    assert!(consent.granted.contains(Purpose::AdUserData) && !consent.granted.contains(Purpose::AdPersonalization));
    assert_eq!(consent.denied, Purposes::NONE.with(Purpose::AdPersonalization));
    // What Google's fields could have said and did not is not granted, and not refused.
    let consent = of(&json!({ "google": { "ad_storage": "granted", "analytics_storage": "granted" } }));
    assert!(!consent.granted.contains(Purpose::AdUserData) && consent.denied == Purposes::NONE);
}

#[test]
fn two_signals_that_grant_nothing_in_common_leave_nothing() {
    let consent = of(&json!({ "analytics": true, "marketing": false, "gcs": "G110" }));
    assert_eq!((consent.level, consent.granted), (Level::None, Purposes::NONE));
    assert_eq!(consent.denied, Purposes::ALL);
}

#[test]
fn user_data_without_storage_is_not_granted() {
    let consent = of(&json!({ "google": {
        "ad_storage": "denied", "analytics_storage": "granted", "ad_user_data": "granted", "ad_personalization": "granted",
    } }));
    assert_eq!((consent.level, consent.granted), (Level::Analytics, Purposes::NONE.with(Purpose::Analytics)));
}

#[test]
fn global_privacy_control_caps_at_analytics_and_raises_nothing() {
    let with_gpc = |level| {
        decided(|signals| {
            signals.own(Own::at(level));
            signals.sec_gpc("1");
        })
    };
    let consent = with_gpc(Level::Marketing);
    assert_eq!(outcome(&consent), (Level::Analytics, Signal::GlobalPrivacyControl));
    assert!(consent.gpc && consent.denied.contains(Purpose::AdStorage));
    assert_eq!(outcome(&with_gpc(Level::None)), (Level::None, Signal::Event));
    assert!(!decided(|signals| signals.sec_gpc("0")).gpc);
    // A default is capped too, though nobody said anything else.
    let rules = Rules { default: Level::Marketing, ..Rules::default() };
    let mut signals = Signals::default();
    signals.sec_gpc("1");
    assert_eq!(outcome(&decide(&signals, &rules)), (Level::Analytics, Signal::GlobalPrivacyControl));
}

#[test]
fn segments_categories_mean_what_the_site_says() {
    let mut rules = Rules::default();
    rules.segment_categories.insert("Social".into(), Level::Marketing);
    for (preferences, level) in [
        (json!({ "Analytics": true, "Advertising": false }), Level::Analytics),
        (json!({ "analytics": true, "ADVERTISING": true }), Level::Marketing),
        (json!({ "Analytics": false, "Advertising": false }), Level::None),
        (json!({ "Advertising": true, "Social": false, "Analytics": true }), Level::Analytics),
        (json!({ "Analytics": "yes" }), Level::None),
    ] {
        let signals = Signals::parse(&json!({ "categoryPreferences": preferences }), "context.consent").unwrap();
        assert_eq!(decide(&signals, &rules).level, level, "{preferences}");
    }
}

#[test]
fn limited_data_use_is_kept() {
    assert!(of(&json!({ "marketing": true, "limited_data_use": true })).limited_data_use);
    assert!(!of(&json!("marketing")).limited_data_use);
}

#[test]
fn what_was_told_last_replaces_the_cookie() {
    let told = |level: &str, at_s: u64, cookie: &str| {
        let mut event = Signals::parse(&json!(level), "consent").unwrap();
        event.told_at(at_s);
        let mut request = Signals::default();
        request.cookie(cookie);
        let signals = request.and(event);
        (decide(&signals, &Rules::default()).level, signals.cookie_to_write().map(|stored| stored.to_string()))
    };
    assert_eq!(told("marketing", 200, "v1.none.100"), (Level::Marketing, Some("v1.marketing.200".into())));
    assert_eq!(told("none", 200, "v1.marketing.100"), (Level::None, Some("v1.none.200".into())));
    // Who changes their mind within a second has a cookie of the same second, and it was there before.
    assert_eq!(told("marketing", 200, "v1.none.200"), (Level::Marketing, Some("v1.marketing.200".into())));
    assert_eq!(told("none", 200, "v1.marketing.200"), (Level::None, Some("v1.none.200".into())));
    // An event that waited in the browser while its visitor took the consent back changes nothing.
    assert_eq!(told("marketing", 100, "v1.none.200"), (Level::None, None));
    assert_eq!(told("marketing", 100, "garbage"), (Level::Marketing, Some("v1.marketing.100".into())));
}

#[test]
fn an_event_that_waited_says_nothing_of_what_holds_now() {
    for (level, at_s, cookie, now, told_at_ms) in [
        ("analytics", 100, "v1.marketing.200", Level::Marketing, 200_000),
        ("marketing", 100, "v1.analytics.200", Level::Analytics, 200_000),
        ("analytics", 300, "v1.marketing.200", Level::Analytics, 300_123),
    ] {
        let mut event = Signals::parse(&json!(level), "consent").unwrap();
        event.told_at(at_s);
        let mut request = Signals::default();
        request.cookie(cookie);
        let signals = request.and(event);
        assert_eq!(
            decide(&signals, &Rules::default()).level,
            Level::Analytics,
            "the event itself goes by what is less"
        );
        let from_now_on = signals.from_now_on();
        assert_eq!(from_now_on.is_some(), at_s < 200);
        assert_eq!(decide(&from_now_on.unwrap_or(signals.clone()), &Rules::default()).level, now, "{level} at {at_s}");
        assert_eq!(signals.told_at_ms(at_s * 1_000 + 123), Some(told_at_ms));
    }
    assert_eq!((Signals::default().told_at_ms(1), Signals::default().from_now_on()), (None, None));
}

#[test]
fn a_refusal_of_everything_is_written_only_over_a_cookie() {
    for (level, written) in [("none", false), ("analytics", true)] {
        let mut signals = Signals::parse(&json!(level), "consent").unwrap();
        signals.told_at(200);
        assert_eq!(signals.cookie_to_write().is_some(), written, "{level}");
    }
}

#[test]
fn segments_own_form_may_have_more_in_it() {
    let field = json!({ "version": 2, "categoryPreferences": { "Analytics": true } });
    assert_eq!(of(&field).level, Level::Analytics);
}

#[test]
fn no_default_and_no_other_signal_is_written_to_the_cookie() {
    let mut signals = Signals::default();
    signals.region(Region::parse("US").unwrap());
    signals.sec_gpc("1");
    signals.tcf(REFUSED);
    signals.cookie("v1.marketing.100");
    signals.told_at(200);
    assert_eq!(signals.cookie_to_write(), None);
    // Nor is what a backend told at no known time.
    signals.own(Own::at(Level::Marketing));
    assert_eq!(signals.cookie_to_write(), None);
}

#[test]
fn a_misspelt_signal_is_refused_and_named() {
    let error = |field: &Value| Signals::parse(field, "consent").unwrap_err().to_string();
    assert!(error(&json!({ "analytics": true, "tfc": REFUSED })).starts_with("consent.tfc: expected `analytics`"));
    assert_eq!(error(&json!({ "tcf": 7 })), "consent.tcf: expected text, found the number 7");
    assert!(error(&json!({})).starts_with("consent: expected `none`"));
    assert!(error(&json!({ "tcf": null })).starts_with("consent: expected `none`"));
    assert!(error(&json!({ "gcs": "X" })).starts_with("consent.gcs: expected a code such as `G101`"));
    assert!(error(&json!({ "google": [] })).starts_with("consent.google: expected an object"));
}

#[test]
fn a_pages_default_restricts_and_is_nobodys_word() {
    for (value, cookie, level, signal) in [
        (json!({ "default": "none" }), None, Level::None, Signal::PageDefault),
        (json!({ "default": "none" }), Some("v1.marketing.100"), Level::None, Signal::PageDefault),
        (json!({ "default": "marketing" }), Some("v1.analytics.100"), Level::Analytics, Signal::ConsentCookie),
        (json!({ "default": "marketing" }), None, Level::Marketing, Signal::PageDefault),
        (json!({ "default": "none", "analytics": true }), None, Level::None, Signal::PageDefault),
    ] {
        let mut signals = Signals::parse(&value, "consent").unwrap();
        signals.told_at(200);
        cookie.into_iter().for_each(|cookie| signals.cookie(cookie));
        let consent = decide(&signals, &Rules { default: Level::Marketing, ..Rules::default() });
        assert_eq!((consent.level, consent.signal), (level, signal), "{value} {cookie:?}");
        assert_eq!(consent.signal.is_default(), signal == Signal::PageDefault);
        if value.get("analytics").is_none() {
            assert_eq!(signals.cookie_to_write(), None, "nothing was told");
        }
    }
    let error = Signals::parse(&json!({ "default": "denied" }), "consent").unwrap_err().to_string();
    assert!(error.starts_with("consent.default: expected `none`, `analytics` or `marketing`"), "{error}");
}
