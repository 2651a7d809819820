//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::names::Overrides;

/// What the plugin itself needs of it: `api_version` goes into the endpoint's path by the gateway.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) operating_account_id: String,
    pub(crate) operating_account_type: String,
    pub(crate) login_account_id: Option<String>,
    pub(crate) login_account_type: String,
    pub(crate) linked_account_id: Option<String>,
    pub(crate) linked_account_type: String,
    pub(crate) events: Overrides,
    pub(crate) event_source: String,
    pub(crate) without_click: WithoutClick,
    pub(crate) ip_address: bool,
    pub(crate) merchant_id: Option<String>,
    pub(crate) merchant_feed_label: Option<String>,
    pub(crate) merchant_feed_language_code: Option<String>,
}

/// What becomes of a conversion that has identifiers alone.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WithoutClick {
    #[default]
    Send,
    Skip,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            operating_account_id: String::new(),
            operating_account_type: "GOOGLE_ADS".into(),
            login_account_id: None,
            login_account_type: "GOOGLE_ADS".into(),
            linked_account_id: None,
            linked_account_type: "GOOGLE_ADS".into(),
            events: Overrides::new(),
            event_source: "WEB".into(),
            without_click: WithoutClick::default(),
            ip_address: false,
            merchant_id: None,
            merchant_feed_label: None,
            merchant_feed_language_code: None,
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
        let config = manifest.config_with_defaults(serde_json::json!({}));
        assert_eq!(serde_json::from_value::<Config>(config).unwrap(), Config::default());
    }
}
