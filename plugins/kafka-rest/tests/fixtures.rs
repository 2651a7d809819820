//! Every fixture of the plugin, and that the schema describes its records.

use std::collections::BTreeSet;

use serde_json::Value;
use tidegate_plugin_kafka_rest::KafkaRest;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<KafkaRest>(env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn the_schemas_fields_are_those_of_a_record_with_everything() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/purchase_full.json")).unwrap();
    let record = fixture["requests"][0]["body"]["records"][0]["value"].as_object().unwrap();
    let sent: BTreeSet<&str> = record.keys().map(String::as_str).collect();
    let schema: Value = serde_json::from_str(include_str!("../schema.json")).unwrap();
    assert_eq!(sent, schema["properties"].as_object().unwrap().keys().map(String::as_str).collect());
}
