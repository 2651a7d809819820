//! Every fixture of the plugin.

use tidegate_plugin_ga4::Ga4;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<Ga4>(env!("CARGO_MANIFEST_DIR"));
}
