//! The destination's configuration, as `[config]` of `plugin.toml` describes it.

use serde::Deserialize;
use tidegate_plugin_sdk::names::CustomEvents;
use tidegate_plugin_sdk::names::Overrides;
use tidegate_plugin_sdk::{Rejection, Text};

/// What the plugin needs of it.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Config<'a> {
    #[serde(borrow)]
    pub(crate) measurement_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) firebase_app_id: Option<Text<'a>>,
    pub(crate) region: Region,
    pub(crate) client_id: ClientId,
    pub(crate) custom_events: CustomEvents,
    pub(crate) events: Overrides,
    #[serde(borrow)]
    pub(crate) parameters: Option<Vec<Text<'a>>>,
    pub(crate) event_id: bool,
    pub(crate) engagement_default_ms: u64,
    pub(crate) user_data: bool,
    pub(crate) test_mode: TestMode,
}

/// The manifest's defaults, which the gateway has filled in already.
impl Default for Config<'_> {
    fn default() -> Self {
        Config {
            measurement_id: None,
            firebase_app_id: None,
            region: Region::Global,
            client_id: ClientId::CookieOrAnonymousId,
            custom_events: CustomEvents::Send,
            events: Overrides::new(),
            parameters: None,
            event_id: true,
            engagement_default_ms: 1,
            user_data: true,
            test_mode: TestMode::DebugView,
        }
    }
}

/// Where Google collects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Region {
    Global,
    Eu,
}

/// Which id stands for the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClientId {
    CookieOrAnonymousId,
    Cookie,
    AnonymousId,
}

/// What becomes of test events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TestMode {
    DebugView,
    Validate,
}

/// Reads the configuration. The gateway has checked it against the schema, so a failure is a mistake in one of the two.
pub(crate) fn parse(text: &str) -> Result<Config<'_>, Rejection> {
    let config: Config<'_> =
        serde_json::from_str(text).map_err(|e| Rejection::invalid(format!("the plugin's configuration: {e}")))?;
    match (&config.measurement_id, &config.firebase_app_id) {
        (None, None) => Err(Rejection::invalid("the configuration has neither `measurement_id` nor `firebase_app_id`")),
        (Some(_), Some(_)) => {
            Err(Rejection::invalid("the configuration has both `measurement_id` and `firebase_app_id`"))
        }
        _ => Ok(config),
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
    fn one_stream_is_configured_and_not_two() {
        assert!(parse(r#"{"measurement_id":"G-1"}"#).is_ok());
        assert!(parse("{}").is_err());
        assert!(parse(r#"{"measurement_id":"G-1","firebase_app_id":"1:2:android:3"}"#).is_err());
    }
}
