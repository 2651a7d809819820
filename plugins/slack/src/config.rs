//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use tidegate_plugin_sdk::Text;

/// What the plugin needs of it.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Config<'a> {
    /// Messages by the names of events.
    #[serde(borrow)]
    pub(crate) messages: BTreeMap<Text<'a>, Text<'a>>,
    pub(crate) format: Format,
}

/// How a message looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    Text,
    Blocks,
}

#[cfg(test)]
mod tests {
    use tidegate_plugin_sdk::manifest::Manifest;

    use super::*;
    use crate::template::NAMES;

    #[test]
    fn the_manifests_defaults_are_a_whole_configuration() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        let text = manifest.config_with_defaults(serde_json::json!({})).to_string();
        let config: Config<'_> = serde_json::from_str(&text).unwrap();
        let messages: Vec<_> = config.messages.iter().map(|(name, message)| (&**name, &**message)).collect();
        assert_eq!(messages, [("purchase", "New order {order_id}: {value} {currency}")]);
        assert_eq!(config.format, Format::Text);
    }

    #[test]
    fn the_schema_allows_the_names_that_the_code_knows() {
        let manifest = Manifest::parse(include_str!("../plugin.toml")).unwrap();
        let schema = &manifest.config["properties"]["messages"]["additionalProperties"]["pattern"];
        let expected = [r"^([^{}]|\{(", &NAMES.join("|"), r")\})*$"].concat();
        assert_eq!(schema.as_str(), Some(expected.as_str()));
    }
}
