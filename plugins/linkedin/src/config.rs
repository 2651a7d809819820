//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::names;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// The conversion rules for each event.
    pub(crate) conversions: names::Overrides,
    /// `YYYYMM`, for the header `LinkedIn-Version`.
    pub(crate) version: String,
    pub(crate) test_conversion: Option<String>,
    pub(crate) user_info: UserInfo,
    pub(crate) limited_data_use: LimitedDataUse,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            conversions: names::Overrides::new(),
            version: "202605".to_owned(),
            test_conversion: None,
            user_info: UserInfo::default(),
            limited_data_use: LimitedDataUse::default(),
        }
    }
}

/// Whether names and the like are sent in plain text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UserInfo {
    Send,
    #[default]
    Never,
}

/// What becomes of events whose data LinkedIn is to use in a limited way, which it cannot be told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitedDataUse {
    #[default]
    Skip,
    Send,
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
}
