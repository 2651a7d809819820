//! Strings from anybody: none panics, and none raises the level above what the other signals say.

mod support;

use proptest::prelude::*;
use serde_json::Value;
use support::{REFUSED, Vendors, gpp, tcf};
use tidegate_consent::{FieldError, Own, Rules, Signals, decide, google};
use tidegate_event::{Level, Purpose};

/// Text of any kind: noise, noise in the right alphabet, and real strings that were tampered with.
fn string() -> impl Strategy<Value = String> {
    let whole = prop_oneof![
        Just(REFUSED.to_owned()),
        Just(tcf(&[1, 3, 4, 7, 8], &Vendors::Ranges(&[(1, 9), (755, 755)]))),
        Just(gpp(&[(2, &tcf(&[1, 8], &Vendors::Field(&[3]))), (6, "1YNN"), (8, "BVqqqqpY.YA")])),
        Just("v1.marketing.1767225600".to_owned()),
        Just("13r3r3r2r5l1".to_owned()),
        Just("G111".to_owned()),
    ];
    let tampered = (whole, any::<prop::sample::Index>(), "[A-Za-z0-9_.~-]{0,4}", any::<prop::sample::Index>());
    let tampered = tampered.prop_map(|(text, at, put, cut)| {
        let mut text = text;
        let at = at.index(text.len() + 1);
        text.insert_str(at, &put);
        text.truncate(cut.index(text.len() + 1).max(at));
        text
    });
    prop_oneof![".{0,60}", "[A-Za-z0-9_-]{0,200}", "DB[A-Za-z0-9_-]{2,20}(~[A-Za-z0-9_.-]{0,60}){0,4}", tampered]
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::None), Just(Level::Analytics), Just(Level::Marketing)]
}

/// Each way for a text to be a signal.
const ADDERS: [fn(&mut Signals, &str); 4] = [Signals::tcf, Signals::gpp, Signals::cookie, Signals::sec_gpc];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_string_raises_what_the_others_say(texts in prop::collection::vec((0..ADDERS.len(), string()), 1..4), own in level(), default in level()) {
        let rules = Rules { default, ..Rules::default() };
        let mut signals = Signals::default();
        signals.own(Own::at(own));
        let mut before = decide(&signals, &rules);
        prop_assert_eq!(before.level, own);
        for (adder, text) in texts {
            ADDERS[adder](&mut signals, &text);
            let after = decide(&signals, &rules);
            prop_assert!(after.level <= before.level, "{} raised {:?} to {:?}", text, before.level, after.level);
            prop_assert_eq!(after.granted.intersection(before.granted), after.granted);
            prop_assert_eq!(after.granted.intersection(after.denied), tidegate_event::Purposes::NONE);
            prop_assert_eq!(after.level == Level::Marketing, after.granted.contains(Purpose::AdStorage));
            before = after;
        }
    }

    #[test]
    fn no_opt_out_raises_a_default(text in string(), default in level()) {
        let rules = Rules { default, ..Rules::default() };
        let mut signals = Signals::default();
        signals.sec_gpc(&text);
        prop_assert!(decide(&signals, &rules).level <= default);
    }

    #[test]
    fn no_code_panics(text in string()) {
        let _: Result<google::Mode, FieldError> = google::from_gcs(&text, "gcs");
        let _: Result<google::Mode, FieldError> = google::from_gcd(&text, "gcd");
    }

    #[test]
    fn no_field_panics(name in "analytics|marketing|google|gcs|gcd|tcf|gpp|categoryPreferences|limited_data_use|x", text in string(), wrap in 0..3) {
        let value = match wrap {
            0 => Value::String(text),
            1 => Value::Array(vec![Value::String(text)]),
            _ => Value::Object([("ad_storage".to_owned(), Value::String(text))].into_iter().collect()),
        };
        if let Err(error) = Signals::parse(&Value::Object([(name, value)].into_iter().collect()), "consent") {
            prop_assert!(error.to_string().starts_with("consent"));
        }
    }
}
