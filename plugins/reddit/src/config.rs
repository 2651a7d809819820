//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::names::{self, CustomEvents};

/// What the plugin itself needs of it: `pixel_id` and `api_version` go into the endpoint's path by the gateway.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) test_id: Option<String>,
    pub(crate) action_source: ActionSource,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: names::Overrides,
    pub(crate) limited_data_use: LimitedDataUse,
    pub(crate) limited_data_use_country: Option<String>,
}

/// Where a conversion happened. `APP` needs data of its own that nobody collects here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActionSource {
    #[default]
    Website,
    PhysicalStore,
    Other,
}

impl ActionSource {
    const ALL: [ActionSource; 3] = [ActionSource::Website, ActionSource::PhysicalStore, ActionSource::Other];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            ActionSource::Website => "WEBSITE",
            ActionSource::PhysicalStore => "PHYSICAL_STORE",
            ActionSource::Other => "OTHER",
        }
    }

    /// Reads a name as the configuration has it, or as Reddit does.
    pub(crate) fn parse(name: &str) -> Option<ActionSource> {
        ActionSource::ALL.into_iter().find(|source| source.as_str().eq_ignore_ascii_case(name))
    }
}

/// When `data_processing_options` says LDU.
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
        let defaults = manifest.config_with_defaults(serde_json::json!({}));
        assert_eq!(serde_json::from_value::<Config>(defaults).unwrap(), Config::default());
    }

    #[test]
    fn every_source_that_the_manifest_allows_is_known() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        let allowed = manifest.config["properties"]["action_source"]["enum"].as_array().unwrap();
        assert!(allowed.iter().all(|name| ActionSource::parse(name.as_str().unwrap()).is_some()));
        assert_eq!(allowed.len(), ActionSource::ALL.len());
    }
}
