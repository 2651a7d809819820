//! Every fixture of the plugin.

use tidegate_plugin_slack::Slack;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<Slack>(env!("CARGO_MANIFEST_DIR"));
}
