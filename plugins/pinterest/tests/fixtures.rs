//! Every fixture of the plugin, and that the code's defaults are the manifest's.

use tidegate_plugin_pinterest::Pinterest;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<Pinterest>(env!("CARGO_MANIFEST_DIR"));
}
