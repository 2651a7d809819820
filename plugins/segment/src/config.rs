//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use tidegate_plugin_sdk::names::CustomEvents;
use tidegate_plugin_sdk::names::Overrides;

/// What the plugin needs of it.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config<'a> {
    pub(crate) region: Region,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: Overrides,
    pub(crate) value_properties: BTreeMap<String, String>,
    #[serde(borrow)]
    pub(crate) consent_categories: ConsentCategories<'a>,
}

/// The manifest's defaults, which the gateway has filled in already.
impl Default for Config<'_> {
    fn default() -> Self {
        Config {
            region: Region::Us,
            custom_events: CustomEvents::Send,
            events: Overrides::new(),
            value_properties: [("purchase", "revenue"), ("refund", "total")]
                .map(|(name, key)| (name.into(), key.into()))
                .into(),
            consent_categories: ConsentCategories::default(),
        }
    }
}

/// Where the workspace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Region {
    Us,
    Eu,
}

/// The category of each purpose; an empty one is left out.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ConsentCategories<'a> {
    #[serde(borrow)]
    pub(crate) analytics: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) ad_storage: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) ad_user_data: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) ad_personalization: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) sale_or_sharing: Cow<'a, str>,
}

impl Default for ConsentCategories<'_> {
    fn default() -> Self {
        ConsentCategories {
            analytics: Cow::Borrowed("analytics"),
            ad_storage: Cow::Borrowed("ad_storage"),
            ad_user_data: Cow::Borrowed("ad_user_data"),
            ad_personalization: Cow::Borrowed("ad_personalization"),
            sale_or_sharing: Cow::Borrowed("sale_or_sharing"),
        }
    }
}

impl Config<'_> {
    /// Which property carries what this event is worth.
    pub(crate) fn value_property(&self, name: &str) -> &str {
        self.value_properties.get(name).map_or("value", String::as_str)
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

    #[test]
    fn what_an_event_is_worth_has_a_property_for_each_event() {
        let config = Config::default();
        assert_eq!(config.value_property("purchase"), "revenue");
        assert_eq!(config.value_property("add_to_cart"), "value");
    }
}
