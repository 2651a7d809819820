//! Every fixture of the plugin.

use tidegate_plugin_snap::Snap;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<Snap>(env!("CARGO_MANIFEST_DIR"));
}
