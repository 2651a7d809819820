//! Every fixture of the plugin.

use tidegate_plugin_tiktok::TikTok;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<TikTok>(env!("CARGO_MANIFEST_DIR"));
}
