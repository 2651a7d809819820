//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::Text;
use tidegate_plugin_sdk::names::{self, CustomEvents};

/// What the plugin needs of it.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Config<'a> {
    #[serde(borrow)]
    pub(crate) revision: Text<'a>,
    #[serde(default)]
    pub(crate) events: names::Overrides,
    pub(crate) custom_events: CustomEvents,
    pub(crate) ordered_products: bool,
    pub(crate) backfill_after_hours: Option<u64>,
    pub(crate) test_events: TestEvents,
}

/// What becomes of test events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TestEvents {
    Refuse,
    Send,
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;

    #[test]
    fn the_manifests_defaults_are_a_whole_configuration() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        let text = manifest.config_with_defaults(serde_json::json!({})).to_string();
        let config: Config<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(&*config.revision, "2026-10-15");
        assert!(config.ordered_products && config.events.is_empty() && config.backfill_after_hours.is_none());
        assert_eq!((config.custom_events, config.test_events), (CustomEvents::Send, TestEvents::Refuse));
    }
}
