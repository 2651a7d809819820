//! Every fixture, natively.

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<tidegate_example_kompas::Kompas>(env!("CARGO_MANIFEST_DIR"));
}
