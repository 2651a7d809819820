//! Every fixture of the plugin.

use tidegate_plugin_segment::Segment;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<Segment>(env!("CARGO_MANIFEST_DIR"));
}
