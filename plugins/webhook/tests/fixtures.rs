//! Every fixture of the plugin, run natively.

#[test]
fn every_fixture_gives_what_it_says() {
    tidegate_plugin_sdk::testing::run::<tidegate_plugin_webhook::Webhook>(env!("CARGO_MANIFEST_DIR"));
}
