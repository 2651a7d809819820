//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::names::{CustomEvents, Overrides};

/// What the plugin itself needs of it: `url` is the endpoint, which the gateway fills in.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) key: Key,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: Overrides,
}

/// What records are keyed by.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Key {
    #[default]
    Visitor,
    Event,
    None,
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;

    #[test]
    fn the_defaults_are_the_manifests() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        let text = manifest.config_with_defaults(serde_json::json!({})).to_string();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), Config::default());
    }
}
