//! Every fixture of the plugin.

use tidegate_plugin_mixpanel::Mixpanel;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<Mixpanel>(env!("CARGO_MANIFEST_DIR"));
}
