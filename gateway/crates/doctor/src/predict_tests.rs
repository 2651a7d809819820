//! Tables: what each set-up gives in each browser.

use tidegate_event::Level;

use super::*;
use crate::browser::DAY_S;

const YEAR_S: u64 = 400 * DAY_S;
const WEEK_S: u64 = 7 * DAY_S;

/// A host, its CNAMEs and its addresses, as one line: `host cname cname 192.0.2.1 2001:db8::1`.
fn place(line: &str) -> Place {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let host = words.next().unwrap_or_default().to_owned();
    let (addresses, chain): (Vec<&str>, Vec<&str>) = words.partition(|word| word.parse::<IpAddr>().is_ok());
    Place {
        host,
        chain: chain.into_iter().map(str::to_owned).collect(),
        addresses: addresses.into_iter().map(|word| word.parse().unwrap()).collect(),
    }
}

fn facts(page: &str, tracking: &str) -> Facts {
    Facts { page: place(page), tracking: place(tracking) }
}

fn cookie(max_age_s: u64, set_by: SetBy) -> Cookie {
    Cookie { name: "c".into(), max_age_s, http_only: true, set_by, level: Level::Analytics }
}

/// Worst and best in a browser, in seconds, for a cookie of the server that asks for 400 days.
fn lives(browser: &str, page: &str, tracking: &str) -> (u64, u64) {
    let life = predict(&facts(page, tracking), &cookie(YEAR_S, SetBy::Server), Browser::named(browser).unwrap());
    (life.worst.seconds, life.best.seconds)
}

#[test]
fn safari_looks_at_the_last_cname_and_only_without_one_at_the_address() {
    const FULL: (u64, u64) = (YEAR_S, YEAR_S);
    const CAPPED: (u64, u64) = (WEEK_S, WEEK_S);
    const EITHER: (u64, u64) = (WEEK_S, YEAR_S);
    let page = "www.shop.example 192.0.2.1";
    let cases = [
        // A CNAME.
        ("into a cloud", page, "track.shop.example lb.cloud.test 192.0.2.9", CAPPED),
        ("within the site", page, "track.shop.example lb.shop.example 198.51.100.9", FULL),
        ("out and back", page, "track.shop.example a.cloud.test b.shop.example 198.51.100.9", FULL),
        ("within, then out", page, "track.shop.example b.shop.example a.cloud.test 192.0.2.9", CAPPED),
        ("as the page's", "www.shop.example w.cloud.test 192.0.2.1", "t.shop.example t.cloud.test 198.51.100.1", FULL),
        (
            "unlike the page's",
            "www.shop.example w.other.test 192.0.2.1",
            "t.shop.example t.cloud.test 192.0.2.1",
            CAPPED,
        ),
        ("to a neighbour on a private suffix", "a.github.io 192.0.2.1", "t.a.github.io b.github.io 192.0.2.1", CAPPED),
        ("and nothing known of the page", "www.shop.example", "track.shop.example lb.cloud.test 192.0.2.9", EITHER),
        ("in another case, with the root's dot", page, "track.shop.example LB.Shop.Example. 198.51.100.9", FULL),
        // The page alone has one.
        ("only of the page", "www.shop.example w.cloud.test 192.0.2.1", "t.shop.example 198.51.100.1", CAPPED),
        // Addresses.
        ("the same /16", page, "track.shop.example 192.0.255.255", FULL),
        ("15 shared bits", page, "track.shop.example 192.1.2.1", CAPPED),
        ("another /8", page, "track.shop.example 203.0.113.1", CAPPED),
        ("the same /64", "www.shop.example 2001:db8:0:1::1", "t.shop.example 2001:db8:0:1:ffff::1", FULL),
        ("63 shared bits", "www.shop.example 2001:db8::1", "t.shop.example 2001:db8:0:1::1", CAPPED),
        ("another family", page, "track.shop.example 2001:db8::1", CAPPED),
        ("a second one far away", page, "track.shop.example 192.0.2.9 203.0.113.1", EITHER),
        ("the page behind two", "www.shop.example 192.0.2.1 203.0.113.1", "t.shop.example 192.0.2.2", EITHER),
        ("both families near", "www.shop.example 192.0.2.1 2001:db8::1", "t.shop.example 192.0.2.2 2001:db8::2", FULL),
        ("IPv6 only at the page", "www.shop.example 192.0.2.1 2001:db8::1", "t.shop.example 192.0.2.2", EITHER),
        ("none known", page, "track.shop.example", EITHER),
        // Path mode: the page's own host.
        ("path mode", "www.shop.example w.cloud.test 192.0.2.1", "WWW.shop.example w.cloud.test 192.0.2.1", FULL),
        // Another site.
        ("another site", page, "track.cloud.test 192.0.2.1", (0, 0)),
        ("another shop of a suffix", "a.github.io 192.0.2.1", "b.github.io 192.0.2.1", (0, 0)),
        ("a suffix itself", "github.io 192.0.2.1", "github.io 192.0.2.1", (0, 0)),
    ];
    for (case, page, tracking, expected) in cases {
        assert_eq!(lives("Safari", page, tracking), expected, "{case}");
    }
}

#[test]
fn other_browsers_do_not_look_at_names_or_addresses() {
    for (browser, seconds) in [("Chromium", YEAR_S), ("Firefox", YEAR_S), ("Brave", 180 * DAY_S)] {
        let cloaked = lives(browser, "www.shop.example 192.0.2.1", "track.shop.example lb.cloud.test 203.0.113.1");
        assert_eq!(cloaked, (seconds, seconds), "{browser}");
        assert_eq!(lives(browser, "www.shop.example 192.0.2.1", "track.cloud.test 192.0.2.1"), (0, 0), "{browser}");
    }
}

#[test]
fn what_asks_for_less_than_the_cap_gets_what_it_asks() {
    let far = facts("www.shop.example 192.0.2.1", "track.shop.example lb.cloud.test 203.0.113.1");
    for browser in crate::browser::BROWSERS {
        for set_by in [SetBy::Server, SetBy::Script] {
            let life = predict(&far, &cookie(3600, set_by), browser);
            let asked = Term { seconds: 3600, why: Why::Asked };
            assert_eq!((&life.worst, &life.best), (&asked, &asked), "{}", browser.name);
        }
    }
}

#[test]
fn a_script_gives_a_cookie_a_week_in_safari_and_a_day_after_a_decorated_link() {
    let near = facts("www.shop.example 192.0.2.1", "track.shop.example 192.0.2.2");
    for (browser, worst, best) in [
        ("Safari", DAY_S, WEEK_S),
        ("Brave", WEEK_S, WEEK_S),
        ("Chromium", YEAR_S, YEAR_S),
        ("Firefox", YEAR_S, YEAR_S),
    ] {
        let life = predict(&near, &cookie(YEAR_S, SetBy::Script), Browser::named(browser).unwrap());
        assert_eq!((life.worst.seconds, life.best.seconds, life.redirect), (worst, best, None), "{browser}");
    }
}

#[test]
fn a_top_level_redirect_is_never_capped() {
    let cloaked = facts("www.shop.example 192.0.2.1", "track.shop.example lb.cloud.test 203.0.113.1");
    let life = predict(&cloaked, &cookie(YEAR_S, SetBy::Server), Browser::named("safari").unwrap());
    assert_eq!(life.redirect, Some(Term { seconds: YEAR_S, why: Why::Asked }));
    let foreign = facts("www.shop.example 192.0.2.1", "track.cloud.test 192.0.2.1");
    assert_eq!(predict(&foreign, &cookie(YEAR_S, SetBy::Server), Browser::named("safari").unwrap()).redirect, None);
}

#[test]
fn chromium_clamps_two_years_to_400_days() {
    let near = facts("www.shop.example 192.0.2.1", "track.shop.example 192.0.2.2");
    let life = predict(&near, &cookie(730 * DAY_S, SetBy::Server), Browser::named("chromium").unwrap());
    assert_eq!(life.worst.seconds, YEAR_S);
    assert!(matches!(life.worst.why, Why::Limit { .. }), "{:?}", life.worst.why);
}

#[test]
fn the_reason_names_the_cname_or_the_two_addresses() {
    let safari = Browser::named("Safari").unwrap();
    let cname = facts("www.shop.example 192.0.2.1", "track.shop.example lb.cloud.test 192.0.2.1");
    let why = predict(&cname, &cookie(YEAR_S, SetBy::Server), safari).worst.why;
    assert!(matches!(&why, Why::Cname { target, .. } if target == "lb.cloud.test"), "{why:?}");

    let far = facts("www.shop.example 192.0.2.1", "track.shop.example 192.0.2.9 192.1.0.1 203.0.113.1");
    let why = predict(&far, &cookie(YEAR_S, SetBy::Server), safari).worst.why;
    let Why::Address { page, tracking, shared_bits, .. } = why else { panic!("{why:?}") };
    assert_eq!((page.to_string(), tracking.to_string(), shared_bits), ("192.0.2.1".into(), "203.0.113.1".into(), 4));
}

#[test]
fn hosts_that_are_addresses_are_their_own_site() {
    assert_eq!(lives("Safari", "192.0.2.1 192.0.2.1", "192.0.2.1 192.0.2.1"), (YEAR_S, YEAR_S));
    assert_eq!(lives("Safari", "localhost 127.0.0.1", "localhost 127.0.0.1"), (YEAR_S, YEAR_S));
    assert_eq!(lives("Chromium", "192.0.2.1 192.0.2.1", "192.0.2.2 192.0.2.2"), (0, 0));
}
