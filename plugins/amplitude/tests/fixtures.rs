//! Every fixture of the plugin.

use tidegate_plugin_amplitude::Amplitude;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<Amplitude>(env!("CARGO_MANIFEST_DIR"));
}
