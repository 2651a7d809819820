//! Every platform that a plugin's folder brings a fake of. Owns the list, and how a destination of each is configured;
//! what a platform wants and says is its own folder's.

use std::sync::Arc;

use crate::{Builder, Fake, Platform};

include!(concat!(env!("OUT_DIR"), "/platforms.rs"));

/// A platform, and how a destination of its plugin is configured for it.
#[derive(Clone, Copy)]
pub struct Kind {
    /// The plugin's name.
    pub plugin: &'static str,
    /// `config` and `secrets` of a destination that the fake knows, as TOML; and as `issued` the access token that it
    /// gives for them, where a platform has such.
    settings: &'static str,
    platform: fn() -> Arc<dyn Platform>,
}

impl Kind {
    /// How to start the fake.
    pub fn fake(&self) -> Builder {
        Fake::builder_of((self.platform)())
    }

    /// The settings as a destination's part of a configuration, for a platform that listens at `url`.
    ///
    /// # Errors
    /// When the folder's `destination.toml` is no TOML.
    pub fn destination(&self, site: &str, url: &str) -> Result<String, toml::de::Error> {
        let mut destination = self.settings()?;
        destination.remove("issued");
        for (key, value) in [("name", self.plugin), ("site", site), ("plugin", self.plugin), ("base_url", url)] {
            destination.insert(key.into(), value.into());
        }
        destination.insert("allow_insecure".into(), true.into());
        let whole = toml::Table::from_iter([("destination".to_owned(), vec![destination].into())]);
        Ok(whole.to_string())
    }

    /// The whole of `destination.toml`.
    ///
    /// # Errors
    /// When the folder's `destination.toml` is no TOML.
    pub fn settings(&self) -> Result<toml::Table, toml::de::Error> {
        self.settings.parse()
    }
}

/// The platform of this plugin.
pub fn find(plugin: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.plugin == plugin)
}
