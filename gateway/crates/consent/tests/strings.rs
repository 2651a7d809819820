//! The IAB's strings: real ones, ones made to order, and `iab_gpp`'s opinion of both.

mod support;

use std::str::FromStr;

use iab_gpp::sections::SectionId;
use iab_gpp::sections::tcfeuv2::TcfEuV2;
use iab_gpp::v1::GPPString;
use proptest::prelude::*;
use support::{REFUSED, Vendors, Writer, decided, gpp, tcf};
use tidegate_consent::gpp::Gpp;
use tidegate_consent::tcf::{self, Tcf};
use tidegate_consent::{Rules, Signals, Unreadable, decide};
use tidegate_event::{Level, Purpose, Signal};

/// Strings of the test data of `iab_gpp` 0.1.2, and whether they have an opt-out or Global Privacy Control on.
const UNITED_STATES: &[(&str, bool)] = &[
    ("DBABBg~BAAAAACA", false),
    ("DBABBg~BVVVVVVY", true),
    ("DBABBg~BVqqqqpY.YA", true),
    ("DBABJg~BAAAAEA", false),
    ("DBABJg~BVVVVVg", true),
    ("DBABJg~BVVVVVg.YA", true),
    ("DBABVg~BAAAAAEA", false),
    ("DBABVg~BVVVVVVg", true),
    ("DBABVg~BVVVVVVg.YA", true),
    ("DBABLA~BAAAAAAAAQA", false),
    ("DBABLA~BVVVVVVVVWA", true),
    ("DBABLA~BVVVVVVVVWA.YA", true),
    ("DBABLA~CAAAAAAAAAWA.Q", false),
    ("DBABFg~BAAAAAQA", false),
    ("DBABFg~BVVVVVmA", true),
    ("DBABRg~BAAAABA", false),
    ("DBABRg~BVVVVWY", true),
    ("DBABTA~1YNN", false),
    ("DBABTA~1YN-", false),
    ("DBABTA~1---", false),
    ("DBABTA~1YYN", true),
];

fn opted_out(string: &str) -> bool {
    Gpp::read(string).expect("the string can be read").is_opted_out()
}

#[test]
fn opt_outs_of_the_united_states_are_read() {
    for (string, expected) in UNITED_STATES {
        assert_eq!(opted_out(string), *expected, "{string}");
    }
}

#[test]
fn each_answer_of_each_section_opts_out_by_itself() {
    // Id, notices, and how many opt-outs follow them.
    let sections = (9..=23).filter(|id| ![11, 18].contains(id)).map(|id| (id, 3, 2));
    for (id, notices, answers) in sections.chain([(7, 6, 3), (8, 3, 2), (11, 4, 2), (18, 4, 2)]) {
        let section = |answer: Option<usize>| {
            let mut writer = Writer::default().number(1, 6);
            for notice in 0..notices + answers {
                let value = if notice < notices { 1 } else { 2 };
                writer = writer.number(if answer == Some(notice) { 1 } else { value }, 2);
            }
            // What follows does not matter: here all of it is "no consent" or "opted out", and the agreement covers it.
            writer.number(0x5555_5555, 32).text()
        };
        assert!(!opted_out(&gpp(&[(id, &section(None))])), "{id}");
        for answer in notices..notices + answers {
            assert!(opted_out(&gpp(&[(id, &section(Some(answer)))])), "{id}, answer {answer}");
        }
    }
}

#[test]
fn a_section_of_the_united_states_that_cannot_be_read_is_an_opt_out() {
    for (id, section) in [
        (6, "1Y"),
        (6, "2YNN"),
        (7, ""),
        (7, "B"),
        (7, "DAAAAAAAAQA"),
        (8, "BAA!"),
        (8, "BAAAAACA.!"),
        (24, "BAAAAACA"),
    ] {
        assert!(opted_out(&gpp(&[(id, section)])), "{id} {section}");
    }
}

#[test]
fn an_opt_out_takes_marketing_away_and_an_answer_of_no_grants_nothing() {
    let rules = Rules { default: Level::Marketing, ..Rules::default() };
    let mut signals = Signals::default();
    signals.gpp("DBABBg~BVVVVVVY");
    let consent = decide(&signals, &rules);
    assert_eq!((consent.level, consent.signal, consent.limited_data_use), (Level::Analytics, Signal::Gpp, true));
    assert!(consent.denied.contains(Purpose::AdUserData) && !consent.denied.contains(Purpose::Analytics));
    assert_eq!(decided(|signals| signals.gpp("DBABBg~BAAAAACA")).signal, Signal::SiteDefault);
}

#[test]
fn europes_section_of_the_platform_counts_as_its_string() {
    let string = tcf(&[1, 3, 4, 7, 8], &Vendors::Field(&[]));
    let consent = decided(|signals| signals.gpp(&gpp(&[(2, &string)])));
    assert_eq!((consent.level, consent.signal), (Level::Marketing, Signal::Gpp));
    let consent = decided(|signals| signals.gpp(&format!("DBACNY~{REFUSED}~1YNN")));
    assert_eq!((consent.level, consent.signal), (Level::None, Signal::Gpp));
    // Both: Europe's grants, and the United States' takes away.
    let consent = decided(|signals| signals.gpp(&gpp(&[(2, &string), (6, "1YYN"), (8, "BVVVVVVY")])));
    assert_eq!((consent.level, consent.signal, consent.limited_data_use), (Level::Analytics, Signal::Gpp, true));
}

#[test]
fn canadas_express_consents_count() {
    let core = |purposes: &[u16]| {
        let writer = Writer::default().number(1, 6).number(0, 60).number(0, 60).number(0, 12);
        writer.number(0, 1).number(0, 12).set(purposes, 24).set(&[1, 2, 3, 4, 7, 8], 24).number(0, 34).text()
    };
    let level = |purposes: &[u16]| decided(|signals| signals.gpp(&gpp(&[(5, &core(purposes))]))).level;
    assert_eq!(
        (level(&[]), level(&[1, 8]), level(&[1, 3, 4, 7, 8])),
        (Level::None, Level::Analytics, Level::Marketing)
    );
    assert!(Gpp::read("DBABDA~BPXuQIAPXuQIAAfKABENB-CgAAAAAAAAAAAAAAAA.YAAAAAAAAAA").is_ok());
}

#[test]
fn purposes_make_levels() {
    for (purposes, level) in [
        (&[][..], Level::None),
        (&[8], Level::None),
        (&[1], Level::None),
        (&[1, 8], Level::Analytics),
        (&[1, 7, 8], Level::Analytics),
        (&[3, 4, 7, 8], Level::None),
        (&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], Level::Marketing),
    ] {
        let consent = decided(|signals| signals.tcf(&tcf(purposes, &Vendors::Field(&[]))));
        assert_eq!((consent.level, consent.signal), (level, Signal::Tcf), "{purposes:?}");
    }
}

#[test]
fn marketing_without_measuring_leaves_analytics_out() {
    let consent = decided(|signals| signals.tcf(&tcf(&[1, 3, 4, 7], &Vendors::Field(&[]))));
    assert_eq!(consent.level, Level::Marketing);
    assert!(consent.denied.contains(Purpose::Analytics) && consent.granted.contains(Purpose::AdPersonalization));
}

#[test]
fn a_site_may_need_other_purposes_and_its_own_vendor() {
    let tcf_rules = tcf::Rules { analytics: vec![1], marketing: vec![1, 2], vendors: vec![755, 12] };
    let rules = Rules { tcf: tcf_rules, ..Rules::default() };
    let level = |vendors: &Vendors<'_>| {
        let mut signals = Signals::default();
        signals.tcf(&tcf(&[1], vendors));
        decide(&signals, &rules).level
    };
    assert_eq!(level(&Vendors::Field(&[12, 755])), Level::Analytics);
    assert_eq!(level(&Vendors::Ranges(&[(1, 20), (755, 755)])), Level::Analytics);
    assert_eq!(level(&Vendors::Field(&[755])), Level::None);
    assert_eq!(level(&Vendors::Ranges(&[(13, 65_535)])), Level::None);
}

#[test]
fn strings_that_are_none_say_why() {
    let long = "C".repeat(tcf::LENGTH_MAX + 1);
    for (string, why) in [
        ("", Unreadable::Truncated),
        ("CPX", Unreadable::Truncated),
        (&REFUSED[..36], Unreadable::Truncated),
        ("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", Unreadable::Version),
        ("IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQ", Unreadable::Version),
        ("CPXx RfA", Unreadable::Character),
        (&long, Unreadable::TooLong { max: tcf::LENGTH_MAX }),
    ] {
        assert_eq!(Tcf::read(string), Err(why), "{string}");
    }
    let reversed = tcf(&[1], &Vendors::Ranges(&[(9, 2)]));
    assert_eq!(Tcf::read(&reversed), Err(Unreadable::Contradiction));
    for (string, why) in [
        ("", Unreadable::Truncated),
        ("DBABBg", Unreadable::Contradiction),
        ("DBABBg~BAAAAACA~1YNN", Unreadable::Contradiction),
        ("CBABBg~BAAAAACA", Unreadable::Version),
        ("DCABBg~BAAAAACA", Unreadable::Version),
        ("DBABM~CPX", Unreadable::Truncated),
    ] {
        assert_eq!(Gpp::read(string), Err(why), "{string}");
    }
    // Ids that are not there yet may say anything.
    assert_eq!(Gpp::read(&gpp(&[(28, "BAAAAACA")])), Err(Unreadable::Version));
}

#[test]
fn what_cannot_be_read_refuses_everything() {
    let rules = Rules { default: Level::Marketing, ..Rules::default() };
    for (add, signal) in [
        (Signals::tcf as fn(&mut Signals, &str), Signal::Tcf),
        (Signals::gpp, Signal::Gpp),
        (Signals::cookie, Signal::ConsentCookie),
    ] {
        for string in ["", "garbage", "v2.marketing.1", "C", "DBABM~C"] {
            let mut signals = Signals::default();
            add(&mut signals, string);
            let consent = decide(&signals, &rules);
            assert_eq!((consent.level, consent.signal), (Level::None, signal), "{string}");
            assert_eq!(consent.denied.iter().count(), 4);
        }
    }
}

#[test]
fn ranges_that_name_everybody_many_times_are_read_in_no_time() {
    let everybody = vec![(1, 65_535); 1_480];
    let string = tcf(&[1, 8], &Vendors::Ranges(&everybody));
    assert!(string.len() <= tcf::LENGTH_MAX);
    assert!(Tcf::read(&string).unwrap().consents_to_vendor(40_000));
    // 4,095 groups of sections, each of the longest.
    let header = (0..200).fold(Writer::default().number(3, 6).number(1, 6).number(4_095, 12), |writer, _| {
        writer.number(1, 1).fibonacci(1).fibonacci(20_000)
    });
    assert_eq!(Gpp::read(&format!("{}~x", header.text())), Err(Unreadable::Contradiction));
}

#[test]
fn a_third_section_keeps_its_own_id() {
    let string = gpp(&[(2, REFUSED), (6, "1YNN"), (8, "BVVVVVVY")]);
    assert!(opted_out(&string));
    // Why `iab_gpp` does not decode here: it takes the third for another section than California's.
    assert!(GPPString::from_str(&string).unwrap().section(SectionId::UsCa).is_none());
}

fn purposes() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::btree_set(1_u16..=24, 0..24).prop_map(|set| set.into_iter().collect())
}

proptest! {
    #[test]
    fn consent_strings_mean_what_iab_gpp_says(
        purposes in purposes(),
        ids in prop::collection::btree_set(1_u16..2_000, 0..50),
        runs in prop::collection::vec((1_u16..2_000, 0_u16..100), 0..20),
    ) {
        let ids: Vec<u16> = ids.into_iter().collect();
        let runs: Vec<(u16, u16)> = runs.into_iter().map(|(from, more)| (from, from + more)).collect();
        for vendors in [Vendors::Field(&ids), Vendors::Ranges(&runs)] {
            let string = tcf(&purposes, &vendors);
            let (ours, theirs) = (Tcf::read(&string).unwrap(), TcfEuV2::from_str(&string).unwrap().core);
            for purpose in 0..=255 {
                prop_assert_eq!(ours.consents_to(purpose), theirs.purpose_consents.contains(&purpose.into()));
            }
            for vendor in 0..2_200 {
                prop_assert_eq!(ours.consents_to_vendor(vendor), theirs.vendor_consents.contains(&vendor));
            }
        }
    }
}

#[test]
fn real_consent_strings_mean_what_iab_gpp_says() {
    for string in [
        REFUSED,
        "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA.IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAAAAgAQBAAAAAAAGBAAgAAAAAAAFAAECAAAgAAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw.ZAAgH9794ulA",
        "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA.ZAAgH9794ulA",
        "CPXuQIAPXuQIAAfKABENB-CgACAAAAAAAAYgF5wAQF5gAAAA.YAAAAAAAAAAA",
    ] {
        let (ours, theirs) = (Tcf::read(string).unwrap(), TcfEuV2::from_str(string).unwrap().core);
        let consented: Vec<u16> = (1..=24).filter(|purpose| ours.consents_to(*purpose as u8)).collect();
        assert_eq!(consented, theirs.purpose_consents.into_iter().collect::<Vec<_>>(), "{string}");
        let vendors: Vec<u16> = (1..=u16::MAX).filter(|vendor| ours.consents_to_vendor(*vendor)).collect();
        assert_eq!(vendors, theirs.vendor_consents.into_iter().collect::<Vec<_>>(), "{string}");
    }
}
