//! Every plugin's platform at once, and a gateway's configuration that delivers to all of them.

use tidegate_fakes::{Behaviour, Fake, KINDS};

/// All fakes, each by its plugin's name, which is the name of its destination too.
pub struct Everywhere(Vec<(&'static str, Fake)>);

impl Everywhere {
    /// Starts them on ports from the system.
    ///
    /// # Panics
    /// When one does not start.
    pub async fn start() -> Everywhere {
        let mut fakes = Vec::new();
        for kind in KINDS {
            fakes.push((kind.plugin, kind.fake().start().await.expect("a fake platform")));
        }
        Everywhere(fakes)
    }

    /// The destinations' part of a configuration.
    ///
    /// # Panics
    /// When a fake's settings are no TOML.
    pub fn destinations(&self) -> String {
        let urls = self.0.iter().map(|(_, fake)| fake.url());
        let made = KINDS.iter().zip(urls).map(|(kind, url)| kind.destination("shop", &url).expect("TOML"));
        made.collect::<Vec<_>>().join("\n")
    }

    /// The plugins' names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }

    /// Each with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Fake)> {
        self.0.iter().map(|(name, fake)| (*name, fake))
    }

    /// Queues the same behaviours for each.
    pub fn next(&self, behaviours: &[Behaviour]) {
        self.0.iter().for_each(|(_, fake)| fake.next(behaviours.iter().cloned()));
    }
}
