//! The JSON Schema says what the parser says, as far as a schema can, and knows every key that the parser knows.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::tests::{CHANGES, SOUND, Schema};
use super::*;
use crate::manifest::SCHEMA;

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&schema()).unwrap()
}

/// Whether the schema takes a manifest; `None` of what is no TOML.
fn takes(schema: &jsonschema::Validator, text: &str) -> Option<bool> {
    Some(schema.is_valid(&toml::from_str::<Value>(text).ok()?))
}

#[test]
fn every_built_in_manifest_is_taken() {
    let schema = validator();
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")).unwrap();
    let manifests =
        folders.filter_map(|folder| std::fs::read_to_string(folder.unwrap().path().join("plugin.toml")).ok());
    let mut count = 0;
    for text in manifests {
        let manifest: Value = toml::from_str(&text).unwrap();
        let problems: Vec<String> = schema.iter_errors(&manifest).map(|problem| problem.to_string()).collect();
        assert!(problems.is_empty(), "{}: {problems:?}", manifest["name"]);
        count += 1;
    }
    assert!(count >= 20, "{count} manifests");
}

#[test]
fn the_schema_finds_the_mistakes_that_a_schema_can() {
    let schema = validator();
    assert_eq!(takes(&schema, SOUND), Some(true));
    for (from, to, expected, knows) in CHANGES {
        let sound = expected.is_empty() || *knows == Schema::Silent;
        assert_eq!(takes(&schema, &SOUND.replacen(from, to, 1)), Some(sound), "{from} → {to}");
    }
}

#[test]
fn schema_and_parser_take_the_same_urls_headers_and_fields() {
    let schema = validator();
    let agree = |text: String| assert_eq!(takes(&schema, &text), Some(parse(&text).is_ok()), "{text}");
    let url = "https://{region}.acme.example/v1/{account}/events";
    for other in [
        "{region}",
        "https://a.example",
        "https://a.example:8443/x:upload",
        "{region}/more",
        "{REGION}",
        "https:///path",
        "https://user@a.example/",
        "https://a.example/x?y={account}",
        "https://a.example/x#y",
        "https://a.example/x y",
        "https://a.example\\\\@b.example/",
        "https://a.example/{Id}",
        "https://a.example/{}",
        "https://a.example/{account",
        "https://a.example/account}",
        "https://a.example/{{account}}",
        "https://api.example.{region}/",
        "https://api.example.{region}",
    ] {
        agree(SOUND.replace(url, other));
    }
    for header in ["connection", "Content-Length", "content-type", "HOST", "transfer-encoding", "x-host", "a b", ""] {
        agree(SOUND.replace("X-Acme-Key", header));
    }
    let nothing: String =
        SOUND.lines().filter(|line| !line.contains(" as = ")).map(|line| format!("{line}\n")).collect();
    let families = FAMILIES
        .iter()
        .flat_map(|family| ["", "x", "*", "x*", "*x", "x*y", "**", "\\u0007"].map(|name| format!("{family}{name}")));
    for field in FIELDS.iter().map(|field| (*field).to_owned()).chain(families).chain(["page.path".to_owned()]) {
        for read in [r#"as = "plain""#, r#"as = "sha256""#, r#"as = "plain", normalize = ["trim"]"#] {
            agree(nothing.replace("[reads]", &format!("[reads]\n\"{field}\" = {{ {read}, why = \"w\" }}")));
        }
    }
    for normalizer in words(&schema_at("/definitions/email/properties/normalize/items/enum")) {
        for field in ["email", "phone"] {
            let read = format!(
                "[reads]\n\"user.{field}\" = {{ as = \"plain\", normalize = [\"{normalizer}\"], why = \"w\" }}"
            );
            agree(nothing.replace("[reads]", &read));
        }
    }
}

fn schema_at(pointer: &str) -> Value {
    schema().pointer(pointer).unwrap_or_else(|| panic!("the schema has no `{pointer}`")).clone()
}

/// The keys of an object, or the elements of a list.
fn words(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(map) => map.keys().cloned().collect(),
        Value::Array(list) => list.iter().map(|word| word.as_str().unwrap().to_owned()).collect(),
        other => panic!("{other}"),
    }
}

/// What the parser would have taken in place of `zz`, as its complaint says.
fn known(text: &str) -> BTreeSet<String> {
    let mistakes = parse(text).unwrap_err();
    assert!(mistakes[0].what.contains("`zz`"), "{mistakes:?}");
    let hint = mistakes[0].hint.as_deref().unwrap();
    hint.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn no_key_of_the_parser_is_missing_and_none_is_more() {
    let put = |after: &str, line: &str| SOUND.replacen(after, &format!("{after}\n{line}"), 1);
    let read = |name: &str| format!("/definitions/{name}/properties");
    let quality = "[[quality]]\nname = \"e\"\nany = [\"user.email\"]\nworth = 1\nzz = 1\n[limits]";
    let grant = SOUND.replace("why = \"match key\"", "why = \"match key\", zz = 1");
    for (text, pointer) in [
        (format!("zz = 1\n{SOUND}"), "/properties".to_owned()),
        (put("[endpoints.events]", "zz = 1"), "/properties/endpoints/additionalProperties/properties".to_owned()),
        (put("[batch]", "zz = 1"), "/properties/batch/properties".to_owned()),
        (put("[limits]", "zz = 1"), "/properties/limits/properties".to_owned()),
        (SOUND.replace("[limits]", quality), "/properties/quality/items/properties".to_owned()),
        (grant.clone(), read("plain")),
        (grant.clone(), read("user")),
        (grant, read("email")),
    ] {
        assert_eq!(known(&text), words(&schema_at(&pointer)), "{pointer}");
    }
    let auth = "scheme = \"header\"\nheader = \"X-Acme-Key\"\nsecret = \"api_key\"";
    let schemes = schema_at("/properties/auth/oneOf");
    for scheme in schemes.as_array().unwrap() {
        let mut keys = words(&scheme["properties"]);
        assert!(keys.remove("scheme"));
        let name = scheme["properties"]["scheme"]["const"].as_str().unwrap();
        assert_eq!(known(&SOUND.replace(auth, &format!("scheme = \"{name}\"\nzz = 1"))), keys, "{name}");
    }
    let names = schemes.as_array().unwrap().iter().map(|it| it["properties"]["scheme"]["const"].as_str().unwrap());
    assert_eq!(known(&SOUND.replace("\"header\"", "\"zz\"")), names.map(str::to_owned).collect());
}

#[test]
fn no_word_of_the_parser_is_missing_and_none_is_more() {
    for (from, to, pointer) in [
        ("\"analytics\"", "\"zz\"", "/properties/purposes/items/enum"),
        ("[auth]", "method = \"zz\"\n[auth]", "/properties/endpoints/additionalProperties/properties/method/enum"),
        ("\"sha256\"", "\"zz\"", "/definitions/user/properties/as/enum"),
        ("\"trim\"", "\"zz\"", "/definitions/email/properties/normalize/items/enum"),
    ] {
        assert_eq!(known(&SOUND.replacen(from, to, 1)), words(&schema_at(pointer)), "{pointer}");
    }
    assert_eq!(words(&schema_at("/properties/world/enum")), WORLDS.map(str::to_owned).into());
    let fields = FIELDS.iter().chain(&["user.email"]).map(|field| (*field).to_owned());
    assert_eq!(words(&schema_at("/properties/reads/properties")), fields.collect());
}

#[test]
fn what_is_left_out_means_what_the_schema_says() {
    let text = |value: &dyn ToString| Value::String(value.to_string());
    let (limits, batch) = (crate::manifest::Limits::default(), crate::manifest::Batch::default());
    for (pointer, default) in [
        ("/properties/limits/properties/age_max", text(&limits.age_max)),
        ("/properties/limits/properties/memory_max", text(&limits.memory_max)),
        ("/properties/limits/properties/time_max_ms", limits.time_max_ms.into()),
        ("/properties/limits/properties/output_max", text(&limits.output_max)),
        ("/properties/batch/properties/join", text(&batch.join)),
        ("/properties/batch/properties/events_max", batch.events_max.into()),
        ("/properties/batch/properties/body_max", text(&batch.body_max)),
        ("/properties/batch/properties/linger_ms", batch.linger_ms.into()),
        ("/properties/endpoints/additionalProperties/properties/method", "POST".into()),
        ("/properties/config", crate::manifest::empty_schema()),
    ] {
        assert_eq!(schema_at(pointer)["default"], default, "{pointer}");
    }
}

/// Every key of every object that the schema describes.
fn properties(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match schema {
        Value::Object(map) => {
            for (name, part) in map {
                if name == "properties" && part.as_object().unwrap().values().all(Value::is_object) {
                    found.extend(
                        part.as_object().unwrap().iter().map(|(key, it)| (format!("{path}/{key}"), it.clone())),
                    );
                }
                properties(part, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(list) => list.iter().for_each(|part| properties(part, path, found)),
        _ => {}
    }
}

#[test]
fn every_key_is_described() {
    let mut found = Vec::new();
    let mut schema = schema();
    // Conditions are not descriptions.
    for part in ["if", "then"] {
        schema["properties"]["batch"].as_object_mut().unwrap().remove(part);
    }
    properties(&schema, "", &mut found);
    assert!(found.len() > 80, "{}", found.len());
    for (path, it) in found {
        assert!(it["description"].as_str().is_some_and(|text| text.ends_with(['.', '`'])), "{path}");
    }
}
