//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_plugin_sdk::Text;
use tidegate_plugin_sdk::names::CustomEvents;
use tidegate_plugin_sdk::names::Overrides;

/// What the plugin needs of it.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config<'a> {
    pub(crate) region: Region,
    #[serde(borrow)]
    pub(crate) project_token: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) group_key: Option<Text<'a>>,
    pub(crate) id_merge: IdMerge,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: Overrides,
    pub(crate) test_mode: TestMode,
}

/// Where the project's data lives.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Region {
    #[default]
    Us,
    Eu,
    In,
}

impl Region {
    /// The endpoint of this region.
    pub(crate) fn endpoint(self, name: &'static str) -> Cow<'static, str> {
        match self {
            Region::Us => Cow::Borrowed(name),
            Region::Eu => Cow::Owned([name, "_eu"].concat()),
            Region::In => Cow::Owned([name, "_in"].concat()),
        }
    }
}

/// How the project merges an anonymous id and a user's.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IdMerge {
    #[default]
    Simplified,
    Original,
}

/// What becomes of test events.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TestMode {
    #[default]
    Refuse,
    Mark,
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;

    fn manifest() -> Manifest {
        Manifest::parse(include_str!("../plugin.toml")).unwrap()
    }

    #[test]
    fn the_defaults_are_the_manifests() {
        let text = manifest().config_with_defaults(serde_json::json!({})).to_string();
        assert_eq!(serde_json::from_str::<Config<'_>>(&text).unwrap(), Config::default());
    }

    #[test]
    fn every_region_has_its_endpoints() {
        let manifest = manifest();
        for region in [Region::Us, Region::Eu, Region::In] {
            for name in ["import", "engage", "groups"] {
                assert!(manifest.endpoints.contains_key(&*region.endpoint(name)), "{region:?} {name}");
            }
        }
    }
}
