//! Every fixture of the plugin.

use tidegate_plugin_google_data_manager::GoogleDataManager;

#[test]
fn fixtures_hold() {
    tidegate_plugin_sdk::testing::run::<GoogleDataManager>(env!("CARGO_MANIFEST_DIR"));
}
