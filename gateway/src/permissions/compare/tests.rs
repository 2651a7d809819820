use tidegate_plugin_sdk::manifest::Manifest;
use tidegate_sandbox::Digest;

use super::*;
use crate::permissions::signature::Signer;

const OLD: &str = r#"
name = "acme"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "Acme"
purposes = ["analytics", "ad-user-data"]
endpoints.events = { url = "https://acme.example/{id}/events" }
endpoints.people = { url = "https://acme.example/people", method = "PUT" }
auth = { scheme = "basic", user = "user", password = "password" }
config = { type = "object", required = ["id"], properties = { id = { type = "string" } } }
[reads]
"user.email" = { as = "sha256", normalize = ["trim", "lowercase"], why = "match key" }
"user.phone" = { as = "plain", normalize = ["digits"], why = "match key" }
"cookie.*" = { as = "plain", why = "cookies" }
"click.gclid" = { as = "plain", why = "click" }
"#;

fn permissions(manifest: &str) -> Permissions {
    let manifest = Manifest::parse(manifest).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    Permissions::new(&manifest, &Digest::of(b"the same code"))
}

/// `old → new` of the manifest, as lines of `effect part subject`.
fn lines(old: &str, new: &str) -> Vec<String> {
    let changed = OLD.replace(old, new);
    assert!(old == new || changed != OLD, "`{old}` is not in the manifest");
    told(&permissions(OLD), &permissions(&changed))
}

fn told(old: &Permissions, new: &Permissions) -> Vec<String> {
    let line = |change: &Change| format!("{} {} {}", change.effect.name(), change.part, change.subject);
    compare(old, new).iter().map(|change| line(change).trim_end().to_owned()).collect()
}

#[test]
fn what_is_the_same_does_not_change() {
    assert_eq!(lines("", ""), Vec::<String>::new());
}

#[test]
fn every_widening_is_one() {
    let email = r#""user.email" = { as = "sha256", normalize = ["trim", "lowercase"], why = "match key" }"#;
    let people = r#"endpoints.people = { url = "https://acme.example/people", method = "PUT" }"#;
    let cases: &[(&str, &str, &str)] = &[
        // Reads.
        (email, &format!("{email}\n\"client.ip\" = {{ as = \"plain\", why = \"match key\" }}"), "reads client.ip"),
        ("as = \"sha256\"", "as = \"plain\"", "reads user.email"),
        ("[\"trim\", \"lowercase\"]", "[\"trim\"]", "reads user.email"),
        ("[\"trim\", \"lowercase\"]", "[]", "reads user.email"),
        ("[\"trim\", \"lowercase\"]", "[\"trim\", \"uppercase\"]", "reads user.email"),
        ("[\"trim\", \"lowercase\"]", "[\"lowercase\", \"trim\"]", "reads user.email"),
        ("[\"trim\", \"lowercase\"]", "[\"email-no-tag\", \"trim\", \"lowercase\"]", "reads user.email"),
        // A digest of more than was seen in the clear.
        ("as = \"plain\", normalize = [\"digits\"]", "as = \"sha256\"", "reads user.phone"),
        ("\"click.gclid\"", "\"click.*\"", "reads click.*"),
        ("\"click.gclid\" = ", "\"user.*\" = ", "reads user.*"),
        // Where it sends.
        ("https://acme.example/{id}", "https://other.example/{id}", "endpoints events"),
        ("https://acme.example/{id}", "https://acme.example:8443/{id}", "endpoints events"),
        ("https://acme.example/{id}", "https://{id}.acme.example", "endpoints events"),
        ("/{id}/events", "/{id}/persons", "endpoints events"),
        ("method = \"PUT\"", "method = \"DELETE\"", "endpoints people"),
        (people, &format!("{people}\nendpoints.more = {{ url = \"https://acme.example/more\" }}"), "endpoints more"),
        (people, &format!("{people}\nendpoints.more = {{ url = \"https://b.example/more\" }}"), "endpoints more"),
        // With what.
        ("password = \"password\"", "password = \"other\"", "secrets other"),
        (
            "scheme = \"basic\", user = \"user\", password = \"password\"",
            "scheme = \"bearer\", secret = \"user\"",
            "auth",
        ),
        ("password = \"password\" }", "password = \"password\", optional = true }", "auth"),
        // On what terms.
        ("[\"analytics\", \"ad-user-data\"]", "[\"analytics\"]", "purposes ad-user-data"),
        ("[\"analytics\", \"ad-user-data\"]", "[\"analytics\", \"ad-storage\"]", "purposes ad-user-data"),
        ("[reads]", "limits.memory_max = \"8MiB\"\n[reads]", "limits memory_max"),
        ("[reads]", "limits.time_max_ms = 21\n[reads]", "limits time_max_ms"),
        ("[reads]", "limits.output_max = \"2MiB\"\n[reads]", "limits output_max"),
        ("[reads]", "limits.age_max = \"8d\"\n[reads]", "limits age_max"),
        ("[reads]", "limits.instance = \"per-batch\"\n[reads]", "limits instance"),
    ];
    for (old, new, expected) in cases {
        let found = lines(old, new);
        assert!(found.contains(&format!("widens {expected}")), "{old} → {new}: {found:?}");
        assert!(found[0].starts_with("widens"), "widenings come first: {found:?}");
    }
}

#[test]
fn what_is_less_or_only_different_does_not_widen() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("version = \"0.1.0\"", "version = \"0.2.0\"", &["changes version"]),
        ("name = \"acme\"", "name = \"apex\"", &["changes plugin"]),
        ("why = \"cookies\"", "why = \"the browser\"", &["changes reads cookie.*"]),
        ("summary = \"Acme\"", "summary = \"Acme Inc.\"", &[]),
        ("\"click.gclid\" = { as = \"plain\", why = \"click\" }", "", &["narrows reads click.gclid"]),
        ("\"cookie.*\"", "\"cookie._ga_*\"", &["narrows reads cookie.*"]),
        ("\"cookie.*\"", "\"cookie._fbp\"", &["narrows reads cookie.*"]),
        (
            "as = \"plain\", normalize = [\"digits\"]",
            "as = \"sha256\", normalize = [\"digits\"]",
            &["narrows reads user.phone"],
        ),
        ("[\"trim\", \"lowercase\"]", "[\"trim\", \"lowercase\", \"email-no-tag\"]", &["narrows reads user.email"]),
        ("endpoints.events", "endpoints.facts", &["changes endpoints facts", "changes endpoints events"]),
        (
            "endpoints.people = { url = \"https://acme.example/people\", method = \"PUT\" }",
            "",
            &["narrows endpoints people"],
        ),
        (
            "auth = { scheme = \"basic\", user = \"user\", password = \"password\" }",
            "",
            &["narrows secrets password", "narrows secrets user", "narrows auth"],
        ),
        ("\"ad-user-data\"]", "\"ad-user-data\", \"ad-storage\"]", &["narrows purposes ad-storage"]),
        ("[reads]", "limits.memory_max = \"1MiB\"\n[reads]", &["narrows limits memory_max"]),
        ("[reads]", "limits.age_max = \"1d\"\n[reads]", &["narrows limits age_max"]),
        ("[reads]", "batch = { join = \"ndjson\", events_max = 10 }\n[reads]", &["changes batch"]),
    ];
    for (old, new, expected) in cases {
        assert_eq!(lines(old, new), *expected, "{old} → {new}");
    }
}

#[test]
fn an_instance_for_each_event_is_less_than_one_for_many() {
    let shared = permissions(&OLD.replace("[reads]", "limits.instance = \"per-batch\"\n[reads]"));
    assert_eq!(told(&shared, &permissions(OLD)), ["narrows limits instance"]);
}

#[test]
fn other_code_alone_is_a_change_but_no_widening() {
    let old = permissions(OLD);
    let new = Permissions { digest: Digest::of(b"other code"), ..old.clone() };
    assert_eq!(told(&old, &new), ["changes digest"]);
}

#[test]
fn another_contract_widens_and_so_does_an_import() {
    let old = permissions(OLD);
    let new = Permissions { world: "tidegate:destination@0.3.0".to_owned(), ..old.clone() };
    assert_eq!(told(&old, &new), ["widens world"]);
    let new = Permissions { imports: ["wasi:clocks/wall-clock@0.2.6".to_owned()].into(), ..old.clone() };
    assert_eq!(told(&old, &new), ["widens imports wasi:clocks/wall-clock@0.2.6"]);
    assert_eq!(told(&new, &old), ["narrows imports wasi:clocks/wall-clock@0.2.6"]);
}

#[test]
fn a_field_that_falls_back_to_a_wider_wildcard_widens() {
    let all = "\"click.gclid\" = { as = \"plain\", why = \"click\" }\n\"user.*\" = { as = \"plain\", why = \"all\" }";
    let old = OLD.replace("\"click.gclid\" = { as = \"plain\", why = \"click\" }", all);
    let email = r#""user.email" = { as = "sha256", normalize = ["trim", "lowercase"], why = "match key" }"#;
    assert_eq!(told(&permissions(&old), &permissions(&old.replace(email, ""))), ["widens reads user.email"]);
}

#[test]
fn an_external_id_by_its_own_name_widens_what_a_wildcard_gave() {
    let all = OLD.replace("\"click.gclid\" = ", "\"user.*\" = ");
    let own = all.clone() + "\"user.external_id\" = { as = \"plain\", why = \"match key\" }\n";
    assert_eq!(told(&permissions(&all), &permissions(&own)), ["widens reads user.external_id"]);
}

#[test]
fn a_grant_that_a_wildcard_had_covered_is_no_news() {
    let new = format!("{OLD}\"cookie._fbp\" = {{ as = \"plain\", why = \"fbp\" }}\n");
    assert_eq!(told(&permissions(OLD), &permissions(&new)), Vec::<String>::new());
}

#[test]
fn where_an_access_token_is_asked_for_is_part_of_the_credentials() {
    let google = |url: &str, scope: &str| {
        let auth = format!(
            "auth = {{ scheme = \"oauth2-service-account\", token_url = \"{url}\", scopes = [\"{scope}\"], key = \"key\" }}"
        );
        permissions(&OLD.replace("auth = { scheme = \"basic\", user = \"user\", password = \"password\" }", &auth))
    };
    let old = google("https://a.example/token", "read");
    assert_eq!(told(&old, &google("https://b.example/token", "read")), ["widens auth"]);
    assert_eq!(told(&old, &google("https://a.example/token", "write")), ["widens auth"]);
}

#[test]
fn another_publisher_widens_and_another_key_of_the_same_does_not() {
    let signed = |publisher: &str, key: &str| {
        let key = key.repeat(16).try_into().unwrap();
        permissions(OLD).signed_by(Some(Signer { publisher: publisher.to_owned(), key }))
    };
    let nobody = permissions(OLD);
    assert_eq!(told(&nobody, &signed("acme", "A")), ["narrows signer"]);
    assert_eq!(told(&signed("acme", "A"), &nobody), ["widens signer"]);
    assert_eq!(told(&signed("acme", "A"), &signed("acme", "B")), ["changes signer"]);
    assert_eq!(told(&signed("acme", "A"), &signed("other", "A")), ["widens signer"]);
}

#[test]
fn a_part_of_the_path_that_the_plugin_gives_itself_widens() {
    let open =
        Permissions { digest: Digest::of(b"other code"), ..permissions(&OLD.replace("required = [\"id\"], ", "")) };
    let fixed = permissions(OLD);
    assert_eq!((&open.chosen, fixed.chosen.len()), (&["events.id".to_owned()].into(), 0));
    assert_eq!(told(&fixed, &open), ["widens chosen events.id", "changes digest"]);
    assert_eq!(told(&open, &fixed), ["changes digest", "narrows chosen events.id"]);
    // As a lock of before it was kept has it.
    assert_eq!(told(&Permissions { chosen: Default::default(), ..open.clone() }, &open), Vec::<String>::new());
}
