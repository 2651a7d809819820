//! The gateway as the demo runs it: its configuration, with the demo's own secrets, and its start in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tidegate::app::{self, Gateway, Roles, Setup};
use tidegate::config::Source;

use crate::platforms::Platforms;
use crate::shop;

/// Public, as write keys are.
pub(crate) const WRITE_KEY: &str = "demo-write-key";
/// As much a secret as the next.
pub(crate) const API_KEY: &str = "demo-api-key-known-to-everybody";
/// Known to everybody who reads this, which is fine on a loopback address and nowhere else.
pub(crate) const ADMIN_TOKEN: &str = "demo-admin-token";

const TEMPLATE: &str = include_str!("../assets/tidegate.toml");

/// The secrets of the configuration, by the names of their variables. Those of the destinations are the fakes' own, which
/// stand in their plugins' folders for everybody to read, and so in the configuration too.
pub(crate) const SECRETS: [(&str, &str); 3] = [
    ("TIDEGATE_ADMIN_TOKEN", ADMIN_TOKEN),
    ("TIDEGATE_VISITOR_KEY", "demo-visitor-key-known-to-everybody"),
    ("SHOP_API_KEY", API_KEY),
];

/// What differs from one configuration to another.
pub(crate) struct Places<'a> {
    pub(crate) gateway: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) shop: SocketAddr,
    /// The lines of `[store]`.
    pub(crate) store: &'a str,
}

/// Writes the configuration where a person can read it and `tidegate check` can check it.
pub(crate) fn configure(file: &Path, places: &Places<'_>, platforms: &Platforms) -> anyhow::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).with_context(|| format!("make `{}`", dir.display()))?;
    let shop = shop::url(places.shop);
    let text = TEMPLATE
        .replace("{gateway}", &places.gateway.to_string())
        .replace("{admin}", &places.admin.to_string())
        .replace("{shop}", shop.trim_end_matches('/'))
        .replace("{store}", places.store)
        .replace("{destinations}", &platforms.destinations()?);
    std::fs::write(file, text).with_context(|| format!("write `{}`", file.display()))
}

/// Starts the gateway: when this returns, it takes events.
pub(crate) async fn start(file: &Path) -> anyhow::Result<Gateway> {
    let name = file.display().to_string();
    let source = Source::new(file, Arc::new(variable));
    let config = source.read()?;
    match app::set_up(Setup { config, source: Some(source), roles: Roles::default() }).await {
        Ok(gateway) => Ok(gateway),
        Err(app::Error::Config(mistakes)) => Err(mistakes.named(name).into()),
        Err(error) => Err(error)
            .context("start the gateway\nhint: --gateway and --admin choose other addresses, --data another directory"),
    }
}

/// What the `env:` secrets of the configuration are.
fn variable(name: &str) -> Option<String> {
    SECRETS.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

/// The gateway as the shop's pages reach it: under the shop's own host name, so that its cookies are first-party.
pub(crate) fn public_url(address: SocketAddr) -> String {
    shop::url(address).trim_end_matches('/').to_owned()
}

pub(crate) fn dashboard_url(address: SocketAddr) -> String {
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use tidegate::config::Config;

    use super::*;

    #[tokio::test]
    async fn the_configuration_delivers_to_every_built_in_destination() {
        let platforms = Platforms::start(tidegate_fakes::KINDS, 1).await.expect("the fake platforms");
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("tidegate.toml");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let places = Places { gateway: nowhere, admin: nowhere, shop: nowhere, store: "url = \"sqlite:tidegate.db\"" };
        configure(&file, &places, &platforms).expect("a file");
        let text = std::fs::read_to_string(&file).expect("the file");
        let config = Config::parse(&text, dir.path(), &variable).expect("no mistakes");
        let names: Vec<&str> = config.destinations.iter().map(|destination| destination.name.as_str()).collect();
        let built_in: Vec<&str> = tidegate_plugins::BUILT_IN.iter().map(|plugin| plugin.name).collect();
        assert_eq!(names, built_in);
    }
}
