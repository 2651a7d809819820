//! Each mistake is found, at its line, beside the others.

use super::*;
use crate::manifest::{Purpose, Size};

pub(super) const SOUND: &str = r#"name = "acme"
version = "1.2.3"
world = "tidegate:destination@0.2.0"
summary = "Acme conversions"
purposes = ["analytics", "ad-user-data"]

[endpoints.events]
url = "https://{region}.acme.example/v1/{account}/events"

[auth]
scheme = "header"
header = "X-Acme-Key"
secret = "api_key"

[reads]
"user.email" = { as = "sha256", normalize = ["trim", "lowercase"], why = "match key" }
"click.*" = { as = "plain", why = "attribution" }
"event.value" = { as = "plain", why = "the order's value" }

[batch]
join = "json-array:/data"
events_max = 100

[limits]
memory_max = "2MiB"

[config]
type = "object"
required = ["account"]
[config.properties]
region = { enum = ["eu", "us"], default = "eu" }
account = { type = "string" }
"#;

/// The mistakes of the sound manifest after replacing one text in it, as a person reads them.
fn mistakes(from: &str, to: &str) -> Vec<String> {
    assert!(SOUND.contains(from), "the sound manifest has no `{from}`");
    match parse(&SOUND.replacen(from, to, 1)) {
        Ok(_) => Vec::new(),
        Err(list) => list.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_sound_manifest_is_read_whole() {
    let manifest = parse(SOUND).unwrap();
    assert_eq!(manifest.purposes, [Purpose::Analytics, Purpose::AdUserData]);
    assert_eq!(manifest.auth.as_ref().map(Auth::secrets), Some(vec!["api_key"]));
    assert_eq!(manifest.limits.memory_max, Size(2 << 20));
    assert_eq!(manifest.limits.time_max_ms, 20);
    assert_eq!(manifest.batch.join, crate::manifest::Join::JsonArray("/data".into()));
    let config = manifest.config_with_defaults(serde_json::json!({ "account": "1" }));
    assert_eq!(config, serde_json::json!({ "account": "1", "region": "eu" }));
}

#[test]
fn a_manifest_reads_as_it_was_written() {
    let manifest = parse(SOUND).unwrap();
    assert_eq!(parse(&toml::to_string(&manifest).unwrap()), Ok(manifest));
}

#[test]
fn a_field_that_does_not_exist_is_named_with_its_line() {
    let found = mistakes("events_max = 100", "event_max = 100");
    assert_eq!(found.len(), 1, "{found:?}");
    let expected = "unknown field `event_max`, line 22\nhint: expected one of `join`, `joins`, `events_max`";
    assert!(found[0].starts_with(expected), "{found:?}");
}

/// Whether the JSON Schema finds a mistake too, or cannot say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    Agrees,
    Silent,
}
use Schema::{Agrees, Silent};

/// What is replaced in the sound manifest, by what, how the mistake's text begins (empty where it is none), and whether the
/// schema knows.
pub(super) const CHANGES: &[(&str, &str, &str, Schema)] = &[
    ("\"acme\"", "\"Acme!\"", "`Acme!` is no plugin name, line 1\nhint: lower-case", Agrees),
    ("\"1.2.3\"", "\"1.2\"", "unexpected end of input while parsing minor version number, line 2", Agrees),
    (
        "@0.2.0",
        "@9.0.0",
        "`tidegate:destination@9.0.0` is a contract that is not known here, line 3\nhint: build",
        Agrees,
    ),
    ("\"Acme conversions\"", "\"\"", "`summary` must be 1 to 200 characters on one line, line 4", Agrees),
    ("\"Acme conversions\"", r#""a\u001b[2J""#, "`summary` must be 1 to 200 characters on one line, line 4", Agrees),
    ("purposes", "test_view = \"\"\npurposes", "`test_view` must be 1 to 200 characters on one line, line 5", Agrees),
    ("[\"analytics\", \"ad-user-data\"]", "[]", "`purposes` is empty, line 5\nhint: name the consent", Agrees),
    ("ad-user-data", "everything", "unknown variant `everything`", Agrees),
    ("https://", "http://", "endpoint `events` is not https", Agrees),
    (
        "{region}",
        "{zone}",
        "endpoint `events` takes its host from `{zone}`, which the configuration need not give",
        Silent,
    ),
    (", default = \"eu\"", "", "endpoint `events` takes its host from `{region}`", Silent),
    ("endpoints.events", "endpoints.\"e v\"", "`e v` is no name of an endpoint", Agrees),
    ("X-Acme-Key", "Host", "`Host` is no header for a secret, line 12", Agrees),
    ("\"api_key\"", "\"\"", "`` is no name of a secret, line 13", Agrees),
    ("scheme = \"header\"", "scheme = \"magic\"", "unknown variant `magic`", Agrees),
    ("user.email", "user_email", "`user_email` is no field of an event, line 16\nhint: `user.…`", Agrees),
    ("click.*", "click.", "`click.` is no field of an event, line 17", Agrees),
    ("click.*", "click.*clid", "`click.*clid` is no field of an event, line 17", Agrees),
    ("click.*", "cookie._ga_*", "", Agrees),
    ("user.email", "user.e*", "`user.e*` is no field of an event, line 16", Agrees),
    ("\"match key\"", "\"  \"", "`why` of `user.email` must be 1 to 200 characters on one line, line 16", Agrees),
    (
        "as = \"plain\", why = \"attribution\"",
        "as = \"sha256\", why = \"a\"",
        "`click.*` cannot be hashed, line 17",
        Agrees,
    ),
    (
        "\"plain\", why = \"the",
        "\"plain\", normalize = [\"trim\"], why = \"the",
        "`event.value` cannot be normalised",
        Agrees,
    ),
    ("user.email", "user.phone", "", Agrees),
    ("[\"trim\", \"lowercase\"]", "[\"email-no-tag\"]", "", Agrees),
    ("[\"trim\", \"lowercase\"]", "[\"rot13\"]", "unknown variant `rot13`", Agrees),
    ("join = \"json-array:/data\"", "", "`events_max` without `join`", Agrees),
    ("json-array:/data", "json-array:data", "`json-array:data` is no way to join", Agrees),
    (
        "events_max = 100",
        "events_max = 100\njoins = { event = \"ndjson\" }",
        "`joins` names `event`, which is no endpoint",
        Silent,
    ),
    ("events_max = 100", "events_max = 100\njoins = { events = \"ndjson\" }", "", Agrees),
    ("join = \"json-array:/data\"", "joins = { events = \"ndjson\" }", "", Agrees),
    (
        "[limits]",
        "[[quality]]\nname = \"e-mail\"\nany = [\"user.email\", \"click.gclid\"]\nworth = 9\n[limits]",
        "",
        Agrees,
    ),
    (
        "[limits]",
        "[[quality]]\nname = \"phone\"\nany = [\"user.phone\"]\nworth = 9\n[limits]",
        "quality `phone` relies on `user.phone`, which `[reads]` does not grant",
        Silent,
    ),
    (
        "[limits]",
        "[[quality]]\nname = \"e-mail\"\nany = [\"user.email\"]\nworth = 0\n[limits]",
        "quality `e-mail` names no field, or is not worth 1 to 100",
        Agrees,
    ),
    (
        "[limits]",
        "[[quality]]\nname = \"\"\nany = [\"user.email\"]\nworth = 9\n[limits]",
        "`name` of `[[quality]]` must be",
        Agrees,
    ),
    ("\"2MiB\"", "\"2 GiB\"", "`memory_max` is 2147483648, line 25\nhint: from 131072 to 67108864", Silent),
    ("\"2MiB\"", "\"lots\"", "`lots` is no size such as `4MiB` or `130kB`, line 25", Agrees),
];

#[test]
fn every_mistake_is_found_at_its_line_with_how_to_mend_it() {
    for (from, to, expected, _) in CHANGES {
        let found = mistakes(from, to);
        match *expected {
            "" => assert!(found.is_empty(), "{to}: {found:?}"),
            expected => assert!(found.iter().any(|mistake| mistake.starts_with(expected)), "{to}: {found:?}"),
        }
        for mistake in parse(&SOUND.replacen(from, to, 1)).err().into_iter().flatten() {
            assert!(
                mistake.line.is_some() && mistake.hint.as_ref().is_some_and(|hint| !hint.is_empty()),
                "{mistake:?}"
            );
        }
    }
}

#[test]
fn an_access_token_is_asked_for_at_one_address_and_headers_may_lack_their_secrets() {
    let oauth = |url: &str, header: &str| {
        let scheme = format!(
            "scheme = \"oauth2-refresh\"\ntoken_url = \"{url}\"\nclient_id = \"i\"\nclient_secret = \"s\"\n\
             refresh_token = \"r\"\nheaders = {{ {header} = \"h\" }}"
        );
        let text = SOUND.replace("scheme = \"header\"\nheader = \"X-Acme-Key\"\nsecret = \"api_key\"", &scheme);
        parse(&text).map_err(|list| list[0].to_string())
    };
    let manifest = oauth("https://acme.example/token", "developer-token").unwrap();
    let auth = manifest.auth.as_ref().unwrap();
    assert_eq!((auth.secrets(), auth.optional_secrets()), (vec!["i", "s", "r"], vec!["h"]));
    for (url, header, expected) in [
        ("http://acme.example/token", "x", "`token_url` is not https"),
        ("https://{region}.acme.example/token", "x", "`token_url` has a parameter"),
        ("{url}", "x", "`token_url` has a parameter"),
        ("https://acme.example/token", "Host", "`Host` is no header for a secret"),
    ] {
        let mistake = oauth(url, header).unwrap_err();
        assert!(mistake.starts_with(expected), "{mistake}");
    }
}

#[test]
fn only_an_email_is_normalised_as_one() {
    let text = SOUND.replace("user.email", "user.phone").replace("\"trim\", \"lowercase\"", "\"email-no-tag\"");
    assert!(parse(&text).unwrap_err()[0].what.contains("`user.phone` is normalised as an e-mail address"));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = SOUND.replace("acme\"", "ACME\"").replace("https:", "ftp:").replace("\"match key\"", "\"\"");
    assert_eq!(parse(&text).unwrap_err().len(), 3);
}

#[test]
fn hostile_manifests_are_refused_without_a_panic() {
    assert!(parse(&"a".repeat(TEXT_BYTES_MAX + 1)).is_err());
    assert!(parse(&format!("config = {}", "[".repeat(100_000))).is_err());
    for at in 0..SOUND.len() {
        let _ = parse(&SOUND[..at]);
        let _ = parse(&format!("{}\u{7f}ä{}", &SOUND[..at], &SOUND[at..]));
    }
}
