//! What a row says, and what it never does.

use serde_json::{Value, json};

use super::*;
use crate::{Identifier, Page};

fn written(event: &Event, json: Json) -> Value {
    serde_json::to_value(of(event, &event.name, &Context::example(), json).unwrap()).unwrap()
}

#[test]
fn the_least_row_has_the_columns_that_every_event_has() {
    let expected = json!({
        "schema_version": 1, "event_id": "evt_1", "event_name": "purchase", "event_kind": "track",
        "event_time": "2026-01-15T14:32:00.000Z", "received_time": "2026-01-15T14:32:01.000Z", "is_test": false,
        "consent_granted": ["analytics", "ad-storage", "ad-user-data", "ad-personalization"], "consent_denied": [],
        "gpc": false, "limited_data_use": false,
    });
    assert_eq!(written(&Event::example(), Json::Object), expected);
}

#[test]
fn nobody_is_in_a_row_in_the_clear() {
    let event = Event {
        anonymous_id: Some("a-1".into()),
        user_id: Some("jane@example.com".into()),
        identifiers: vec![Identifier { key: "email".into(), value: "62a1".into() }],
        page: Some(Page {
            url: Some("https://s.example/?mail=a%40b.co".into()),
            title: Some("For jane@example.com".into()),
            referrer: None,
        }),
        properties: r#"{"Email":"a@b.co","to":{"list":["x","a@b.co"]},"note":"call \"a@b.co\"","plan":"pro"}"#.into(),
        ..Event::example()
    };
    let row = written(&event, Json::Object);
    assert_eq!(
        (&row["anonymous_id"], &row["user_id"], &row["email_sha256"]),
        (&json!("a-1"), &Value::Null, &json!("62a1"))
    );
    assert_eq!(
        (&row["page_url"], &row["page_title"]),
        (&json!("https://s.example/?mail=(redacted)"), &json!("For (redacted)"))
    );
    assert_eq!(row["properties"], json!({ "plan": "pro" }));
}

#[test]
fn properties_are_kept_digit_by_digit_as_an_object_or_as_text() {
    let text = r#"{"precise":0.10,"large":12345678901234567890123,"nested":{"b":[1,{"a":null}]}}"#;
    let event = Event { properties: text.into(), ..Event::example() };
    let row = serde_json::to_string(&of(&event, "purchase", &Context::example(), Json::Object).unwrap()).unwrap();
    assert!(row.ends_with(&format!(r#""properties":{text}}}"#)), "{row}");
    assert_eq!(written(&event, Json::Text)["properties"], json!(text));
    let event = Event { properties: r#"{"phone":"1"}"#.into(), ..Event::example() };
    assert_eq!(written(&event, Json::Object).get("properties"), None);
}

#[test]
fn an_amount_without_a_currency_is_none() {
    let item = Item {
        id: Some("sku-1".into()),
        name: None,
        quantity: Some(2.0),
        price: Some(33.300_000_000_000_004),
        brand: None,
        category: None,
        variant: None,
        properties: "{}".into(),
    };
    let event = Event { value: Some(66.6), items: vec![item], ..Event::example() };
    let row = written(&event, Json::Object);
    assert_eq!((row.get("value"), &row["items"]), (None, &json!([{ "id": "sku-1", "quantity": 2 }])));
    let row = written(&Event { currency: Some("EUR".into()), ..event }, Json::Object);
    assert_eq!((&row["value"], &row["items"][0]["price"]), (&json!(66.6), &json!(33.3)));
}
