//! Where addresses are, by a database that the test writes.

mod support;

use std::path::PathBuf;

use support::mmdb;
use tempfile::TempDir;
use tidegate_consent::{Geo, Rules, Signals, decide};
use tidegate_event::{Level, Signal};

const NETWORKS: &[(&str, u32, &str, Option<&str>)] = &[
    ("203.0.113.0", 24, "DE", Some("BY")),
    ("198.51.100.0", 25, "US", Some("CA")),
    ("198.51.100.128", 25, "US", None),
    ("2001:db8::", 32, "AT", Some("9")),
    ("192.0.2.0", 24, "Germany", None),
];

fn file(contents: &[u8]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("make a directory");
    let path = directory.path().join("GeoLite2-City.mmdb");
    std::fs::write(&path, contents).expect("write the database");
    (directory, path)
}

#[test]
fn an_address_has_a_country_and_perhaps_a_subdivision() {
    let (_directory, path) = file(&mmdb::database("GeoLite2-City", NETWORKS));
    let geo = Geo::open(&path).unwrap();
    for (address, region) in [
        ("203.0.113.9", Some("DE-BY")),
        ("::ffff:203.0.113.9", Some("DE-BY")),
        ("198.51.100.1", Some("US-CA")),
        ("198.51.100.200", Some("US")),
        ("2001:db8:1::1", Some("AT-9")),
        ("127.0.0.1", None),
        ("2001:db9::1", None),
        ("192.0.2.1", None),
    ] {
        let found = geo.region(address.parse().unwrap()).map(|region| region.to_string());
        assert_eq!(found.as_deref(), region, "{address}");
    }
    assert_eq!(format!("{geo:?}"), r#"Geo("GeoLite2-City")"#);
}

#[test]
fn the_default_goes_by_where_the_visitor_is() {
    let (_directory, path) = file(&mmdb::database("GeoLite2-City", NETWORKS));
    let geo = Geo::open(&path).unwrap();
    let mut rules = Rules { default: Level::Analytics, ..Rules::default() };
    for (name, level) in [("EEA", Level::None), ("US-CA", Level::Analytics), ("*", Level::Marketing)] {
        rules.regions.add(name, level).unwrap();
    }
    let decided = |address: &str| {
        let mut signals = Signals::default();
        if let Some(region) = geo.region(address.parse().unwrap()) {
            signals.region(region);
        }
        let consent = decide(&signals, &rules);
        (consent.level, consent.signal)
    };
    assert_eq!(decided("203.0.113.9"), (Level::None, Signal::RegionDefault));
    assert_eq!(decided("198.51.100.1"), (Level::Analytics, Signal::RegionDefault));
    assert_eq!(decided("198.51.100.200"), (Level::Marketing, Signal::RegionDefault));
    // Nowhere is not "every other region": it may be any.
    assert_eq!(decided("127.0.0.1"), (Level::Analytics, Signal::SiteDefault));
}

#[test]
fn a_wrong_file_is_named() {
    let missing = Geo::open("/nowhere/GeoLite2-City.mmdb".as_ref()).unwrap_err();
    assert_eq!(missing.to_string(), "read the database `/nowhere/GeoLite2-City.mmdb`");
    let (_directory, path) = file(b"not a database");
    let format = Geo::open(&path).unwrap_err();
    assert_eq!(format.to_string(), format!("`{}` is no MaxMind database", path.display()));
    let (_directory, path) = file(&mmdb::database("GeoLite2-ASN", NETWORKS));
    let kind = Geo::open(&path).unwrap_err();
    assert!(kind.to_string().ends_with("is of the kind `GeoLite2-ASN` and knows no countries"), "{kind}");
    assert!(kind.to_string().contains(&*path.to_string_lossy()));
    assert!(kind.hint().contains("GeoLite2-Country.mmdb"));
}

#[test]
fn a_damaged_database_is_refused_or_knows_nothing() {
    let whole = mmdb::database("GeoLite2-City", NETWORKS);
    for at in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        let (_directory, path) = file(&damaged);
        if let Ok(geo) = Geo::open(&path) {
            geo.region("203.0.113.9".parse().unwrap());
            geo.region("2001:db8::1".parse().unwrap());
        }
    }
}
