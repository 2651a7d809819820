//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::names::{CustomEvents, Overrides};

/// What the plugin itself needs of it: the rest are parts of the endpoint, which the gateway fills in.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) ignore_unknown_values: bool,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: Overrides,
}

/// The manifest's defaults, which the gateway has filled in already.
impl Default for Config {
    fn default() -> Self {
        Config { ignore_unknown_values: true, custom_events: CustomEvents::Send, events: Overrides::new() }
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
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), Config::default());
    }
}
