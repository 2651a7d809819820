//! A gateway in this process, with the platforms that it delivers to.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tidegate::app::{self, Roles, Setup};
use tidegate::config::Source;
use tidegate_fakes::{Fake, Ga4, Meta, WebhookSink};

use crate::client::{Answer, Client};
use crate::config::{GA4_SECRET, META_TOKEN, Settings, WEBHOOK_SECRET, plugin_cache, variable};

/// The fake platforms of one test.
pub struct Platforms {
    pub meta: Fake,
    pub ga4: Fake,
    pub webhook: Fake,
}

impl Platforms {
    /// Starts them on ports from the system.
    pub async fn start() -> Platforms {
        let webhook = WebhookSink::new(WEBHOOK_SECRET).expect("the example's secret");
        Platforms {
            meta: Fake::start(Meta::new(META_TOKEN)).await.expect("a fake Meta"),
            ga4: Fake::start(Ga4::new().api_secret(GA4_SECRET)).await.expect("a fake GA4"),
            webhook: Fake::start(webhook).await.expect("a webhook's receiver"),
        }
    }
}

/// A gateway with its platforms; dereferences to its client.
pub struct Stack {
    pub platforms: Platforms,
    pub dir: TempDir,
    client: Client,
    gateway: Option<app::Gateway>,
    text: String,
}

impl Stack {
    /// Starts one as most tests want it.
    pub async fn start() -> Stack {
        Stack::with(Settings::default()).await
    }

    /// Starts one with settings.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn with(settings: Settings) -> Stack {
        Stack::prepared(settings, |_| {}).await
    }

    /// The same, after the test has put something into its directory: a store, say.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn prepared(settings: Settings, prepare: impl FnOnce(&Path)) -> Stack {
        let platforms = Platforms::start().await;
        let dir = tempfile::tempdir().expect("a directory");
        prepare(dir.path());
        settings.write_files(dir.path());
        let text = settings.text(&platforms, &plugin_cache());
        let gateway = start(&text, &dir).await.unwrap_or_else(|error| panic!("{error}\n\n{text}"));
        let client = Client::new(gateway.http.expect("it collects"), gateway.admin);
        Stack { platforms, dir, client, gateway: Some(gateway), text }
    }

    /// Writes other settings for the gateway that runs, which it does not know of yet.
    pub fn write(&self, settings: &Settings) {
        settings.write_files(self.dir.path());
        write(&settings.text(&self.platforms, &plugin_cache()), &self.dir);
    }

    /// Lets the gateway that runs read these settings; gives its answer.
    pub async fn reload(&self, settings: &Settings) -> Answer {
        self.write(settings);
        self.admin_post("/api/reload", &serde_json::json!({})).await
    }

    /// Whether a gateway with these settings starts, and if not, why.
    ///
    /// # Errors
    /// What the gateway said.
    pub async fn try_start(settings: Settings) -> Result<(), String> {
        let platforms = Platforms::start().await;
        let dir = tempfile::tempdir().expect("a directory");
        settings.write_files(dir.path());
        let gateway = start(&settings.text(&platforms, &plugin_cache()), &dir).await?;
        gateway.stop().await.map_err(|error| error.to_string())
    }

    /// Where it speaks TLS.
    ///
    /// # Panics
    /// When it does not.
    pub fn https(&self) -> SocketAddr {
        self.gateway.as_ref().and_then(|gateway| gateway.https).expect("it speaks TLS")
    }

    /// Stops the gateway in order, and starts it again on the same store.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// The same with other settings.
    pub async fn restart_with(&mut self, settings: Settings) {
        self.stop().await;
        settings.write_files(self.dir.path());
        self.text = settings.text(&self.platforms, &plugin_cache());
        self.start_again().await;
    }

    /// Starts the gateway that was stopped again on the same store.
    pub async fn start_again(&mut self) {
        let gateway = start(&self.text, &self.dir).await.unwrap_or_else(|error| panic!("{error}"));
        self.client = Client::new(gateway.http.expect("it collects"), gateway.admin);
        self.gateway = Some(gateway);
    }

    /// Stops the gateway in order.
    pub async fn stop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.stop().await.expect("the gateway stops");
        }
    }
}

fn write(text: &str, dir: &TempDir) -> PathBuf {
    let file = dir.path().join("tidegate.toml");
    std::fs::write(&file, text).expect("a writable directory");
    file
}

async fn start(text: &str, dir: &TempDir) -> Result<app::Gateway, String> {
    let source = Source::new(write(text, dir), Arc::new(variable));
    let config = source.read().map_err(|mistakes| mistakes.to_string())?;
    let setup = Setup { config, source: Some(source), roles: Roles::default() };
    app::set_up(setup).await.map_err(|error| {
        let mut said = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            said.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        said
    })
}

impl Deref for Stack {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
