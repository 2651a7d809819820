//! Whatever a browser sends, an answer's lines say what they are meant to say, and nothing panics.

use proptest::prelude::*;
use tidegate_event::{ClickId, Level, Purposes, VisitorId};
use tidegate_identity::Scheme;
use tidegate_identity::answer::{Browser, Moment, Setting, Standing, Turn, cookies};
use tidegate_identity::clicks::{Sources, gather};
use tidegate_identity::domain::Domain;
use tidegate_identity::jar::Jar;
use tidegate_identity::link;
use tidegate_identity::platform::COOKIES;
use tidegate_identity::set_cookie::{Place, SameSite};
use tidegate_identity::visitor::{Key, Ring};
use uuid::Uuid;

fn ring() -> Ring {
    Ring::new("tg_vid", vec![Key::new("k1", "a secret"), Key::new("k2", "another")])
}

/// A cookie of a platform, or one that looks like it, with a value of anything.
fn cookie() -> impl Strategy<Value = String> {
    let name = prop::sample::select(COOKIES).prop_map(|cookie| cookie.name.to_owned());
    let name = prop_oneof![4 => name, 1 => Just("__Secure-tg_vid".to_owned()), 1 => "_ga_\\PC{0,6}", 1 => "\\PC{0,8}"];
    let value = prop_oneof![
        "\\PC{0,40}",
        "(fb\\.1\\.[0-9]{0,22}\\.|GCL\\.[0-9]{0,22}\\.|2\\.1\\.k|GS2\\.1\\.s1\\$t)[\\x00-\\x7f]{0,30}",
        "v1\\.k1\\.[0-9a-f-]{36}\\.[0-9]{1,22}\\.[A-Za-z0-9_-]{22}",
    ];
    (name, value).prop_map(|(name, value)| format!("{name}={value}"))
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z.:;\\x00-\\x7f]{0,30}", Just("www.shop.co.uk:8443".to_owned()), "\\PC{0,20}\\.shop\\.example"]
}

proptest! {
    #[test]
    fn a_line_says_only_what_it_is_meant_to(
        lines in prop::collection::vec(prop::collection::vec(cookie(), 0..8).prop_map(|list| list.join("; ")), 0..3),
        host in host(),
        url in "https://a/\\?(gclid|FBCLID|epik|ScCid)=[\\x00-\\x7f]{0,60}",
        click in "[\\x00-\\x7f]{0,20}",
        (now_ms, chance) in any::<(u64, u32)>(),
        (level, withdrawn, https, partitioned) in (0..3_usize, any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let (ring, jar) = (ring(), Jar::read(lines.iter().map(String::as_str)));
        let pairs: Vec<(String, String)> = jar.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut clicks = gather(&Sources { url: Some(&url), cookies: &pairs, ..Sources::default() }, now_ms);
        clicks.push(ClickId { kind: "twclid".into(), value: click, seen_ms: now_ms });
        let level = [Level::None, Level::Analytics, Level::Marketing][level];
        let turn = if withdrawn { Turn::Withdrawn } else { Turn::Steady };
        let place = Place {
            domain: Domain::registrable(&host),
            scheme: if https { Scheme::Https } else { Scheme::Http },
            same_site: if partitioned { SameSite::Partitioned } else { SameSite::Lax },
        };
        let browser = Browser { visitor: VisitorId(Uuid::from_u128(7)), found: ring.find(&jar), clicks: &clicks, jar: &jar };
        let setting = Setting { ring: &ring, place: &place };
        let set = cookies(&browser, Standing { level, granted: Purposes::ALL, turn }, Moment { now_ms, chance }, &setting);
        prop_assert!(set.len() < 100);
        for cookie in set {
            let line = cookie.to_string();
            prop_assert!(line.bytes().all(|b| (0x20..0x7f).contains(&b)), "{line:?}");
            prop_assert!(!cookie.value().contains(';') && !cookie.name().contains(['=', ';', ' ']));
            let mut attributes: Vec<&str> = line.split("; ").skip(1).map(|part| part.split('=').next().unwrap()).collect();
            prop_assert_eq!(line.matches(';').count(), attributes.len(), "{}", line);
            let known = ["Path", "Max-Age", "SameSite", "Domain", "Secure", "HttpOnly", "Partitioned"];
            attributes.retain(|attribute| !known.contains(attribute));
            prop_assert!(attributes.is_empty(), "{}", line);
            let is_written = !line.contains("Max-Age=0;");
            prop_assert!(!is_written || level > Level::None, "{}", line);
            prop_assert_eq!(line.contains("; Secure"), https);
        }
    }

    #[test]
    fn a_token_that_was_tampered_with_gives_nothing(at in 0..200_usize, by in 1..=255_u8, junk in "\\PC{0,300}") {
        let (ring, here) = (ring(), Domain::parse("shop.example").unwrap());
        let passenger = link::Passenger { visitor: VisitorId(Uuid::from_u128(7)), clicks: vec![] };
        let token = link::make(&ring, &passenger, 1_000, std::slice::from_ref(&here)).unwrap();
        let mut bytes = token.into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= by;
        if let Ok(other) = String::from_utf8(bytes) {
            prop_assert!(link::read(&ring, &other, 1_000, &here).is_err(), "{}", other);
        }
        prop_assert!(link::read(&ring, &junk, 1_000, &here).is_err());
        prop_assert!(ring.verify(&junk).is_none());
    }
}
