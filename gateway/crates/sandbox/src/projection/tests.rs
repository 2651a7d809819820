//! What a plugin is shown, grant by grant and level by level.

mod given;

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tidegate_event::{ClickId, Client, Consent, Event, EventId, Identifiers, Item, Kind, Level, Page, Session, Signal};
use tidegate_plugin_sdk::manifest::Manifest;

use super::Projection;
use crate::contract;

const EVERYTHING: &[&str] = &[
    "user.*",
    "user.external_id",
    "click.*",
    "cookie.*",
    "page.url",
    "page.title",
    "page.referrer",
    "client.ip",
    "client.user_agent",
    "client.locale",
    "client.region",
    "session",
    "event.value",
    "event.currency",
    "event.order_id",
    "event.items",
    "properties.*",
];

/// The projection of a manifest that reads these fields; each may bring its own form and steps after an `=`.
fn reading(fields: &[&str]) -> Projection {
    let mut text = String::from(
        "name = \"test\"\nversion = \"0.1.0\"\nworld = \"tidegate:destination@0.2.0\"\nsummary = \"t\"\n\
         purposes = [\"analytics\"]\n[endpoints.events]\nurl = \"https://example.com/\"\n[reads]\n",
    );
    for field in fields {
        let (name, form) = field.split_once('=').unwrap_or((field, "as = \"plain\""));
        writeln!(text, "{name:?} = {{ {form}, why = \"test\" }}").unwrap();
    }
    Projection::new(&Manifest::parse(&text).unwrap())
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("an object") };
    map
}

fn event() -> Event {
    let click =
        |kind: &str, value: &str| ClickId { kind: kind.into(), value: value.into(), seen_ms: 1_700_000_000_000 };
    let pairs = |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let identifiers: Identifiers =
        pairs(&[("email", " John_Smith@gmail.com "), ("phone", "US (650)555-1212"), ("first_name", "Mary")]);
    Event {
        id: EventId::parse("order-1").unwrap(),
        name: "purchase".into(),
        name_sent: Some("Order Completed".into()),
        kind: Kind::Track,
        at_ms: 1_700_000_100_000,
        received_ms: 1_700_000_100_250,
        anonymous_id: Some("anonymous-1".into()),
        user_id: Some("Customer 1".into()),
        identifiers,
        clicks: vec![click("gclid", "G-1"), click("fbclid", "AbC")],
        cookies: pairs(&[("_fbp", "fb.1.2.3"), ("_ga", "GA1.1.4.5"), ("_ga_ABC", "GS2.1.s6"), ("_gat", "1")]),
        page: Page {
            url: Some("https://shop.example/p?size=M&fbclid=AbC#top".into()),
            title: Some("Shirt".into()),
            referrer: Some("https://search.example/".into()),
        },
        client: Client {
            ip: Some("192.0.2.1".into()),
            user_agent: Some("Agent".into()),
            locale: Some("de-AT".into()),
            region: Some("AT".into()),
        },
        session: Some(Session { id: "s-1".into(), number: Some(2), engagement_ms: Some(3) }),
        consent: Consent::at(Level::Marketing, Signal::Event),
        value: Some(149.99),
        currency: Some("EUR".into()),
        order_id: Some("O-1".into()),
        items: vec![Item { id: Some("sku".into()), properties: object(json!({"size": "M"})), ..Item::default() }],
        properties: object(json!({"coupon": "SUMMER", "tax": 1.5, "nested": {"a": [1, "ü"]}})),
    }
}

fn with_identifier(key: &str, value: &str) -> Event {
    Event { identifiers: [(key.to_owned(), value.to_owned())].into(), ..event() }
}

fn identifiers(event: &contract::Event) -> Vec<(&str, &str)> {
    event.identifiers.iter().map(|identifier| (identifier.key.as_str(), identifier.value.as_str())).collect()
}

#[test]
fn without_a_grant_only_the_envelope_is_seen() {
    let seen = reading(&[]).apply(&event());
    assert_eq!(
        serde_json::to_value(&seen).unwrap(),
        json!({
            "id": "order-1", "name": "purchase", "kind": "Track",
            "at_ms": 1_700_000_100_000u64, "received_ms": 1_700_000_100_250u64,
            "anonymous_id": null, "user_id": null, "identifiers": [], "clicks": [], "cookies": [],
            "page": null, "client": null, "session": null,
            "consent": {
                "granted": ["analytics", "ad-storage", "ad-user-data", "ad-personalization"],
                "denied": [], "gpc": false, "limited_data_use": false
            },
            "value": null, "currency": null, "order_id": null, "items": [], "properties": "{}"
        })
    );
}

#[test]
fn everything_is_seen_when_everything_is_granted() {
    let seen = reading(EVERYTHING).apply(&event());
    assert_eq!(
        serde_json::to_value(&seen).unwrap(),
        json!({
            "id": "order-1", "name": "purchase", "kind": "Track",
            "at_ms": 1_700_000_100_000u64, "received_ms": 1_700_000_100_250u64,
            "anonymous_id": "anonymous-1", "user_id": "Customer 1",
            "identifiers": [
                {"key": "email", "value": " John_Smith@gmail.com "},
                {"key": "first_name", "value": "Mary"},
                {"key": "phone", "value": "US (650)555-1212"},
                {"key": "external_id", "value": "Customer 1"}
            ],
            "clicks": [
                {"kind": "gclid", "value": "G-1", "seen_ms": 1_700_000_000_000u64},
                {"kind": "fbclid", "value": "AbC", "seen_ms": 1_700_000_000_000u64}
            ],
            "cookies": [["_fbp", "fb.1.2.3"], ["_ga", "GA1.1.4.5"], ["_ga_ABC", "GS2.1.s6"], ["_gat", "1"]],
            "page": {
                "url": "https://shop.example/p?size=M&fbclid=AbC#top", "title": "Shirt",
                "referrer": "https://search.example/"
            },
            "client": {"ip": "192.0.2.1", "user_agent": "Agent", "locale": "de-AT", "region": "AT"},
            "session": {"id": "s-1", "number": 2, "engagement_ms": 3},
            "consent": {
                "granted": ["analytics", "ad-storage", "ad-user-data", "ad-personalization"],
                "denied": [], "gpc": false, "limited_data_use": false
            },
            "value": 149.99, "currency": "EUR", "order_id": "O-1",
            "items": [{
                "id": "sku", "name": null, "quantity": null, "price": null, "brand": null, "category": null,
                "variant": null, "properties": "{\"size\":\"M\"}"
            }],
            "properties": "{\"coupon\":\"SUMMER\",\"tax\":1.5,\"nested\":{\"a\":[1,\"ü\"]}}"
        })
    );
}

#[test]
fn each_grant_adds_its_own_field_and_no_other() {
    let none = serde_json::to_value(reading(&[]).apply(&event())).unwrap();
    let fields = [
        ("user.anonymous_id", "anonymous_id"),
        ("user.id", "user_id"),
        ("user.email", "identifiers"),
        ("click.gclid", "clicks"),
        ("cookie._ga", "cookies"),
        ("page.url", "page"),
        ("page.title", "page"),
        ("page.referrer", "page"),
        ("client.ip", "client"),
        ("client.user_agent", "client"),
        ("client.locale", "client"),
        ("client.region", "client"),
        ("session", "session"),
        ("event.value", "value"),
        ("event.currency", "currency"),
        ("event.order_id", "order_id"),
        ("event.items", "items"),
        ("properties.tax", "properties"),
    ];
    for (grant, field) in fields {
        let mut seen = serde_json::to_value(reading(&[grant]).apply(&event())).unwrap();
        assert_ne!(seen[field], none[field], "{grant}");
        if let (Some(part), Value::Object(record)) = (grant.strip_prefix(&format!("{field}.")), &seen[field]) {
            let known: Vec<&String> = record.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key).collect();
            assert_eq!(known, [part]);
        }
        seen[field] = none[field].clone();
        assert_eq!(seen, none, "{grant}");
    }
}

#[test]
fn families_are_granted_by_name_by_beginning_or_as_a_whole() {
    let names = |fields: &[&str]| -> Vec<String> {
        reading(fields).apply(&event()).cookies.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(&["cookie._fbp"]), ["_fbp"]);
    assert_eq!(names(&["cookie._ga_*"]), ["_ga_ABC"]);
    assert_eq!(names(&["cookie._ga", "cookie._ga_*"]), ["_ga", "_ga_ABC"]);
    assert_eq!(names(&["cookie.*"]), ["_fbp", "_ga", "_ga_ABC", "_gat"]);
    let seen = reading(&["click.fbclid", "properties.tax", "properties.absent"]).apply(&event());
    assert_eq!(seen.clicks.len(), 1);
    assert_eq!(seen.clicks[0].value, "AbC", "its case is kept");
    assert_eq!(seen.properties, r#"{"tax":1.5}"#);
}

#[test]
fn a_digest_is_made_of_what_is_normalised() {
    let seen = reading(&[
        "user.email=as = \"sha256\", normalize = [\"trim\", \"lowercase\"]",
        "user.phone=as = \"sha256\", normalize = [\"digits\", \"no-leading-zeros\"]",
    ])
    .apply(&event());
    // Meta's published examples.
    assert_eq!(
        identifiers(&seen),
        [
            ("email", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
            ("phone", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        ]
    );
}

#[test]
fn a_digest_is_not_hashed_again() {
    let digest = "62A14E44F765419D10FEA99367361A727C12365E2520F32218D505ED9AA0F62F";
    let phone = reading(&["user.phone=as = \"sha256\", normalize = [\"digits\"]"]);
    let seen = phone.apply(&with_identifier("phone", &format!(" {digest} ")));
    assert_eq!(identifiers(&seen), [("phone", digest.to_ascii_lowercase().as_str())]);
    // One digit less is no digest.
    let seen = phone.apply(&with_identifier("phone", &digest[1..]));
    assert_ne!(identifiers(&seen), [("phone", &*digest[1..].to_ascii_lowercase())]);
}

#[test]
fn what_is_empty_after_normalising_is_absent() {
    for (form, value) in [
        ("as = \"sha256\", normalize = [\"digits\"]", "unknown"),
        ("as = \"plain\", normalize = [\"digits\"]", "unknown"),
        ("as = \"sha256\"", ""),
        ("as = \"sha256\"", " \t"),
        ("as = \"plain\"", " "),
    ] {
        let field = format!("user.phone={form}");
        assert_eq!(reading(&[&field]).apply(&with_identifier("phone", value)).identifiers, [], "{field}");
    }
}

#[test]
fn the_users_id_stands_in_for_an_external_id() {
    let external = reading(&["user.external_id=as = \"sha256\", normalize = [\"lowercase\", \"no-whitespace\"]"]);
    let fallen_back = external.apply(&event());
    let said = external.apply(&with_identifier("external_id", "customer1"));
    assert_eq!(fallen_back.identifiers, said.identifiers, "`Customer 1` normalised is `customer1`");
    assert_eq!(fallen_back.user_id, None, "the user's id itself was not granted");
    let other = external.apply(&with_identifier("external_id", "other"));
    assert_ne!(other.identifiers, said.identifiers, "what was said of it wins");
    assert_eq!(external.apply(&Event { user_id: None, ..event() }).identifiers, []);
}

#[test]
fn ids_can_be_granted_as_digests() {
    let seen = reading(&["user.id=as = \"sha256\"", "user.anonymous_id=as = \"sha256\""]).apply(&event());
    for id in [seen.user_id, seen.anonymous_id] {
        assert_eq!(id.map(|id| id.len()), Some(64));
    }
}

#[test]
fn a_grant_by_name_wins_over_the_family() {
    let seen =
        reading(&["user.*", "user.email=as = \"sha256\", normalize = [\"trim\", \"lowercase\"]"]).apply(&event());
    assert_eq!(seen.identifiers[0].value.len(), 64);
    assert_eq!(seen.identifiers[1].value, "Mary");
}

#[test]
fn analytics_consent_withholds_what_identifies_whatever_is_granted() {
    let event = Event { consent: Consent::at(Level::Analytics, Signal::Event), ..event() };
    let seen = reading(EVERYTHING).apply(&event);
    assert_eq!(seen.identifiers, []);
    assert_eq!(seen.user_id, None);
    assert_eq!(seen.clicks, []);
    let cookies: Vec<&str> = seen.cookies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(cookies, ["_ga", "_ga_ABC"]);
    let client = seen.client.unwrap();
    assert_eq!(client.ip, None);
    assert_eq!(client.user_agent.as_deref(), Some("Agent"));
    let page = seen.page.unwrap();
    assert_eq!(page.url.as_deref(), Some("https://shop.example/p?size=M#top"), "its click ID is gone");
    // What measures without identifying stays.
    assert_eq!(seen.anonymous_id.as_deref(), Some("anonymous-1"));
    assert_eq!(seen.value, Some(149.99));
    assert_eq!(seen.items.len(), 1);
    assert_eq!(seen.consent.granted, contract::Purposes::ANALYTICS);
}

#[test]
fn analytics_consent_withholds_what_properties_are_named_after() {
    let properties = object(json!({
        "coupon": "X", "E-Mail": "a@example.com", "fbclid": "1", "name": "Plan B",
        "customer": { "firstName": "Mary", "plan": "gold", "orders": [{ "ip_address": "192.0.2.1", "n": 1 }] }
    }));
    let all = Event { properties, ..event() };
    let analytics = Event { consent: Consent::at(Level::Analytics, Signal::Event), ..all.clone() };
    let seen = reading(&["properties.*"]).apply(&analytics);
    assert_eq!(seen.properties, r#"{"coupon":"X","name":"Plan B","customer":{"plan":"gold","orders":[{"n":1}]}}"#);
    assert_eq!(reading(&["properties.E-Mail"]).apply(&analytics).properties, "{}");
    assert!(reading(&["properties.*"]).apply(&all).properties.contains("firstName"));
}

#[test]
fn without_consent_only_the_envelope_is_seen() {
    let event = Event { consent: Consent::at(Level::None, Signal::Event), ..event() };
    assert_eq!(reading(EVERYTHING).apply(&event), reading(&[]).apply(&event));
}

#[test]
fn addresses_lose_their_click_ids_and_nothing_else() {
    use tidegate_event::Withheld;
    for (given, left) in [
        ("https://a.example/", "https://a.example/"),
        ("https://a.example/?gclid=1", "https://a.example/"),
        ("https://a.example/?GCLID=1&q=%26gclid", "https://a.example/?q=%26gclid"),
        ("https://a.example/?a=1&msclkid=2&b=3#c?gclid=4&d=5", "https://a.example/?a=1&b=3#c?d=5"),
        ("https://a.example/?utm_source=x&ScCid", "https://a.example/?utm_source=x"),
        ("/?gclids=1", "/?gclids=1"),
        ("", ""),
    ] {
        assert_eq!(Withheld::Personal.strip_url(given.to_owned()), left);
        assert_eq!(Withheld::Nothing.strip_url(given.to_owned()), given);
    }
}

#[test]
fn the_same_event_is_projected_the_same() {
    let projection = reading(EVERYTHING);
    let once = serde_json::to_string(&projection.apply(&event())).unwrap();
    assert_eq!(serde_json::to_string(&projection.apply(&event())).unwrap(), once);
}
