//! Every fixture of the plugin, and that the table is made for its rows.

use std::collections::BTreeSet;

use serde_json::Value;
use tidegate_plugin_clickhouse::ClickHouse;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<ClickHouse>(env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn the_tables_columns_are_those_of_a_row_with_everything() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/purchase_full.json")).unwrap();
    let row = fixture["requests"][0]["body"].as_object().unwrap();
    let sent: BTreeSet<&str> = row.keys().map(String::as_str).collect();
    let columns = include_str!("../table.sql").lines().filter_map(|line| line.strip_prefix("    "));
    let columns = columns.filter(|line| !line.starts_with("--")).filter_map(|line| line.split(' ').next());
    assert_eq!(sent, columns.collect());
}
