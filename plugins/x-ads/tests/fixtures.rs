//! Every fixture of the plugin, run natively.

use tidegate_plugin_x_ads::XAds;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<XAds>(env!("CARGO_MANIFEST_DIR"));
}
