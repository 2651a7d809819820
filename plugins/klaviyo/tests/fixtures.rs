//! Every fixture of the plugin.

use tidegate_plugin_klaviyo::Klaviyo;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<Klaviyo>(env!("CARGO_MANIFEST_DIR"));
}
