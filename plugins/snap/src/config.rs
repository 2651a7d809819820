//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::{Deserialize, Serialize};
use tidegate_plugin_sdk::{Text, names};

/// What the plugin itself needs of it: `pixel_id` and `api_version` go into the endpoint's path by the gateway.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config<'a> {
    pub(crate) action_source: ActionSource,
    #[serde(borrow)]
    pub(crate) event_source_url: Option<Text<'a>>,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: names::Overrides,
    pub(crate) limited_data_use: LimitedDataUse,
    pub(crate) limited_data_use_option: LimitedDataUseOption,
}

/// Where a conversion happened. `MOBILE_APP` needs data of an app's own that nobody collects here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ActionSource {
    #[default]
    Web,
    Offline,
}

impl ActionSource {
    /// Snap's name for it, or that of a platform which tells more of them apart.
    pub(crate) fn parse(name: &str) -> Option<ActionSource> {
        const OFFLINE: [&str; 7] =
            ["offline", "physical_store", "phone_call", "chat", "email", "system_generated", "other"];
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("web") || is("website") {
            return Some(ActionSource::Web);
        }
        OFFLINE.into_iter().any(is).then_some(ActionSource::Offline)
    }
}

/// What to do with events that have no name of Snap's.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CustomEvents {
    #[default]
    Drop,
    Send,
}

/// When `data_processing_options` is set.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitedDataUse {
    #[default]
    Consent,
    Always,
}

/// What `data_processing_options` says.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum LimitedDataUseOption {
    #[default]
    Lmu,
    Ldu,
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

    #[test]
    fn a_source_is_known_by_snaps_name_and_by_metas() {
        assert_eq!(ActionSource::parse("website"), Some(ActionSource::Web));
        assert_eq!(ActionSource::parse("WEB"), Some(ActionSource::Web));
        assert_eq!(ActionSource::parse("physical_store"), Some(ActionSource::Offline));
        assert_eq!(ActionSource::parse("app"), None);
    }
}
