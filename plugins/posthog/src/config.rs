//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use tidegate_plugin_sdk::Text;
use tidegate_plugin_sdk::names::CustomEvents;
use tidegate_plugin_sdk::names::Overrides;

/// What the plugin needs of it.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config<'a> {
    pub(crate) region: Region,
    #[serde(borrow)]
    pub(crate) group_type: Option<Text<'a>>,
    pub(crate) anonymous_profiles: bool,
    pub(crate) historical_after_h: u64,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: Overrides,
    pub(crate) value_properties: BTreeMap<String, String>,
    pub(crate) test_mode: TestMode,
}

/// The manifest's defaults, which the gateway has filled in already.
impl Default for Config<'_> {
    fn default() -> Self {
        Config {
            region: Region::Us,
            group_type: None,
            anonymous_profiles: false,
            historical_after_h: 48,
            custom_events: CustomEvents::Send,
            events: Overrides::new(),
            value_properties: [("purchase", "revenue"), ("refund", "total")]
                .map(|(name, key)| (name.into(), key.into()))
                .into(),
            test_mode: TestMode::Refuse,
        }
    }
}

/// Where the project is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Region {
    Us,
    Eu,
}

/// What becomes of test events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TestMode {
    Refuse,
    Mark,
}

impl Config<'_> {
    /// Which property carries what this event is worth.
    pub(crate) fn value_property(&self, name: &str) -> &str {
        self.value_properties.get(name).map_or("value", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;

    #[test]
    fn the_defaults_are_the_manifests() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        let text = manifest.config_with_defaults(serde_json::json!({})).to_string();
        assert_eq!(serde_json::from_str::<Config<'_>>(&text).unwrap(), Config::default());
    }
}
