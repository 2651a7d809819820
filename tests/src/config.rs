//! The configuration of a gateway under test: the issue's example, with short waits, and ports from the system.

use std::path::{Path, PathBuf};

use crate::Platforms;

/// The site's public key.
pub const WRITE_KEY: &str = "demo-write-key";
/// The site's secret key.
pub const API_KEY: &str = "secret-api-key-of-the-shop";
/// The admin listener's token.
pub const ADMIN_TOKEN: &str = "the-operators-own-token";
/// What the fake Meta accepts.
pub const META_TOKEN: &str = "EAAB-test-token";
/// What the fake GA4 accepts.
pub const GA4_SECRET: &str = "ga4-test-secret";
/// The example of the Standard Webhooks specification.
pub const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The shop's pages.
pub const ORIGIN: &str = "https://www.shop.example";

/// What a test may change.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The level of the site when nothing says anything.
    pub consent_default: &'static str,
    /// The level by where the visitor is, as TOML; nothing for none.
    pub regions: &'static str,
    pub destinations: Destinations,
    /// Tables put at the end. `$META`, `$GA4` and `$WEBHOOK` in them stand for the addresses of the fakes.
    pub more: String,
    /// Files beside the configuration, by their names.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// Further hosts of the site.
    pub hosts: Vec<&'static str>,
    /// Lines of `[listen]`, beside its plain addresses.
    pub listen: String,
    /// Lines of `[store]`, beside its url.
    pub store: String,
    /// Lines of `[limits]`.
    pub limits: String,
    /// Lines of `[delivery]`, instead of the short waits.
    pub delivery: String,
}

/// Which destinations there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destinations {
    /// Meta, GA4 and a webhook, each to its fake.
    All,
    /// Those that the test itself adds.
    None,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            consent_default: "none",
            regions: "{}",
            destinations: Destinations::All,
            more: String::new(),
            files: Vec::new(),
            hosts: Vec::new(),
            listen: String::new(),
            store: String::new(),
            limits: String::new(),
            delivery: "timeout_ms = 2000\nbackoff_base_ms = 40\nbackoff_max_ms = 4000\nattempts_max = 5\n\
                       shutdown_ms = 3000\n"
                .into(),
        }
    }
}

impl Settings {
    /// The text of the configuration file.
    pub fn text(&self, platforms: &Platforms, cache: &Path) -> String {
        let own = ["localhost", "127.0.0.1", "track.shop.example"];
        let hosts: Vec<String> = own.iter().chain(&self.hosts).map(|host| format!("{host:?}")).collect();
        let mut text = format!(
            r#"[listen]
http = "127.0.0.1:0"
admin = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1/32"]
{}
[admin]
token = "env:TIDEGATE_ADMIN_TOKEN"

[store]
url = "sqlite:tidegate.db"
{}
[visitor]
keys = ["k1:env:TIDEGATE_VISITOR_KEY"]

[plugins]
cache = "{}"

[limits]
{}
[delivery]
{}
[[site]]
name = "shop"
hosts = [{}]
origins = ["{ORIGIN}"]
write_keys = ["{WRITE_KEY}"]
api_keys = ["env:SHOP_API_KEY"]
consent = {{ default = "{}", regions = {} }}
"#,
            self.listen,
            self.store,
            cache.display(),
            self.limits,
            self.delivery,
            hosts.join(", "),
            self.consent_default,
            self.regions
        );
        if self.destinations == Destinations::All {
            text.push_str(&all(platforms));
        }
        let fakes = [("$META", &platforms.meta), ("$GA4", &platforms.ga4), ("$WEBHOOK", &platforms.webhook)];
        let more = fakes.iter().fold(self.more.clone(), |more, (name, fake)| more.replace(name, &fake.url()));
        text.push_str(&more);
        text
    }
}

/// A webhook named `hook`, to its fake: for `more`, where a test wants no other destination.
pub const HOOK: &str = r#"
[[destination]]
name = "hook"
site = "shop"
plugin = "webhook"
config = { url = "$WEBHOOK/tidegate" }
secrets = { signing_secret = "env:WEBHOOK_SECRET" }
allow_insecure = true
"#;

impl Settings {
    /// A gateway with the webhook alone, everything consented to.
    pub fn hook() -> Settings {
        Settings {
            consent_default: "marketing",
            destinations: Destinations::None,
            more: HOOK.into(),
            ..Settings::default()
        }
    }

    /// Meta, GA4 and the webhook, everything consented to.
    pub fn marketing() -> Settings {
        Settings { consent_default: "marketing", ..Settings::default() }
    }

    /// Puts the files beside the configuration.
    pub(crate) fn write_files(&self, dir: &Path) {
        for (name, bytes) in &self.files {
            std::fs::write(dir.join(name), bytes).expect("a writable directory");
        }
    }
}

fn all(platforms: &Platforms) -> String {
    format!(
        r#"
[[destination]]
name = "meta"
site = "shop"
plugin = "meta-capi"
config = {{ pixel_id = "123456789012345", api_version = "v26.0" }}
secrets = {{ access_token = "env:META_TOKEN" }}
base_url = "{}"
allow_insecure = true

[[destination]]
name = "ga4"
site = "shop"
plugin = "ga4"
config = {{ measurement_id = "G-TIDEGATE00" }}
secrets = {{ api_secret = "env:GA4_SECRET" }}
base_url = "{}"
allow_insecure = true

[[destination]]
name = "hook"
site = "shop"
plugin = "webhook"
config = {{ url = "{}/tidegate" }}
secrets = {{ signing_secret = "env:WEBHOOK_SECRET" }}
allow_insecure = true
"#,
        platforms.meta.url(),
        platforms.ga4.url(),
        platforms.webhook.url()
    )
}

/// The values of the configuration's `env:` secrets.
pub fn variable(name: &str) -> Option<String> {
    let value = match name {
        "TIDEGATE_ADMIN_TOKEN" => ADMIN_TOKEN,
        "TIDEGATE_VISITOR_KEY" => "the-visitor-key-of-the-tests",
        "SHOP_API_KEY" => API_KEY,
        "META_TOKEN" => META_TOKEN,
        "GA4_SECRET" => GA4_SECRET,
        "WEBHOOK_SECRET" => WEBHOOK_SECRET,
        _ => return None,
    };
    Some(value.to_owned())
}

/// The compiled plugins, which all tests share: compiling them is the slowest part of a start.
pub fn plugin_cache() -> PathBuf {
    build_dir().join("plugin-cache")
}

/// Where cargo puts programs of this build: `target/<profile>`, or the folder above a test's own.
pub(crate) fn build_dir() -> PathBuf {
    let exe = std::env::current_exe().expect("a program knows its own path");
    let folders: Vec<&Path> = exe.ancestors().skip(1).take(2).collect();
    let own = folders.iter().find(|folder| !folder.ends_with("deps")).expect("a test lies in target/<profile>/deps");
    own.to_path_buf()
}
