//! The gateway as the demo runs it: its configuration, with the demo's own secrets, and its start in this process.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tidegate::app::{self, Gateway};
use tidegate::config::Config;

use crate::Options;
use crate::platforms::{self, Platforms};
use crate::shop;

/// Public, as write keys are.
pub(crate) const WRITE_KEY: &str = "demo-write-key";
/// Known to everybody who reads this, which is fine on a loopback address and nowhere else.
pub(crate) const ADMIN_TOKEN: &str = "demo-admin-token";

const TEMPLATE: &str = include_str!("../assets/tidegate.toml");

/// Writes the configuration where a person can read it and `tidegate check` can check it.
pub(crate) fn configure(options: &Options, platforms: &Platforms) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(&options.data).with_context(|| format!("make `{}`", options.data.display()))?;
    let shop = shop::url(options.shop);
    let text = TEMPLATE
        .replace("{gateway}", &options.gateway.to_string())
        .replace("{admin}", &options.admin.to_string())
        .replace("{shop}", shop.trim_end_matches('/'))
        .replace("{meta}", &platforms.meta.url())
        .replace("{ga4}", &platforms.ga4.url())
        .replace("{webhook}", &platforms.webhook.url());
    let file = options.data.join("tidegate.toml");
    std::fs::write(&file, text).with_context(|| format!("write `{}`", file.display()))?;
    Ok(file)
}

/// Starts the gateway: when this returns, it takes events.
pub(crate) async fn start(file: &Path) -> anyhow::Result<Gateway> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("read `{name}`"))?;
    let base = file.parent().unwrap_or(Path::new("."));
    let config = Config::parse(&text, base, &variable).map_err(|mistakes| mistakes.named(&name))?;
    match app::start(config).await {
        Ok(gateway) => Ok(gateway),
        Err(app::Error::Config(mistakes)) => Err(mistakes.named(name).into()),
        Err(error) => Err(error)
            .context("start the gateway\nhint: --gateway and --admin choose other addresses, --data another directory"),
    }
}

/// What the `env:` secrets of the configuration are.
fn variable(name: &str) -> Option<String> {
    let value = match name {
        "TIDEGATE_ADMIN_TOKEN" => ADMIN_TOKEN,
        "TIDEGATE_VISITOR_KEY" => "demo-visitor-key-known-to-everybody",
        "SHOP_API_KEY" => "demo-api-key-known-to-everybody",
        "META_TOKEN" => platforms::META_TOKEN,
        "GA4_SECRET" => platforms::GA4_SECRET,
        "WEBHOOK_SECRET" => platforms::WEBHOOK_SECRET,
        _ => return None,
    };
    Some(value.to_owned())
}

/// The gateway as the shop's pages reach it: under the shop's own host name, so that its cookies are first-party.
pub(crate) fn public_url(options: &Options) -> String {
    shop::url(options.gateway).trim_end_matches('/').to_owned()
}

pub(crate) fn dashboard_url(options: &Options) -> String {
    format!("http://{}", options.admin)
}
