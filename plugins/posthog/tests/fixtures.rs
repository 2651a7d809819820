//! Every fixture of the plugin.

use tidegate_plugin_posthog::Posthog;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<Posthog>(env!("CARGO_MANIFEST_DIR"));
}
