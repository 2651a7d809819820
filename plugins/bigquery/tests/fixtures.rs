//! Every fixture of the plugin, and that the table is made for its rows.

use std::collections::BTreeSet;

use serde_json::Value;
use tidegate_plugin_bigquery::BigQuery;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<BigQuery>(env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn the_tables_columns_are_those_of_a_row_with_everything() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/purchase_full.json")).unwrap();
    let row = fixture["requests"][0]["body"]["rows"][0]["json"].as_object().unwrap();
    let sent: BTreeSet<&str> = row.keys().map(String::as_str).collect();
    let columns: Vec<Value> = serde_json::from_str(include_str!("../schema.json")).unwrap();
    assert_eq!(sent, columns.iter().filter_map(|column| column["name"].as_str()).collect());
}
