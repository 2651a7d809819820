//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_plugin_sdk::names::{CustomEvents, Overrides};

/// What the plugin itself needs of it: `url` is the endpoint, which the gateway fills in.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config<'a> {
    #[serde(borrow)]
    pub(crate) database: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) table: Cow<'a, str>,
    pub(crate) async_insert: bool,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: Overrides,
}

/// The manifest's defaults, which the gateway has filled in already.
impl Default for Config<'_> {
    fn default() -> Self {
        Config {
            database: "default".into(),
            table: "events".into(),
            async_insert: true,
            custom_events: CustomEvents::Send,
            events: Overrides::new(),
        }
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
