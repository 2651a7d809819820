//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::Text;
use tidegate_plugin_sdk::names::{self, CustomEvents};

/// What the plugin itself needs of it: `api_version` goes into the endpoint's path by the gateway.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config<'a> {
    #[serde(borrow)]
    pub(crate) pixel_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) test_event_code: Option<Text<'a>>,
    pub(crate) test_event_code_for: TestEventCodeFor,
    #[serde(borrow)]
    pub(crate) page_url: Option<Text<'a>>,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: names::Overrides,
    pub(crate) limited_data_use: LimitedDataUse,
}

/// Which events carry the test code.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TestEventCodeFor {
    #[default]
    TestEvents,
    AllEvents,
}

/// When an event says `limited_data_use`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitedDataUse {
    #[default]
    Consent,
    Always,
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
