//! What the plugins ask for is what the gateway collects.

use tidegate_identity::{clicks, platform};
use tidegate_plugin_sdk::manifest::Manifest;

#[test]
fn every_click_and_cookie_that_a_plugin_reads_is_collected() {
    let mut missing = Vec::new();
    for built_in in tidegate_plugins::BUILT_IN {
        let manifest = Manifest::parse(built_in.manifest).unwrap();
        for field in manifest.reads.keys() {
            let known = match field.split_once('.') {
                Some(("click", kind)) => kind == "*" || clicks::is_kind(kind),
                Some(("cookie", name)) => name == "*" || platform::is_known(name),
                _ => true,
            };
            if !known {
                missing.push(format!("{}: {field}", built_in.name));
            }
        }
    }
    assert!(missing.is_empty(), "nobody collects {missing:#?}");
}

#[test]
fn every_plugin_says_what_its_platform_goes_by_or_is_no_platform_that_matches() {
    // Receivers that take what they get and match nobody.
    const PLAIN: &[&str] = &["bigquery", "clickhouse", "kafka-rest", "slack", "webhook"];
    for built_in in tidegate_plugins::BUILT_IN {
        let manifest = Manifest::parse(built_in.manifest).unwrap();
        assert_eq!(manifest.quality.is_empty(), PLAIN.contains(&built_in.name), "{}", built_in.name);
    }
}

#[test]
fn every_plugin_is_in_the_guide() {
    let guide =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guides/destinations.md")).unwrap();
    for built_in in tidegate_plugins::BUILT_IN {
        let link = format!("[`{0}`](../../plugins/{0}/README.md)", built_in.name);
        assert!(guide.contains(&link), "{} is not in docs/guides/destinations.md", built_in.name);
    }
}
