//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::names;

/// What the plugin itself needs of it: `ad_account_id` and `api_version` go into the endpoint's path by the gateway.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) action_source: ActionSource,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: names::Overrides,
    pub(crate) limited_data_processing: LimitedDataProcessing,
}

/// Where a conversion happened. `app_android` and `app_ios` need data of their own that nobody collects here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActionSource {
    #[default]
    Web,
    Offline,
}

impl ActionSource {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            ActionSource::Web => "web",
            ActionSource::Offline => "offline",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<ActionSource> {
        [ActionSource::Web, ActionSource::Offline].into_iter().find(|source| source.as_str() == name)
    }
}

/// What to do with events that have no name of Pinterest's.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CustomEvents {
    Send,
    #[default]
    Drop,
}

/// When `opt_out_type` says LDP.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitedDataProcessing {
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
        let defaults = manifest.config_with_defaults(serde_json::json!({}));
        assert_eq!(serde_json::from_value::<Config>(defaults).unwrap(), Config::default());
    }

    #[test]
    fn every_source_that_the_manifest_allows_is_known() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        let allowed = manifest.config["properties"]["action_source"]["enum"].as_array().unwrap();
        assert!(allowed.iter().all(|name| ActionSource::parse(name.as_str().unwrap()).is_some()));
    }
}
