//! Every fixture of the plugin.

use tidegate_plugin_google_ads::GoogleAds;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<GoogleAds>(env!("CARGO_MANIFEST_DIR"));
}
