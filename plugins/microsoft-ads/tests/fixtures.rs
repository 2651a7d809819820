//! Every fixture of the plugin, run natively.

use tidegate_plugin_microsoft_ads::MicrosoftAds;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<MicrosoftAds>(env!("CARGO_MANIFEST_DIR"));
}
