//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::Text;
use tidegate_plugin_sdk::names::{self, CustomEvents};

/// The shortest id that Amplitude takes where the request does not say otherwise.
pub(crate) const MIN_ID_LENGTH: usize = 5;

/// What the plugin needs of it.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config<'a> {
    pub(crate) region: Region,
    pub(crate) min_id_length: usize,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: names::Overrides,
    pub(crate) revenue: Revenue,
    #[serde(borrow)]
    pub(crate) group_type: Option<Text<'a>>,
    pub(crate) test_events: TestEvents,
}

/// The manifest's defaults, which the gateway has filled in already.
impl Default for Config<'_> {
    fn default() -> Self {
        Config {
            region: Region::Us,
            min_id_length: MIN_ID_LENGTH,
            custom_events: CustomEvents::Send,
            events: names::Overrides::new(),
            revenue: Revenue::Order,
            group_type: None,
            test_events: TestEvents::Refuse,
        }
    }
}

/// Where the project's data lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Region {
    Us,
    Eu,
}

/// Which events carry the revenue of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Revenue {
    Order,
    Products,
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
    fn the_defaults_are_the_manifests() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        let text = manifest.config_with_defaults(serde_json::json!({})).to_string();
        assert_eq!(serde_json::from_str::<Config<'_>>(&text).unwrap(), Config::default());
    }
}
