//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use tidegate_plugin_sdk::Text;
use tidegate_plugin_sdk::names::CustomEvents;

/// What the plugin itself needs of it: `pixel_id` and `api_version` go into the endpoint's path by the gateway.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config<'a> {
    #[serde(borrow)]
    pub(crate) test_event_code: Option<Text<'a>>,
    pub(crate) action_source: ActionSource,
    pub(crate) action_source_without_browser: WithoutBrowser,
    #[serde(borrow)]
    pub(crate) event_source_url: Option<Text<'a>>,
    pub(crate) custom_events: CustomEvents,
    #[serde(borrow)]
    pub(crate) events: BTreeMap<Text<'a>, Names<'a>>,
    pub(crate) limited_data_use: LimitedDataUse,
    pub(crate) limited_data_use_country: u32,
    pub(crate) limited_data_use_state: u32,
}

/// Meta's name for an event, or its names where it is several at Meta: the SDK's `names::Names`, but borrowed, because this
/// is read for every event.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Names<'a> {
    /// One; an empty one switches the event off.
    One(#[serde(borrow)] Text<'a>),
    /// Several, each of which is reported; none switches the event off.
    Several(#[serde(borrow)] Vec<Text<'a>>),
}

impl<'a> Names<'a> {
    pub(crate) fn as_slice(&self) -> &[Text<'a>] {
        match self {
            Names::One(name) => std::slice::from_ref(name),
            Names::Several(names) => names,
        }
    }
}

/// Where a conversion happened ("Server Event Parameters"). `app` and `business_messaging` need data of their own that
/// nobody collects here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActionSource {
    #[default]
    Website,
    Email,
    PhoneCall,
    Chat,
    PhysicalStore,
    SystemGenerated,
    Other,
}

impl ActionSource {
    pub(crate) const ALL: [ActionSource; 7] = [
        ActionSource::Website,
        ActionSource::Email,
        ActionSource::PhoneCall,
        ActionSource::Chat,
        ActionSource::PhysicalStore,
        ActionSource::SystemGenerated,
        ActionSource::Other,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            ActionSource::Website => "website",
            ActionSource::Email => "email",
            ActionSource::PhoneCall => "phone_call",
            ActionSource::Chat => "chat",
            ActionSource::PhysicalStore => "physical_store",
            ActionSource::SystemGenerated => "system_generated",
            ActionSource::Other => "other",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<ActionSource> {
        ActionSource::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

/// What becomes of a website event that lacks what Meta requires of one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WithoutBrowser {
    #[default]
    Other,
    Email,
    PhoneCall,
    Chat,
    PhysicalStore,
    SystemGenerated,
    Refuse,
}

impl WithoutBrowser {
    /// The source to name instead; none when the event is to be refused.
    pub(crate) const fn source(self) -> Option<ActionSource> {
        match self {
            WithoutBrowser::Other => Some(ActionSource::Other),
            WithoutBrowser::Email => Some(ActionSource::Email),
            WithoutBrowser::PhoneCall => Some(ActionSource::PhoneCall),
            WithoutBrowser::Chat => Some(ActionSource::Chat),
            WithoutBrowser::PhysicalStore => Some(ActionSource::PhysicalStore),
            WithoutBrowser::SystemGenerated => Some(ActionSource::SystemGenerated),
            WithoutBrowser::Refuse => None,
        }
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
        let text = manifest.config_with_defaults(serde_json::json!({})).to_string();
        assert_eq!(serde_json::from_str::<Config<'_>>(&text).unwrap(), Config::default());
    }

    #[test]
    fn every_source_that_the_manifest_allows_is_known() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        let allowed = manifest.config["properties"]["action_source"]["enum"].as_array().unwrap();
        let known: Vec<&str> =
            allowed.iter().filter_map(|name| ActionSource::parse(name.as_str()?)).map(ActionSource::as_str).collect();
        assert_eq!(known.len(), allowed.len());
        assert_eq!(known.len(), ActionSource::ALL.len());
    }
}
