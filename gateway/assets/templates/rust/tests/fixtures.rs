//! Every fixture, natively; `tidegate plugin test` runs them in the sandbox.

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<my_plugin::MyPlugin>(env!("CARGO_MANIFEST_DIR"));
}
