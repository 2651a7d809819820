//! The canary must sing where something leaks: each test lets something leak that the real projection keeps back.

use tidegate_plugin_sdk::Event;
use tidegate_plugin_sdk::manifest::{Manifest, Mistake};
use tidegate_sandbox::{Projection, contract};

use super::{Kind, Sighting, Watch, marks, planted};

const MANIFEST: &str = r#"
name = "acme"
version = "0.1.0"
world = "tidegate:destination@0.2.0"
summary = "Acme"
purposes = ["analytics"]
endpoints.events.url = "https://acme.example/events"
[reads]
"user.email" = { as = "sha256", normalize = ["trim", "lowercase"], why = "match key" }
"user.phone" = { as = "plain", normalize = ["e164"], why = "sends messages" }
"#;

fn manifest() -> Manifest {
    Manifest::parse(MANIFEST).unwrap_or_else(|mistakes: Vec<Mistake>| panic!("{mistakes:?}"))
}

/// What is seen of a request that a plugin makes of the marked event, as this projection hands it over.
fn seen(projection: &Manifest, request: impl Fn(&contract::Event) -> contract::Request) -> Vec<Sighting> {
    let manifest = manifest();
    let marks = marks(&manifest);
    let event = Projection::new(projection).apply(&planted(&Event::example(), &marks));
    let mut watch = Watch::new(&manifest, &marks);
    watch.look(&request(&event));
    watch.report.sightings.into_iter().collect()
}

fn request(query: &[(&str, String)], body: String) -> contract::Request {
    let query = query.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let (path, headers) = (Vec::new(), Vec::new());
    contract::Request { endpoint: "events".into(), path, query, headers, body: body.into_bytes() }
}

/// All that the plugin was given.
fn everything(event: &contract::Event) -> contract::Request {
    request(&[], serde_json::to_string(event).unwrap())
}

#[test]
fn a_plugin_that_passes_on_all_that_it_is_given_leaks_nothing() {
    assert_eq!(seen(&manifest(), everything), []);
}

#[test]
fn a_projection_that_hands_over_a_plain_value_for_a_digest_is_found() {
    let plain = Manifest::parse(&MANIFEST.replace("sha256", "plain")).unwrap();
    let seen = seen(&plain, everything);
    let [sighting] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((sighting.kind, sighting.field.as_str()), (Kind::NotInThisForm, "user.email"));
    assert_eq!((sighting.form, sighting.place, sighting.endpoint.as_str()), ("as it is", "the body", "events"));
}

#[test]
fn a_projection_that_hashes_without_normalising_is_found() {
    let raw = Manifest::parse(&MANIFEST.replace("normalize = [\"trim\", \"lowercase\"], ", "")).unwrap();
    let seen = seen(&raw, everything);
    let [sighting] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((sighting.kind, sighting.form), (Kind::NotInThisForm, "as its SHA-256 digest"));
}

#[test]
fn every_field_that_was_not_granted_is_found_whatever_it_is() {
    let all: String = [
        "user.*",
        "click.*",
        "cookie.*",
        "properties.*",
        "client.ip",
        "client.user_agent",
        "page.url",
        "page.title",
        "page.referrer",
        "event.order_id",
        "event.items",
    ]
    .map(|field| format!("\"{field}\" = {{ as = \"plain\", why = \"so\" }}\n"))
    .concat();
    let wide = Manifest::parse(&format!("{}{all}", MANIFEST.replace("sha256", "plain"))).unwrap();
    let seen = seen(&wide, everything);
    let expected = marks(&manifest()).iter().filter(|mark| mark.field != "user.phone").count();
    assert_eq!(seen.len(), expected, "{seen:#?}");
    let kinds = |kind| seen.iter().filter(|sighting| sighting.kind == kind).count();
    assert_eq!((kinds(Kind::NotInThisForm), kinds(Kind::NotGranted)), (1, expected - 1));
}

#[test]
fn a_granted_value_in_the_url_is_a_sighting_of_its_own() {
    let phone = |event: &contract::Event| event.identifiers.iter().find(|it| it.key == "phone").unwrap().value.clone();
    let seen = seen(&manifest(), |event| request(&[("to", phone(event))], phone(event)));
    let [sighting] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((sighting.kind, sighting.field.as_str(), sighting.place), (Kind::InUrl, "user.phone", "the query"));
}

#[test]
fn marks_are_unlike_one_another_and_the_same_every_time() {
    let marks = marks(&manifest());
    assert_eq!(marks, super::marks(&manifest()));
    for mark in &marks {
        let alike = marks.iter().filter(|other| other.token.contains(&mark.token));
        assert_eq!(alike.count(), 1, "{mark:?}");
        assert!(mark.token.len() >= 8, "{mark:?}");
    }
}
