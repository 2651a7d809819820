//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::names::Overrides;

/// What the plugin itself needs of it: `api_version` goes into the endpoint's path by the gateway.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) customer_id: String,
    pub(crate) login_customer_id: Option<String>,
    /// Conversion actions that the event is imported into.
    pub(crate) events: Overrides,
    /// Conversion actions that Google's tag reports, and that are enhanced.
    pub(crate) enhancements: Overrides,
    pub(crate) without_click: WithoutClick,
    pub(crate) identifiers_with_braid: bool,
    pub(crate) merchant_id: Option<String>,
    pub(crate) feed_country_code: Option<String>,
    pub(crate) feed_language_code: Option<String>,
}

/// What becomes of a conversion that has identifiers alone.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WithoutClick {
    #[default]
    Send,
    Skip,
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;

    #[test]
    fn the_defaults_are_the_manifests() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        let config = manifest.config_with_defaults(serde_json::json!({}));
        assert_eq!(serde_json::from_value::<Config>(config).unwrap(), Config::default());
    }
}
