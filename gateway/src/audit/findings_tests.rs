use tidegate_plugin_sdk::manifest::{FIXTURES_SECTION, Fixtures, embed};

use super::super::{Audit, Level, RULES, Report, sarif};

const MANIFEST: &str = r#"
name = "acme"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "Acme"
purposes = ["analytics"]
endpoints.events.url = "https://acme.example/events"
auth = { scheme = "bearer", secret = "token" }
"#;
/// A component that offers the contract's interface, as far as a name can tell.
const FITTING: &str = r#"(component
    (instance $i)
    (export "tidegate:destination/plugin@0.2.0" (instance $i)))"#;

fn audit(wat: &str, manifest: &str) -> Audit {
    let component = wat::parse_str(wat).unwrap();
    Audit::of("acme.wasm", "acme.wasm", &fixtures().embed(&embed(&component, manifest)))
}

fn fixtures() -> Fixtures {
    Fixtures::new([("a.json".to_owned(), r#"{"about": "a"}"#.to_owned())]).unwrap()
}

fn found(audit: &Audit) -> Vec<(&'static str, String)> {
    audit.findings.iter().map(|finding| (finding.rule, finding.subject.clone())).collect()
}

#[test]
fn a_plain_plugin_has_no_findings() {
    let audit = audit(FITTING, MANIFEST);
    assert_eq!(audit.findings, []);
    assert!(audit.permissions.is_some_and(|permissions| permissions.secrets.contains("token")));
}

#[test]
fn each_import_is_named_with_what_it_would_allow() {
    let wat = r#"(component
        (import "wasi:clocks/wall-clock@0.2.6" (instance))
        (import "acme:secrets/all" (func))
        (instance $i)
        (export "tidegate:destination/plugin@0.2.0" (instance $i)))"#;
    let audit = audit(wat, MANIFEST);
    let messages: Vec<&str> = audit.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "imports `wasi:clocks/wall-clock@0.2.6`, which would read the clock, or wait",
            "imports `acme:secrets/all`, which would call code outside of the sandbox",
        ]
    );
    assert_eq!(audit.count(Level::Error), 2);
}

#[test]
fn a_manifest_with_mistakes_is_an_error_for_each() {
    let audit = audit(FITTING, &MANIFEST.replace("0.2.0\"\nsummary", "9.0.0\"\nsummary").replace("analytics", "x"));
    assert_eq!(found(&audit), [("malformed-manifest", "manifest".to_owned())]);
    assert!(audit.inspection.is_none() && audit.permissions.is_none());
}

#[test]
fn another_world_is_told_from_another_mistake() {
    let declared = audit(FITTING, &MANIFEST.replace("destination@0.2.0", "destination@9.0.0"));
    assert_eq!(found(&declared), [("unknown-world", "manifest".to_owned())]);
    let exported = audit(&FITTING.replace("0.2.0", "9.0.0"), MANIFEST);
    assert_eq!(found(&exported), [("unknown-world", "tidegate:destination/plugin@9.0.0".to_owned())]);
    assert_eq!(found(&audit("(component)", MANIFEST)), [("contract", "exports".to_owned())]);
}

#[test]
fn what_is_no_component_is_an_error_with_its_digest() {
    let audit = Audit::of("some.wasm", "some.wasm", b"\0asm\x01\0\0\0");
    assert_eq!(found(&audit), [("unreadable", "component".to_owned())]);
    assert_eq!((audit.size, audit.digest.as_str().len()), (8, 64));
    let without = Audit::of("some.wasm", "some.wasm", &wat::parse_str(FITTING).unwrap());
    assert_eq!(found(&without), [("malformed-manifest", "manifest".to_owned())]);
}

#[test]
fn a_component_without_fixtures_is_told_of_and_one_with_broken_ones_is_an_error() {
    let bare = embed(&wat::parse_str(FITTING).unwrap(), MANIFEST);
    let none = Audit::of("acme.wasm", "acme.wasm", &bare);
    assert_eq!((found(&none), none.count(Level::Note)), (vec![("no-fixtures", "fixtures".to_owned())], 1));
    let mut broken = fixtures().embed(&bare);
    let last = broken.len() - 3;
    broken[last] ^= 0xff;
    let broken = Audit::of("acme.wasm", "acme.wasm", &broken);
    assert_eq!(found(&broken), [("malformed-fixtures", "fixtures".to_owned())]);
    assert!(broken.findings[0].message.contains(FIXTURES_SECTION), "{}", broken.findings[0].message);
}

#[test]
fn a_start_beyond_the_manifests_memory_is_an_error() {
    let wat = FITTING.replace("(instance $i)\n", "(core module (memory 128)) (instance $i)\n");
    assert_eq!(found(&audit(&wat, MANIFEST)), [("start-memory", "memory".to_owned())]);
}

#[test]
fn an_export_beside_the_contracts_is_a_warning() {
    let wat = FITTING
        .replace("plugin@0.2.0\" (instance $i))", "plugin@0.2.0\" (instance $i)) (export \"back-door\" (instance $i))");
    assert_eq!(found(&audit(&wat, MANIFEST)), [("extra-export", "back-door".to_owned())]);
}

#[test]
fn grants_are_found_by_what_they_hand_over() {
    let cases: [(&str, &str, &[&str]); 7] = [
        ("user.email", "as = \"plain\"", &["plain-personal-identifier"]),
        ("user.email", "as = \"sha256\"", &[]),
        ("user.*", "as = \"plain\"", &["plain-personal-identifier", "wildcard-grant"]),
        ("user.anonymous_id", "as = \"plain\"", &["online-identifier"]),
        ("client.ip", "as = \"plain\"", &["online-identifier"]),
        ("cookie.*", "as = \"plain\"", &["online-identifier", "wildcard-grant"]),
        ("event.value", "as = \"plain\"", &[]),
    ];
    for (field, form, expected) in cases {
        let manifest = format!("{MANIFEST}[reads]\n\"{field}\" = {{ {form}, why = \"so\" }}\n");
        let mut rules: Vec<&str> = audit(FITTING, &manifest).findings.iter().map(|finding| finding.rule).collect();
        rules.sort_unstable();
        assert_eq!(rules, expected, "{field} {form}");
    }
}

#[test]
fn endpoints_credentials_and_limits_are_looked_at() {
    let token = "{ scheme = \"bearer\", secret = \"token\" }";
    let cases = [
        ("https://acme.example", "https://{region}.acme.example", "configured-host"),
        (token, "{ scheme = \"basic\", user = \"user\", optional = true }", "optional-auth"),
        (token, "{ scheme = \"query\", parameter = \"key\", secret = \"token\" }", "secret-in-url"),
        (&format!("auth = {token}"), "", "no-auth"),
        ("[auth]", "limits.memory_max = \"32MiB\"", "large-memory"),
        ("[auth]", "limits.time_max_ms = 500", "long-running-time"),
        ("[auth]", "limits.age_max = \"90d\"", "old-events"),
        ("[auth]", "limits.instance = \"per-batch\"", "shared-instance"),
    ];
    let region =
        "\nconfig.type = \"object\"\nconfig.required = [\"region\"]\nconfig.properties.region.type = \"string\"\n";
    for (from, to, rule) in cases {
        let more = if to.contains("{region}") { region } else { "" };
        let manifest = if from == "[auth]" { format!("{MANIFEST}{to}\n") } else { MANIFEST.replace(from, to) + more };
        let rules: Vec<&str> = audit(FITTING, &manifest).findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, [rule], "{to}");
    }
}

#[test]
fn sarif_has_every_rule_once_and_results_for_findings_only() {
    let sound = sarif(&Report::new(vec![audit(FITTING, MANIFEST)]));
    assert_eq!(sound["runs"][0]["results"], serde_json::json!([]));
    let ids: std::collections::BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
    assert_eq!(sound["runs"][0]["tool"]["driver"]["rules"].as_array().map(Vec::len), Some(RULES.len()));

    let log = sarif(&Report::new(vec![audit("(component)", MANIFEST)]));
    let result = &log["runs"][0]["results"][0];
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!((RULES[index].id, &result["level"]), ("contract", &"error".into()));
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "acme.wasm");
}

#[test]
fn the_guide_has_every_rule() {
    let guide = include_str!("../../../docs/guides/audit.md");
    let row = |rule: &super::super::Rule| format!("| `{}` | {} | {} |", rule.id, rule.level.name(), rule.title);
    let rows: Vec<String> = RULES.iter().map(row).collect();
    assert!(guide.contains(&rows.join("\n")), "docs/guides/audit.md lacks:\n{}", rows.join("\n"));
}
